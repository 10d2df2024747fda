import gzip
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftwatch.attribution.checks.health import evaluate, silent
from driftwatch.attribution.checks.standard import STANDARD, Rule
from driftwatch.config import Check
from driftwatch.events.catalogue import BY_NAME
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.ticks.series import SeriesStore

WIDTH, ONSET, LAST = 5.0, 100, 199
TIMES = np.arange(0, (LAST + 1) * WIDTH, WIDTH)
NAMED = {rule.name: rule for rule in STANDARD}


def store_of(*series):
    """A store with a sample for each tick: (name, labels, values)."""
    store = SeriesStore(WIDTH, 10_000)
    for name, labels, values in series:
        key = SeriesKey(name, tuple(sorted(labels.items())))
        store.add(Metrics(TIMES, np.zeros(len(TIMES), np.int32), np.broadcast_to(values, TIMES.shape), (key,)))
    return store


def check(rule, store, **extra):
    return evaluate([rule], store, 0, ONSET, LAST, extra)[0]


def step(before, after, at=ONSET):
    return np.where(np.arange(LAST + 1) < at, before, after)


BUSY = Rule("busy", "host_cpu", ">", 0.9)


@pytest.mark.parametrize(
    ("values", "state", "newly", "worst"),
    [
        (step(50, 50), "green", False, 0.5),
        (step(50, 95), "firing", True, 0.95),
        (step(95, 95), "firing", False, 0.95),
        (step(95, 50), "green", False, 0.5),
    ],
)
def test_a_check_is_newly_firing_only_if_it_did_not_fire_before_the_onset(values, state, newly, worst):
    result = check(BUSY, store_of(("host_cpu_percent", {}, values)))
    assert (result.state, result.newly, result.worst) == (state, newly, pytest.approx(worst))


def test_what_is_not_measured_is_absent_and_never_green():
    empty = evaluate(STANDARD, store_of(), 0, ONSET, LAST)
    assert {c.state for c in empty} == {"absent"}
    assert {c.worst for c in empty} == {None}
    assert not silent(empty)


def test_a_series_that_ended_long_before_the_onset_is_absent():
    store = SeriesStore(WIDTH, 10_000)
    early = TIMES[:40]
    store.add(Metrics(early, np.zeros(40, np.int32), np.ones(40), (SeriesKey("up"),)))
    assert check(NAMED["target up"], store).state == "absent"


def test_it_must_hold():
    held = Rule("busy", "host_cpu", ">", 0.9, for_s=30)
    short, long = (np.where((np.arange(200) >= 120) & (np.arange(200) < 120 + n), 99, 10) for n in (5, 6))
    assert check(held, store_of(("host_cpu_percent", {}, short))).state == "green"
    result = check(held, store_of(("host_cpu_percent", {}, long)))
    assert (result.state, result.newly, result.for_s) == ("firing", True, 30)


def test_one_replica_that_newly_fires_is_seen_beside_one_that_always_did():
    store = store_of(("up", {"pod": "a"}, step(0, 0)), ("up", {"pod": "b"}, step(1, 0)))
    assert check(NAMED["target up"], store).newly
    only_a = Rule("a", "target_up", "<", 1, labels=(("pod", "a"),))
    assert not check(only_a, store).newly


def test_a_short_excursion_inside_a_tick_is_seen():
    store = SeriesStore(WIDTH, 1000)
    at = np.arange(0, 1000, 1.0)
    store.add(Metrics(at, np.zeros(1000, np.int32), np.where(at == 703, 0.0, 1.0), (SeriesKey("up"),)))
    result = check(NAMED["target up"], store)
    assert (result.state, result.worst) == ("firing", 0.0)


@pytest.mark.parametrize("scrape", [5.0, 30.0, 120.0])
def test_a_restart_right_after_the_onset_is_new_however_rarely_it_is_scraped(scrape):
    store = SeriesStore(WIDTH, 10_000)
    at = np.arange(0, 1000, scrape)
    restarts = np.where(at < ONSET * WIDTH + 2, 0.0, 1.0)
    key = SeriesKey("kube_pod_container_status_restarts_total")
    store.add(Metrics(at, np.zeros(len(at), np.int32), restarts, (key,)))
    assert check(NAMED["pod restarts"], store).newly


