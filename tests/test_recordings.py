"""Real recordings of a real vLLM server: the silent incident is found and explained, the healthy one stays quiet."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import driftwatch as dw
from driftwatch.engine import Engine
from driftwatch.events.columns import Metrics
from driftwatch.readers import Quarantine, read_metrics
from driftwatch.report import Report
from tests.sameness import assert_same, facts

SAMPLE = re.compile(r"^(\S+?(?:\{.*\})?) (\S+) (\S+)$")
MEMORY = ("kv", "gpu_memory", "preemption", "memory", "swap", "evict")


def thinned(metrics: Path, every_s: float, target: Path) -> Path:
    """The same metrics as a slower scraper would have seen them."""
    last: dict[str, float] = {}
    with gzip.open(metrics, "rt") as source, gzip.open(target, "wt", compresslevel=1) as out:
        for line in source:
            found = SAMPLE.match(line) if not line.startswith("#") else None
            if found is not None:
                at = float(found[3])
                if at - last.get(found[1], -np.inf) < every_s - 0.5:
                    continue
                last[found[1]] = at
            out.write(line)
    return target


def scanned(folder: Path, every_s: float, scratch: Path) -> Report:
    metrics = folder / "metrics.om.gz"
    if every_s:
        metrics = thinned(metrics, every_s, scratch / f"{folder.name}-{every_s}.om.gz")
    return dw.scan(folder / "requests.jsonl.gz", metrics=metrics, markers=folder / "markers.jsonl")


def truth(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "truth.json").read_text()))


def assert_it_is_the_hog(report: Report, folder: Path, *, rows: bool = True) -> None:
    changed_at = truth(folder)["changed_at"]
    assert [i.kind for i in report.incidents] == ["degradation"]
    incident = report.incidents[0]
    assert 0 < incident.opened_at.timestamp() - changed_at <= 120
    assert abs(incident.onset.timestamp() - changed_at) <= 45
    assert incident.findings[0].signal in ("ttft", "latency")
    assert incident.findings[0].direction == "up"
    assert incident.silent
    first = incident.causes[0]
    assert first.name in ("kv_cache_usage", "preemptions")
    assert first.tier == "supported" or (first.tier == "consistent" and first.reason)
    assert not any(c.role == "event" and c.tier != "ruled_out" for c in incident.causes)
    if rows:
        assert [s.where for s in incident.segments] == [{"tenant": "chat"}]
        assert any("tenant=batch" in link for link in first.via)
        assert any(c.scope == {"tenant": "batch"} and c.tier != "ruled_out" for c in incident.causes)


@pytest.mark.parametrize("every_s", [0, 15, 30])
def test_the_hog_is_found_and_explained(recordings: Path, tmp_path: Path, every_s: float) -> None:
    folder = recordings / "vllm_cpu" / "kv_hog"
    assert_it_is_the_hog(scanned(folder, every_s, tmp_path), folder)


@pytest.mark.parametrize("every_s", [0, 15, 30])
def test_the_healthy_one_stays_quiet(recordings: Path, tmp_path: Path, every_s: float) -> None:
    report = scanned(recordings / "vllm_cpu" / "healthy", every_s, tmp_path)
    assert report.incidents == ()
    assert [s.state for s in report.streams] == ["watching"]


@pytest.mark.parametrize("every_s", [0, 15, 30])
def test_a_quality_fault_is_not_blamed_on_memory(recordings: Path, tmp_path: Path, every_s: float) -> None:
    report = scanned(recordings / "vllm_cpu" / "bad_quant", every_s, tmp_path)
    blamed = [c for i in report.incidents for c in i.causes if c.tier != "ruled_out"]
    assert not [c.name for c in blamed if any(word in c.name for word in MEMORY)]


def test_a_quality_fault_is_heard_within_sixty_answers_and_not_as_latency(recordings: Path, tmp_path: Path) -> None:
    folder = recordings / "vllm_cpu" / "bad_quant"
    report = scanned(folder, 0, tmp_path)
    assert len(report.incidents) == 1
    incident = report.incidents[0]
    assert incident.kind in ("change", "degradation")
    changed_at = truth(folder)["changed_at"]
    with gzip.open(folder / "requests.jsonl.gz", "rt") as source:
        completed = [json.loads(line)["completed_at"] for line in source]
    answers = sum(changed_at <= at < incident.opened_at.timestamp() for at in completed)
    assert 0 < answers <= 60
    assert abs(incident.onset.timestamp() - changed_at) <= 30
    signals = {f.signal for f in incident.findings}
    assert {"answer_shift", "answer_jump"} & signals
    assert not signals & {"ttft", "itl", "latency"}
    assert any(c.name == "roll-out to vllm-7d9f" and c.tier != "ruled_out" for c in incident.causes)
    told = incident.explain()
    assert "Answers" in told
    assert "answers since then" in told
    assert incident.answers is not None
    assert incident.answers.fewer or incident.answers.more


def test_quality_and_latency_under_memory_pressure_are_one_incident(recordings: Path, tmp_path: Path) -> None:
    folder = recordings / "vllm_cpu" / "pressure"
    report = scanned(folder, 0, tmp_path)
    assert [i.kind for i in report.incidents] == ["degradation"]
    incident = report.incidents[0]
    changed_at = truth(folder)["changed_at"]
    assert 0 < incident.opened_at.timestamp() - changed_at <= 180
    signals = {f.signal for f in incident.findings}
    assert {"prompt_read", "answer_shift"} & signals
    assert {"ttft", "ttft_bursts", "ttft_tail", "latency"} & signals
    first = incident.causes[0]
    assert first.name in ("kv_cache_usage", "preemptions")
    assert first.tier == "supported"
    assert any("tenant=batch" in link for link in first.via)


@pytest.mark.parametrize("scale", [300, 400, 500, 600, 700, 800, 900, 1000, 1500, 2000])
def test_a_burst_beyond_the_cap_on_sequences_is_not_blamed_on_gpu_memory(recordings: Path, scale: int) -> None:
    """A real GPU whose engine runs 256 sequences at most, while its KV cache stays below half."""
    gpu = recordings / "vllm_gpu"
    calm, burst = gpu / "scale100", gpu / f"scale{scale}"
    healthy = dw.fit(calm / "requests.jsonl.gz", metrics=calm / "metrics.om.gz")
    report = dw.scan(burst / "requests.jsonl.gz", metrics=burst / "metrics.om.gz", baseline=healthy)
    assert [i.kind for i in report.incidents] == ["degradation"]
    standing = [c.name for c in report.incidents[0].causes if c.tier != "ruled_out"]
    assert not [name for name in standing if any(word in name for word in MEMORY)]
    if scale < 2000:  # there it begins in the third tick: nothing was measured before it to compare with
        assert standing[0] == "concurrency_cap"
        assert "--max-num-seqs" in report.incidents[0].explain()


def test_an_engines_histograms_alone_are_enough(recordings: Path) -> None:
    folder = recordings / "vllm_cpu" / "kv_hog"
    assert_it_is_the_hog(dw.scan(metrics=folder / "metrics.om.gz"), folder, rows=False)
    assert dw.scan(metrics=recordings / "vllm_cpu" / "healthy" / "metrics.om.gz").incidents == ()


def test_histograms_page_by_page_give_what_a_scan_of_them_gives(recordings: Path) -> None:
    """As a monitor gets them, with time going on; what a scan says before its last look is the same."""
    file = recordings / "vllm_cpu" / "kv_hog" / "metrics.om.gz"
    (metrics,) = _joined(read_metrics(file, dw.Config(), Quarantine()))
    engine, found = Engine(dw.Config(), from_requests=False, keep_series=True), []
    times, rows = np.unique(metrics.at, return_inverse=True)
    for number, now in enumerate(times.tolist()):
        here = rows == number
        engine.add(Metrics(metrics.at[here], metrics.series[here], metrics.value[here], metrics.keys))
        found += engine.advance(now=now)
    latest = {incident.id: incident for incident in [*found, *engine.finish()]}
    assert_same(facts(latest.values()), facts(dw.scan(metrics=file).incidents))


def _joined(parts: Iterable[Metrics]) -> list[Metrics]:
    """All samples in one batch: the keys of a source's later batches begin with those of its earlier ones."""
    batches = list(parts)
    arrays = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("at", "series", "value"))
    return [Metrics(*arrays, batches[-1].keys)]


