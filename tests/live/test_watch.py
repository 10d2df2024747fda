"""The whole service, as a process of its own: it reads, finds, tells, is stopped and goes on."""

import gzip
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

pytest.importorskip("httpx2")

from prometheus_client.parser import text_string_to_metric_families

import driftwatch as dw
from driftwatch.live import Settings, Watch
from driftwatch.live.exposition import served
from driftwatch.live.settings import Serve
from driftwatch.monitor.clock import SteadyClock
from tests.live.servers import listening, silent, site


def lately(bundled, ago_s: float = 20.0) -> list[str]:
    """The bundled recording's requests as if the last of them had ended some seconds ago."""
    rows = [json.loads(line) for line in gzip.decompress((bundled / "requests.jsonl.gz").read_bytes()).splitlines()]
    later = time.time() - ago_s - max(row["completed_at"] for row in rows)
    moved = [{k: v + later if k.endswith("_at") and v is not None else v for k, v in row.items()} for row in rows]
    return [json.dumps(row) + "\n" for row in sorted(moved, key=lambda row: row["completed_at"])]


@contextmanager
def watching(config):
    command = [sys.executable, "-m", "driftwatch", "watch", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = process.stdout.readline()
        yield process, first.rpartition("page: ")[2].strip()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def page(url: str) -> dict[tuple, float]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    return {(s.name, *sorted(s.labels.items())): s.value for f in families for s in f.samples}


def until(true, what: str, seconds: float = 60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come in {seconds:g} s")


def stopped(process) -> str:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return out


def test_a_log_is_followed_an_incident_is_told_and_a_restart_goes_on(bundled, tmp_path):
    lines = lately(bundled)
    log, alerts, config = tmp_path / "requests.jsonl", tmp_path / "incidents.jsonl", tmp_path / "watch.toml"
    log.write_text("".join(lines[:-20]))
    with site() as target, listening(silent) as stuck:
        target.body = b"vllm:kv_cache_usage_perc 0.5\n"
        config.write_text(
            f'state = "{tmp_path}/state"\n[[logs]]\npath = "{log}"\nfrom_start = true\nevery_s = 0.2\n'
            f'[[targets]]\nurl = "{target.url}"\nevery_s = 1\n'
            f'[[targets]]\nurl = "{stuck}"\nevery_s = 1\ntimeout_s = 0.5\n'
            f'[host]\n[serve]\nport = 0\n[[alerts]]\nkind = "jsonlines"\npath = "{alerts}"\n'
        )
        with watching(config) as (process, url):
            until(lambda: page(url).get(("driftwatch_source_rows_total", ("source", str(log)))), "the log")
            found = until(lambda: alerts.exists() and alerts.read_text(), "an incident")
            shown = page(url)
            assert [key for key in shown if key[0] == "driftwatch_incident"]
            assert shown[("driftwatch_source_up", ("source", stuck))] == 0
            until(
                lambda: page(url)[("driftwatch_source_failures_total", ("source", stuck))] >= 2, "the count of a hang"
            )
            assert shown[("driftwatch_source_up", ("source", target.url))] == 1
            told = stopped(process)
        first = json.loads(found.splitlines()[0])
        assert any(line.split()[1] == first["id"] and "degradation" in line for line in told.splitlines()), told
        before = [(d["id"], d["seq"]) for d in map(json.loads, alerts.read_text().splitlines())]
        log.rename(tmp_path / "requests.jsonl.1")  # rotated while nobody follows
        with (tmp_path / "requests.jsonl.1").open("a") as file:
            file.writelines(lines[-20:-10])
        log.write_text("".join(lines[-10:]))
        with watching(config) as (process, url):
            until(lambda: page(url).get(("driftwatch_source_rows_total", ("source", str(log)))) == 20, "the rest")
            rows = page(url)[("driftwatch_duplicates_total",)]
            stopped(process)
    assert rows == 0
    after = [(d["id"], d["seq"]) for d in map(json.loads, alerts.read_text().splitlines())]
    assert after[: len(before)] == before
    assert len(after) == len(set(after))


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_jumps_by_an_hour_is_survived(tmp_path, monkeypatch, jump_s):
    """What is read after it has the time that passed, not the one that the clock shows."""
    log, wall = tmp_path / "requests.jsonl", [0.0]
    monkeypatch.setattr(SteadyClock.__init__, "__defaults__", (lambda: time.time() + wall[0], time.monotonic))
    ticks = {"width_s": 1, "lateness_s": 1}
    settings = {"logs": [{"path": str(log), "every_s": 0.1}], "host": {"every_s": 0.5}, "config": {"ticks": ticks}}
    log.touch()
    with Watch(Settings.parse(settings)) as watch:
        for number in range(40):
            if number == 15:
                wall[0] = jump_s
                time.sleep(1.2)  # the next look at the clock
            with log.open("a") as file:
                row = {"completed_at": time.time() + wall[0], "latency": 0.05, "model": "m"}
                file.write(json.dumps(row) + "\n")
            time.sleep(0.1)
        until(lambda: watch.health()[str(log)].rows == 40, "all rows")
        watch.monitor.flush()
        stats = watch.monitor.stats()
        series = watch.monitor._work.place.engine.series
        (load,) = series.ids("host_load")
        seen = series.last_seen(load)
    assert (stats.clock_jumps, stats.late) == (1, 0)
    assert abs(seen - time.time()) < 10


def test_check_reads_every_source_once(tmp_path):
    config = tmp_path / "watch.toml"
    with site() as target:
        target.body = b"vllm:num_requests_running 1\n"
        config.write_text(f'[[targets]]\nurl = "{target.url}"\n[host]\n')
        command = [sys.executable, "-m", "driftwatch", "watch", "--check", "--config", str(config)]
        good = subprocess.run(command, capture_output=True, text=True)
        config.write_text(f'[[targets]]\nurl = "{target.url}"\n[[targets]]\nurl = "http://127.0.0.1:9/metrics"\n')
        bad = subprocess.run(command, capture_output=True, text=True)
    assert (good.returncode, good.stderr) == (0, "")
    assert f"{target.url}: 2 rows" in good.stdout
    assert bad.returncode == 2
    assert "http://127.0.0.1:9/metrics: cannot be read: ConnectError" in bad.stdout


def test_what_was_learnt_before_is_known_from_the_start(bundled, tmp_path):
    lines = lately(bundled)
    (tmp_path / "healthy.jsonl").write_text("".join(lines[:1500]))
    dw.fit(tmp_path / "healthy.jsonl").save(tmp_path / "healthy.baseline")
    (tmp_path / "requests.jsonl").write_text("".join(lines[1500:1600]))
    log = {"path": str(tmp_path / "requests.jsonl"), "from_start": True, "every_s": 0.1}
    with Watch(Settings.parse({"baseline": str(tmp_path / "healthy.baseline"), "logs": [log]})) as watch:
        until(lambda: watch.health()[log["path"]].rows == 100, "the log")
        watch.monitor.flush()
        assert watch.monitor.stats().state == "watching"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gpu]\n", "is the NVIDIA driver on this machine"),
        ("[[logs]]\npath = '/'\n", "Is a directory"),
        ("x = 1", "'x'"),
    ],
)
def test_what_cannot_be_watched_is_said_in_one_line(tmp_path, text, complaint):
    config = tmp_path / "watch.toml"
    config.write_text(text)
    command = [sys.executable, "-m", "driftwatch", "watch", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_said():
    with served(Serve(port=0), lambda: "") as port:
        watch = Watch(Settings.parse({"serve": {"port": port}}))
        with pytest.raises(Exception, match=r"cannot be listened on \(Address already in use\)"):
            watch.start()
        watch.stop()


def test_the_page_is_for_who_asks_and_turns_the_others_away():
    with served(Serve(port=0), lambda: "x 1\n") as port:
        url = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            assert (answer.read(), answer.headers["Content-Type"].split(";")[0]) == (b"x 1\n", "text/plain")
        with urllib.request.urlopen(f"{url}/healthz") as answer:
            assert answer.read() == b"ok\n"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/etc/passwd")
