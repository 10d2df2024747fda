"""scan, fit and demo on the real recording that comes with the project."""

import json
import os
import subprocess
import sys

import pytest

from driftwatch import Incident


@pytest.fixture
def command(root, tmp_path):
    """Run ``driftwatch`` as a shell does, in an empty folder."""

    def call(*args):
        return subprocess.run(
            [sys.executable, "-m", "driftwatch", *map(str, args)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root)},
            text=True,
            check=False,
            capture_output=True,
        )

    return call


@pytest.fixture
def quiet(bundled, tmp_path):
    """The recording's requests before anything happened to it."""
    changed_at = json.loads((bundled / "truth.json").read_text())["changed_at"]
    log = tmp_path / "quiet.jsonl"
    rows = subprocess.run(["gzip", "-dc", bundled / "requests.jsonl.gz"], capture_output=True, check=True).stdout
    log.write_bytes(b"".join(r for r in rows.splitlines(True) if json.loads(r)["completed_at"] < changed_at))
    return log


def test_demo_prints_the_incident_and_writes_a_report_and_nothing_to_a_pipe_of_errors(command, tmp_path):
    done = command("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "KV cache" in done.stdout
    assert (tmp_path / "driftwatch-demo.html").read_text().startswith("<!")


def test_scan_fails_on_what_it_finds_and_stores_what_explain_reads(command, bundled, tmp_path):
    done = command("scan", bundled, "--json", "found.json", "--html", "found.html")
    assert (done.returncode, done.stderr) == (1, "")
    stored = json.loads((tmp_path / "found.json").read_text())["incidents"]
    assert stored
    assert all(Incident.model_validate(record).id in done.stdout for record in stored)
    assert stored[0]["id"] in command("explain", "found.json").stdout
    assert (tmp_path / "found.html").stat().st_size > 1000


def test_scan_of_a_quiet_log_finds_nothing(command, quiet):
    done = command("scan", quiet)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_baseline_that_fit_saved_is_what_scan_compares_with(command, quiet, bundled):
    assert command("fit", quiet, "--out", "healthy.baseline").returncode == 0
    done = command("scan", bundled / "requests.jsonl.gz", "--baseline", "healthy.baseline")
    assert (done.returncode, done.stderr) == (1, "")


def test_budget_of_a_healthy_log_tells_of_its_streams(command, quiet):
    done = command("budget", quiet)
    assert (done.returncode, done.stderr) == (0, "")
    told = " ".join(done.stdout.split())
    assert "independent ones; the promise about false alarms holds from 100 independent ticks" in told
    assert "typical noise" not in told


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["no-such-file.jsonl"], "no-such-file.jsonl"),
        (["empty.jsonl"], "empty.jsonl"),
        (["empty.jsonl", "--config", "no-such.toml"], "no-such.toml"),
        (["empty.jsonl", "--config", "typo.toml"], "tick"),
        (["empty.jsonl", "--baseline", "empty.jsonl"], "empty.jsonl"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_status_2(args, hint, command, tmp_path):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "typo.toml").write_text("[tick]\nwidth_s = 5\n")
    done = command("scan", *args)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert hint in done.stderr


def test_explain_makes_the_page_of_a_scan_again_and_gives_the_records_back(command, bundled, tmp_path):
    command("scan", bundled, "--json", "found.json", "--html", "found.html")
    again = command("explain", "found.json", "--format", "html", "--out", "again.html")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (tmp_path / "again.html").read_text() == (tmp_path / "found.html").read_text()
    records = json.loads(command("explain", "found.json", "--format", "json").stdout)
    assert records == json.loads((tmp_path / "found.json").read_text())["incidents"]
