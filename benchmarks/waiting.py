"""The serving path never waits for alerts: ``python benchmarks/waiting.py [--quick]``.

Times ``Monitor.request()`` at a steady rate, in processes of their own: without destinations, and with seven that are
all down (they refuse, hang, fail, are not known, do not speak TLS) and a backlog of two thousand transitions that is
tried all the while. Writes ``results/waiting.json`` and ``.md``. Needs ``pip install -e ".[test]"``; four minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from delivering.plan import plan
from delivering.receiver import Receiver, Reply
from delivering.servers import free_port
from machine import machine

import driftwatch as dw
from driftwatch.sinks import Alertmanager, Egress, Email, Outbox, Slack, Webhook

RESULTS = Path(__file__).parent / "results"
RATE, CALLS, ROUNDS, INCIDENTS = 400, 8000, 5, 700
QUANTILES = {"median": 0.5, "99%": 0.99, "99.9%": 0.999, "longest": 1.0}
ARMS = ("none", "all down")
_FIRST = 200  # calls that find everything cold


def main() -> None:
    """Measure both, in turns; print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round; writes nothing")
    parser.add_argument("--child", nargs=3, metavar=("ARM", "FOLDER", "URLS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        arm, folder, urls = given.child
        print(json.dumps(timed(arm, Path(folder), json.loads(urls))))
        return
    found = measured(1 if given.quick else ROUNDS)
    print(page(found))
    if not given.quick:
        (RESULTS / "waiting.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
        (RESULTS / "waiting.md").write_text(page(found), encoding="utf-8")


def measured(rounds: int) -> dict[str, Any]:
    """Rounds of each, first one first and then the other first."""
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    with Receiver(lambda *_: Reply(how="hang")) as hangs, Receiver(lambda *_: Reply(500)) as fails:
        urls = json.dumps({"hangs": hangs.url, "fails": fails.url})
        for number in range(rounds):
            for arm in ARMS if number % 2 == 0 else reversed(ARMS):
                found[arm].append(_asked(arm, urls))
    return {"rounds": found, "machine": machine(("numpy", "pydantic"))}


def _asked(arm: str, urls: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", arm, folder, urls]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def timed(arm: str, folder: Path, urls: dict[str, str]) -> dict[str, float]:
    """Microseconds of a call, by quantile, and attempts to deliver that failed meanwhile."""
    outbox = backlog(folder, urls) if arm == "all down" else None
    sinks: Any = outbox or ()
    monitor = dw.Monitor(sinks=sinks)
    took = sorted(calls(monitor)[_FIRST:])
    failed = sum(sum(sink.failed.values()) for sink in outbox.stats().values()) if outbox else 0
    monitor.close()
    if outbox:
        outbox.close(timeout=0.1)
    return {name: took[int(q * (len(took) - 1))] / 1e3 for name, q in QUANTILES.items()} | {"failed": failed}


def calls(monitor: Any) -> list[int]:
    """Call at a steady rate; nanoseconds of each call."""
    took, due = [], time.perf_counter()
    for _ in range(CALLS):
        due += 1 / RATE
        time.sleep(max(due - time.perf_counter(), 0.0))
        begun = time.perf_counter_ns()
        monitor.request(model="m", prompt_tokens=812, output_tokens=211, ttft=0.41, latency=6.2, finish_reason="stop")
        took.append(time.perf_counter_ns() - begun)
    return took


def backlog(folder: Path, urls: dict[str, str]) -> Outbox:
    """An outbox full of what nobody takes, at work."""
    egress = Egress(allow_http=True, allow_private=True, deadline_s=2.0)
    nobody = f"http://127.0.0.1:{free_port()}"
    sinks = [
        Webhook(nobody, name="refuses", egress=egress),
        Webhook(urls["hangs"], name="hangs", egress=egress),
        Webhook(urls["fails"], name="fails", egress=egress),
        Webhook(urls["fails"].replace("http:", "https:"), name="no TLS", egress=egress),
        Slack("https://no-such-host.invalid/x", egress=egress),
        Email("127.0.0.1", "a@example.org", ["b@example.org"], port=free_port(), tls="none", egress=egress),
        Alertmanager(nobody, egress=egress),
    ]
    outbox = Outbox(folder / "outbox.db", sinks)
    outbox.put(plan(INCIDENTS))
    return outbox.start()


def page(found: dict[str, Any]) -> str:
    """Markdown."""
    here = found["machine"]
    rows = {
        arm: {name: median(r[name] for r in rounds) for name in rounds[0]} for arm, rounds in found["rounds"].items()
    }
    lines = [f"| {arm} | {' | '.join(f'{row[name]:.1f}' for name in QUANTILES)} |" for arm, row in rows.items()]
    return "\n".join(
        [
            "# The serving path does not wait for alerts\n",
            f"Made by `benchmarks/waiting.py` on {here['cpu']}; Python {here['python']}. `Monitor.request()` at {RATE} "
            f"calls a second; medians of {len(found['rounds']['none'])} rounds of {CALLS:,} calls, in microseconds.\n",
            f"| destinations | {' | '.join(QUANTILES)} |",
            f"|---|{'---:|' * len(QUANTILES)}",
            *lines,
            f"\nWith seven destinations down, {INCIDENTS * 3:,} transitions wait for each, and about "
            f"{rows['all down']['failed']:.0f} attempts failed in a round. The longest call depends on what else runs "
            "there.\n",
        ]
    )


if __name__ == "__main__":
    main()
