"""The shape of what is said: sections of sentences, tables and advice, which every format lays out in its own way."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a header; the first column says the state where there is one."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to try, what it costs, and the flags that do it, by engine."""

    do: str
    cost: str
    flags: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One answer of the story. ``key`` names it for layout; ``title`` is what a person reads."""

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """All that is said about an incident.

    Parameters
    ----------
    headline
        What changed and by how much, at most 120 characters.
    badges
        Kind, severity, status, and ``silent`` where it is.
    reference
        The id and number of the transition.
    sections
        In the order in which they are read; the first ones answer in ten seconds.
    """

    headline: str
    badges: tuple[str, ...]
    reference: str
    sections: tuple[Section, ...]