def test_the_bundled_recording_is_the_hog(bundled: Path) -> None:
    assert_it_is_the_hog(dw.scan(bundled), bundled)


def parts_of(folder: Path, scratch: Path, assign: Iterable[int]) -> list[Path]:
    """The requests dealt out to several files, each in the order it had."""
    files: dict[int, Any] = {}
    with gzip.open(folder / "requests.jsonl.gz", "rt") as source:
        for line, number in zip(source, assign, strict=False):
            if number not in files:
                files[number] = (scratch / f"part-{number}.jsonl").open("w")
            files[number].write(line)
    for file in files.values():
        file.close()
    return [scratch / f"part-{number}.jsonl" for number in files]


@pytest.mark.parametrize("how", ["in turn", "in pieces", "in pieces, backwards", "shuffled"])
def test_however_the_requests_are_cut_the_incidents_are_the_same(bundled: Path, tmp_path: Path, how: str) -> None:
    extra = {"metrics": bundled / "metrics.om.gz", "markers": bundled / "markers.jsonl"}
    lines = gzip.decompress((bundled / "requests.jsonl.gz").read_bytes()).decode().splitlines(keepends=True)
    n = len(lines)
    rng = np.random.default_rng(5)
    if how == "shuffled":
        at = np.array([json.loads(line)["completed_at"] for line in lines])
        order = np.argsort(at + rng.random(n) * 9.9)
        (tmp_path / "shuffled.jsonl").write_text("".join(lines[k] for k in order))
        files = [tmp_path / "shuffled.jsonl"]
    else:
        assign = rng.integers(0, 3, n) if how == "in turn" else np.arange(n) * 5 // n
        files = parts_of(bundled, tmp_path, assign.tolist())
        files = files[::-1] if how.endswith("backwards") else files
    assert_same(facts(dw.scan(files, **extra).incidents), facts(dw.scan(bundled).incidents))


