"""One thread in the background of somebody else's process: it starts late, survives a fork, and ends in time."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable

_ALL: weakref.WeakSet[Background] = weakref.WeakSet()


class Background:
    """Calls a function again and again, in a daemon thread of its own.

    Parameters
    ----------
    turn
        What to do; returns for how many seconds to wait before the next time. It must not raise.
    forked
        Called in the child of a fork, where the thread is gone.
    ending
        Called when the interpreter ends.
    """

    def __init__(self, turn: Callable[[], float], forked: Callable[[], None], ending: Callable[[], None]) -> None:
        self.turn, self.forked = turn, forked
        self.running = False
        self._reset()
        _ALL.add(self)
        self._at_exit = _weakly(ending)
        atexit.register(self._at_exit)

    def _reset(self) -> None:
        self.running = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._stop = threading.Event()

    def start(self) -> None:
        """Start the thread, unless another caller is about to."""
        if self._starting.acquire(blocking=False) and not self._stop.is_set():
            self.running = True
            self._thread = threading.Thread(target=self._run, name="driftwatch", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = 0.0
        stop = self._stop
        while not stop.wait(pause):
            pause = self.turn()

    def stop(self, timeout: float) -> bool:
        """End the thread; False if it did not within so many seconds."""
        atexit.unregister(self._at_exit)
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    def after_fork(self) -> None:
        """Begin anew in a child: locks may be held by threads that are not here."""
        self._reset()
        self.forked()


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """The same call, unless its object is gone by then."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        bound = reference()
        if bound is not None:
            bound()

    return call


def _in_child() -> None:
    for background in list(_ALL):
        background.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
