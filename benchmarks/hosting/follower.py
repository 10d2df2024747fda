"""Follows a request log with a monitor that keeps its state in a folder: what ``kills.py`` kills."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import driftwatch as dw
from driftwatch.config import Config
from driftwatch.live.logs import request_log
from driftwatch.live.settings import Log
from driftwatch.readers import Quarantine
from driftwatch.sinks import JsonLines


def main(folder: Path, *, to_the_end: bool) -> None:
    """Read what there is, and what comes."""
    log = str(folder / "log")
    config = Config.parse(
        {
            "attribution": {"permutations": 99},
            "monitor": {"folder": str(folder / "state"), "checkpoint_s": 0.1, "pause_s": 0.02},
        }
    )
    monitor = dw.Monitor(config, [JsonLines(folder / "incidents.jsonl")], clock="events")
    source = request_log(Log(path=log, from_start=True), config, Quarantine(), monitor.offsets.get(log))
    print("following", flush=True)
    while True:
        for batch in source.read(time.time()):
            monitor.feed(batch, log, source.offset, more=source.more)
        if to_the_end:
            break
        time.sleep(0.02)
    monitor.finish()
    source.close()
    monitor.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), to_the_end="--to-the-end" in sys.argv)
