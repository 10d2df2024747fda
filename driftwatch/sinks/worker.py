"""The one background thread of an outbox: starts late, survives a fork, stops when told."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from driftwatch.errors import StateError

_LOG = logging.getLogger("driftwatch.sinks")
_LONGEST_S = 1.0  # another process may have put something in
_SHORTEST_S = 0.02


class Worker:
    """Calls ``deliver`` whenever something is due.

    Parameters
    ----------
    deliver
        Does what is due until a function that it is given says stop.
    wait_s
        Seconds until something is due, at most as many as it is given.
    """

    def __init__(self, deliver: Callable[[Callable[[], bool]], object], wait_s: Callable[[float], float]) -> None:
        self._deliver, self._wait_s = deliver, wait_s
        self._wanted = False
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._stop_at = float("inf")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if it has not begun in this process."""
        if self._pid != os.getpid() or self._stopping.is_set():
            self._reset()
        self._wanted = True
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="driftwatch-outbox", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Something was put in; a forked child gets a thread of its own only now."""
        if not self._wanted:
            return
        if self._pid != os.getpid():
            self.start()
        self._woken.set()

    def stop(self, timeout: float) -> None:
        """Do what is due for at most ``timeout`` seconds, then end; what hangs longer is left behind."""
        self._wanted = False
        if self._pid != os.getpid() or self._thread is None:
            return
        self._stop_at = time.monotonic() + timeout
        self._stopping.set()
        self._woken.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            last = self._stopping.is_set()
            wait = self._round()
            if last or self._late():
                return
            self._woken.wait(0.0 if self._stopping.is_set() else max(wait, _SHORTEST_S))
            self._woken.clear()

    def _round(self) -> float:
        """Do what is due; seconds until there is more."""
        try:
            self._deliver(self._late)
            return self._wait_s(_LONGEST_S)
        except StateError as error:  # a full disk, say: it may be over soon
            _LOG.error("%s", error)
            return _LONGEST_S
        except Exception:  # the thread goes on whatever happens: nobody would notice its end
            _LOG.exception("the outbox failed in a way that it should not")
            return _LONGEST_S

    def _late(self) -> bool:
        return self._stopping.is_set() and time.monotonic() >= self._stop_at
