"""Slack by a bot's token: what follows goes into the thread of the first message, and a picture with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from driftwatch.errors import DeliveryError, DriftwatchError
from driftwatch.sinks.facts import encoded
from driftwatch.sinks.picture import described, picture
from driftwatch.sinks.protocol import HttpSink, Letter, Memory
from driftwatch.sinks.secret import Secret
from driftwatch.sinks.slack import posted
from driftwatch.sinks.wire import Egress, Request, Response, post

_LOG = logging.getLogger("driftwatch.sinks")
_PICTURE_S = 5.0  # for each of three requests: with the message they must end before somebody else takes the letter up
# https://docs.slack.dev/reference/methods/chat.postMessage#errors: what is wrong with the message itself
_REFUSED = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_too_long",
        "msg_blocks_too_long",
        "no_text",
        "too_many_attachments",
    }
)
_BUSY = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable"})


class SlackApp(HttpSink):
    """Posts as a bot: one thread for an incident; its end is also shown in the channel.

    Parameters
    ----------
    token
        Of the bot, ``xoxb-...``, with the scopes ``chat:write`` and, for pictures, ``files:write``; or a reference.
    channel
        Its id, such as ``C0123456789``; the bot must be a member.
    name
        In the outbox, in metrics and in logs.
    pictures
        Upload a chart with the first message (needs the extra ``report``). If that fails, the message is there anyway.
    link
        Template of where to look, see the docs.
    url
        Of the Web API.
    egress
        What may be reached.
    """

    every = False

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        name: str = "slackapp",
        pictures: bool = True,
        link: str = "",
        url: str = "https://slack.com/api",
        egress: Egress | None = None,
    ) -> None:
        super().__init__(name, egress or Egress())
        self._token, self._channel, self._pictures = Secret(token), channel, pictures
        self._link, self._url = link, url.rstrip("/")
        self.egress.check(url)

    def request(self, letters: Sequence[Letter], now: datetime) -> Request:
        """The message, in the thread of the incident if it has one."""
        letter = letters[0]
        thread = letter.memory.get("thread")
        over = letter.incident.status == "resolved"
        place = {"thread_ts": thread, "reply_broadcast": over} if thread else {}
        options = {"channel": self._channel, "unfurl_links": False, "unfurl_media": False}
        return self._call("chat.postMessage", encoded(options | place | posted([letter], self._link)))

    def learn(self, letters: Sequence[Letter], response: Response) -> list[Memory]:
        """The thread."""
        told = _checked(response)
        thread = letters[0].memory.get("thread") or str(told.get("ts", ""))
        return [{"thread": thread, "channel": str(told.get("channel", self._channel))}]

    def send(self, letters: Sequence[Letter], now: datetime) -> list[Memory]:
        """Post, and then upload the picture to what was posted."""
        memories = super().send(letters, now)
        if self._pictures and not letters[0].memory.get("thread"):
            try:
                self._upload(letters[0], memories[0])
            except DriftwatchError as error:  # the message is there, which is what counts
                _LOG.warning("%s: no picture: %s", self.name, error)
        return memories

    def _upload(self, letter: Letter, memory: Memory) -> None:
        """A chart, as https://docs.slack.dev/messaging/working-with-files describes it."""
        drawn = picture(letter.incident)
        if not drawn:
            return
        named = {
            "filename": f"{letter.incident.id}.png",
            "length": str(len(drawn)),
            "alt_txt": described(letter.incident),
        }
        quick = replace(self.egress, deadline_s=min(self.egress.deadline_s, _PICTURE_S))
        place = _checked(post(self._form("files.getUploadURLExternal", named), quick))
        post(Request(str(place["upload_url"]), drawn, {"Content-Type": "application/octet-stream"}), quick)
        shared = {"files": [{"id": place["file_id"]}], "channel_id": memory["channel"], "thread_ts": memory["thread"]}
        _checked(post(self._call("files.completeUploadExternal", encoded(shared)), quick))

    def _call(self, method: str, body: bytes, kind: str = "application/json; charset=utf-8") -> Request:
        token = self._token.reveal()
        headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
        return Request(f"{self._url}/{method}", body, headers, hide=(token,))

    def _form(self, method: str, values: Mapping[str, str]) -> Request:
        return self._call(method, urlencode(values).encode(), "application/x-www-form-urlencoded")


def _checked(response: Response) -> dict[str, Any]:
    """What the Web API answered; it says 200 to everything and what it means in the body.

    Raises
    ------
    DeliveryError
        If it did not do it.
    """
    try:
        told = json.loads(response.body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise DeliveryError("server", "Slack did not answer in JSON")
    if told.get("ok") is True:
        return told
    error = str(told.get("error", "unknown"))[:60]
    if error in _REFUSED:
        raise DeliveryError("refused", f"Slack says {error}", retry=False)
    raise DeliveryError("throttled" if error in _BUSY else "setup", f"Slack says {error}")
