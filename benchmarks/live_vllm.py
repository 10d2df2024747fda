"""A real vLLM on one core of this machine with driftwatch inside: stat logger, middleware and scraper.

``pressure``: a quarter of an hour of chats; for the last minutes another tenant's long requests fill the KV cache.
``hour``: the same after nearly an hour of fewer chats, up and down by a quarter. ``speed``: tokens a second with
driftwatch inside and without, in turns. ``page``: puts what was found in a kept folder (``--keep``) among the results.

Needs a testbed folder with ``venv`` (vLLM, and driftwatch installed into it without dependencies) and ``model-tiny``.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from living.load import Load, text_of
from living.page import figure, page
from living.recorder import recorded, write_requests
from living.server import serving
from machine import machine

from driftwatch import Config

RESULTS = Path(__file__).parent / "results"
EXPOSED = "http://127.0.0.1:9469/metrics"
BASELINE = os.environ.get("BASELINE", "")
PORT, BLOCKS = 8011, 48
HOUR = {"rate": 2.0, "swing": 0.25}

WATCH = """
[[targets]]
url = "http://127.0.0.1:{port}/metrics"
every_s = 5
[config.ticks]
lateness_s = 3
[host]
[serve]
[engine]
tenant_header = "x-tenant"
[[alerts]]
kind = "jsonlines"
path = "{folder}/incidents.jsonl"
"""


def watched(folder: Path, port: int) -> Path:
    """The settings of a run."""
    path = folder / "watch.toml"
    learnt = f'baseline = "{BASELINE}"\n' if BASELINE else ""
    path.write_text(learnt + f'state = "{folder}/state"\n' + WATCH.format(port=port, folder=folder))
    return path


def transitions(folder: Path) -> list[dict[str, Any]]:
    """What was told, in order."""
    path = folder / "incidents.jsonl"
    told = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{name: value for name, value in one.items() if name not in ("chart", "health")} for one in told]


def pressure(
    testbed: Path, core: int, healthy_s: float, pressed_s: float, out: Path, load: dict[str, Any]
) -> dict[str, Any]:
    """Chats, and then another tenant's long requests; what was told of it, and when, and what was told before."""
    config = watched(out, PORT)
    with serving(testbed, out / "server.log", port=PORT, blocks=BLOCKS, core=core, config=config) as server:
        asking = Load(server.url, hog_words=900, **load)
        changed = time.time() + healthy_s
        with (
            recorded(f"{server.url}/metrics", out / "metrics.om.gz"),
            told_of(out / "incidents.jsonl") as told,
            evidence(EXPOSED, changed) as strongest,
        ):
            began = time.time()
            asyncio.run(asking.run(healthy_s + pressed_s, hogs_from=changed - began))
            ended = time.time()
    write_requests(asking.rows, out / "requests.jsonl.gz")
    chats = [row for row in asking.rows if row["tenant"] == "chat" and row["ttft"] is not None]
    before = statistics.median(row["ttft"] for row in chats if row["completed_at"] < changed)
    after = statistics.median(row["ttft"] for row in chats if row["started_at"] > changed + 20)
    found = transitions(out)
    own = next((k for k, one in enumerate(found) if _seconds(one["opened_at"]) > changed), None)
    return {
        "began": began, "changed": changed, "ended": ended, "requests": len(asking.rows), "load": load,
        "lasting_s": Config().incidents.lasting_s, "baseline": bool(BASELINE), "evidence": strongest,
        "failed": sum(row["status"] != 200 for row in asking.rows) + asking.broken,
        "ttft_before_s": before, "ttft_after_s": after,
        "told_before": len({one["id"] for one in found[:own]}),
        "told_after_s": None if own is None else told[own] - changed,
        "opened_after_s": None if own is None else _seconds(found[own]["opened_at"]) - changed,
        "onset_error_s": None if own is None else _seconds(found[own]["onset"]) - changed,
        "transitions": found,
    }  # fmt: skip


