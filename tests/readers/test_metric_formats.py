"""One suite for all formats of metrics: the same samples give the same series, to the bit."""

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import zstandard

from driftwatch.config import Config
from driftwatch.events import Metric
from driftwatch.readers import Quarantine, read_metrics

TIMES = [1795447936.621 + 2.5 * i for i in range(40)]
SERIES = {
    ("vllm:kv_cache_usage_perc", "a"): [round(0.01 * i, 2) for i in range(40)],
    ("vllm:kv_cache_usage_perc", "b"): [round(0.5 + 0.001 * i, 3) for i in range(40)],
    ("vllm:num_preemptions_total", "a"): [float(i * i) for i in range(40)],
}
LONG = [
    {"t": t, "name": name, "value": value, "labels": {"pod": pod}}
    for (name, pod), values in SERIES.items()
    for t, value in zip(TIMES, values, strict=True)
]


def text(unit=1):
    lines = ["# HELP vllm:kv_cache_usage_perc KV cache.", "# TYPE vllm:kv_cache_usage_perc gauge"]
    for row in LONG:
        time = repr(row["t"]) if unit == 1 else str(round(row["t"] * 1000))
        lines.append(f'{row["name"]}{{pod="{row["labels"]["pod"]}"}} {row["value"]!r} {time}')
        lines.append(f"go_goroutines 12 {time}")
    return "\n".join([*lines, "# EOF", ""]).encode()


def jsonl():
    return "".join(json.dumps(row) + "\n" for row in LONG).encode()


def flat():
    return pd.DataFrame([{**row, "labels": json.dumps(row["labels"])} for row in LONG])


def spread():
    return pd.DataFrame(
        [{"t": r["t"], "metric": r["name"], "value": r["value"], "pod": r["labels"]["pod"]} for r in LONG]
    )


def wide():
    return pd.DataFrame({"t": TIMES} | {f'{name}{{pod="{pod}"}}': values for (name, pod), values in SERIES.items()})


def wide_by_pod():
    parts = [
        pd.DataFrame({"t": TIMES, "pod": pod} | {n: v for (n, p), v in SERIES.items() if p == pod}) for pod in "ab"
    ]
    return pd.concat(parts)


def file(name, content):
    def make(folder):
        (folder / name).write_bytes(content())
        return folder / name

    return make


def parquet(frame):
    def make(folder):
        frame().to_parquet(folder / "m.parquet")
        return folder / "m.parquet"

    return make


def csv(frame):
    return lambda: frame().to_csv(index=False).encode()


def halves(folder):
    lines = text().splitlines(keepends=True)
    (folder / "z.om").write_bytes(b"".join(lines[:100]))
    (folder / "a.om").write_bytes(b"".join(lines[100:]))
    return folder


READERS = {
    "openmetrics": file("m.om", text),
    "openmetrics.gz": file("m.om.gz", lambda: gzip.compress(text())),
    "openmetrics.zst": file("m.om.zst", lambda: zstandard.compress(text())),
    "prometheus text in milliseconds": file("m.prom", lambda: text(1000)),
    "text": file("m.txt", text),
    "text without a suffix": file("dump", text),
    "text with a sample first": file("dump", lambda: b"\n".join(text().split(b"\n")[2:])),
    "long jsonl": file("m.jsonl", jsonl),
    "long csv": file("m.csv", csv(flat)),
    "long csv, labels as columns": file("m.csv", csv(spread)),
    "long parquet": parquet(lambda: pd.DataFrame(LONG)),
    "long dicts": lambda _: iter(LONG),
    "records": lambda _: [Metric(name=r["name"], value=r["value"], at=r["t"], labels=r["labels"]) for r in LONG],
    "long pandas": lambda _: pd.DataFrame(LONG),
    "long polars": lambda _: pl.DataFrame(LONG),
    "long arrow": lambda _: pa.Table.from_pylist(LONG),
    "wide csv": file("m.csv", csv(wide)),
    "wide parquet": parquet(wide),
    "wide pandas": lambda _: wide(),
    "wide, a label as a column": lambda _: wide_by_pod(),
    "wide jsonl": file("m.jsonl", lambda: wide().to_json(orient="records", lines=True, double_precision=15).encode()),
    "folder": halves,
    "batches": lambda _: list(read_metrics(LONG, Config(), Quarantine())),
}


def read(source, config=None):
    quarantine = Quarantine()
    found = {}
    for batch in read_metrics(source, config or Config(), quarantine):
        for i, key in enumerate(batch.keys):
            here = batch.series == i
            found.setdefault((key.name, key.labels), []).extend(
                zip(batch.at[here].tolist(), batch.value[here].tolist(), strict=True)
            )
    return {key: sorted(samples) for key, samples in found.items()}, quarantine


@pytest.mark.parametrize("make", READERS.values(), ids=READERS)
def test_the_same_samples_give_the_same_series(make, tmp_path):
    found, quarantine = read(make(tmp_path))
    assert quarantine.rows() == ()
    assert set(found) == {(name, (("pod", pod),)) for name, pod in SERIES}
    for (name, pod), values in SERIES.items():
        assert found[name, (("pod", pod),)] == list(zip(TIMES, values, strict=True))


