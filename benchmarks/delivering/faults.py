"""How the receivers of the benchmark answer: one as told by lot, one as the real Alertmanager behind it does."""

from __future__ import annotations

import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable

from delivering.receiver import OK, Reply

FAULTS: dict[str, tuple[float, Reply]] = {
    "hangs": (0.04, Reply(how="hang")),
    "resets": (0.04, Reply(how="reset")),
    "500": (0.05, Reply(500, b"oops")),
    "429 with Retry-After": (0.02, Reply(429, headers={"Retry-After": "1"})),
    "301 to elsewhere": (0.03, Reply(301, headers={"Location": "http://127.0.0.1:9/elsewhere"})),
    "slow body": (0.03, Reply(how="slow")),
    "endless body": (0.02, Reply(how="endless")),
    "body cut short": (0.02, Reply(body=b"ok", how="cut")),
}
"""By name: how often, and what."""

Answer = Callable[[int, str, str, bytes], Reply]


def by_lot(seed: int) -> Answer:
    """Each message by lot; the same message may fare better the next time."""
    lot, lock = random.Random(seed), threading.Lock()

    def answer(number: int, method: str, path: str, body: bytes) -> Reply:
        with lock:
            draw = lot.random()
        for share, reply in FAULTS.values():
            draw -= share
            if draw < 0:
                return reply
        return OK

    return answer


def relay(url: str, seed: int, *, resets: float = 0.03) -> Answer:
    """Hand each message to a server, and answer as it does; some senders are cut off before they hear it."""
    lot = random.Random(seed)

    def answer(number: int, method: str, path: str, body: bytes) -> Reply:
        asked = urllib.request.Request(url + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10) as reply:
                status, said = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            status, said = error.code, error.read()
        return Reply(how="reset") if lot.random() < resets else Reply(status, said)

    return answer


def answer(reply: Reply) -> str:
    """What an answer is called."""
    return next((name for name, (_, fault) in FAULTS.items() if fault is reply), "taken")
