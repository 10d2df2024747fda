"""A real vLLM on one core of this machine with driftwatch inside: stat logger, middleware and scraper.

``pressure``: a quarter of an hour of chats; for the last minutes another tenant's long requests fill the KV cache.
``healthy``: chats alone. ``speed``: tokens a second with driftwatch inside and without, in turns.

Needs a testbed folder with ``venv`` (vLLM, and driftwatch installed into it without dependencies) and ``model-tiny``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from living.load import Load
from living.server import serving

RESULTS = Path(__file__).parent / "results"
PORT, BLOCKS = 8011, 48

WATCH = """
[[targets]]
url = "http://127.0.0.1:{port}/metrics"
every_s = 5
[config.ticks]
lateness_s = 3
[host]
[engine]
tenant_header = "x-tenant"
[[alerts]]
kind = "jsonlines"
path = "{folder}/incidents.jsonl"
"""


def watched(folder: Path, port: int) -> Path:
    """The settings of a run."""
    path = folder / "watch.toml"
    path.write_text(f'state = "{folder}/state"\n' + WATCH.format(port=port, folder=folder))
    return path


def transitions(folder: Path) -> list[dict[str, Any]]:
    """What was told, in order."""
    path = folder / "incidents.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def pressure(testbed: Path, core: int, healthy_s: float, pressed_s: float, hogs: int, out: Path) -> dict[str, Any]:
    """Chats, and then another tenant's long requests; what was told of it, and when."""
    config = watched(out, PORT)
    with serving(testbed, out / "server.log", port=PORT, blocks=BLOCKS, core=core, config=config) as server:
        load = Load(server.url, hogs=hogs, hog_words=900)
        began = time.time()
        asyncio.run(load.run(healthy_s + pressed_s, hogs_from=healthy_s))
        ended = time.time()
    (out / "requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in load.rows))
    changed = began + healthy_s
    chats = [row for row in load.rows if row["tenant"] == "chat" and row["ttft"] is not None]
    before = statistics.median(row["ttft"] for row in chats if row["completed_at"] < changed)
    after = statistics.median(row["ttft"] for row in chats if row["started_at"] > changed + 20)
    return {
        "began": began, "changed": changed, "ended": ended, "requests": len(load.rows),
        "ttft_before_s": before, "ttft_after_s": after, "transitions": transitions(out),
    }  # fmt: skip


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["pressure", "healthy", "speed"])
    parser.add_argument("--testbed", type=Path, required=True)
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--healthy", type=float, default=480.0, help="Seconds of healthy traffic.")
    parser.add_argument("--pressed", type=float, default=240.0, help="Seconds of pressure.")
    parser.add_argument("--hogs", type=int, default=5, help="Long requests at a time.")
    parser.add_argument("--keep", type=Path, help="Keep what was recorded in this folder.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = asked.keep or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        found = pressure(asked.testbed, asked.core, asked.healthy, asked.pressed, asked.hogs, out)
        (out / "pressure.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