def test_milliseconds_are_said(tmp_path):
    _, quarantine = read(READERS["prometheus text in milliseconds"](tmp_path))
    assert any("milliseconds" in note for note in quarantine.notes)


def test_nan_and_infinity_exemplars_and_escapes(tmp_path):
    path = tmp_path / "m.om"
    path.write_text(
        "# TYPE up gauge\n# UNIT up ratio\n"
        'up{job="a \\"quoted\\" \\\\ name\\n, {x=1} 5"} NaN 10\n'
        "up +Inf 10.5\n"
        'vllm:time_to_first_token_seconds_bucket{le="0.1",} 3 12 # {trace_id="a b"} 0.05 11.5\n'
        '{"hw.errors",host="x"} 2 13\n'
        "# EOF\n"
    )
    found, quarantine = read(path)
    assert quarantine.rows() == ()
    assert found["up", (("job", 'a "quoted" \\ name\n, {x=1} 5'),)][0][0] == 10.0
    assert np.isnan(found["up", (("job", 'a "quoted" \\ name\n, {x=1} 5'),)][0][1])
    assert found["up", ()] == [(10.5, np.inf)]
    assert found["vllm:time_to_first_token_seconds_bucket", (("le", "0.1"),)] == [(12.0, 3.0)]
    assert found["hw.errors", (("host", "x"),)] == [(13.0, 2.0)]


def test_broken_lines_are_quarantined_with_their_numbers(tmp_path):
    lines = text().splitlines(keepends=True)
    lines[10] = b"vllm:num_preemptions_total{pod=a} 5 1795447936\n"
    lines[20] = b"what is this\n"
    lines[30] = b'up{pod="a"} seven 1795447936\n'
    lines[40] = b'up{pod="a"} 7\n'
    (tmp_path / "m.om").write_bytes(b"".join(lines))
    found, quarantine = read(tmp_path / "m.om")
    assert sorted(line for q in quarantine.rows() for line in q.lines) == [11, 21, 31, 41]
    assert sum(map(len, found.values())) == len(LONG) - len({10, 20, 30, 40} & set(range(2, 200, 2)))


def test_a_page_without_times_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "page.prom").write_text('up{pod="a"} 1\n' * 30)
    with pytest.raises(Exception, match=r"page\.prom:1: 30 of 30 rows .* no time .*promtool tsdb dump-openmetrics"):
        read(tmp_path / "page.prom")


def test_a_metric_that_changes_type_keeps_the_first(tmp_path):
    (tmp_path / "m.om").write_text(
        "# TYPE my_metric gauge\nmy_metric 1 10\n# TYPE my_metric counter\nmy_metric 2 11\n# EOF\n"
    )
    config = Config.parse({"input": {"series": {"my_metric": "kv_cache_usage"}}})
    quarantine = Quarantine()
    batches = list(read_metrics(tmp_path / "m.om", config, quarantine))
    assert [(k.name, k.kind) for k in batches[-1].keys] == [("kv_cache_usage", "gauge")]
    assert [n for n in quarantine.notes if "my_metric changes its type from gauge to counter" in n]


def test_own_series_are_kept_where_the_configuration_names_them():
    rows = [{"t": 1.0, "name": n, "value": 1.0} for n in ("mine", "checked_total", "blamed", "other", "lat_bucket")]
    config = Config.parse(
        {
            "input": {"series": {"mine": "kv_cache_usage", "lat": "latency"}},
            "health": {"checks": [{"name": "c", "series": "checked", "threshold": 1}]},
            "attribution": {"roles": {"blamed": "mechanism"}},
        }
    )
    found, _ = read(rows, config)
    assert {name for name, _ in found} == {"kv_cache_usage", "checked_total", "blamed", "latency_bucket"}


def test_a_table_without_time_or_known_series_is_refused():
    with pytest.raises(Exception, match=r"no column holds a time \(t\); the columns are: name, value"):
        read(pd.DataFrame({"name": ["up"], "value": [1.0]}))
    with pytest.raises(Exception, match=r"no series that is known; the columns are: colour.*input\.series"):
        read(pd.DataFrame({"t": [1.0], "colour": [1.0]}))


def test_a_bad_value_in_a_table_is_quarantined():
    frame = pd.DataFrame({"t": [1.0, 2.0, None], "up": ["1", "many", "1"]})
    found, quarantine = read(frame)
    assert found["up", ()] == [(1.0, 1.0)]
    assert {(q.reason, tuple(q.lines)) for q in quarantine.rows()} == {("up is not a number", (2,)), ("no time", (3,))}


def test_milliseconds_in_a_table_are_refused_with_the_key_to_set():
    with pytest.raises(Exception, match=r'input\.time_unit = "ms"'):
        read(pd.DataFrame({"t": [1795447936621.0], "up": [1.0]}))
    found, _ = read(pd.DataFrame({"t": [1795447936621.0], "up": [1.0]}), Config.parse({"input": {"time_unit": "ms"}}))
    assert found["up", ()] == [(1795447936.621, 1.0)]
