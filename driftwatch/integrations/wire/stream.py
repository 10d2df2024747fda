r"""One streamed answer, piece by piece, as cheaply as it can be looked at while it leaves."""

from __future__ import annotations

import re

from driftwatch.integrations.wire.answer import Answer
from driftwatch.integrations.wire.events import EventStream

_TEXT = b'"content":"'
_GOES_ON = b'"finish_reason":null'
_DONE = b"data: [DONE]\n\n"
_NAMED = re.compile(
    rb'data: \{"id":"([!#-\[\]-~]{1,200})","object":"[!#-\[\]-~]*","created":\d+,"model":"([!#-\[\]-~]{1,200})",'
)  # how every event of most servers begins; no quote or backslash is within, so that it says what it would when parsed
_QUOTE, _NEWLINE = b'"'[0], b"\n"
_MOST_PIECES, _MOST_BYTES = 64, 1 << 16


class Stream:
    r"""Reads the bytes of a stream into an answer.

    Most pieces of a stream are one event each and differ in their text alone: what comes before and after it is learnt
    from the first of them, and pieces of that shape are counted without being parsed. A quote within a JSON string has
    a backslash before it, so nothing that a model says can look like the shape. The others wait, with their times, to
    be parsed together: at the end, or when there are many; the first is looked at then for whose answer it is.

    Parameters
    ----------
    answer
        Where what is found goes.

    Examples
    --------
    >>> answer = Answer()
    >>> stream = Stream(answer)
    >>> for word in (b"One", b" two", b" three"):
    ...     stream.take(b'data: {"choices":[{"delta":{"content":"%s"},"finish_reason":null}]}\n\n' % word, 1.0)
    >>> stream.look()
    >>> answer.chunks
    3
    """

    __slots__ = ("_after", "_before", "_begins", "_events", "_size", "_waiting", "answer")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._before = self._after = b""
        self._waiting: list[tuple[bytes, float | None]] = []
        self._size, self._begins = 0, True
        self._events = EventStream()

    def take(self, piece: bytes, at: float) -> None:
        """Take the next bytes, which came at this time."""
        before = self._before
        if (
            before
            and self._begins
            and piece.startswith(before)
            and piece.endswith(self._after)
            and piece[len(before)] != _QUOTE
            and piece.find(_NEWLINE) == len(piece) - 2
        ):
            answer = self.answer
            answer.chunks += 1
            answer.last_at = at
            return
        if piece and not (self._begins and (piece == _DONE or self._learns(piece, at))):
            self._wait(piece, at)

    def look(self) -> None:
        """Parse what waits."""
        for piece, at in self._waiting:
            if at is None:
                self._name(piece)
                continue
            for data in self._events.feed(piece):
                self.answer.event(data, at)
        self._waiting, self._size = [], 0

    def _name(self, piece: bytes) -> None:
        """Whose answer it is, by the event that was counted first, where none before it has said so."""
        answer = self.answer
        if answer.id is not None and answer.model is not None:
            return
        if (found := _NAMED.match(piece)) is not None:
            answer.id, answer.model = answer.id or found[1].decode(), answer.model or found[2].decode()
            return
        for data in EventStream().feed(piece):
            answer.names(data)

    def _wait(self, piece: bytes, at: float) -> None:
        self._begins = piece.endswith(b"\n\n")  # whatever it is, the next piece begins an event
        self._waiting.append((piece, at))
        self._size += len(piece)
        if len(self._waiting) >= _MOST_PIECES or self._size >= _MOST_BYTES:
            self.look()

    def _learns(self, piece: bytes, at: float) -> bool:
        """Whether this is the first whole event with text that ends nothing; its shape is kept, and it is counted."""
        if self._before or self.answer.keep_text:
            return False
        begin, end = piece.find(_TEXT) + len(_TEXT), piece.rfind(_GOES_ON)
        is_one_event = piece.startswith(b"data: {") and piece.find(_NEWLINE) == len(piece) - 2 and b"\r" not in piece
        if not is_one_event or piece[-1] != _NEWLINE[0] or not len(_TEXT) <= begin < end or piece[begin] == _QUOTE:
            return False
        self._before, self._after = piece[:begin], piece[end:]
        self._waiting.append((piece, None))
        self.answer.said((), at)
        return True
