import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import driftwatch as dw
from driftwatch.config import Config
from driftwatch.errors import InputError
from driftwatch.events import concat_requests, expected_series
from driftwatch.readers import Quarantine, read_markers, read_metrics, read_requests, recording
from driftwatch.readers.openmetrics import series_of
from driftwatch.readers.sources import paths_of

ROW = json.dumps({"completed_at": 5.0, "latency": 1.0}) + "\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "requests.jsonl").write_text(ROW)
    (tmp_path / "metrics.om").write_text("up 1 5\n")
    (tmp_path / "markers.jsonl").write_text('{"t": 5, "kind": "deploy"}\n')
    (tmp_path / "truth.json").write_text("{}")
    return tmp_path


def test_a_recording_folder_has_three_parts(folder):
    assert [p.name for p in recording(folder)] == ["requests.jsonl", "metrics.om", "markers.jsonl"]
    (folder / "markers.jsonl").unlink()
    assert recording(folder)[2] is None
    (folder / "requests.jsonl").unlink()
    assert [p and p.name for p in recording(folder)] == [None, "metrics.om", None]
    (folder / "metrics.om").unlink()
    with pytest.raises(InputError, match=r"no requests\.jsonl"):
        recording(folder)
    with pytest.raises(InputError, match="not a folder"):
        recording(folder / "truth.json")


def test_each_reader_takes_its_part_of_a_recording_folder(folder):
    assert sum(map(len, read_requests(folder, Config(), Quarantine()))) == 1
    assert sum(map(len, read_metrics(folder, Config(), Quarantine()))) == 1
    assert len(read_markers(folder, Config(), Quarantine())) == 1


def test_folders_and_globs(tmp_path):
    for name in ("b/2.jsonl", "a/1.jsonl", "a/.hidden.jsonl", "a/_SUCCESS", "a/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(ROW)
    assert [p.name for p in paths_of(tmp_path, "requests")] == ["1.jsonl", "2.jsonl"]
    assert [p.name for p in paths_of(str(tmp_path / "*/*.jsonl"), "requests")] == ["1.jsonl", "2.jsonl"]
    assert [p.name for p in paths_of(str(tmp_path / "**/2.jsonl"), "requests")] == ["2.jsonl"]
    with pytest.raises(InputError, match="no such file, or nothing in it to read as requests"):
        paths_of(str(tmp_path / "*.nothing"), "requests")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak that Linux reports")
def test_memory_does_not_grow_with_the_file(tmp_path):
    row = {"started_at": 1.5, "completed_at": 2.5, "latency": 1.0, "model": "m", "prompt": "x" * 200}
    lines = (json.dumps(row) + "\n") * 1000
    code = textwrap.dedent("""
        import re, sys
        from driftwatch.config import Config
        from driftwatch.readers import Quarantine, read_requests
        n = sum(map(len, read_requests(sys.argv[1], Config(), Quarantine())))
        print(n, *re.findall(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()))
    """)
    peaks = []
    for thousands in (60, 360):
        with (tmp_path / "r.jsonl").open("w") as file:
            file.writelines(lines for _ in range(thousands))
        out = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "r.jsonl"], capture_output=True, text=True, check=True
        )
        n, peak = map(int, out.stdout.split())
        assert n == thousands * 1000
        peaks.append(peak)
    assert peaks[1] < peaks[0] * 1.3  # what is read ahead varies by a sixth; all that is in the file would be half


def test_importing_the_readers_imports_nothing_heavy():
    heavy = "pyarrow", "pandas", "zstandard"
    code = f"import sys, driftwatch.readers, driftwatch.events; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


LABELS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.text(max_size=20), max_size=4)


@given(LABELS)
def test_labels_survive_being_exposed(labels):
    def escaped(text):
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    head = "up{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items()) + "}"
    assert series_of(head) == ("up", tuple(labels.items()))


@pytest.mark.parametrize("head", ["", "{}", 'up{a="b"', "up{a=b}", "up{a}", 'up{a="b" c="d"}', "a b", "up}", '{a="b"}'])
def test_what_is_no_series(head):
    with pytest.raises(ValueError, match=r"label|name"):
        series_of(head)


@pytest.mark.parametrize("name", ["healthy", "kv_hog", "bad_quant", "pressure"])
def test_real_recordings_are_read_without_loss(recordings, name):
    folder = recordings / "vllm_cpu" / name
    quarantine = Quarantine()
    requests, metrics, markers = recording(folder)
    batch = concat_requests(list(read_requests(requests, Config(), quarantine)))
    samples = list(read_metrics(metrics, Config(), quarantine))
    names = {key.name for key in samples[-1].keys}
    assert (quarantine.total, quarantine.notes) == (0, ())
    assert len(batch) > 500
    assert (np.diff(batch.completed_at) > -30).all()
    assert set(batch.labels) == {"model", "tenant", "replica"}
    assert np.isfinite(batch.latency).all()
    assert {"vllm:kv_cache_usage_perc", "vllm:num_preemptions_total"} <= names
    assert expected_series(names) == ()
    assert len(read_markers(markers, Config(), quarantine)) >= 1


def test_gpu_recordings_are_read_and_what_is_absent_is_said(recordings):
    folders = sorted((recordings / "vllm_gpu").iterdir())
    assert folders
    for folder in folders:
        quarantine = Quarantine()
        requests, metrics, _ = recording(folder)
        assert sum(map(len, read_requests(requests, Config(), quarantine))) == 500
        names = {key.name for batch in read_metrics(metrics, Config(), quarantine) for key in batch.keys}
        assert quarantine.total == 0
        assert "DCGM_FI_DEV_FB_USED" in names
        assert "preemptions" in {absent.series.name for absent in expected_series(names)}


def test_arrival_traces_are_read(recordings):
    quarantine = Quarantine()
    path = recordings / "arrivals" / "azure_2023_code.csv.gz"
    fields = {"TIMESTAMP": "started_at"}
    batch = concat_requests(list(read_requests(path, Config.parse({"input": {"fields": fields}}), quarantine)))
    assert (len(batch), quarantine.total) == (8819, 0)
    assert batch.started_at[0] == 1700158623.97996
    assert batch.prompt_tokens[0] == 4808
    assert any("without a zone" in note for note in quarantine.notes)


def test_scan_takes_rows_as_they_are():
    rows = [{"completed_at": 1.8e9 + k, "ttft": 0.1, "model": "m"} for k in range(100)]
    assert [dw.scan(source).requests for source in (rows, iter(rows), [rows, rows[:50]])] == [100, 100, 150]
