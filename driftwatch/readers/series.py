"""Which series are kept, and the number that each one gets."""

from __future__ import annotations

from driftwatch.config import Config
from driftwatch.events.catalogue import resolve
from driftwatch.events.columns import SeriesKey
from driftwatch.readers.quarantine import Quarantine

_MOST_SERIES = 50_000
_SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")
_KINDS = {"gauge": "gauge", "counter": "counter", "histogram": "histogram", "gaugehistogram": "histogram"}

UNWANTED = -1


class SeriesTable:
    """Numbers the series of one source that somebody will look at, and forgets the others.

    Parameters
    ----------
    config
        ``input.series`` renames; ``health.checks`` and ``attribution.roles`` name series beyond the catalogue.
    quarantine
        Where it is said when there are too many.
    source
        What messages call the source.

    Examples
    --------
    >>> table = SeriesTable(Config(), Quarantine(), "page")
    >>> table.code("vllm:num_preemptions_total", (("pod", "a"),)), table.code("go_threads", ())
    (0, -1)
    """

    def __init__(self, config: Config, quarantine: Quarantine, source: str) -> None:
        self.quarantine, self.source = quarantine, source
        self.keys: list[SeriesKey] = []
        self._renamed = config.input.series
        self._asked = {check.series for check in config.health.checks} | set(config.attribution.roles)
        self._codes: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self._types: dict[str, str] = {}

    def declare(self, name: str, kind: str) -> None:
        """Take note of a ``# TYPE`` line; where a later one contradicts it, the first stays."""
        first = self._types.setdefault(name, kind)
        if first != kind:
            self.quarantine.note(f"{self.source}: {name} changes its type from {first} to {kind}; it stays {first}")

    def code(self, name: str, labels: tuple[tuple[str, str], ...]) -> int:
        """The number of a series, or -1 if nobody asks for it.

        Parameters
        ----------
        name, labels
            As exposed; the labels in any order.
        """
        ours = self._rename(name)
        if not self.wanted(ours):
            return UNWANTED
        key = (ours, tuple(sorted(labels)))
        if key not in self._codes:
            self._codes[key] = self._add(name, SeriesKey(*key, self._kind(name)))
        return self._codes[key]

    def wanted(self, name: str) -> bool:
        """Whether a series of this name is kept."""
        name = self._rename(name)
        return resolve(name) is not None or any(name.removesuffix(suffix) in self._asked for suffix in _SUFFIXES)

    def _add(self, name: str, key: SeriesKey) -> int:
        if len(self.keys) >= _MOST_SERIES:
            self.quarantine.note(f"{self.source}: more than {_MOST_SERIES} series; those after {name} are left out")
            return UNWANTED
        self.keys.append(key)
        return len(self.keys) - 1

    def _rename(self, name: str) -> str:
        for suffix in _SUFFIXES:
            base = name.removesuffix(suffix)
            if (base != name or not suffix) and base in self._renamed:
                return self._renamed[base] + suffix
        return name

    def _kind(self, name: str) -> str:
        declared = (self._types.get(name.removesuffix(suffix)) for suffix in _SUFFIXES if name.endswith(suffix))
        return _KINDS.get(next((kind for kind in declared if kind), ""), "")
