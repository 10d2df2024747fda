"""The rules of the score: what counts as detected, right, abstained, false. Pure: facts in, one verdict out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from scoring.cases import TELEMETRY

Row = dict[str, Any]
AFTER_S = 120.0
"""An incident counts as a detection if it opens within the fault, or this long after its end."""
LEARNT_S, RIVALS_LEARNT_S = 600.0, 1200.0
"""From where time watched counts, ours and that of rivals: they have learnt what is healthy by then."""
APART_S = 300.0
"""Alarms of a rival closer than this are one."""
_NAME = re.compile(r"(?P<name>[^{]*)(?:\{(?P<scope>.*)\})?")


def judged(case: Row) -> Row:
    """The verdict on one case.

    Parameters
    ----------
    case
        The facts (`scoring.facts`) with name, severity and seed of the case.

    Returns
    -------
    dict
        Plain values; None where a question does not arise (no fault, not detected, nothing measured).
    """
    truth, incidents = case["truth"], case["incidents"]
    found = detection(truth, incidents)
    begins, ends = watched(truth, LEARNT_S)
    return {
        **{name: case[name] for name in ("name", "severity", "seed")},
        **{name: truth[name] for name in ("number", "title", "control", "telemetry")},
        "asked": not truth["control"] and truth["number"] in TELEMETRY,
        "detected": found is not None if wanted(truth) else None,
        **(about(truth, found) if found else dict.fromkeys(ABOUT)),
        **claims(truth, incidents),
        "false": sum(is_false(truth, incident) for incident in incidents),
        "hours": (ends - begins) / 3600.0,
        "rivals": {name: rival(truth, alarms) for name, alarms in case["rivals"].items()},
        "cpu": case["cpu"],
        "requests": case["requests"],
    }


ABOUT = ("delay", "onset_error", "kind", "cause", "silent", "segment")


def about(truth: Row, found: Row) -> Row:
    """What the incident that detected the fault says of it."""
    onset = window(truth)[0]
    fault = not truth["control"]
    return {
        "delay": found["opened"] - onset,
        "onset_error": abs(found["onset"] - onset),
        "kind": found["kind"] in truth["kinds"] if fault else None,
        "cause": first_cause(truth, found) if truth["measured"] else None,
        "silent": found["silent"] == truth["silent"] if fault else None,
        "segment": any(truth["who"].items() <= where.items() for where in found["where"]) if truth["who"] else None,
    }


def wanted(truth: Row) -> bool:
    """Whether an incident is right: there is a fault, or a control that must be named as what it is."""
    return not truth["control"] or bool(truth["kinds"])


def window(truth: Row) -> tuple[float, float]:
    """When an incident about the fault may open."""
    begin = truth["started_at"] if truth["onset_at"] is None else truth["onset_at"]
    end = truth["ended_at"] if truth["until"] is None else truth["until"]
    return begin, end + AFTER_S


def detection(truth: Row, incidents: Sequence[Row]) -> Row | None:
    """The first incident in time to be about the fault.

    Of a fault: any that is not about telemetry, unless that is what broke. Of a control: one of an acceptable kind.
    """
    begin, end = window(truth)
    fits = (i for i in incidents if begin <= i["opened"] <= end and _speaks(truth, i["kind"]))
    return min(fits, key=lambda incident: incident["opened"], default=None) if wanted(truth) else None


def _speaks(truth: Row, kind: str) -> bool:
    return kind in truth["kinds"] or not (truth["control"] or kind == "telemetry")


def is_false(truth: Row, incident: Row) -> bool:
    """Whether an incident is a false one: before the fault, or on a control and not of an acceptable kind."""
    if truth["control"]:
        return incident["kind"] not in truth["kinds"]
    return bool(incident["opened"] < window(truth)[0])


def watched(truth: Row, learnt_s: float) -> tuple[float, float]:
    """When an incident would have been false, after learning for so long."""
    begin = truth["started_at"] + learnt_s
    return begin, max(begin, truth["ended_at"] if truth["control"] else window(truth)[0])


def first_cause(truth: Row, incident: Row) -> str:
    """``right``, ``wrong`` or ``abstained``: only a supported cause is a claim."""
    first = next(iter(incident["causes"]), None)
    if first is None or first["tier"] != "supported":
        return "abstained"
    return "right" if among(first, truth["causes"]) else "wrong"


def claims(truth: Row, incidents: Sequence[Row]) -> Row:
    """Whether any incident of the case claims a cause, a false one first, and a false one at any place.

    A claim is false if the cause is neither right nor part of the chain from it to the signal, and in a false incident
    whatever it says.
    """
    true_names = (*truth["causes"], *truth["chain"])
    claimed = [
        (place, is_false(truth, incident) or not among(cause, true_names))
        for incident in incidents
        for place, cause in enumerate(incident["causes"])
        if cause["tier"] == "supported"
    ]
    return {
        "claims": bool(claimed),
        "false_first": any(false for place, false in claimed if place == 0),
        "false_any": any(false for _, false in claimed),
    }


def among(cause: Row, names: Iterable[str]) -> bool:
    """Whether a cause is one of these.

    Examples
    --------
    >>> batch = {"name": "traffic", "scope": {"tenant": "batch"}}
    >>> among(batch, ["traffic"]), among(batch, ["traffic{tenant=batch}"]), among(batch, ["traffic{tenant=chat}"])
    (True, True, False)
    """
    return any(_is(cause, name) for name in names)


def _is(cause: Row, name: str) -> bool:
    """A bare name stands for any scope; one with a scope for causes that have all of it."""
    if cause["name"] == name:  # a marker's text may hold anything
        return True
    parts = _NAME.fullmatch(name)
    scope = dict(label.split("=", 1) for label in (parts["scope"] or "").split(",") if "=" in label) if parts else {}
    return parts is not None and cause["name"] == parts["name"] and scope.items() <= cause["scope"].items()


def rival(truth: Row, alarms: Sequence[float]) -> Row:
    """What a rival's alarms are worth: any alarm in time detects; before the fault, and on controls, it is false.

    Of a control where an incident is right, only what lies before it counts.
    """
    begin, end = window(truth)
    first = None if truth["control"] else next((at for at in alarms if begin <= at <= end), None)
    low, high = watched(truth, RIVALS_LEARNT_S)
    if truth["control"] and truth["kinds"]:
        high = max(low, begin)
    return {
        "detected": None if truth["control"] else first is not None,
        "delay": None if first is None else first - begin,
        "false": apart([at for at in alarms if low <= at < high]),
        "hours": (high - low) / 3600.0,
    }


def apart(alarms: Sequence[float]) -> int:
    """How many they are when those that are close to the one before are not counted.

    Examples
    --------
    >>> apart([0.0, 100.0, 350.0, 700.0])
    2
    """
    return sum(k == 0 or at - alarms[k - 1] > APART_S for k, at in enumerate(alarms))
