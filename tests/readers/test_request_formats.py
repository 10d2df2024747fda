"""One suite for all formats of requests: the same rows give the same columns, to the bit."""

import gzip
import json
from dataclasses import fields
from io import BytesIO

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from driftwatch.config import Config
from driftwatch.events import Coded, Request, concat_requests
from driftwatch.readers import Quarantine, read_requests

N = 500


def rows():
    rng = np.random.default_rng(7)
    start = 1795447937.379228 + np.cumsum(rng.exponential(0.1, N)).round(6)
    latency = rng.lognormal(0, 0.5, N).round(6)
    out = []
    for i in range(N):
        row = {
            "request_id": f"req-{i}-é",
            "started_at": float(start[i]),
            "completed_at": float(start[i] + latency[i]),
            "model": "smollm2",
            "route": ["/v1/chat", "/v1/completions"][i % 2],
            "tenant": f"t{i % 3}",
            "replica": f"pod-{i % 5}",
            "zone": f"eu-{i % 2}",
            "prompt_tokens": int(rng.integers(1, 4000)),
            "output_tokens": int(rng.integers(1, 900)),
            "cached_tokens": i if i % 7 else None,
            "ttft": float((latency[i] * 0.1).round(6)),
            "latency": float(latency[i]),
            "itl_mean": float(rng.exponential(0.01)) if i % 2 else None,
            "queue_time": 0.25,
            "finish_reason": ["stop", "length", None][i % 3],
            "status": 200 if i % 50 else 503,
            "error": None if i % 50 else 'upstream, "timeout"\nretry',
            "prompt": 'some text, with "quotes"\nand lines',
            "build": i,
        }
        out.append(row)
    out[3]["started_at"] = None
    out[4]["completed_at"] = out[4]["latency"] = None
    return out


ROWS = rows()


def jsonl():
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def csv():
    return pd.DataFrame(ROWS).astype({"cached_tokens": "Int64"}).to_csv(index=False).encode()


def parquet():
    out = BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out, row_group_size=100)
    return out.getvalue()


def file(name, content):
    def make(folder):
        (folder / name).write_bytes(content())
        return folder / name

    return make


def gz(content):
    return lambda: gzip.compress(content())


def zst(content):
    return lambda: zstandard.compress(content())


def pieces(folder):
    lines = jsonl().splitlines(keepends=True)
    for i in range(0, N, 100):
        (folder / f"part-{9 - i // 100}.jsonl").write_bytes(b"".join(lines[i : i + 100]))
    return folder


READERS = {
    "jsonl": file("r.jsonl", jsonl),
    "jsonl.gz": file("r.jsonl.gz", gz(jsonl)),
    "jsonl.zst": file("r.jsonl.zst", zst(jsonl)),
    "ndjson": file("r.ndjson", jsonl),
    "json without a suffix": file("requests_log", jsonl),
    "gzip that its suffix hides": file("r.jsonl", gz(jsonl)),
    "jsonl with a byte order mark": file("r.jsonl", lambda: b"\xef\xbb\xbf" + jsonl()),
    "jsonl with windows line ends": file("r.jsonl", lambda: jsonl().replace(b"\n", b"\r\n")),
    "jsonl with blank lines": file("r.jsonl", lambda: jsonl().replace(b"\n", b"\n\n")),
    "csv": file("r.csv", csv),
    "csv.gz": file("r.csv.gz", gz(csv)),
    "csv.zst": file("r.csv.zst", zst(csv)),
    "csv without a suffix": file("requests_log", csv),
    "parquet": file("r.parquet", parquet),
    "parquet without a suffix": file("requests_log", parquet),
    "glob": lambda folder: str(file("r.jsonl", jsonl)(folder).parent / "r.*"),
    "folder of files": pieces,
    "list of files": lambda folder: sorted(pieces(folder).iterdir()),
    "pandas": lambda _: pd.DataFrame(ROWS),
    "polars": lambda _: pl.DataFrame(ROWS, infer_schema_length=None),
    "arrow table": lambda _: pa.Table.from_pylist(ROWS),
    "arrow batch": lambda _: pa.RecordBatch.from_pylist(ROWS),
    "arrow reader": lambda _: pa.Table.from_pylist(ROWS).to_reader(max_chunksize=64),
    "dictionaries": lambda _: pa.Table.from_pandas(pd.DataFrame(ROWS).astype({"tenant": "category"})),
    "dicts": lambda _: iter(ROWS),
    "records": lambda _: [
        Request.of(
            {k: v for k, v in row.items() if v is not None and k not in ("zone", "build")}
            | {"labels": {"zone": row["zone"]}}
        )
        for row in ROWS
    ],
    "batches": lambda _: list(read_requests(ROWS, Config(), Quarantine())),
    "list of frames": lambda _: [pd.DataFrame(ROWS[250:]), pl.DataFrame(ROWS[:250], infer_schema_length=None)],
}


