import numpy as np
import pytest

from driftwatch.attribution.checks.health import evaluate
from driftwatch.attribution.checks.rules import configured, parse, read_rules, seconds
from driftwatch.attribution.checks.standard import STANDARD
from driftwatch.config import Check, Health
from driftwatch.errors import ConfigError
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.ticks.series import SeriesStore

WIDTH = 5.0


def outcome(expr, *series):
    """The check of an expression over series of one sample a tick: (name, labels, values)."""
    store = SeriesStore(WIDTH, 1000)
    for name, labels, values in series:
        at = np.arange(len(values)) * WIDTH
        key = SeriesKey(name, tuple(sorted(labels.items())))
        store.add(Metrics(at, np.zeros(len(at), np.int32), np.asarray(values, float), (key,)))
    return evaluate([parse(expr)], store, 0, 50, 99)[0]


LOW, HIGH = np.full(100, 40.0), np.where(np.arange(100) < 50, 40.0, 95.0)
COUNTER = np.cumsum(np.where(np.arange(100) < 50, 5.0, 20.0))  # 1 per second, then 4


@pytest.mark.parametrize(
    ("expr", "series", "worst"),
    [
        ("DCGM_FI_DEV_GPU_UTIL > 90", [("DCGM_FI_DEV_GPU_UTIL", {}, HIGH)], 95),
        ('DCGM_FI_DEV_GPU_UTIL{gpu="1"} > 90', [("DCGM_FI_DEV_GPU_UTIL", {"gpu": "1"}, HIGH)], 95),
        ("100 * host_memory_percent / 1e2 > 90.0", [("host_memory_percent", {}, HIGH)], 95),
        ("my_gauge > 90", [("my_gauge", {}, HIGH)], 95),
        ("-my_gauge < -90", [("my_gauge", {}, HIGH)], -95),
        ("(my_gauge + 5) * 2 >= 200", [("my_gauge", {}, HIGH)], 200),
        ("my_gauge / my_limit > 0.9", [("my_gauge", {}, HIGH), ("my_limit", {}, LOW + 60)], 0.95),
        ("100 * (1 - my_gauge / my_limit) < 10", [("my_gauge", {}, HIGH), ("my_limit", {}, LOW + 60)], 5),
        ("avg_over_time(my_gauge[1m]) > 90", [("my_gauge", {}, HIGH)], 95),
        ("rate(my_events_total[1m]) > 3.9", [("my_events_total", {}, COUNTER)], 4),
        ("increase(my_events_total[1m]) > 239", [("my_events_total", {}, COUNTER)], 240),
        ("rate(vllm:num_preemptions[1m]) > 2", [("vllm:num_preemptions_total", {}, COUNTER)], 4),
    ],
)
def test_a_simple_comparison_is_read_in_its_own_unit(expr, series, worst):
    result = outcome(expr, *series)
    assert (result.state, result.newly, result.worst) == ("firing", True, pytest.approx(worst))
    calm = [(name, labels, COUNTER * 0 if values is COUNTER else LOW) for name, labels, values in series]
    assert outcome(expr, *calm[:1], *series[1:]).state == "green"


def test_a_labelled_rule_does_not_see_other_labels():
    assert outcome('my_gauge{pod="a"} > 90', ("my_gauge", {"pod": "b"}, HIGH)).state == "absent"


@pytest.mark.parametrize(
    ("expr", "layer"),
    [
        ("vllm:kv_cache_usage_perc > 0.9", "serving"),
        ("vllm:num_requests_waiting > 9", "serving"),
        ("up == 0", "infrastructure"),
        ("DCGM_FI_DEV_SM_CLOCK < 900", "infrastructure"),
        ("something_else > 1", "infrastructure"),
    ],
)
def test_only_what_an_engine_says_of_itself_is_serving(expr, layer):
    assert parse(expr).layer == layer