@pytest.mark.parametrize(("began", "newly"), [(ONSET - 30, False), (ONSET - 8, True), (ONSET + 8, True)])
def test_the_onset_is_an_estimate(began, newly):
    assert check(BUSY, store_of(("host_cpu_percent", {}, step(50, 95, began)))).newly == newly


@pytest.mark.parametrize(
    ("comparison", "threshold", "worst"), [("<", 3, 1), ("<=", 1, 1), (">=", 9, 9), ("==", 4, 4), ("!=", 1, 9)]
)
def test_worst_is_the_value_nearest_to_firing(comparison, threshold, worst):
    values = step(4, 4)
    values[150], values[160] = 1, 9
    result = check(Rule("mine", "my_gauge", comparison, threshold), store_of(("my_gauge", {}, values)))
    assert (result.state, result.worst) == ("firing", worst)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([">", "<", ">=", "<=", "==", "!="]))
def test_a_check_that_need_not_hold_fires_exactly_where_its_worst_value_does(value, threshold, comparison):
    result = check(Rule("mine", "my_gauge", comparison, threshold), store_of(("my_gauge", {}, step(0, value))))
    assert (result.state == "firing") == eval(f"{result.worst!r} {comparison} {threshold!r}")


def test_the_error_rate_comes_from_the_requests():
    few, many = step(0.0, 0.01), step(0.0, 0.2)
    many[::3] = np.nan  # ticks without requests
    assert check(NAMED["request errors"], store_of(), error_share=few).state == "green"
    result = check(NAMED["request errors"], store_of(), error_share=many)
    assert (result.state, result.newly, result.worst) == ("firing", True, pytest.approx(0.2))


def test_a_restart_a_kill_and_an_xid_error_break_the_silence():
    healthy = ("host_memory_percent", {}, 30)
    assert silent(evaluate(STANDARD, store_of(healthy), 0, ONSET, LAST))
    for name, labels, values in [
        ("kube_pod_container_status_restarts_total", {"pod": "a"}, step(3, 4, 150)),
        ("kube_pod_container_status_last_terminated_reason", {"pod": "a", "reason": "OOMKilled"}, step(0, 1, 150)),
        ("DCGM_FI_DEV_XID_ERRORS", {"gpu": "0"}, step(0, 79, 150)),
        ("DCGM_FI_DEV_GPU_TEMP", {"gpu": "0"}, step(60, 90, 150)),
        ("host_memory_percent", {"host": "b"}, step(30, 95, 150)),
    ]:
        checks = evaluate(STANDARD, store_of(healthy, (name, labels, values)), 0, ONSET, LAST)
        assert [c.name for c in checks if c.newly] != [], name
        assert not silent(checks), name


def test_a_serving_check_does_not_break_the_silence():
    store = store_of(("up", {}, 1), ("vllm:kv_cache_usage_perc", {}, step(0.3, 1.0)))
    checks = evaluate(STANDARD, store, 0, ONSET, LAST)
    assert [(c.name, c.layer) for c in checks if c.newly] == [("KV cache", "serving")]
    assert silent(checks)


def test_serving_checks_alone_do_not_make_a_silence():
    checks = evaluate(STANDARD, store_of(("vllm:kv_cache_usage_perc", {}, 0.3)), 0, ONSET, LAST)
    assert not silent(checks)


def test_the_cpu_of_the_node_exporter_is_the_mean_over_cores_of_a_host():
    def core(instance, cpu, idle):
        return "node_cpu_seconds_total", {"instance": instance, "cpu": cpu, "mode": "idle"}, idle

    half = store_of(core("a", "0", 0 * TIMES), core("a", "1", TIMES))
    assert check(NAMED["host CPU"], half).worst == pytest.approx(0.5)
    full = store_of(core("a", "0", 0 * TIMES), core("a", "1", 0 * TIMES), core("b", "0", TIMES))
    result = check(NAMED["host CPU"], full)
    assert (result.state, result.worst, result.series) == ("firing", pytest.approx(1.0), "host_cpu_idle")


