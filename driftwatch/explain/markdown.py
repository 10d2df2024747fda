"""The story for a ticket or a pull request (GitHub's dialect)."""

from __future__ import annotations

import re

from driftwatch.explain.story import Advice, Section, Story, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<|~&#$])")
_LINK = re.compile(r"(?i)(https?|ftp|mailto)(:)|(www)(\.)")
_LEADING = re.compile(r"^(\d*)([-+=>.)])(?=\s|>|=|-|$)")


def write(story: Story) -> str:
    """Lay out a story as markdown; whatever is in it stays text (no links, no mentions, no markup)."""
    badges = " · ".join(map(escape, story.badges))
    head = f"### {escape(story.headline)}\n\n**{badges}** — {escape(story.reference)}\n"
    tables = [f"**{s.table.caption}**\n\n{_table(s.table)}" for s in story.sections if s.table]
    return "\n".join([head, *map(_section, story.sections), *tables])


def escape(text: str) -> str:
    r"""Escape what markdown would read as markup.

    Examples
    --------
    >>> escape("<b>*x*</b> @all")
    '\\<b>\\*x\\*\\</b> @\u200ball'
    """
    text = _LINK.sub(lambda m: f"{m[1] or m[3]}\\{m[2] or m[4]}", _SPECIAL.sub(r"\\\1", text))
    return _LEADING.sub(r"\1\\\2", text).replace("@", "@\u200b")


def _section(section: Section) -> str:
    lines = [f"**{section.title}**", ""]
    lines += [f"- {escape(s)}" for s in section.sentences]
    lines += [f"{i}. {_advise(a)}" for i, a in enumerate(section.advice, 1)]
    return "\n".join(lines) + "\n"


def _advise(advice: Advice) -> str:
    engines = "; ".join(f"{engine} {', '.join(f'`{flag}`' for flag in flags)}" for engine, flags in advice.flags)
    flags = f" ({engines})" if engines else ""
    cost = f" — *cost:* {escape(advice.cost)}" if advice.cost else ""
    return f"{escape(advice.do)}{flags}{cost}"


def _table(table: Table) -> str:
    rows = [table.header, ("---",) * len(table.header), *(tuple(map(escape, row)) for row in table.rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
