"""The process that is killed: puts transitions into an outbox and delivers them, until somebody ends it.

Started as ``python -m delivering.sender SETTINGS``. After each `put` it writes how many transitions are in the outbox:
what was written there must never be lost.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from delivering.plan import plan
from driftwatch.sinks import Alertmanager, Egress, Outbox, Policy, Sink, Webhook

SECRET = "whsec_YmVuY2htYXJrLXNlY3JldC1iZW5jaG1hcms="
DEADLINE_S, LEASE_S = 0.3, 1.0
POLICY = Policy(first_delay_s=0.2, longest_delay_s=2.0, lease_s=LEASE_S)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a sender is told.

    Parameters
    ----------
    outbox
        File.
    alertmanager, webhook, tls
        URLs.
    ca_file
        What the receiver at ``tls`` is trusted by; empty: by nobody.
    incidents
        How many there are.
    begin
        Transitions that are in the outbox.
    pause_s
        Between two transitions.
    """

    outbox: str
    alertmanager: str
    webhook: str
    tls: str
    ca_file: str
    incidents: int
    begin: int
    pause_s: float


def sinks(settings: Settings) -> list[Sink]:
    """The three destinations."""
    loopback = Egress(allow_http=True, allow_private=True, deadline_s=DEADLINE_S)
    secure = Egress(allow_private=True, ca_file=settings.ca_file, deadline_s=2.0)
    return [
        Alertmanager(settings.alertmanager, egress=loopback),
        Webhook(settings.webhook, SECRET, egress=loopback),
        Webhook(settings.tls, SECRET, name="tls", egress=secure),
    ]


def main() -> None:
    """Put, deliver, and wait for the end."""
    settings = Settings(**json.loads(sys.argv[1]))
    transitions = plan(settings.incidents)
    with Outbox(Path(settings.outbox), sinks(settings), policy=POLICY) as outbox:
        print(settings.begin, flush=True)
        for number, incident in enumerate(transitions[settings.begin :], settings.begin + 1):
            outbox.put([incident])
            print(number, flush=True)
            time.sleep(settings.pause_s)
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
