"""Sampled series as OpenMetrics text with times, and as the batch that reading that text gives."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from driftwatch.events.catalogue import resolve
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.simulate.scrapes import Sampled

_PARTS = ("_bucket", "_sum", "_count")


def write_openmetrics(path: Path, series: Sequence[Sampled]) -> None:
    """Write series to a file, compressed where its name ends in ``.gz``; the same series give the same bytes.

    Parameters
    ----------
    path
        Where to.
    series
        In any order; those of one family are written together.
    """
    with path.open("wb") as file:
        if path.suffix != ".gz":
            file.writelines(_encoded(series))
            return
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            packed.writelines(_encoded(series))


def _encoded(series: Sequence[Sampled]) -> Iterator[bytes]:
    return (block.encode() for block in openmetrics(series))


def openmetrics(series: Iterable[Sampled]) -> Iterator[str]:
    r"""Blocks of OpenMetrics text: for each family its type and all samples of its series, one series after the other.

    Examples
    --------
    >>> print("".join(openmetrics([Sampled("up", {"job": 'a"b'}, np.array([1.5]), np.array([1.0]))])), end="")
    # TYPE up gauge
    up{job="a\"b"} 1.0 1.500
    # EOF
    """
    families: dict[str, list[Sampled]] = {}
    for one in series:
        families.setdefault(_family(one), []).append(one)
    for name in sorted(families):
        yield f"# TYPE {name} {_type(families[name][0]) or 'unknown'}\n"
        yield from map(_lines, families[name])
    yield "# EOF\n"


def _family(one: Sampled) -> str:
    if one.kind == "histogram":
        return next(one.name.removesuffix(part) for part in _PARTS if one.name.endswith(part))
    return one.name.removesuffix("_total") if one.kind == "counter" else one.name


def _type(one: Sampled) -> str:
    """OpenMetrics has no counter without ``_total``, and DCGM has: its type is left open there."""
    return "" if one.kind == "counter" and not one.name.endswith("_total") else one.kind


def _lines(one: Sampled) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in _sorted(one))
    head = f"{one.name}{{{labels}}}" if labels else one.name
    pairs = zip(one.value.tolist(), one.at.tolist(), strict=True)
    return "".join([f"{head} {value!r} {at:.3f}\n" for value, at in pairs])


def _sorted(one: Sampled) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(one.labels.items()))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def metrics_of(series: Sequence[Sampled]) -> Metrics:
    """One batch in order of time: what a reader makes of the text, without writing any.

    Parameters
    ----------
    series
        Those that the catalogue does not know are left out, as a reader does.

    Examples
    --------
    >>> batch = metrics_of([Sampled("up", {}, np.array([2.0, 1.0]), np.array([1.0, 0.0]))])
    >>> batch.at.tolist(), batch.value.tolist(), batch.keys[0].name
    ([1.0, 2.0], [0.0, 1.0], 'up')
    """
    known = [one for one in series if resolve(one.name)]
    at = np.concatenate([np.empty(0), *(one.at for one in known)])
    number = np.repeat(np.arange(len(known), dtype=np.int32), [len(one) for one in known])
    value = np.concatenate([np.empty(0), *(one.value for one in known)])
    order = np.argsort(at, kind="stable")
    keys = tuple(SeriesKey(one.name, _sorted(one), _type(one)) for one in known)
    return Metrics(at[order], number[order], value[order], keys)
