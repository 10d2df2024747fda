"""The story for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from driftwatch.explain.story import Advice, Section, Story, Table

WIDTH = 100
_LABEL = 21


def write(story: Story) -> str:
    """Lay out a story as plain text, at most about 100 columns wide."""
    head = f"[{' | '.join(story.badges)}]  {story.reference}"
    return "\n".join([story.headline, head, "", layout(story.sections)]) + "\n"


def layout(sections: Sequence[Section]) -> str:
    """The sentences of all sections first, then their tables."""
    answers = [line for section in sections for line in _answer(section)]
    tables = [line for section in sections if section.table for line in ["", *_grid(section.table)]]
    return "\n".join(answers + tables).lstrip("\n")


def _answer(section: Section) -> list[str]:
    lines = [_point(s, section.title if i == 0 else "") for i, s in enumerate(section.sentences)]
    return lines + [_point(_advise(i, a), section.title if i == 1 else "") for i, a in enumerate(section.advice, 1)]


def _point(text: str, label: str) -> str:
    start = f"  {label:<{_LABEL - 2}}"
    return fill(text, WIDTH, initial_indent=start, subsequent_indent=" " * _LABEL, break_on_hyphens=False)


def _advise(position: int, advice: Advice) -> str:
    engines = "; ".join(f"{engine} {', '.join(flags)}" for engine, flags in advice.flags)
    flags = f" [{engines}]" if engines else ""
    cost = f". Cost: {advice.cost}" if advice.cost else ""
    return f"{position}. {advice.do}{flags}{cost}"


def _grid(table: Table) -> list[str]:
    """A table's caption and its rows, in aligned columns."""
    rows = [table.header, *table.rows]
    widths = [min(max(map(len, column)), 34) for column in zip(*rows, strict=True)]
    cut = [
        [cell if len(cell) <= w else cell[: w - 3] + "..." for cell, w in zip(row, widths, strict=True)] for row in rows
    ]
    lines = [("    " + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True))).rstrip() for row in cut]
    return [f"  {table.caption}", *lines]
