"""A Prometheus server's HTTP API: raw samples as it scraped them, or a range query, as batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from driftwatch.config import Config
from driftwatch.events.columns import Batch, Floats, Metrics, SeriesKey
from driftwatch.live.fetch import Fetcher
from driftwatch.live.settings import Server
from driftwatch.live.source import SourceError
from driftwatch.readers.quarantine import Quarantine
from driftwatch.readers.series import UNWANTED, SeriesTable

_OVERLAP_S = 30.0
"""What is asked for again, in seconds: samples of a slow scrape come late. Those that were there are left out."""
_NAME = "__name__"
_ALERTS = "ALERTS"


class PrometheusServer:
    """Follows a server: at each reading the raw samples since the one before.

    Parameters
    ----------
    settings
        Where it is, which series, how often.
    config
        Which series are wanted.
    quarantine
        Where it is said what cannot be used.
    """

    def __init__(self, settings: Server, config: Config, quarantine: Quarantine) -> None:
        self.every_s, self.name, self._select = settings.every_s, settings.url, settings.select
        self._alerts = settings.alerts
        self._api = Api(settings, config, quarantine)
        self._until: float | None = None
        self._newest: dict[SeriesKey, float] = {}

    def read(self, at: float) -> Iterable[Batch]:
        """Samples that were scraped since the last reading, each once, in order of time."""
        since = at - 2 * self.every_s if self._until is None else self._until - _OVERLAP_S
        window = max(at - since, 1.0)
        span = f"[{int(np.ceil(window))}s]"
        found = self._api.instant(self._select + span)
        if self._alerts:
            found = _joined(found, self._api.instant(_ALERTS + span))
        self._until = at
        return [self._new(found)]

    def failed(self, at: float) -> Iterable[Batch]:
        """What was missed is asked for at the next reading."""
        return []

    def close(self) -> None:
        """Let the connection go."""
        self._api.close()

    def _new(self, found: Metrics) -> Metrics:
        """Without what was there before; what it was is forgotten with the series."""
        before = np.array([self._newest.get(key, -np.inf) for key in found.keys])
        kept = np.flatnonzero(found.at > before[found.series]) if len(found) else np.empty(0, np.int64)
        newest = np.full(len(found.keys), -np.inf)
        np.maximum.at(newest, found.series, found.at)
        self._newest = dict(zip(found.keys, newest.tolist(), strict=True))
        return Metrics(found.at[kept], found.series[kept], found.value[kept], found.keys)


class Api:
    """The queries of one server.

    Parameters
    ----------
    settings
        Where it is.
    config, quarantine
        Which series are wanted, and where it is said what cannot be used.

    Examples
    --------
    ::

        api = Api(Server(url="http://prometheus:9090"))
        metrics = api.instant('{job="vllm"}[2h]', at=1767225600.0)  # raw samples of two hours
        report = dw.scan("requests.jsonl.gz", metrics=metrics)
    """

    def __init__(self, settings: Server, config: Config | None = None, quarantine: Quarantine | None = None) -> None:
        self._url, self._labels = settings.url.rstrip("/"), settings.labels
        self._fetcher = Fetcher(settings.timeout_s, settings.token)
        self._config, self._quarantine = config or Config(), quarantine or Quarantine()

    def instant(self, query: str, at: float | None = None) -> Metrics:
        """Evaluate a query at one time, in seconds since the epoch (None: the server's now).

        A range selector, such as ``up[1m]``, gives raw samples.

        Raises
        ------
        SourceError
            If the server does not answer, or refuses the query.
        """
        return self._asked("query", {"query": query} if at is None else {"query": query, "time": repr(at)})

    def range(self, query: str, start: float, end: float, step_s: float) -> Metrics:
        """Evaluate a query at steps of a range of time; with rates and steps, not the raw samples.

        Raises
        ------
        SourceError
            Likewise.
        """
        asked = {"query": query, "start": repr(start), "end": repr(end), "step": f"{step_s:g}"}
        return self._asked("query_range", asked)

    def close(self) -> None:
        """Let the connection go."""
        self._fetcher.close()

    def _asked(self, what: str, parameters: Mapping[str, str]) -> Metrics:
        body = self._fetcher.get(f"{self._url}/api/v1/{what}", "application/json", parameters)
        try:
            answer = json.loads(body)
            if answer["status"] != "success":
                raise SourceError(f"{answer.get('errorType')}: {answer.get('error')}")
            for warning in answer.get("warnings", ()):
                self._quarantine.note(f"{self._url}: {warning}")
            return self._metrics(answer["data"]["result"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SourceError("not an answer of the Prometheus API") from None

    def _metrics(self, results: list[Any]) -> Metrics:
        table = SeriesTable(self._config, self._quarantine, self._url)
        parts: list[tuple[int, Floats]] = []
        for result in results:
            labels = {**result["metric"], **self._labels}
            code = table.code(labels.pop(_NAME, ""), tuple(labels.items()))
            rows = result["values"] if "values" in result else [result["value"]]
            if code != UNWANTED and rows:
                parts.append((code, np.array(rows, dtype=object).astype(np.float64)))
        if not parts:
            return Metrics(np.empty(0), np.empty(0, np.int32), np.empty(0), ())
        samples = np.concatenate([rows for _, rows in parts])
        codes = np.concatenate([np.full(len(rows), code, np.int32) for code, rows in parts])
        order = np.argsort(samples[:, 0], kind="stable")
        return Metrics(samples[order, 0], codes[order], samples[order, 1], tuple(table.keys))


def _joined(found: Metrics, more: Metrics) -> Metrics:
    """Both, in order of time, without the series that are there already."""
    known = {key: code for code, key in enumerate(found.keys)}
    fresh = np.array([key not in known for key in more.keys], np.bool_)
    rows = np.flatnonzero(fresh[more.series]) if len(more) else np.empty(0, np.int64)
    at, value = np.concatenate([found.at, more.at[rows]]), np.concatenate([found.value, more.value[rows]])
    series = np.concatenate([found.series, more.series[rows] + np.int32(len(found.keys))])
    order = np.argsort(at, kind="stable")
    return Metrics(at[order], series[order], value[order], found.keys + more.keys)