REASONS = {
    "sum(my_gauge) by (pod) > 1": "sum() is not read",
    "histogram_quantile(0.9, rate(x_bucket[5m])) > 1": "histogram_quantile() is not read",
    "absent(up)": "absent() is not read",
    "up == 0 and on(pod) x > 1": "'and' is not understood",
    "my_gauge": "compares nothing",
    "my_gauge > other_gauge": "only a series on the left",
    "3 > my_gauge": "only a series on the left",
    "my_gauge - other_gauge > 3": "difference of two series",
    "my_gauge * other_gauge > 3": "product of two series",
    'my_gauge{pod=~"a.*"} > 3': "the matcher =~ is not read",
    'my_gauge{pod="a", zone!="b"} > 3': "the matcher != is not read",
    "my_gauge{pod=a} > 3": "{pod=a} is not understood",
    "my_events_total > 3": "is a counter",
    "vllm:num_preemptions > 3": "is a counter",
    "rate(my_gauge[5m]) > 3": "not known to be a counter",
    "rate(my_events_total) > 3": "a range",
    "my_gauge[5m] > 3": "a range",
    "my_gauge / 0 > 3": "divides by zero",
    "rate(a_total[5m]) / rate(b_total[1m]) > 3": "different labels or ranges",
    'a{x="1"} / b{x="2"} > 3': "different labels or ranges",
    "vllm:time_to_first_token_seconds_sum > 3": "part of a histogram",
    "x_bucket > 3": "part of a histogram",
    'kube_pod_status_ready{condition="false"} > 0': "different things by label",
    "my_gauge > 3 unless x": "'unless' is not understood",
    "my_gauge offset 5m > 3": "'offset' is not understood",
    "(my_gauge > 3": "is not understood",
    "rate(": "",
    "$x > 3": "'$' is not understood",
    "": "ends too early",
}


def rule_file(tmp_path, text):
    path = tmp_path / "rules.yml"
    path.write_text(text)
    return path


def test_what_is_not_simple_is_listed_with_its_reason(tmp_path):
    alerts = "".join(f"  - alert: a{i}\n    expr: {expr!r}\n" for i, expr in enumerate(REASONS))
    rules, unread = read_rules(rule_file(tmp_path, "groups:\n- name: g\n  rules:\n" + alerts))
    assert rules == ()
    assert [n.name for n in unread] == [f"a{i}" for i in range(len(REASONS))]
    for note, (expr, reason) in zip(unread, REASONS.items(), strict=True):
        assert reason in note.reason, expr
        assert note.reason
        assert str(note).startswith(f"{tmp_path / 'rules.yml'}: {note.name} is not read: ")


FILE = """
groups:
- name: mine
  rules:
  - alert: CacheFull
    expr: |
      vllm:kv_cache_usage_perc{engine="0"}
        > 0.95
    for: 1m30s
    labels: {severity: warning}
    annotations: {summary: full}
  - record: job:up:sum
    expr: sum(up)
  - alert: Odd
    expr: up == 0
    for: soon
- name: empty
"""


@pytest.mark.parametrize("wrap", [False, True])
def test_a_rule_file_and_the_kubernetes_object_around_it(tmp_path, wrap):
    text = "kind: PrometheusRule\nspec:" + FILE.replace("\n", "\n  ") if wrap else FILE
    path = rule_file(tmp_path, text)
    (rule,), unread = read_rules(path)
    assert (rule.name, rule.series, rule.threshold, rule.for_s) == ("CacheFull", "kv_cache_usage", 0.95, 90)
    assert (rule.labels, rule.source) == ((("engine", "0"),), str(path))
    assert [(n.name, n.reason) for n in unread] == [
        ("job:up:sum", "it records a series and is no alert"),
        ("Odd", "'soon' is not a duration"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("groups: [", "not a YAML file"),
        ("a: 1", "not a rule file"),
        ("[1, 2]", "not a rule file"),
        ("groups: 3", "not a rule file"),
        ("groups:\n- rules: [x]", "not a rule file"),
    ],
)
def test_what_is_no_rule_file_says_so(tmp_path, text, problem):
    with pytest.raises(ConfigError, match=problem):
        read_rules(rule_file(tmp_path, text))


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.yml: cannot be read"):
        read_rules(tmp_path / "nothing.yml")


def test_all_checks_of_a_configuration(tmp_path):
    path = str(rule_file(tmp_path, FILE))
    own = Check(name="mine", series="their_cache", threshold=0.5)
    rules, unread = configured(Health(checks=(own,), rules_files=(path,)), {"their_cache": "kv_cache_usage"})
    assert rules[: len(STANDARD)] == STANDARD
    assert [(r.name, r.series) for r in rules[len(STANDARD) :]] == [
        ("mine", "kv_cache_usage"),
        ("CacheFull", "kv_cache_usage"),
    ]
    assert len(unread) == 2
    assert configured(Health(standard=False)) == ((), ())


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("0s", 0), ("5m", 300), ("1d12h", 129_600), ("500ms", 0.5)])
def test_durations(text, value):
    assert seconds(text) == value
