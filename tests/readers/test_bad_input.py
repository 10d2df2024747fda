"""Bad input: what is refused is refused with one clear line; what can be used is used, and the rest is counted."""

import gzip
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import zstandard

from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.events import concat_requests
from driftwatch.readers import Quarantine, read_markers, read_metrics, read_requests

GOOD = {"request_id": "r", "started_at": 100.0, "completed_at": 102.0, "latency": 2.0, "model": "m"}


def read(source, **settings):
    quarantine = Quarantine()
    batches = list(read_requests(source, Config.parse({"input": settings}), quarantine))
    return concat_requests(batches), quarantine


def lines(*rows, n=1):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows) * n


def reasons(quarantine):
    return {(q.reason, q.count, tuple(q.lines)) for q in quarantine.rows()}


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.parquet", "r.jsonl.gz", "log"])
def test_an_empty_file(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    with pytest.raises(InputError, match=rf"{name}: the file is empty"):
        read(path)
    with pytest.raises(InputError, match="the file is empty"):
        list(read_metrics(path, Config(), Quarantine()))


def test_an_empty_file_among_others_is_only_noted(tmp_path):
    (tmp_path / "a.jsonl").write_text(lines(GOOD))
    (tmp_path / "b.jsonl").write_text("")
    batch, quarantine = read(tmp_path)
    assert len(batch) == 1
    assert [note for note in quarantine.notes if "b.jsonl: the file is empty" in note]


@pytest.mark.parametrize("source", [[], pd.DataFrame({"t": [], "latency": []}), iter(())])
def test_nothing_at_all(source):
    with pytest.raises(InputError, match="it holds no rows"):
        read(source)


def test_a_header_without_rows(tmp_path):
    (tmp_path / "r.csv").write_text("started_at,latency\n")
    with pytest.raises(InputError, match="it holds no rows"):
        read(tmp_path / "r.csv")


def test_a_file_that_is_not_there():
    with pytest.raises(InputError, match=r"nowhere\.jsonl: there is no such file"):
        read("nowhere.jsonl")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"latency": 1.0, "colour": "red"}, "no column holds a time .* the columns are: latency, colour"),
        ({"started_at": 1.0, "colour": "red"}, "no column holds anything measured .* started_at, colour"),
    ],
)
def test_a_missing_column(row, complaint, tmp_path):
    (tmp_path / "r.jsonl").write_text(lines(row))
    for source in ([row], pd.DataFrame([row]), tmp_path / "r.jsonl"):
        with pytest.raises(InputError, match=complaint):
            read(source)


def test_all_times_equal():
    batch, quarantine = read([GOOD] * 10)
    assert batch.completed_at.tolist() == [102.0] * 10
    assert not quarantine.total


def test_times_going_back_are_kept_as_they_are():
    batch, _ = read([GOOD | {"started_at": 100.0 - i, "completed_at": 101.0 - i, "latency": 1.0} for i in range(5)])
    assert batch.completed_at.tolist() == [101.0, 100.0, 99.0, 98.0, 97.0]


