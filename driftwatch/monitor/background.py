"""One thread in the background of somebody else's process: it starts late, survives a fork, and ends in time."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable

_PATIENCE_S = 1.0
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
    busy
        The lock that is held while there is work in progress: a fork waits for its end, so that the child finds nothing
        half done, such as an import.
    """

    def __init__(
        self,
        turn: Callable[[], float],
        forked: Callable[[], None],
        ending: Callable[[], None],
        busy: Callable[[], threading.Lock],
    ) -> None:
        self.turn, self.forked, self.busy = turn, forked, busy
        self._held: threading.Lock | None = None
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

    def before_fork(self) -> None:
        """Let the work in progress end; but not for long."""
        lock = self.busy()
        self._held = lock if lock.acquire(timeout=_PATIENCE_S) else None

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def after_fork(self) -> None:
        """Begin anew in a child: locks may be held by threads that are not here."""
        self._held = None
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


def _each(method: Callable[[Background], None]) -> Callable[[], None]:
    def call() -> None:
        for background in list(_ALL):
            method(background)

    return call


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_each(Background.before_fork),
        after_in_parent=_each(Background.after_fork_in_parent),
        after_in_child=_each(Background.after_fork),
    )
