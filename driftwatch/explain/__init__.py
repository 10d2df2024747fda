"""Facts to words: an incident record as text, markdown or a self-contained page.

The same record always gives the same words, and each sentence is backed by fields of the record.
"""

from __future__ import annotations

from driftwatch.explain import html, markdown, text
from driftwatch.explain.facts import headline, tell
from driftwatch.explain.figures import plot
from driftwatch.explain.html import notebook
from driftwatch.incidents.models import Format, Incident

__all__ = ["headline", "notebook", "plot", "render", "tell"]


def render(incident: Incident, format: Format = "text") -> str:
    """Say an incident in words.

    Parameters
    ----------
    incident
        The record; nothing else is looked at.
    format
        ``"text"`` for a terminal, ``"markdown"`` for a ticket, ``"html"`` for a self-contained page.

    Raises
    ------
    ValueError
        If the format is none of these.
    MissingExtra
        If ``"html"`` is asked for and the extra ``report`` is not installed.
    """
    if format == "html":
        return html.page([incident])
    if format == "markdown":
        return markdown.write(tell(incident))
    if format == "text":
        return text.write(tell(incident))
    raise ValueError(f"unknown format {format!r}: use 'text', 'markdown' or 'html'")
