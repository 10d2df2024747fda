"""What a scenario is: a fault, what it is broken with, and what is right to say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf

from driftwatch.simulate.deployments import Deployment, standard
from driftwatch.simulate.faults import Fault
from driftwatch.simulate.shapes import Shape


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to break a deployment, or to leave it whole.

    Parameters
    ----------
    name, number
        As in commands; the number is that of the catalogue, 0 for a control.
    title
        In a few words.
    source
        The public report that it is modelled on.
    fault
        What it does.
    signal
        What users feel of it: a signal, or ``answers`` where a share of the answers is spoilt.
    most
        The largest size that makes sense.
    deployment
        What is broken.
    kinds
        Kinds of incident that are right about it; empty where none should open.
    causes
        Names of measured series, or of senders, that are right about it.
    measured
        Whether a right cause is among what the deployment exposes.
    chain
        From the cause to what users feel.
    who
        Whom it hits, as labels; everybody if empty.
    telemetry
        Whether anything but the text of the answers shows it.
    shape, wobble
        How it comes unless told otherwise, and how it wavers.
    lasts_s
        How long it stays at most, in seconds.
    size
        A fixed size; None where it is set by what users feel.
    marker
        Kind and text of a marker at its onset, if people did something.
    """

    name: str
    number: int
    title: str
    source: str
    fault: Fault
    signal: str
    most: float = 1.0
    deployment: Callable[[], Deployment] = standard
    kinds: tuple[str, ...] = ("degradation",)
    causes: tuple[str, ...] = ()
    measured: bool = False
    chain: tuple[str, ...] = ()
    who: Mapping[str, str] = field(default_factory=dict)
    telemetry: bool = True
    shape: Shape = "step"
    wobble: float = 0.1
    lasts_s: float = inf
    size: float | None = None
    marker: tuple[str, str] | None = None
