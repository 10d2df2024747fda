"""Reads what callers have: files, data frames, iterables; yields batches of columns and quarantines what is broken.

Importing this costs nothing; pyarrow is imported when something is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from driftwatch.config import Config
from driftwatch.events.columns import Markers, Metrics, Requests
from driftwatch.readers.merge import merge
from driftwatch.readers.quarantine import Quarantine, Quarantined
from driftwatch.readers.sources import Progress, recording

__all__ = [
    "Progress",
    "Quarantine",
    "Quarantined",
    "merge",
    "read_markers",
    "read_metrics",
    "read_requests",
    "recording",
]


def read_requests(
    source: Any, config: Config, quarantine: Quarantine, progress: Progress | None = None
) -> Iterator[Requests]:
    """Read requests.

    Parameters
    ----------
    source
        A path, a glob or a folder (JSON lines, CSV, Parquet, plain or compressed), a data frame (pandas, polars,
        Arrow), an iterable of dicts, of `driftwatch.events.Request` or of batches, or a list of any of those.
    config
        Names, units and labels.
    quarantine
        Where rows go that cannot be used.
    progress
        Called with the bytes that have been read and the bytes that there are.

    Returns
    -------
    Iterator of Requests
        Near the order of time, if each source is; memory does not grow with the size of the source.

    Raises
    ------
    InputError
        If a source cannot be used at all, when it is reached.
    MissingExtra
        If pyarrow is not installed.

    Examples
    --------
    >>> rows = [{"started_at": 1.0, "latency": 2.0, "model": "m"}]
    >>> [batch.completed_at.tolist() for batch in read_requests(rows, Config(), Quarantine())]
    [[3.0]]
    """
    from driftwatch.readers.requests import read  # needs pyarrow

    yield from read(source, config, quarantine, progress)


def read_metrics(
    source: Any, config: Config, quarantine: Quarantine, progress: Progress | None = None
) -> Iterator[Metrics]:
    """Read samples of the series that the catalogue or the configuration names.

    Parameters
    ----------
    source
        As for `read_requests`; files may also be Prometheus or OpenMetrics text with times.
    config, quarantine, progress
        As for `read_requests`.

    Returns
    -------
    Iterator of Metrics
        In the order of the source: a dump goes series by series. Codes and keys are those of each batch.

    Raises
    ------
    InputError, MissingExtra
        As for `read_requests`.

    Examples
    --------
    >>> rows = [{"t": 1.0, "name": "up", "value": 1.0, "labels": {"pod": "a"}}]
    >>> [batch.keys[0].labels for batch in read_metrics(rows, Config(), Quarantine())]
    [(('pod', 'a'),)]
    """
    from driftwatch.readers.metrics import read  # needs pyarrow

    yield from read(source, config, quarantine, progress)


def read_markers(source: Any, config: Config, quarantine: Quarantine, progress: Progress | None = None) -> Markers:
    """Read markers: ``t, kind, text, labels``. A file without rows is fine.

    Parameters
    ----------
    source, config, quarantine, progress
        As for `read_requests`.

    Raises
    ------
    InputError, MissingExtra
        As for `read_requests`.

    Examples
    --------
    >>> read_markers([{"t": 5.0, "kind": "deploy", "text": "v2"}], Config(), Quarantine()).text
    ('v2',)
    """
    from driftwatch.readers.markers import read  # needs pyarrow

    return read(source, config, quarantine, progress)
