"""Slack by an incoming webhook: one message in Block Kit for one incident, or a digest of several."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from driftwatch.sinks.facts import encoded
from driftwatch.sinks.message import Message, cut, digest, message
from driftwatch.sinks.protocol import HttpSink, Letter
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, Request

# https://docs.slack.dev/reference/block-kit/blocks: characters of a header and of a section's text, blocks of a message
HEADER, SECTION, BLOCKS = 150, 3000, 50
# What all blocks of a message may hold is not documented; 13,200 characters were refused (bolt-js issue 2509).
ALL_BLOCKS = 12_000
TEXT = 4000  # https://docs.slack.dev/reference/methods/chat.postMessage: the text for notifications
_LINK = 1500


class Slack(HttpSink):
    """Posts to the channel of an incoming webhook.

    Parameters
    ----------
    url
        Of the webhook, which is a secret as a whole; or a reference to it, ``env:NAME`` or ``file:PATH``.
    name
        In the outbox, in metrics and in logs.
    link
        Template of where to look, see the docs.
    egress
        What may be reached.
    """

    most = 10
    every = False

    def __init__(self, url: str, *, name: str = "slack", link: str = "", egress: Egress | None = None) -> None:
        super().__init__(name, egress or Egress())
        self._url, self._link = Secret(url), link
        if not self._url.reference:
            self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """One message."""
        body = posted(letters, self._link)
        return Request(self._url.reveal(), encoded(body), {"Content-Type": "application/json"})


def posted(letters: Sequence[Letter], link: str) -> dict[str, Any]:
    """A message: the text for notifications, and blocks."""
    said = [message(letter.incident, link) for letter in letters]
    if len(said) == 1:
        return {"text": escape(cut(said[0].title, TEXT // 2)), "blocks": [*blocks(said[0])]}
    title = digest([letter.incident for letter in letters])
    room = ALL_BLOCKS // len(said)
    parts = [_section([f"*{escape(one.title)}*", *_lines(one)[:2], *_end(one)], room) for one in said]
    return {"text": title, "blocks": [_header(title), *parts]}


def blocks(said: Message) -> list[dict[str, Any]]:
    """One incident: its headline, the facts, what to try next, where to look."""
    found = [_header(said.title), _section(_lines(said), SECTION)]
    if said.steps:
        steps = [f"{n}. {escape(step)}" for n, step in enumerate(said.steps, 1)]
        found.append(_section(["*Next*", *steps], SECTION))
    return [*found, {"type": "context", "elements": [_text(" | ".join(_end(said)), SECTION)]}]


def escape(text: str) -> str:
    """What Slack would read as a link, a mention or an entity stays text.

    Examples
    --------
    >>> escape("<!channel> & <@U1>")
    '&lt;!channel&gt; &amp; &lt;@U1&gt;'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _lines(said: Message) -> list[str]:
    return [f"*{label}* {escape(text)}" for label, text in said.facts]


def _end(said: Message) -> list[str]:
    """Where to look, if that is known, and the reference. A template is the operator's, what is filled in is quoted."""
    url = said.link.replace("|", "%7C").replace(">", "%3E").replace("<", "%3C").replace("&", "&amp;")
    return [*([f"<{url}|Where to look>"] if 0 < len(url) <= _LINK else []), escape(said.reference)]


def _header(title: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": cut(title, HEADER), "emoji": False}}


def _section(lines: Sequence[str], limit: int) -> dict[str, Any]:
    return {"type": "section", "text": _text("\n".join(lines) or "-", min(limit, SECTION))}


def _text(text: str, limit: int) -> dict[str, Any]:
    """Marked-up text, in which addresses and names of channels stay text."""
    return {"type": "mrkdwn", "text": cut(text, limit), "verbatim": True}
