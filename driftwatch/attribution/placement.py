"""Which series are of the machines that serve: the pods of the engines, and the hosts of those pods.

A scraper brings the whole neighbourhood along: GPUs that train something else, gateways, other nodes. They say nothing
about this service, and what they do at the onset is chance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from driftwatch.events.engines import ENGINE_SERIES
from driftwatch.ticks.series import SeriesId, SeriesStore

PODS = ("exported_pod", "pod", "pod_name", "kubernetes_pod_name")
HOSTS = ("Hostname", "hostname", "node", "host", "instance")
"""Labels that name a pod and a host, in the order in which they are believed."""

_ENGINE = frozenset(series.name for series in ENGINE_SERIES)


def own(store: SeriesStore) -> SeriesStore:
    """The same store with the series of strangers left out.

    Of each name, the series of our pods count; where there are none, those of our hosts; where there are none either,
    all of them: it is not known then whose they are.

    Parameters
    ----------
    store
        All series. Pods are those that expose an engine's series; hosts, those that a series of such a pod names.

    Examples
    --------
    >>> import numpy as np
    >>> from driftwatch.events.columns import Metrics, SeriesKey
    >>> clock, pods = "DCGM_FI_DEV_SM_CLOCK", [(("pod", "a"),), (("pod", "training"),)]
    >>> keys = [SeriesKey("vllm:kv_cache_usage_perc", pods[0]), SeriesKey(clock, pods[0]), SeriesKey(clock, pods[1])]
    >>> store = SeriesStore(5.0, 100)
    >>> store.add(Metrics(np.zeros(3), np.arange(3, dtype=np.int32), np.ones(3), tuple(keys)))
    >>> [series.labels for series in own(store).ids("gpu_sm_clock")]
    [(('pod', 'a'),)]
    """
    ids = list(store.tracks)
    pods = {pod for series in ids if series.name in _ENGINE and (pod := _label(series, PODS))}
    hosts = {host for series in ids if _label(series, PODS) in pods and (host := _host(series))}
    if not pods:
        return store
    by_name: dict[str, list[SeriesId]] = {}
    for series in ids:
        by_name.setdefault(series.name, []).append(series)
    alerts = [series for series in by_name.pop("alert", ()) if _about_us(series, pods, hosts)]
    return store.only([*alerts, *(series for named in by_name.values() for series in _ours(named, pods, hosts))])


def strangers(store: SeriesStore) -> SeriesStore:
    """What `own` leaves out: no cause of anything here, and so a yardstick for what follows a signal by chance."""
    ours = own(store).tracks
    return store.only(series for series in store.tracks if series not in ours)


def of_pod(store: SeriesStore, pod: str) -> SeriesStore | None:
    """The series of one of our pods, and those that no pod is named for; None where that pod exposes nothing.

    Parameters
    ----------
    store
        As `own` leaves it.
    pod
        Its name, as the requests' replica.
    """
    named = [series for series in store.tracks if _label(series, PODS) == pod]
    if not any(series.name in _ENGINE for series in named):
        return None
    return store.only([*named, *(series for series in store.tracks if not _label(series, PODS))])


def by_engine(store: SeriesStore, name: str) -> dict[str, SeriesId]:
    """The series of a name that the processes of engines expose, by pod, or by what was scraped where no pod is named.

    Exporters beside an engine expose series of the same name; of those that say where they are, only engines' count.
    """
    engines = {_place(series) for series in store.tracks if series.name in _ENGINE}
    return {place: series for series in store.ids(name) if (place := _place(series)) in engines or not engines}


def _place(series: SeriesId) -> str:
    return _label(series, (*PODS, "instance"))


def _about_us(series: SeriesId, pods: Collection[str], hosts: Collection[str]) -> bool:
    """Alerts that name neither pod nor host may be about anything, and so about us."""
    return _label(series, PODS) in ("", *pods) and _host(series) in ("", *hosts)


def _ours(named: list[SeriesId], pods: Collection[str], hosts: Collection[str]) -> Iterable[SeriesId]:
    ours = [series for series in named if _label(series, PODS) in pods]
    return ours or [series for series in named if _host(series) in hosts] or named


def _label(series: SeriesId, names: Iterable[str]) -> str:
    labels = dict(series.labels)
    return next((labels[name] for name in names if name in labels), "")


def _host(series: SeriesId) -> str:
    return _label(series, HOSTS).partition(":")[0]
