"""Secrets, and where they are: they are read when they are needed, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

from driftwatch.errors import ConfigError


class Secret:
    """A secret, or a reference to one.

    Parameters
    ----------
    given
        ``"env:NAME"`` for an environment variable, ``"file:PATH"`` for a file (the space around it does not count), or
        the secret itself. A reference is followed each time, so that a rotated secret is used without a restart.

    Examples
    --------
    >>> Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Secret("env:SLACK_URL")
    (Secret(...), Secret('env:SLACK_URL'))
    """

    __slots__ = ("_given",)

    def __init__(self, given: str | Secret) -> None:
        self._given: str = given._given if isinstance(given, Secret) else given

    @property
    def reference(self) -> bool:
        """Whether the secret itself is somewhere else."""
        return self._given.startswith(("env:", "file:"))

    def reveal(self) -> str:
        """The secret itself.

        Raises
        ------
        ConfigError
            If it is not where the reference says, or is empty.
        """
        kind, _, where = self._given.partition(":")
        found = {"env": _variable, "file": _file}[kind](where) if self.reference else self._given
        if not found:
            raise ConfigError(f"the secret {self!r} is empty")
        return found

    def __repr__(self) -> str:
        return f"Secret({self._given!r})" if self.reference else "Secret(...)"

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        if not self.reference:
            raise TypeError("a secret is not pickled: give it as 'env:NAME' or 'file:PATH'")
        return Secret, (self._given,)


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ConfigError(f"the environment variable {name} is not set") from None


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the secret cannot be read ({getattr(error, 'strerror', 'not text')})") from None
