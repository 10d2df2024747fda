"""Alerts while everything fails: ``python benchmarks/delivery.py [--quick]``.

A sender puts a thousand incidents into an outbox and delivers them to a real Alertmanager, to a receiver that
misbehaves in eight ways, and to one whose certificate nobody trusts until the end. Meanwhile it is killed (SIGKILL) a
hundred times. Counts what arrived. Writes ``results/delivery.json``, ``.md`` and ``.svg``. Needs
``pip install -e ".[test]"`` and Debian's prometheus-alertmanager; takes about five minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import ssl
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import trustme
from delivering.faults import answer, by_lot, relay
from delivering.judge import arrivals, judge, of_alertmanager, of_webhook
from delivering.page import figure, page
from delivering.plan import plan
from delivering.receiver import Receiver
from delivering.running import until_delivered, while_killed
from delivering.sender import Settings
from delivering.servers import alertmanager, wait_for
from machine import machine

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("httpcore2", "standardwebhooks")
INCIDENTS, KILLS = 1000, 100
MENDED = "wrong TLS, mended at the end"
LIFE_S = (0.5, 1.5)
"""A sender is killed this long after it began to send."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of it; writes nothing")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        found = measured(Path(folder), stack, INCIDENTS // (20 if quick else 1), KILLS // (20 if quick else 1))
    found["machine"] = machine(PACKAGES)
    print(page(found))
    if not quick:
        (RESULTS / "delivery.md").write_text(page(found), encoding="utf-8")
        (RESULTS / "delivery.svg").write_text(figure(found), encoding="utf-8")
        (RESULTS / "delivery.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


def measured(folder: Path, stack: ExitStack, incidents: int, kills: int) -> dict[str, Any]:
    """Run it all, and judge."""
    notified = stack.enter_context(Receiver())
    real = stack.enter_context(alertmanager(folder, notified.url))
    context, ca_file = certificates(folder)
    receivers = {
        "Alertmanager": stack.enter_context(Receiver(relay(real, seed=1))),
        "misbehaving": stack.enter_context(Receiver(by_lot(seed=2))),
        MENDED: stack.enter_context(Receiver(tls=context)),
    }
    urls = dict(zip(("alertmanager", "webhook", "tls"), (r.url for r in receivers.values()), strict=True))
    pause = kills * sum(LIFE_S) / 4 / (3 * incidents)  # half of the time; putting takes the other half
    settings = Settings(str(folder / "outbox.db"), **urls, ca_file="", incidents=incidents, begin=0, pause_s=pause)
    begun = time.time()
    put_at, killed_at = while_killed(settings, kills, LIFE_S)
    mistrusted = len(receivers[MENDED].received)
    until_delivered(replace(settings, ca_file=str(ca_file), begin=3 * incidents))
    with suppress(TimeoutError):
        wait_for(lambda: notifications(notified)["resolved"] == incidents, 60)
    keys = dict.fromkeys(receivers, of_webhook) | {"Alertmanager": of_alertmanager}
    timeline = {"put": put_at, "killed": killed_at}
    timeline |= {name: sorted(arrivals(r.received, keys[name]).values()) for name, r in receivers.items()}
    return {
        "incidents": incidents,
        "kills": len(killed_at),
        "seconds": time.time() - begun,
        "sinks": {
            name: asdict(judge(receiver.received, keys[name], plan(incidents), put_at))
            for name, receiver in receivers.items()
        },
        "answers": Counter(answer(message.reply) for message in receivers["misbehaving"].received),
        "mistrusted": mistrusted,
        "notified": notifications(notified),
        "still_firing": firing(real),
        "timeline": {name: [round(at - begun, 2) for at in times] for name, times in timeline.items()},
    }


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate for loopback, and the file by which it may be trusted."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return context, folder / "ca.pem"


def notifications(receiver: Receiver) -> dict[str, int]:
    """Incidents of which Alertmanager said to its own receiver that they fire, and that they are over."""
    said = {(a["status"], a["labels"]["incident"]) for m in receiver.accepted for a in m.json["alerts"]}
    return {status: sum(what == status for what, _ in said) for status in ("firing", "resolved")}


def firing(url: str) -> int:
    """Alerts that an Alertmanager holds."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=10) as reply:
        return len(json.load(reply))


if __name__ == "__main__":
    main()
