import numpy as np
import pytest

from driftwatch.attribution.placement import of_pod, own, strangers
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.ticks.series import SeriesStore

KV, CLOCK, LOAD = "vllm:kv_cache_usage_perc", "DCGM_FI_DEV_SM_CLOCK", "node_load1"


def store_of(*series):
    keys = tuple(SeriesKey(name, tuple(sorted(labels.items()))) for name, labels in series)
    store = SeriesStore(5.0, 100)
    store.add(Metrics(np.zeros(len(keys)), np.arange(len(keys), dtype=np.int32), np.ones(len(keys)), keys))
    return store


def left(store, name):
    """Labels of the series of this name."""
    return [dict(series.labels) for series in store.ids(name)]


@pytest.mark.parametrize("label", ["pod", "exported_pod", "pod_name", "kubernetes_pod_name"])
def test_of_each_name_the_series_of_our_pods_stay(label):
    series = [(KV, {label: "a"}), (CLOCK, {label: "a"}), (CLOCK, {label: "training"}), ("queue", {label: "b"})]
    store = own(store_of(*series))
    assert left(store, "kv_cache_usage") == [{label: "a"}]
    assert left(store, "gpu_sm_clock") == [{label: "a"}]
    assert left(store, "queue") == [{label: "b"}]  # nobody's here: whose it is stays unknown


def test_the_pod_that_was_scraped_is_believed_before_the_one_that_tells_of_it():
    told = {"exported_pod": "a", "pod": "exporter"}
    store = own(store_of((KV, {"pod": "a"}), (CLOCK, told), (CLOCK, told | {"exported_pod": "training"})))
    assert left(store, "gpu_sm_clock") == [told]


@pytest.mark.parametrize(("label", "port"), [("instance", ":9100"), ("Hostname", ""), ("node", "")])
def test_of_hosts_those_stay_that_our_pods_run_on(label, port):
    ours, other = {label: f"node-1{port}"}, {label: f"node-2{port}"}
    gpu = {"pod": "a", "Hostname": "node-1"}
    store = own(store_of((KV, {"pod": "a"}), (CLOCK, gpu), (LOAD, ours), (LOAD, other)))
    assert left(store, "host_load") == [ours]


def test_a_stranger_on_our_host_is_left_out_where_our_pod_has_the_same_series():
    here = {"Hostname": "node-1"}
    store = own(store_of((KV, here | {"pod": "a"}), (CLOCK, here | {"pod": "a"}), (CLOCK, here | {"pod": "batch"})))
    assert left(store, "gpu_sm_clock") == [here | {"pod": "a"}]


def test_series_of_unknown_places_stay():
    series = [(KV, {"pod": "a"}), (LOAD, {}), ("queue", {"shard": "1"}), ("queue", {"shard": "2"})]
    store = own(store_of(*series))
    assert left(store, "host_load") == [{}]
    assert left(store, "queue") == [{"shard": "1"}, {"shard": "2"}]


def test_without_a_known_pod_everything_stays():
    store = store_of(
        (KV, {"instance": "node-1:8000"}), (CLOCK, {"pod": "training"}), (LOAD, {"instance": "node-2:9100"})
    )
    assert own(store).ids() == store.ids()


def test_the_store_itself_keeps_all():
    store = store_of((KV, {"pod": "a"}), (CLOCK, {"pod": "a"}), (CLOCK, {"pod": "training"}))
    before = store.ids()
    assert own(store).ids() != before
    assert store.ids() == before


def test_of_one_pod_there_are_its_series_and_those_of_no_pod():
    store = store_of(
        (KV, {"pod": "a"}), (KV, {"pod": "b"}), (CLOCK, {"exported_pod": "a"}), (CLOCK, {"pod": "b"}), (LOAD, {})
    )
    only = of_pod(store, "a")
    assert left(only, "kv_cache_usage") == [{"pod": "a"}]
    assert left(only, "gpu_sm_clock") == [{"exported_pod": "a"}]
    assert left(only, "host_load") == [{}]


@pytest.mark.parametrize("pod", ["c", "gateway", ""])
def test_of_a_pod_that_exposes_no_engine_nothing_is_known(pod):
    assert of_pod(store_of((KV, {"pod": "a"}), (CLOCK, {"pod": "gateway"}), (LOAD, {})), pod) is None


def test_strangers_are_what_is_not_ours():
    store = store_of((KV, {"pod": "a"}), (CLOCK, {"pod": "a"}), (CLOCK, {"pod": "training"}), (LOAD, {"instance": "x"}))
    ours, others = own(store).tracks, strangers(store).tracks
    assert [dict(series.labels) for series in others] == [{"pod": "training"}]
    assert set(ours) | set(others) == set(store.tracks)
