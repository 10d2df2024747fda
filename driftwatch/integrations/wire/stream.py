r"""One streamed answer, piece by piece, as cheaply as it can be looked at while it leaves."""

from __future__ import annotations

from driftwatch.integrations.wire.answer import Answer
from driftwatch.integrations.wire.events import EventStream
from driftwatch.integrations.wire.usual import usual

_TEXT = b'"content":"'
_GOES_ON = b'"finish_reason":null'
_DONE = b"data: [DONE]\n\n"
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

    __slots__ = ("_after", "_before", "_begins", "_events", "_length", "_size", "_waiting", "answer")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._before, self._after, self._length = b"", b"", 0
        self._waiting: list[tuple[bytes, float | None]] = []
        self._size, self._begins = 0, True
        self._events: EventStream | None = None

    def take(self, piece: bytes, at: float) -> None:
        """Take the next bytes, which came at this time."""
        before = self._before
        if (
            before
            and self._begins
            and piece.startswith(before)
            and piece.endswith(self._after)
            and piece[self._length] != _QUOTE
            and piece.find(_NEWLINE) == len(piece) - 2
        ):
            answer = self.answer
            answer.chunks += 1
            answer.last_at = at
            return
        if piece and not (self._begins and (piece == _DONE or (not before and self._learns(piece, at)))):
            self._begins = piece.endswith(b"\n\n")  # whatever it is, the next piece begins an event
            self._waiting.append((piece, at))
            self._size += len(piece)
            if len(self._waiting) >= _MOST_PIECES or self._size >= _MOST_BYTES:
                self.look()

    def look(self) -> None:
        """Read what waits; only what is not as usual is parsed."""
        first, events = b"", self._events
        for piece, at in self._waiting:
            if at is None:
                first = piece
                continue
            found = usual(piece) if events is None or events.idle else None
            if first:
                if found is None or not first.startswith(piece[: found.end(2)]):
                    self._name(first)
                first = b""
            if found is not None and not self.answer.keep_text:
                self.answer.usual(found, at)
                continue
            if events is None:
                events = self._events = EventStream()
            for data in events.feed(piece):
                self.answer.event(data, at)
        if first:
            self._name(first)
        self._waiting, self._size = [], 0

    def _name(self, piece: bytes) -> None:
        """Whose answer it is, by the event that was counted first, unless the next begins alike and says so, too."""
        for data in EventStream().feed(piece):
            self.answer.names(data)

    def _learns(self, piece: bytes, at: float) -> bool:
        """Whether this is the first whole event with text that ends nothing; its shape is kept, and it is counted."""
        if self.answer.keep_text:
            return False
        begin, end = piece.find(_TEXT) + len(_TEXT), piece.rfind(_GOES_ON)
        is_one_event = piece.startswith(b"data: {") and piece.find(_NEWLINE) == len(piece) - 2 and b"\r" not in piece
        if not is_one_event or piece[-1] != _NEWLINE[0] or not len(_TEXT) <= begin < end or piece[begin] == _QUOTE:
            return False
        self._before, self._after, self._length = piece[:begin], piece[end:], begin
        self._waiting.append((piece, None))
        self.answer.said((), at)
        return True