def read(source, **settings):
    quarantine = Quarantine()
    batches = list(read_requests(source, Config.parse({"input": settings}), quarantine))
    return concat_requests(batches), quarantine


def by_start(batch):
    return batch.take(np.argsort(batch.at, kind="stable"))


@pytest.fixture(scope="module")
def expected():
    return by_start(read(ROWS)[0])


@pytest.mark.parametrize("make", READERS.values(), ids=READERS)
def test_the_same_rows_give_the_same_columns(make, tmp_path, expected):
    batch, quarantine = read(make(tmp_path))
    batch = by_start(batch)
    assert quarantine.rows() == ()
    for field in fields(batch):
        mine, theirs = getattr(batch, field.name), getattr(expected, field.name)
        if isinstance(mine, Coded):
            assert mine.to_list() == theirs.to_list(), field.name
        elif field.name not in ("labels", "scores", "texts", "answers"):
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
    assert {n: c.to_list() for n, c in batch.labels.items()} == {n: c.to_list() for n, c in expected.labels.items()}
    assert said(batch) == said(expected)


def said(batch):
    """All texts, vectors and scores, as plain Python."""
    texts = {f.name: getattr(batch.texts, f.name) for f in fields(batch.texts)}
    plain = {name: [v.tolist() if hasattr(v, "tolist") else v for v in column] for name, column in texts.items()}
    plain |= {name: [None if v is None else list(v) for v in plain[name]] for name in plain if name.endswith("vector")}
    return plain | {name: column.tolist() for name, column in batch.scores.items()}


def test_what_is_expected_is_what_was_written(expected):
    assert len(expected) == N
    assert set(expected.labels) == {"model", "route", "tenant", "replica", "zone"}
    assert expected.failed.sum() == 10
    assert len(set(expected.id_hash.tolist())) == N
    assert np.isnan(expected.cached_tokens).sum() == len(range(0, N, 7))
    row = ROWS[1]
    i = int(np.flatnonzero(expected.completed_at == row["completed_at"])[0])
    assert (expected.latency[i], expected.itl[i]) == (row["latency"], row["itl_mean"])
    assert not np.isnan(expected.itl).any() or np.isnan(expected.itl[expected.output_tokens > 1]).sum() <= 1


@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_small_blocks_change_nothing(name, tmp_path, expected, monkeypatch):
    monkeypatch.setattr("driftwatch.readers.formats.BLOCK", 4096)
    monkeypatch.setattr("driftwatch.readers.formats._LEAST_BLOCK", 1)
    path = READERS[name](tmp_path)
    batch = by_start(read(path)[0])
    np.testing.assert_array_equal(batch.latency, expected.latency)
    np.testing.assert_array_equal(batch.id_hash, expected.id_hash)
    assert batch.labels["tenant"].to_list() == expected.labels["tenant"].to_list()


def test_progress_reaches_the_end(tmp_path):
    seen = []
    path = READERS["jsonl.gz"](tmp_path)
    list(read_requests(path, Config(), Quarantine(), lambda done, total: seen.append((done, total))))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    assert seen == sorted(seen)