@pytest.mark.parametrize(
    ("run", "lasting_s", "leads"), [("pressure", 70.0, "ttft"), ("pressure", 90.0, "latency"), ("hour", 90.0, "ttft")]
)
def test_pressure_as_it_was_seen_live_is_told_in_time_and_explained_whichever_signal_leads(
    run: str, lasting_s: float, leads: str
) -> None:
    """Recordings of `benchmarks/live_vllm.py`, one after a quiet hour; the change came at a known time."""
    folder = Path(__file__).parents[1] / "benchmarks" / "results"
    changed_at = json.loads((folder / "live_vllm.json").read_text())[run]["changed"]
    recording = folder / f"live_vllm-{run}"
    report = dw.scan(
        recording / "requests.jsonl.gz",
        metrics=recording / "metrics.om.gz",
        config={"ticks": {"lateness_s": 3.0}, "incidents": {"lasting_s": lasting_s}},
    )
    assert [i.kind for i in report.incidents] == ["degradation"]
    incident = report.incidents[0]
    assert incident.findings[0].signal == leads
    assert 0 < incident.opened_at.timestamp() - changed_at <= 90
    assert (incident.causes[0].name, incident.causes[0].tier) == ("kv_cache_usage", "supported")
    assert any("tenant=batch" in link for link in incident.causes[0].via)
