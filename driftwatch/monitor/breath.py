"""A guest's thread lets go of the interpreter now and then: Python takes it away only after five milliseconds."""

from __future__ import annotations

import time

_BREATH_S = 5e-5


def breathe() -> None:
    """Let other threads run. A sleep of no time at all would be over before any of them wakes up."""
    time.sleep(_BREATH_S)
