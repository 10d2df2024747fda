"""Keeps what a scraper sees of a server, as a file that `driftwatch scan` reads."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from driftwatch import Config
from driftwatch.events.columns import Batch, Metrics
from driftwatch.live.pages import Page
from driftwatch.live.settings import Target
from driftwatch.readers import Quarantine

_EVERY_S = 5.0


@contextmanager
def recorded(url: str, file: Path) -> Iterator[None]:
    """Scrape a page while inside, and then write its samples with their times (gzipped OpenMetrics text)."""
    page = Page(Target(url=url, every_s=_EVERY_S), Config(), Quarantine())
    batches: list[Batch | None] = []
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(_EVERY_S):
            batches.extend(page.read(time.time()))

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        page.close()
        lines = [line for batch in batches if isinstance(batch, Metrics) for line in _lines(batch)]
        file.write_bytes(gzip.compress("".join(sorted(lines, key=_series)).encode(), mtime=0))


def _lines(batch: Metrics) -> Iterator[str]:
    for at, code, value in zip(batch.at.tolist(), batch.series.tolist(), batch.value.tolist(), strict=True):
        key = batch.keys[code]
        labels = ",".join(f'{name}="{text}"' for name, text in key.labels)
        yield f"{key.name}{{{labels}}} {value:g} {at:.3f}\n"


def _series(line: str) -> str:
    """A dump goes series by series, each in order of time: so it packs well."""
    return line.partition(" ")[0]


def write_requests(rows: list[dict[str, Any]], file: Path) -> None:
    """A request log, gzipped."""
    ordered = sorted(rows, key=lambda row: float(row["completed_at"]))
    text = "".join(
        json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}) + "\n" for row in ordered
    )
    file.write_bytes(gzip.compress(text.encode(), mtime=0))
