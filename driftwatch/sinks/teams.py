"""Microsoft Teams by a workflow's webhook: an Adaptive Card for one incident, or a digest of several."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from driftwatch.sinks.facts import encoded, size
from driftwatch.sinks.message import Message, cut, digest, message
from driftwatch.sinks.protocol import HttpSink, Letter
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.wire import Egress, Request

# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook: 28 KB; some
# senders saw refusals from 21 kB on, so we stay below that.
MESSAGE_BYTES = 20_000
_LINK = 1500
_COLOURS = {"critical": "Attention", "warning": "Warning", "info": "Accent"}


class Teams(HttpSink):
    """Posts to the channel or chat of a workflow ("When a Teams webhook request is received").

    Parameters
    ----------
    url
        Of the workflow, which is a secret as a whole; or a reference to it, ``env:NAME`` or ``file:PATH``.
    name
        In the outbox, in metrics and in logs.
    link
        Template of where to look, see the docs.
    egress
        What may be reached.
    """

    most = 10
    every = False

    def __init__(self, url: str, *, name: str = "teams", link: str = "", egress: Egress | None = None) -> None:
        super().__init__(name, egress or Egress())
        self._url, self._link = Secret(url), link
        if not self._url.reference:
            self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """One card."""
        said = [message(letter.incident, self._link) for letter in letters]
        title = said[0].title if len(said) == 1 else digest([letter.incident for letter in letters])
        card = _fitting(title, said)
        return Request(self._url.reveal(), encoded(card), {"Content-Type": "application/json"})


def _fitting(title: str, said: Sequence[Message]) -> dict[str, Any]:
    """The card with as much as fits: what stands last goes first."""
    body = [*_body(said[0])] if len(said) == 1 else [part for one in said for part in _short(one)]
    card = _card(title, said, body)
    while size(card) > MESSAGE_BYTES and body:
        body.pop()
        card = _card(title, said, body)
    return card


def _card(title: str, said: Sequence[Message], body: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = said[0]
    colour = "Good" if all(one.over for one in said) else _COLOURS[first.severity]
    link = first.link if len(said) == 1 and len(first.link) <= _LINK else ""
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [_run((title, {"weight": "Bolder", "size": "Medium", "color": colour})), *body],
        "actions": [{"type": "Action.OpenUrl", "title": "Where to look", "url": link}] if link else [],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}


def _body(said: Message) -> list[dict[str, Any]]:
    facts = [_run((f"{label}: ", {"weight": "Bolder"}), (text, {})) for label, text in said.facts]
    steps = [_run((f"{n}. {step}", {})) for n, step in enumerate(said.steps, 1)]
    next_ = [_run(("Next", {"weight": "Bolder"})), *steps] if steps else []
    return [*facts, *next_, _run((said.reference, {"isSubtle": True}))]


def _short(said: Message) -> list[dict[str, Any]]:
    since = next((text for label, text in said.facts if label == "Since"), "")
    return [_run((said.title, {"weight": "Bolder"})), _run((cut(since, 120), {})), _run((said.reference, {}))]


def _run(*texts: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Text that is shown as it is: unlike a TextBlock, a run knows no markdown."""
    return {
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": cut(text, 500) or " ", **style} for text, style in texts],
    }