@pytest.mark.parametrize(("unit", "factor"), [("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_other_units_given_as_seconds_are_refused_with_the_key_to_set(unit, factor):
    rows = [{"started_at": (1795447937 + i) * int(factor), "ttft": 0.1} for i in range(5)]
    with pytest.raises(
        InputError, match=rf"'started_at' read as s .* looks like {unit}: set input.time_unit = \"{unit}\""
    ):
        read(rows)
    batch, _ = read(rows, time_unit=unit)
    assert batch.started_at[0] == 1795447937.0


@pytest.mark.parametrize(("unit", "factor"), [("ms", 1e3), ("us", 1e6)])
@pytest.mark.parametrize("field", ["latency", "ttft"])
def test_durations_in_other_units_are_refused_with_the_key_to_set(unit, factor, field):
    rows = [
        {
            "started_at": 100.0 + i,
            "completed_at": 102.0 + i,
            field: (2.0 + 0.01 * i) * factor / (1 + 3 * (field == "ttft")),
        }
        for i in range(9)
    ]
    with pytest.raises(InputError, match=f"'{field}' read as s .* input.duration_unit = \"{unit}\""):
        read(rows)
    assert read(rows, duration_unit=unit)[1].total == 0


def test_seconds_given_as_milliseconds_are_refused_too():
    rows = [{"started_at": 100.0 + i, "completed_at": 102.0 + i, "latency": 2.0} for i in range(9)]
    with pytest.raises(InputError, match=r'input\.duration_unit = "s"'):
        read(rows, duration_unit="ms")


def test_a_unit_in_the_column_name_needs_no_setting():
    batch, _ = read([{"start_time_unix_nano": 1795447937 * 10**9, "latency_ms": 1500.0, "ttftMs": 20}])
    assert (batch.started_at[0], batch.latency[0], batch.ttft[0]) == (1795447937.0, 1.5, 0.02)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"latency": -1.0}, "latency is negative"),
        ({"latency": float("inf")}, "latency is infinite"),
        ({"ttft": -0.5}, "ttft is negative"),
        ({"queue_time": 1e8}, "queue_time is longer than 1e+07 s"),
        ({"prompt_tokens": -5}, "prompt_tokens is negative"),
        ({"output_tokens": float("inf")}, "output_tokens is infinite or absurd"),
        ({"completed_at": 90.0, "latency": None}, "completed before it started"),
        ({"started_at": float("inf"), "completed_at": None}, "started_at is infinite or beyond the year 2200"),
        ({"started_at": float("nan"), "completed_at": None}, "no time"),
        ({"started_at": None, "completed_at": None}, "no time"),
        ({"latency": "soon"}, "latency is not a duration"),
        ({"started_at": "yesterday"}, "started_at is not a time"),
        ({"started_at": "2026-02-31T00:00:00Z"}, "started_at is not a time"),
        ({"prompt_tokens": "many"}, "prompt_tokens is not a number"),
    ],
)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "frame"])
def test_a_bad_row_is_quarantined_where_it_is(change, reason, kind, tmp_path):
    rows = [GOOD] * 30
    rows[17] = GOOD | change
    if kind == "jsonl":
        (tmp_path / "r.jsonl").write_text(lines(*rows))
        source, line = tmp_path / "r.jsonl", 18
    elif kind == "csv":
        pd.DataFrame(rows).to_csv(tmp_path / "r.csv", index=False)
        source, line = tmp_path / "r.csv", 19
    else:
        source, line = pd.DataFrame(rows), 18
    batch, quarantine = read(source)
    assert reasons(quarantine) == {(reason, 1, (line,))}
    assert len(batch) == 29


def test_a_nan_duration_is_missing_and_no_reason_to_drop_a_row():
    batch, quarantine = read([GOOD | {"ttft": float("nan")}, GOOD | {"ttft": 1.0}])
    assert np.isnan(batch.ttft).tolist() == [True, False]
    assert quarantine.total == 0


def test_mixed_time_zones_and_a_naive_time(tmp_path):
    moments = [
        "2026-01-01T00:00:00Z",
        "2026-01-01 02:00:00+02:00",
        "2025-12-31T19:00:00.000-0500",
        "2026-01-01T00:00:00",
    ]
    rows = [{"started_at": m, "latency": 1.0} for m in moments]
    (tmp_path / "r.jsonl").write_text(lines(*rows))
    pd.DataFrame(rows).to_csv(tmp_path / "r.csv", index=False)
    for source in (rows, tmp_path / "r.jsonl", tmp_path / "r.csv", pd.DataFrame(rows)):
        batch, quarantine = read(source)
        assert batch.started_at.tolist() == [1767225600.0] * 4
        assert [note for note in quarantine.notes if "without a zone" in note]
    assert read(rows[:3])[1].notes == ()


