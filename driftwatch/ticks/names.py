"""Streams and segments by number: bounded, closed lists of labels, in order of first appearance in event time."""

from __future__ import annotations

import numpy as np

from driftwatch.events.columns import Requests
from driftwatch.statistics.buckets import Ints
from driftwatch.ticks.tick import group_by

OTHER = "other"
Combination = tuple[tuple[str, str], ...]
"""Pairs of label and value."""


class Names:
    """Numbers for combinations of labels, at most ``limit`` of them; what comes later shares the number of 'other'.

    Parameters
    ----------
    labels
        The labels that are combined, in order.
    limit
        Combinations kept.

    Examples
    --------
    >>> names = Names(("model",), limit=1)
    >>> names.number((("model", "a"),)), names.number((("model", "b"),)), names.number((("model", "a"),))
    (0, 1, 0)
    >>> names.title(0), names.title(1), names.overflow
    ('model=a', 'other', 1)
    """

    STATE = ("known", "first_at", "overflow")

    def __init__(self, labels: tuple[str, ...], limit: int) -> None:
        self.labels, self.limit = labels, limit
        self.known: dict[Combination, int] = {}
        self.first_at: list[float] = []
        self.overflow = 0

    def number(self, combination: Combination, requests: int = 1, at: float = 0.0) -> int:
        """Number of one combination of (label, value) pairs, seen at a time.

        Its ``requests`` are counted as overflow if they go into 'other'.
        """
        found = self.known.get(combination)
        if found is not None:
            return found
        if len(self.known) >= self.limit:
            self.overflow += requests
            return self.limit
        self.first_at.append(at)
        return self.known.setdefault(combination, len(self.known))

    def numbers(self, requests: Requests) -> Ints:
        """Number of each request's combination; requests must be in their canonical order."""
        at = requests.at
        known = {"finish_reason": requests.finish_reason, **requests.labels}
        names = [name for name in self.labels if name in known]
        columns = [known[name] for name in names]
        if not columns:
            return np.full(len(requests), self.number((), 1, float(at[0]) if len(at) else 0.0), np.int64)
        first, group = group_by(*[column.codes.astype(np.int64) for column in columns])
        found, size = np.zeros(len(first), np.int64), np.bincount(group, minlength=len(first))
        for k in np.argsort(first, kind="stable"):  # by first appearance, a handful of combinations
            pairs = [
                (n, c.values[c.codes[first[k]]]) for n, c in zip(names, columns, strict=True) if c.codes[first[k]] >= 0
            ]
            found[k] = self.number(tuple(pairs), int(size[k]), float(at[first[k]]))
        return found[group]

    def where(self, number: int) -> dict[str, str]:
        """The labels behind a number."""
        return dict(list(self.known)[number]) if number < len(self.known) else {"other": OTHER}

    def title(self, number: int) -> str:
        """A number's labels as people read them."""
        if number >= self.limit:
            return OTHER
        return ",".join(f"{k}={v}" for k, v in self.where(number).items()) or "all"
