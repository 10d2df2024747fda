"""Prometheus and OpenMetrics text, a block of lines at a time; numpy and the standard library only.

The fast way splits each line at its last two gaps and looks its series up; whatever does not fit (no time, an
exemplar, a broken line) sends its block the slow way, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Floats, Metrics
from driftwatch.readers.lines import Block, blocks
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.series import UNWANTED, SeriesTable
from driftwatch.readers.sources import Reading

_TYPE = re.compile(rb"# TYPE (\S+) (\w+)")
_LINE = re.compile(rb"\s*([a-zA-Z_:][\w:.]*)?\s*(\{.*\})?\s*(?<=[\s}])([^\s#{}]+)(?:\s+([^\s#{}]+))?(?:\s+#\s.*)?\s*$")
_EXEMPLAR = re.compile(rb"\s+#\s+\{[^{}]*\}\s+\S+(\s+\S+)?\s*$")
_LABEL = re.compile(r'\s*(?:([a-zA-Z_][\w.]*|"(?:[^"\\]|\\.)*")\s*=\s*)?"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPE = re.compile(r"\\(.)")
_YEAR_2200 = 7_258_118_400.0
_BROKEN = -2
_MOST_HEADS = 200_000

_HASH, _SPACE, _NEWLINE = b"# \n"

Labels = tuple[tuple[str, str], ...]
_Samples = tuple[NDArray[np.int64], Floats, Floats]  # series, value, time
_NOTHING: _Samples = (np.empty(0, np.int64), np.empty(0), np.empty(0))


class TextParser:
    """Turns blocks of lines of one source into samples.

    Parameters
    ----------
    table
        Decides which series are kept.
    quarantine
        Where broken lines go.
    source
        What messages call it.
    at
        For a page without times: when it was fetched, in seconds since the epoch.

    Examples
    --------
    >>> from driftwatch.config import Config
    >>> quarantine = Quarantine()
    >>> parser = TextParser(SeriesTable(Config(), quarantine, "page"), quarantine, "page", at=10.0)
    >>> page = parser.parse(Block(b'vllm:num_requests_waiting{pod="a"} 3', 1))
    >>> page.keys[0].labels, page.value.tolist(), page.at.tolist()
    ((('pod', 'a'),), [3.0], [10.0])
    """

    def __init__(self, table: SeriesTable, quarantine: Quarantine, source: str, at: float | None = None) -> None:
        self.table, self.quarantine, self.source, self.at = table, quarantine, source, at
        self._heads: dict[bytes, int] = {}
        self._scale: float | None = None

    def parse(self, block: Block) -> Metrics:
        """Parse some lines."""
        lines = [line for line in block.data.split(b"\n") if line and line[0] != _HASH]
        if b"# TYPE " in block.data:
            self._declare(block.data)
        found = self._quickly(b"\n".join(lines), len(lines)) if lines else _NOTHING
        codes, values, times = self._slowly(block) if found is None else found
        times = times * self._unit(times)
        self.quarantine.count(self.source, len(codes))
        kept = (codes != UNWANTED) & np.isfinite(times)
        return Metrics(times[kept], codes[kept].astype(np.int32), values[kept], tuple(self.table.keys))

    def _declare(self, data: bytes) -> None:
        for line in data.split(b"\n"):
            if line and line[0] == _HASH and (match := _TYPE.match(line)):
                self.table.declare(match[1].decode(errors="replace"), match[2].decode())

    def _quickly(self, data: bytes, n: int) -> _Samples | None:
        """Cut each of n lines at its last two spaces, all at once; None where that is not how they are."""
        text = np.frombuffer(data, np.uint8).copy()
        spaces = np.flatnonzero(text == _SPACE)
        ends = np.append(np.flatnonzero(text == _NEWLINE), len(text))
        last = np.searchsorted(spaces, ends) - 1
        if last[0] < 1 or (np.diff(last) < 2).any():
            return None
        text[spaces[np.concatenate((last, last - 1))]] = _NEWLINE
        fields = text.tobytes().split(b"\n")
        try:
            values, times = (np.array(list(map(float, fields[i::3])), np.float64) for i in (1, 2))
        except ValueError:
            return None
        codes = self._codes(fields[::3])
        return None if len(codes) != n or (codes == _BROKEN).any() else (codes, values, times)

    def _codes(self, heads: list[bytes]) -> NDArray[np.int64]:
        known = list(map(self._heads.get, heads))
        if None in known:
            known = [self._code(head) for head in heads]
        return np.array(known, np.int64)

    def _code(self, head: bytes) -> int:
        code = self._heads.get(head)
        if code is None:
            code = self._learn(head)
            if len(self._heads) < _MOST_HEADS:
                self._heads[head] = code
        return code

    def _learn(self, head: bytes) -> int:
        try:
            name, labels = series_of(head.decode())
        except ValueError:
            return _BROKEN
        return self.table.code(name, labels)

    def _slowly(self, block: Block) -> _Samples:
        rows: list[tuple[int, float, float]] = []
        for number, line in block.lines():
            if line.startswith(b"#"):
                continue
            row = self._sample(line)
            if isinstance(row, str):
                self.quarantine.add(self.source, row, number)
            else:
                rows.append(row)
        table = np.array(rows, np.float64).reshape(-1, 3)
        return table[:, 0].astype(np.int64), table[:, 1], table[:, 2]

    def _sample(self, line: bytes) -> tuple[int, float, float] | str:
        """The series, value and time of a line, or what is wrong with it."""
        match = _LINE.match(_EXEMPLAR.sub(b"", line))
        if match is None:
            return "not a sample"
        name, labels, value, time = match.groups()
        code = self._code((name or b"") + (labels or b""))
        if code == _BROKEN:
            return "broken labels"
        time = self.at if time is None else time
        if time is None:
            return "no time (a dump has times: promtool tsdb dump-openmetrics)"
        try:
            return code, float(value), float(time)
        except ValueError:
            return "not a number"

    def _unit(self, times: Floats) -> float | Floats:
        """OpenMetrics has seconds and the Prometheus text format milliseconds; the first samples tell.

        Of a page only some samples may have times of their own, so each of its samples is asked.
        """
        if self.at is not None:
            return np.where(times > _YEAR_2200, 1e-3, 1.0)
        if self._scale is None and len(times):
            self._scale = 1e-3 if float(np.median(times)) > _YEAR_2200 else 1.0
            if self._scale != 1.0:
                self.quarantine.note(f"{self.source}: times are in milliseconds (the Prometheus text format)")
        return self._scale or 1.0


def series_of(head: str) -> tuple[str, Labels]:
    r"""The name and the labels of a series as exposed.

    Raises
    ------
    ValueError
        If it is not one.

    Examples
    --------
    >>> series_of(r'up{job="a\"b",pod="c"}')
    ('up', (('job', 'a"b'), ('pod', 'c')))
    >>> series_of('{"hw.errors",host="x"}')
    ('hw.errors', (('host', 'x'),))
    """
    name, brace, rest = head.strip().partition("{")
    if brace and not rest.endswith("}"):
        raise ValueError("labels that do not end")
    labels = []
    inside, at = rest[:-1].rstrip(), 0
    while at < len(inside):
        match = _LABEL.match(inside, at)
        if match is None:
            raise ValueError("broken labels")
        key, value = match.groups()
        if key is None:
            name = _unescaped(value)
        else:
            labels.append((_unescaped(key.strip('"')), _unescaped(value)))
        at = match.end()
    name = name.strip()
    if not name or any(c in name for c in ' "{}#,'):
        raise ValueError("no name")
    return name, tuple(labels)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], text) if "\\" in text else text


def read(path: Path, reading: Reading, table: SeriesTable) -> Iterator[Metrics]:
    """Read a file of metrics text."""
    parser = TextParser(table, reading.quarantine, str(path))
    for block in blocks(path, reading):
        batch = parser.parse(block)
        if len(batch):
            yield batch
