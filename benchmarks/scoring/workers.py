"""Cases in processes of their own: one that fails, hangs or dies costs its own case and no other."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from scoring.cases import Case

Row = dict[str, Any]
Answers = queue.SimpleQueue[Row | None]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PATIENCE_S = 900.0
_OF_ONE = 40  # cases after which a process is replaced, so that its memory does not grow


def answered(cases: Iterable[Case], command: Sequence[str], processes: int) -> Iterator[Row]:
    """The facts of each case as they come, or ``error`` in their place.

    Parameters
    ----------
    cases
        What is asked; the next one is taken when a process is free.
    command
        Starts a process that answers each line of JSON with a line of JSON.
    processes
        How many at once.
    """
    asked, taking = iter(cases), threading.Lock()
    answers: Answers = queue.SimpleQueue()

    def following() -> Case | None:
        with taking:
            return next(asked, None)

    for _ in range(processes):
        threading.Thread(target=_serve, args=(following, answers, command), daemon=True).start()
    while processes:
        row = answers.get()
        if row is None:
            processes -= 1
        else:
            yield row


def _serve(following: Callable[[], Case | None], answers: Answers, command: Sequence[str]) -> None:
    """Keep one process busy until nothing is left."""
    process, served = _start(command), 0
    try:
        while case := following():
            if process.poll() is not None or served == _OF_ONE:
                _stop(process)
                process, served = _start(command), 0
            answers.put(asdict(case) | _ask(process, case))
            served += 1
    finally:
        _stop(process)
        answers.put(None)


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    environment = os.environ | ONE_THREAD
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _ask(process: subprocess.Popen[str], case: Case) -> Row:
    """Ask for one case; a process that takes too long is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    watchdog = threading.Timer(PATIENCE_S, process.kill)
    watchdog.start()
    try:
        process.stdin.write(json.dumps(asdict(case)) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except OSError as error:
        answer = json.dumps({"error": f"its process is gone ({error})"})
    finally:
        watchdog.cancel()
    if not answer:
        process.wait()
        return {"error": f"its process ended with {process.returncode}, or took over {PATIENCE_S:.0f} s"}
    found: Row = json.loads(answer)
    return found