def test_times_written_in_two_ways():
    batch, _ = read(
        [{"started_at": 1767225600.5, "latency": 1.0}, {"started_at": "2026-01-01T00:00:00.5Z", "latency": 1.0}]
    )
    assert batch.started_at.tolist() == [1767225600.5] * 2


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_truncated_file_gives_what_was_readable(suffix, tmp_path):
    text = lines(*(GOOD | {"request_id": f"{i}-{i * i}"} for i in range(20_000))).encode()
    packed = gzip.compress(text) if suffix == "gz" else zstandard.compress(text)
    path = tmp_path / f"r.jsonl.{suffix}"
    path.write_bytes(packed[: len(packed) // 2])
    batch, quarantine = read(path)
    assert 1000 < len(batch) < 20_000
    assert [note for note in quarantine.notes if "the compressed file is damaged" in note]
    assert quarantine.total <= 1


def test_a_gzip_with_a_damaged_middle(tmp_path):
    packed = bytearray(gzip.compress(lines(*(GOOD | {"request_id": str(i)} for i in range(20_000))).encode()))
    packed[len(packed) // 2 : len(packed) // 2 + 4] = b"\0\0\0\0"
    (tmp_path / "r.jsonl.gz").write_bytes(packed)
    batch, quarantine = read(tmp_path / "r.jsonl.gz")
    assert len(batch)
    assert [note for note in quarantine.notes if "damaged" in note]


@pytest.mark.parametrize("broken", ['{"started_at": 1.0, "laten', "[1, 2]", "nonsense", "\0\0"])
def test_a_broken_line_in_the_middle_of_ten_thousand(broken, tmp_path):
    rows = [GOOD | {"request_id": str(i)} for i in range(10_000)]
    (tmp_path / "r.jsonl").write_text(lines(*rows[:5000], broken, *rows[5000:]))
    batch, quarantine = read(tmp_path / "r.jsonl")
    assert len(batch) == 10_000
    (bad,) = quarantine.rows()
    assert (bad.count, bad.lines, bad.source) == (1, [5001], str(tmp_path / "r.jsonl"))


@pytest.mark.parametrize("broken", ["1,2", "1,2,3,4,5,6", 'x,"open,5'])
def test_a_broken_line_in_the_middle_of_a_csv(broken, tmp_path):
    rows = [f"r{i},100,2" for i in range(10_000)]
    (tmp_path / "r.csv").write_text(
        "\n".join(["request_id,started_at,latency", *rows[:5000], broken, *rows[5000:], ""])
    )
    batch, quarantine = read(tmp_path / "r.csv")
    assert len(batch) == 10_000
    assert [(q.count, q.lines) for q in quarantine.rows()] == [(1, [5002])]


def test_two_open_quotes_cost_no_line_between_them(tmp_path):
    rows = [f"r{i},100,2" for i in range(100)]
    rows[20], rows[60] = 'x,"open,5', 'y,"open,5'
    (tmp_path / "r.csv").write_text("\n".join(["request_id,started_at,latency", *rows, ""]))
    batch, quarantine = read(tmp_path / "r.csv")
    assert len(batch) == 98
    assert sorted(line for q in quarantine.rows() for line in q.lines) == [22, 62]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_bytes_that_are_no_text(kind, tmp_path):
    good, head = (
        (json.dumps(GOOD).encode(), b"") if kind == "jsonl" else (b"r,100,2", b"request_id,started_at,latency\n")
    )
    bad = good.replace(b"r", b"\xff\xfe", 1)
    path = tmp_path / f"r.{kind}"
    path.write_bytes(head + b"\n".join([good] * 10 + [bad] + [good] * 10) + b"\n")
    batch, quarantine = read(path)
    assert len(batch) == 20
    assert reasons(quarantine) == {("not UTF-8", 1, (11 + bool(head),))}


@pytest.mark.parametrize("kind", ["jsonl", "csv", "om"])
def test_a_line_of_fifty_megabytes_is_skipped_without_holding_it(kind, tmp_path):
    good = {"jsonl": json.dumps(GOOD), "csv": "r,100,2,", "om": "up 1 100"}[kind].encode() + b"\n"
    path = tmp_path / f"r.{kind}"
    with path.open("wb") as file:
        file.write(b"request_id,started_at,latency,extra\n" if kind == "csv" else good)
        file.write(good * 50)
        file.write(good[:5])
        for _ in range(50):
            file.write(b"x" * 2**20)
        file.write(b"\n" + good * 50)
    quarantine = Quarantine()
    reader = read_metrics if kind == "om" else read_requests
    tracemalloc.start()
    try:
        n = sum(map(len, reader(path, Config(), quarantine)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n == 100 + (kind != "csv")
    assert reasons(quarantine) == {("longer than 4194304 bytes (input.max_line_bytes)", 1, (52,))}
    assert peak < 40 * 2**20


def test_lines_that_are_too_long_wherever_blocks_end(tmp_path, monkeypatch):
    monkeypatch.setattr("driftwatch.readers.formats._LEAST_BLOCK", 1)
    texts = [json.dumps(GOOD | {"request_id": "x" * n}) for n in (10, 900, 10, 3000, 300, 20_000, 10, 901)]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(texts))
    for block in (64, 1000, 5000, 10**6):
        monkeypatch.setattr("driftwatch.readers.formats.BLOCK", block)
        batch, quarantine = read(path, max_line_bytes=800)
        assert len(batch) == 4
        assert [q.lines for q in quarantine.rows()] == [[2, 4, 6, 8]]


def test_a_source_with_too_many_bad_rows_is_refused_where_it_began(tmp_path):
    (tmp_path / "r.jsonl").write_text(lines(GOOD) * 10 + "oops\n" * 15)
    with pytest.raises(InputError, match=r"r\.jsonl:11: 15 of 25 rows \(60%\) cannot be used; most often: not JSON"):
        read(tmp_path / "r.jsonl")
    quarantine = Quarantine(0.9)
    assert sum(map(len, read_requests(tmp_path / "r.jsonl", Config(), quarantine))) == 10
    (tmp_path / "r.jsonl").write_text(lines(GOOD) + "oops\n" * 5)
    assert read(tmp_path / "r.jsonl")[1].total == 5  # too few to judge


def test_a_json_array_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([GOOD]))
    with pytest.raises(InputError, match=r"a JSON array; write one object a line .*jq"):
        read(tmp_path / "r.json")


def test_a_parquet_file_that_is_none(tmp_path):
    (tmp_path / "r.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read(tmp_path / "r.parquet")


def test_a_label_with_a_million_values_is_dropped_unless_asked_for():
    n = 200_000
    frame = pd.DataFrame({"t": np.arange(n), "latency": 1.0, "session": [f"s{i}" for i in range(n)], "zone": "eu"})
    quarantine = Quarantine()
    batches = list(read_requests(frame, Config(), quarantine))
    assert {name for batch in batches for name in batch.labels} == {"zone"}
    assert [note for note in quarantine.notes if "'session' has more than 1000 distinct values" in note]
    kept = list(read_requests(frame, Config.parse({"streams": {"segments": ["session"]}}), Quarantine()))
    assert sum(len(batch.labels["session"].values) for batch in kept) == n


def test_numbers_and_texts_are_no_labels():
    rows = [
        GOOD | {"temperature": 0.7, "port": "8000", "note": "x" * 300, "secure": True, "choices": [1], "zone": "eu"}
    ]
    assert set(read(rows)[0].labels) == {"model", "zone", "secure"}


def test_duplicate_ids_are_kept_and_share_a_hash():
    batch, _ = read([GOOD, GOOD, GOOD | {"request_id": "s"}])
    assert len(set(batch.id_hash.tolist())) == 2


def test_a_column_that_changes_its_type(tmp_path):
    (tmp_path / "r.jsonl").write_text(
        lines(GOOD | {"status": 200}, GOOD | {"status": "failure"}, GOOD | {"status": 500})
    )
    batch, quarantine = read(tmp_path / "r.jsonl")
    assert batch.failed.tolist() == [False, True, True]
    assert quarantine.total == 0


def test_a_date_in_a_label_stays_what_it_was(tmp_path):
    (tmp_path / "r.jsonl").write_text(
        lines(GOOD | {"version": "2026-01-01"}, GOOD | {"version": "2026-01-02 00:00:00"})
    )
    assert read(tmp_path / "r.jsonl")[0].labels["version"].values == ("2026-01-01", "2026-01-02 00:00:00")


def test_a_vague_time_is_noted():
    notes = read([{"timestamp": 5.0, "latency": 1.0}])[1].notes
    assert [note for note in notes if "'timestamp' is taken as completed_at" in note]


@pytest.mark.parametrize("source", [5, {"t": [1.0], "latency": [1.0]}])
def test_what_is_no_source(source):
    with pytest.raises(InputError, match="neither a path, nor a data frame, nor an iterable of rows"):
        read(source)


def test_clocks_that_differ_by_less_than_a_millisecond():
    batch, quarantine = read([{"started_at": 100.0005, "completed_at": 100.0}])
    assert (batch.latency.tolist(), quarantine.total) == ([0.0], 0)


def test_rows_without_a_time_later_in_a_log_are_quarantined(tmp_path, monkeypatch):
    monkeypatch.setattr("driftwatch.readers.formats._LEAST_BLOCK", 1)
    monkeypatch.setattr("driftwatch.readers.formats.BLOCK", 64)
    (tmp_path / "r.jsonl").write_text(lines(GOOD) * 30 + lines({"event": "shutdown", "code": 0}) * 3)
    batch, quarantine = read(tmp_path / "r.jsonl")
    assert (len(batch), reasons(quarantine)) == (30, {("no time", 3, (31, 32, 33))})


def test_own_names_win_over_what_would_be_text(tmp_path):
    frame = pd.DataFrame(
        {"t": [1.0], "latency": [1.0], "input": [7], "response": [{"usage": {"completion_tokens": 3}}]}
    )
    frame.to_parquet(tmp_path / "r.parquet")
    for source in (frame, tmp_path / "r.parquet", frame.to_dict("records")):
        batch, _ = read(source, fields={"input": "prompt_tokens"})
        assert (batch.prompt_tokens.tolist(), batch.output_tokens.tolist()) == ([7.0], [3.0])


def test_rows_that_are_no_rows():
    with pytest.raises(InputError, match="a row is a int"):
        read([1, 2])


def test_markers_with_and_without_content(tmp_path):
    path = tmp_path / "markers.jsonl"
    path.write_text("")
    assert len(read_markers(path, Config(), Quarantine())) == 0
    path.write_text(
        lines({"t": 7.0, "kind": "deploy", "text": "v2", "labels": {"pod": "a"}}, "oops", {"t": 5.0, "kind": "config"})
    )
    quarantine = Quarantine()
    markers = read_markers(path, Config(), quarantine)
    assert (markers.at.tolist(), markers.kind, markers.text) == ([5.0, 7.0], ("config", "deploy"), ("", "v2"))
    assert markers.labels == ({}, {"pod": "a"})
    assert read_markers(markers, Config(), quarantine) is markers
    assert reasons(quarantine) == {("not JSON", 1, (2,))}
    with pytest.raises(InputError, match=r"no column holds a time"):
        read_markers([{"kind": "deploy"}], Config(), Quarantine())
