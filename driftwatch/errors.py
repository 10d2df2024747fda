"""Everything that driftwatch raises.

::

    DriftwatchError
    ├── InputError        a source that cannot be used at all (a broken row is quarantined instead)
    ├── ConfigError       a key, a value or a file of the configuration
    ├── StateError        a saved baseline, checkpoint or outbox that does not fit
    ├── DeliveryError     a destination did not take a message
    └── MissingExtra      a package that one of the extras installs (also an ImportError)
"""

from __future__ import annotations


class DriftwatchError(Exception):
    """Base class: catch it to catch everything that driftwatch raises on purpose."""


class InputError(DriftwatchError):
    """A source cannot be used at all.

    Parameters
    ----------
    problem
        What was wrong and what to do about it, as one sentence.
    source
        Where: a path, or a name for what has none.
    line
        The line, counted from 1, where known.
    """

    def __init__(self, problem: str, *, source: str = "", line: int | None = None) -> None:
        self.problem, self.source, self.line = problem, source, line
        where = f"{source}:{line}" if source and line is not None else source
        super().__init__(f"{where}: {problem}" if where else problem)


class ConfigError(DriftwatchError):
    """A configuration that cannot be used; the message names the key and the file."""


class StateError(DriftwatchError):
    """A saved state that cannot be read, or that another configuration made."""


class DeliveryError(DriftwatchError):
    """A destination did not take a message.

    Parameters
    ----------
    reason
        One word of a closed list (it labels a metric), such as ``"timeout"``.
    problem
        What happened, as one sentence; it never holds a secret.
    retry
        Whether the same message may be taken later.
    after_s
        The destination asked to be left alone for this long, in seconds.
    """

    def __init__(self, reason: str, problem: str, *, retry: bool = True, after_s: float = 0.0) -> None:
        self.reason, self.problem, self.retry, self.after_s = reason, problem, retry, after_s
        super().__init__(f"{reason}: {problem}")


class MissingExtra(DriftwatchError, ImportError):
    """A package is not installed; the message names the extra that brings it."""
