"""Follow a request log of a gateway: the bundled recording stands for it, moved to now.

``python examples/tail_a_log.py`` watches until the incident in it has been found. In earnest it is one command,
``driftwatch watch --config watch.toml``, with what SETTINGS says in that file.
"""

import gzip
import json
import tempfile
import threading
import time
from pathlib import Path

from driftwatch.incidents import Incident
from driftwatch.live import Settings, Watch

RECORDING = Path(__file__).parent / "data" / "kv_pressure" / "requests.jsonl.gz"
SETTINGS = """
[[logs]]
path = "{log}"
from_start = true
"""


def write_as_if_now(log: Path) -> None:
    """The recording's requests, the last of which ended a moment ago."""
    rows = [json.loads(line) for line in gzip.decompress(RECORDING.read_bytes()).splitlines()]
    later = time.time() - 15 - max(row["completed_at"] for row in rows)
    for row in rows:
        row["started_at"] += later
        row["completed_at"] += later
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))


found = threading.Event()


def told(incident: Incident) -> None:
    """Called whenever an incident changes."""
    print(incident.explain())
    found.set()


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder)
    write_as_if_now(path / "requests.jsonl")
    (path / "watch.toml").write_text(SETTINGS.format(log=path / "requests.jsonl"))
    with Watch(Settings.load(path / "watch.toml"), news=told):
        found.wait(60)