def test_nested_objects_and_other_vendors(tmp_path):
    litellm = {
        "id": "a",
        "startTime": 100.0,
        "endTime": 104.0,
        "completionStartTime": 101.0,
        "status": "failure",
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "model": "gpt",
        "response_time": 1.0,
        "metadata": {"user_api_key_alias": "team-a", "spend": {"x": 1}},
        "labels": {"region": "eu", "tier": "gold"},
        "scores": {"judge": 0.5},
        "embedding": [1.0, 2.0],
    }
    otel = {
        "start_time": "1970-01-01T00:01:50Z",
        "end_time": "1970-01-01T02:01:52+02:00",
        "attributes": {
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.usage.output_tokens": 3,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.model": "llama",
            "gen_ai.response.id": "b",
        },
    }
    path = tmp_path / "mixed.jsonl"
    for write in ([litellm], [otel], [litellm, otel]):
        path.write_text("".join(json.dumps(row) + "\n" for row in write))
        batch, quarantine = read(path)
        assert quarantine.rows() == ()
        for i, row in enumerate(write):
            if row is litellm:
                assert (batch.ttft[i], batch.latency[i], batch.itl[i], batch.failed[i]) == (1.0, 4.0, 1.0, True)
                assert batch.labels["tenant"].to_list()[i] == "team-a"
                assert batch.labels["region"].to_list()[i] == "eu"
            else:
                assert (batch.started_at[i], batch.completed_at[i]) == (110.0, 112.0)
                assert (batch.prompt_tokens[i], batch.output_tokens[i]) == (7.0, 3.0)
                assert batch.finish_reason.to_list()[i] == "stop"
                assert batch.labels["model"].to_list()[i] == "llama"
        assert "judge" not in batch.labels
        assert not any("spend" in name or "embedding" in name for name in batch.labels)


def test_labels_in_a_cell_of_a_table():
    batch, _ = read(pd.DataFrame({"t": [1.0, 2.0], "latency": [1.0, 1.0], "labels": ['{"region": "eu"}', None]}))
    assert batch.labels["region"].to_list() == ["eu", None]


def test_own_names_win_and_unknown_columns_can_be_ignored():
    row = {"when": 10.0, "took": 2.0, "lora": "x", "colour": "red", "model": "m"}
    fields = {"when": "completed_at", "took": "latency", "lora": "adapter"}
    batch, _ = read([row], fields=fields)
    assert (batch.started_at[0], {n: c.values for n, c in batch.labels.items()}) == (
        8.0,
        {"model": ("m",), "adapter": ("x",), "colour": ("red",)},
    )
    batch, _ = read([row], fields=fields, unknown="ignore")
    assert set(batch.labels) == {"model", "adapter"}


def test_frames_with_real_times_and_durations():
    frame = pd.DataFrame(
        {
            "started_at": pd.to_datetime(["2026-01-01T00:00:00.25Z", "2026-01-01T00:00:01Z"], format="ISO8601"),
            "latency": pd.to_timedelta([1500, 2000], unit="ms"),
            "tenant": pd.Categorical(["a", "b"]),
            "replica": [1, 2],
        }
    )
    for source in (frame, pl.from_pandas(frame), frame.set_index("started_at")):
        batch, _ = read(source)
        assert batch.started_at.tolist() == [1767225600.25, 1767225601.0]
        assert batch.latency.tolist() == [1.5, 2.0]
        assert batch.labels["replica"].to_list() == ["1", "2"]


def test_ids_that_are_numbers_hash_as_they_are_written(tmp_path):
    (tmp_path / "r.csv").write_text("request_id,t,latency\n17,5,1\n")
    a, _ = read(tmp_path / "r.csv")
    b, _ = read([{"request_id": 17, "t": 5, "latency": 1}])
    c, _ = read([{"request_id": "17", "t": 5, "latency": 1}])
    assert a.id_hash.tolist() == b.id_hash.tolist() == c.id_hash.tolist()