def test_memory_is_found_by_whichever_series_there_is():
    node = store_of(("node_memory_MemAvailable_bytes", {}, step(8e9, 4e8)), ("node_memory_MemTotal_bytes", {}, 16e9))
    assert check(NAMED["host memory"], node).worst == pytest.approx(0.975)
    gpu = store_of(("DCGM_FI_DEV_FB_USED", {"gpu": "0"}, 72_000), ("DCGM_FI_DEV_FB_FREE", {"gpu": "0"}, 8_000))
    assert check(NAMED["GPU memory"], gpu).worst == pytest.approx(1 / 9)


def test_a_check_of_your_own_is_in_the_unit_of_the_name_that_it_uses():
    busy = Check(name="busy", series="DCGM_FI_DEV_GPU_UTIL", threshold=90, labels={"gpu": "1"})
    store = store_of(*(("DCGM_FI_DEV_GPU_UTIL", {"gpu": str(i)}, step(50, 97 - 40 * i)) for i in range(2)))
    result = check(Rule.of(busy), store)
    assert (result.state, result.worst, result.source) == ("green", pytest.approx(57), "your configuration")
    assert check(Rule.of(busy.model_copy(update={"labels": {}})), store).state == "firing"


def test_standard_checks_speak_of_series_that_can_be_measured():
    rules = [r for rule in STANDARD for r in (rule, *rule.alternatives)]
    own = {"error_share", "queue_time", "node_filesystem_avail_bytes", "node_filesystem_size_bytes", ""}
    used = {name for r in rules for name in (r.series, r.per)}
    assert used - own <= {name for name, series in BY_NAME.items() if series.kind != "histogram"}
    assert {rule.layer for rule in rules} == {"infrastructure", "serving"}
    assert all(rule.why and rule.source for rule in STANDARD)
    assert len({rule.name for rule in STANDARD}) == len(STANDARD)


def rows(rule):
    """The lines that docs/health-checks.md must have."""
    for r in (rule, *rule.alternatives):
        series = f"`{r.series}`" + (f" / `{r.per}`" if r.per else "")
        measured = f"{r.offset:g} - {series}" if r.factor < 0 else series
        fires = f"{r.comparison} {r.threshold:g} {r.unit}".strip()
        held = f"{r.for_s:g} s" if r.for_s else f"mean of {r.window_s:g} s" if r.window_s else "at once"
        yield f"| {r.name} | {measured} | {fires} | {held} | {r.source} | {r.why or 'the same, measured otherwise'} |"


def test_the_page_has_the_table_of_the_code(root):
    page = (root / "docs" / "health-checks.md").read_text()
    for layer in ("infrastructure", "serving"):
        table = "\n".join(line for rule in STANDARD if rule.layer == layer for line in rows(rule))
        assert f"\n{table}\n" in page, f"the table of docs/health-checks.md should be\n{table}"


def test_on_a_real_incident_the_dashboards_stayed_green(recordings):
    folder = recordings / "vllm_cpu" / "kv_hog"
    wanted = ("host_memory_percent", "up{", "vllm:kv_cache_usage_perc{", "vllm:num_preemptions_total{")
    text = gzip.decompress((folder / "metrics.om.gz").read_bytes()).decode()
    lines = [line for line in text.splitlines() if line.startswith(wanted)]
    store = SeriesStore(WIDTH, 10_000)
    parsed = [re.fullmatch(r"([\w:]+)(?:\{.*\})? (\S+) (\S+)", line).groups() for line in lines]
    names = list(dict.fromkeys(name for name, _, _ in parsed))
    store.add(
        Metrics(
            np.array([float(at) for _, _, at in parsed]),
            np.array([names.index(name) for name, _, _ in parsed], np.int32),
            np.array([float(value) for _, value, _ in parsed]),
            tuple(SeriesKey(name) for name in names),
        )
    )
    onset = int(json.loads((folder / "truth.json").read_text())["changed_at"] // WIDTH)
    checks = {c.name: c for c in evaluate(STANDARD, store, onset - 90, onset, onset + 60)}
    assert silent(tuple(checks.values()))
    assert [checks[name].state for name in ("target up", "host memory", "host CPU")] == ["green", "green", "absent"]
    assert checks["KV cache"].state != "absent"
    assert checks["preemptions"].worst > 0
