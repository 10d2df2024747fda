r"""One streamed answer, piece by piece, as cheaply as it can be looked at while it leaves."""

from __future__ import annotations

from driftwatch.integrations.wire.answer import Answer
from driftwatch.integrations.wire.events import EventStream
from driftwatch.integrations.wire.usual import usual

_TEXT = b'"content":"'
_GOES_ON = b'"finish_reason":null'
_DONE = b"data: [DONE]\n\n"
_QUOTE, _NEWLINE = b'"'[0], b"\n"
_MOST_PIECES, _MOST_BYTES = 32, 1 << 16


class Stream:
    r"""Reads the bytes of a stream into an answer.

    Pieces wait, with their times, to be read together: at the end, or when there are many. Most of them are one event
    each and differ in their text alone: what comes before and after it is learnt from the first of them, and pieces of
    that shape are counted without being parsed. A quote within a JSON string has a backslash before it, so nothing that
    a model says can look like the shape.

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

    __slots__ = ("_after", "_before", "_events", "_first", "_midst", "_size", "_waiting", "answer")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._before = self._after = self._first = b""
        self._waiting: list[tuple[bytes, float]] = []
        self._size, self._midst = 0, False
        self._events: EventStream | None = None

    def take(self, piece: bytes, at: float) -> None:
        """Take the next bytes, which came at this time."""
        waiting = self._waiting
        waiting.append((piece, at))
        self._size += len(piece)
        if len(waiting) >= _MOST_PIECES or self._size >= _MOST_BYTES:
            self._read()

    def look(self) -> None:
        """Read what waits: there may be no more."""
        self._read()
        if self._first:
            self._name()

    def _read(self) -> None:
        """Count the pieces of the shape, and read the others."""
        answer, before, after, begin = self.answer, self._before, self._after, len(self._before)
        for piece, at in self._waiting:
            if self._midst:  # of an event
                self._parse(piece, at)
            elif (
                before
                and piece.startswith(before)
                and piece.endswith(after)
                and piece[begin] != _QUOTE
                and piece.find(_NEWLINE) == len(piece) - 2
            ):
                answer.chunks += 1
                answer.last_at = at
            elif piece and piece != _DONE:
                if not before and self._learns(piece, at):
                    before, after, begin = self._before, self._after, len(self._before)
                else:
                    self._other(piece, at)
        self._waiting, self._size = [], 0

    def _other(self, piece: bytes, at: float) -> None:
        """Read a piece that is not of the shape: only what is not as usual is parsed."""
        found = usual(piece)
        if self._first:
            if found is not None and self._first.startswith(piece[: found.end(2)]):
                self._first = b""  # this one says as well whose answer it is
            else:
                self._name()
        if found is None or self.answer.keep_text:
            self._parse(piece, at)
        else:
            self.answer.usual(found, at)

    def _parse(self, piece: bytes, at: float) -> None:
        if self._events is None:
            self._events = EventStream()
        for data in self._events.feed(piece):
            self.answer.event(data, at)
        self._midst = not self._events.idle

    def _name(self) -> None:
        """Whose answer it is, by the event that was counted first."""
        for data in EventStream().feed(self._first):
            self.answer.names(data)
        self._first = b""

    def _learns(self, piece: bytes, at: float) -> bool:
        """Whether this is the first whole event with text that ends nothing; its shape is kept, and it is counted."""
        if self.answer.keep_text:
            return False
        begin, end = piece.find(_TEXT) + len(_TEXT), piece.rfind(_GOES_ON)
        is_one_event = piece.startswith(b"data: {") and piece.find(_NEWLINE) == len(piece) - 2 and b"\r" not in piece
        if not is_one_event or piece[-1] != _NEWLINE[0] or not len(_TEXT) <= begin < end or piece[begin] == _QUOTE:
            return False
        self._before, self._after, self._first = piece[:begin], piece[end:], piece
        self.answer.said((), at)
        return True
