"""What could not be used: counted by source and reason, with the first few places, and never the content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from driftwatch.errors import InputError

_PLACES = 5  # line numbers that are kept for each reason
_KINDS = 1000  # pairs of source and reason that are told apart
_JUDGED = 20  # rows of a source before its bad share is judged


@dataclass(slots=True)
class Quarantined:
    """Rows of one source that were left out for one reason.

    Parameters
    ----------
    source
        A path, or a name for what has none.
    reason
        Why, without any of the content.
    count
        How many.
    lines
        The first of them: lines of a text, rows of anything else, counted from 1.
    """

    source: str
    reason: str
    count: int = 0
    lines: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        where = f" (first at {', '.join(map(str, self.lines))})" if self.lines else ""
        return f"{self.source}: {self.count} x {self.reason}{where}"


class Quarantine:
    """Collects what readers leave out, in bounded memory.

    Parameters
    ----------
    max_share
        A source with a larger share of bad rows than this is refused.

    Examples
    --------
    >>> quarantine = Quarantine()
    >>> quarantine.add("log.jsonl", "not JSON", 17)
    >>> print(quarantine.rows()[0])
    log.jsonl: 1 x not JSON (first at 17)
    """

    def __init__(self, max_share: float = 0.5) -> None:
        self.max_share = max_share
        self._kinds: dict[tuple[str, str], Quarantined] = {}
        self._notes: dict[str, None] = {}
        self._read: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()

    def add(self, source: str, reason: str, line: int | None = None) -> None:
        """Leave one row out."""
        self.add_all(source, reason, () if line is None else (line,), count=1)

    def add_all(self, source: str, reason: str, lines: Iterable[int], *, count: int) -> None:
        """Leave several rows out; ``lines`` may be cut to the first few."""
        known = (source, reason) in self._kinds or len(self._kinds) < _KINDS
        key = (source, reason) if known else ("further sources", "bad rows")
        kind = self._kinds.setdefault(key, Quarantined(*key))
        kind.count += count
        for line in lines if known else ():
            if len(kind.lines) >= _PLACES:
                break
            kind.lines.append(line)
        self._bad[source] += count

    def note(self, text: str) -> None:
        """Say something about a source, once."""
        if len(self._notes) < _KINDS:
            self._notes[text] = None

    def count(self, source: str, rows: int) -> None:
        """Count good rows of a source."""
        self._read[source] += rows

    def close(self, source: str) -> None:
        """Judge a source that has been read to its end.

        Raises
        ------
        InputError
            If it was empty, or too much of it was bad.
        """
        good, bad = self._read.pop(source, 0), self._bad.pop(source, 0)
        if not good and not bad:
            raise InputError("it holds no rows", source=source)
        if not good or (good + bad >= _JUDGED and bad > self.max_share * (good + bad)):
            worst = max((k for k in self._kinds.values() if k.source == source), key=lambda k: k.count, default=None)
            first = "" if worst is None else f"; most often: {worst.reason}"
            at = worst.lines[0] if worst and worst.lines else None
            share = bad / (good + bad)
            raise InputError(f"{bad} of {good + bad} rows ({share:.0%}) cannot be used{first}", source=source, line=at)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was said about sources."""
        return tuple(self._notes)

    @property
    def total(self) -> int:
        """How many rows were left out."""
        return sum(kind.count for kind in self._kinds.values())

    def rows(self) -> tuple[Quarantined, ...]:
        """What was left out, most frequent first."""
        return tuple(sorted(self._kinds.values(), key=lambda kind: (-kind.count, kind.source, kind.reason)))
