"""What arrived, against what had to: all of it, in order, and duplicates that can be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from delivering.plan import wanted
from delivering.receiver import Received
from driftwatch import Incident

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One destination.

    Parameters
    ----------
    asked
        Openings and ends that had to arrive.
    arrived
        Of these, how many the destination took at least once.
    lost
        The others.
    messages, accepted
        Requests that arrived whole, and those whose sender was told so.
    duplicates
        Transitions that arrived again.
    disorder
        Transitions that arrived after a later one of the same incident.
    unnamed
        Duplicates whose id was not that of the first.
    median_s, p99_s, longest_s
        From `put` to the first acceptance.
    """

    asked: int
    arrived: int
    lost: int
    messages: int
    accepted: int
    duplicates: int
    disorder: int
    unnamed: int
    median_s: float
    p99_s: float
    longest_s: float


def judge(
    received: Sequence[Received],
    keys: Callable[[Received], Iterable[Key]],
    transitions: Sequence[Incident],
    put_at: Sequence[float],
) -> Verdict:
    """Compare what a destination saw with the plan."""
    asked = wanted(transitions)
    put = {(i.id, i.seq): at for i, at in zip(transitions, put_at, strict=True)}
    seen = [key for message in received for key in keys(message)]
    first = arrivals(received, keys)
    delays = sorted(first[key] - put[key] for key in asked & first.keys()) or [float("nan")]
    return Verdict(
        asked=len(asked),
        arrived=len(asked & first.keys()),
        lost=len(asked - first.keys()),
        messages=len(received),
        accepted=sum(message.accepted for message in received),
        duplicates=sum(n - 1 for n in Counter(seen).values()),
        disorder=_disorder(seen),
        unnamed=sum(key not in put for key in seen),
        median_s=median(delays),
        p99_s=delays[int(0.99 * (len(delays) - 1))],
        longest_s=delays[-1],
    )


def arrivals(received: Sequence[Received], keys: Callable[[Received], Iterable[Key]]) -> dict[Key, float]:
    """When each transition was taken for the first time."""
    first: dict[Key, float] = {}
    for message in received:
        for key in keys(message) if message.accepted else ():
            first.setdefault(key, message.at)
    return first


def _disorder(keys: Iterable[Key]) -> int:
    """How often a transition came after a later one of the same incident."""
    latest: dict[str, int] = {}
    wrong = 0
    for name, seq in keys:
        wrong += seq < latest.get(name, 0)
        latest[name] = max(seq, latest.get(name, 0))
    return wrong


def of_webhook(message: Received) -> list[Key]:
    """The transition that a webhook's message is about: by its id, which must agree with its body."""
    name, _, seq = message.headers["webhook-id"].rpartition("-")
    data = message.json["data"]
    return [(name, int(seq))] if (data["id"], data["seq"]) == (name, int(seq)) else [("?", 0)]


def of_alertmanager(message: Received) -> list[Key]:
    """The transitions that alerts are about: by the incident in their labels and the update in their description."""
    return [
        (alert["labels"]["incident"], int(alert["annotations"]["description"].rpartition("update ")[2]))
        for alert in message.json
    ]