@contextmanager
def told_of(file: Path) -> Iterator[list[float]]:
    """When each transition was on disk where it is told, in seconds since the epoch."""
    seen: list[float] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.2):
            lines = file.read_bytes().count(b"\n") if file.exists() else 0
            seen.extend([time.time()] * (lines - len(seen)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


@contextmanager
def evidence(url: str, until: float) -> Iterator[dict[str, float]]:
    """The strongest evidence that each signal had before a time, in powers of ten, the threshold, and since when."""
    strongest: dict[str, float] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(5.0) and time.time() < until:
            with suppress(OSError):
                page = urllib.request.urlopen(url, timeout=5).read().decode()
                if 'driftwatch_streams{state="watching"} 1' in page:
                    strongest.setdefault("watching since", time.time())
                for name, value in _evidence(page):
                    strongest[name] = max(value, strongest.get(name, 0.0))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield strongest
    finally:
        stop.set()
        thread.join()


def _evidence(page: str) -> Iterator[tuple[str, float]]:
    for line in page.splitlines():
        if line.startswith("driftwatch_threshold"):
            yield "threshold", float(line.split()[-1])
        elif line.startswith("driftwatch_evidence{"):
            yield line.partition('signal="')[2].partition('"')[0], float(line.split()[-1])


def speed(testbed: Path, core: int, rounds: int, seconds: float, out: Path) -> dict[str, Any]:
    """Tokens a second, and CPU time of one, of two servers in turns on one core, one of them with driftwatch inside."""
    inside, plain = out / "inside.log", out / "plain.log"
    rates: dict[str, list[float]] = {"plain": [], "inside": []}
    costs: dict[str, list[float]] = {"plain": [], "inside": []}
    with (
        serving(testbed, plain, port=PORT, blocks=BLOCKS, core=core) as one,
        serving(testbed, inside, port=PORT + 1, blocks=BLOCKS, core=core, config=watched(out, PORT + 1)) as other,
    ):
        servers = {"plain": one, "inside": other}
        for number in range(-1, rounds):
            for kind in ("plain", "inside") if number % 2 else ("inside", "plain"):
                before = servers[kind].cpu_s()
                tokens, took = asyncio.run(saturated(servers[kind].url, seconds, seed=number))
                if number >= 0:  # the first round warms up
                    rates[kind].append(tokens / took)
                    costs[kind].append((servers[kind].cpu_s() - before) / tokens * 1e3)
    return {
        "rounds": rounds,
        "seconds": seconds,
        "tokens_a_second": rates,
        "cpu_ms_a_token": costs,
        "tokens_a_second_change": _change(rates),
        "cpu_a_token_change": _change(costs),
    }


def _change(values: dict[str, list[float]]) -> dict[str, float]:
    """Median of the paired changes, and its quartiles."""
    pairs = [a / b - 1 for a, b in zip(values["inside"], values["plain"], strict=True)]
    low, middle, high = statistics.quantiles(pairs, n=4)
    return {"median": middle, "low": low, "high": high}


async def saturated(url: str, seconds: float, seed: int, clients: int = 8) -> tuple[int, float]:
    """Tokens, and seconds, while so many clients ask one request after the other."""
    load, began = Load(url), time.monotonic()
    draw = random.Random(seed)

    async def one(client: httpx2.AsyncClient) -> None:
        while time.monotonic() - began < seconds:
            await load.ask(client, "chat", text_of(draw, 60), 96)

    async with httpx2.AsyncClient(timeout=300) as client:
        await asyncio.gather(*(one(client) for _ in range(clients)))
    return sum(int(row["output_tokens"]) for row in load.rows), time.monotonic() - began


def keep(what: str, found: dict[str, Any], out: Path) -> None:
    """Put a part beside the others that were measured, with its figure and its recording."""
    file = RESULTS / "live_vllm.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    part = f"{what}-baseline" if found.get("baseline") else what
    known |= {"machine": machine(["numpy", "pydantic", "httpx2"]), part: found}
    file.write_text(json.dumps(known, indent=1) + "\n")
    (RESULTS / "live_vllm.md").write_text(page(known))
    if part in ("pressure", "hour"):
        rows = [json.loads(line) for line in gzip.decompress((out / "requests.jsonl.gz").read_bytes()).splitlines()]
        (RESULTS / f"live_vllm-{part}.svg").write_text(figure(found, rows))
        recording = RESULTS / f"live_vllm-{part}"
        recording.mkdir(exist_ok=True)
        for name in ("requests.jsonl.gz", "metrics.om.gz"):
            shutil.copy(out / name, recording / name)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["pressure", "hour", "speed", "page"])
    parser.add_argument("--testbed", type=Path)
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--healthy", type=float, default=480.0, help="Seconds of healthy traffic.")
    parser.add_argument("--pressed", type=float, default=240.0, help="Seconds of pressure.")
    parser.add_argument("--hogs", type=int, default=5, help="Long requests at a time.")
    parser.add_argument("--rounds", type=int, default=20, help="Rounds of the comparison of speeds.")
    parser.add_argument("--turn", type=float, default=6.0, help="Seconds of a turn in it.")
    parser.add_argument("--keep", type=Path, help="Keep what was recorded in this folder.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = asked.keep or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        if asked.what == "page":
            kept = json.loads((out / "found.json").read_text())
            keep(kept["what"], kept["found"], out)
            return
        if asked.testbed is None:
            parser.error("--testbed is needed")
        found = {
            "pressure": lambda: pressure(
                asked.testbed, asked.core, asked.healthy, asked.pressed, out, {"hogs": asked.hogs}
            ),
            "hour": lambda: pressure(
                asked.testbed, asked.core, asked.healthy, asked.pressed, out, {"hogs": asked.hogs, **HOUR}
            ),
            "speed": lambda: speed(asked.testbed, asked.core, asked.rounds, asked.turn, out),
        }[asked.what]()
        print(json.dumps({name: value for name, value in found.items() if name != "transitions"}, indent=1))
        (out / "found.json").write_text(json.dumps({"what": asked.what, "found": found}, indent=1) + "\n")
        keep(asked.what, found, out)


if __name__ == "__main__":
    main()
