"""simulate and demo --live as a shell sees them."""

import gzip
import json
import os
import signal
import subprocess
import sys

import pytest

import driftwatch as dw
from driftwatch.cli import run
from driftwatch.simulate import CONTROLS, SCENARIOS, Recorded

SHORT = ("--scenario", "throttled_gpu", "--severity", "severe", "--minutes", "12")


@pytest.fixture
def outcome(capfd):
    """Run a command; its exit status, output and errors."""

    def call(*args):
        status = run([str(arg) for arg in args])
        return status, *capfd.readouterr()

    return call


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A recording as the command writes it, with all confounders and an unusual scrape."""
    folder = tmp_path_factory.mktemp("recordings") / "first"
    others = [arg for name in ("decoys", "deploy", "diurnal", "mix") for arg in ("--with", name)]
    assert run(["simulate", *SHORT, "--seed", "5", "--scrape", "30", "--out", str(folder), *others]) == 0
    return folder


def test_the_list_has_every_scenario_and_control_with_its_title(outcome):
    status, out, err = outcome("simulate", "--list")
    assert (status, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  ")]
    assert [name for name, _ in lines] == [*SCENARIOS, *CONTROLS]
    assert all(rest.endswith((SCENARIOS | CONTROLS)[name].title) for name, rest in lines)


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["simulate", "--scenario", "kv_hog"], "--out"),
        (["simulate", "--out", "o"], "--list"),
        (["simulate", "--scenario", "kv_hogg", "--out", "o"], "kv_hog,"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--severity", "fatal"], "'moderate'"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--shape", "round"], "'flapping'"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--with", "rain"], "'decoys'"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--seed", "-1"], "--seed"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--scrape", "0"], "--scrape"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--minutes", "5"], "at least 10"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--minutes", "nan"], "finite"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--minutes", "inf"], "finite"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--scrape", "nan"], "finite"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--answers", "no-such.jsonl"], "no-such.jsonl"),
        (["simulate", "--scenario", "kv_hog", "--out", "o", "--answers", "f", "--no-text"], "--no-text"),
        (["demo", "--live", "--scenario", "kv_hogg"], "kv_hog,"),
        (["demo", "--live", "--speed", "-1"], "--speed"),
        (["demo", "--live", "--html", "report.html"], "--html"),
        (["demo", "--speed", "5"], "--live"),
    ],
)
def test_bad_usage_exits_with_2_and_says_what_to_do(args, hint, outcome, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = outcome(*args)
    assert status == 2
    assert hint in err.splitlines()[-1]
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_clear_line(outcome, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = outcome("simulate", "--scenario", "healthy", "--minutes", "10", "--out", tmp_path / "file" / "in")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "file" in err


def test_the_summary_says_what_was_simulated_and_how_to_scan_it(outcome, tmp_path):
    folder = tmp_path / "a folder"
    status, out, err = outcome("simulate", *SHORT, "--out", folder)
    assert (status, err) == (0, "")
    truth = json.loads((folder / "truth.json").read_text())
    assert f"median inter-token latency {truth['effect']['relative']:+.0%}" in out
    assert all(path.name in out for path in folder.iterdir())
    assert out.splitlines()[-1] == f"Scan it: driftwatch scan '{folder}'"


def test_where_only_text_would_show_it_the_summary_says_so(outcome, tmp_path):
    out = outcome("simulate", "--scenario", "wrong_adapter", "--minutes", "10", "--out", tmp_path / "r")[1]
    assert "--text" in out


def test_what_is_written_is_read_without_a_row_left_out(written):
    report = dw.scan(written)
    with gzip.open(written / "requests.jsonl.gz", "rt") as log:
        rows = [json.loads(line) for line in log]
    assert report.quarantined == ()
    assert report.late == report.duplicates == 0
    assert report.requests == sum("completed_at" in row for row in rows)
    assert report.samples > 0


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(written, tmp_path, monkeypatch):
    others = [arg for name in ("mix", "decoys", "deploy", "diurnal") for arg in ("--with", name)]
    for name, seed in (("again", "5"), ("other", "6")):
        options = ["--seed", seed, "--scrape", "30", "--out", str(tmp_path / name), *others]
        assert run(["simulate", *SHORT, *options]) == 0
    files = sorted(path.name for path in written.iterdir())
    assert files == ["markers.jsonl", "metrics.om.gz", "requests.jsonl.gz", "truth.json"]
    assert [name for name in files if (written / name).read_bytes() != (tmp_path / "again" / name).read_bytes()] == []
    assert [name for name in files if (written / name).read_bytes() == (tmp_path / "other" / name).read_bytes()] == []


@pytest.fixture
def live(root, tmp_path):
    """The live demo as a process of its own."""

    def call(*args):
        return subprocess.Popen(
            [sys.executable, "-m", "driftwatch", "demo", "--live", *args],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return call


def test_the_demo_prints_states_incidents_and_at_the_end_the_truth(live):
    done = live("--scenario", "throttled_gpu", "--severity", "severe", "--minutes", "20", "--speed", "0")
    out, err = done.communicate()
    assert (done.returncode, err) == (0, "")
    lines = out.splitlines()
    said = [line[10:] for line in lines if line[2:3] == ":"]
    assert said[0] == "learning what is healthy"
    assert "watching: enough was learnt" in said[1:]
    assert any(line.startswith("INCIDENT") for line in said)
    truth = next(k for k, line in enumerate(lines) if line.startswith("The truth: throttled_gpu"))
    assert "It began at 2026-01-05" in lines[truth + 1]
    assert "median inter-token latency +" in lines[truth + 1]
    assert lines[truth + 2].startswith("driftwatch opened dw-")


def test_the_demo_does_not_look_at_the_truth_before_the_end(monkeypatch, outcome):
    class Peeked(Exception):
        pass

    def peek(recorded):
        raise Peeked

    monkeypatch.setattr(Recorded, "truth", property(peek))
    said = []
    monkeypatch.setattr("click.echo", lambda text, **_: said.append(text))
    with pytest.raises(Peeked):
        run(["demo", "--live", "--scenario", "healthy", "--minutes", "10", "--speed", "0"])
    assert any("watching" in line for line in said)


def test_ctrl_c_leaves_the_demo_cleanly(live):
    process = live("--scenario", "healthy", "--minutes", "10", "--speed", "1")
    with process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert "learning" in lines[1]
    assert process.returncode == 130
    assert "Traceback" not in err
