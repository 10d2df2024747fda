"""One streamed answer, piece by piece, as cheaply as it can be looked at while it leaves."""

from __future__ import annotations

from driftwatch.integrations.wire.answer import Answer
from driftwatch.integrations.wire.events import EventStream

_TEXT = b'"content":"'
_GOES_ON = b'"finish_reason":null'
_DONE = b"data: [DONE]\n\n"
_QUOTE, _NEWLINE = b'"'[0], b"\n"


class Stream:
    r"""Reads the bytes of a stream into an answer.

    Most pieces of a stream are one event each and differ in their text alone: what comes before and after it is learnt
    from the first of them, and pieces of that shape are counted without being parsed. A quote within a JSON string has
    a backslash before it, so nothing that a model says can look like the shape.

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
    >>> answer.chunks
    3
    """

    __slots__ = ("_after", "_before", "answer", "events")

    def __init__(self, answer: Answer) -> None:
        self.answer, self.events = answer, EventStream()
        self._before = self._after = b""

    def take(self, piece: bytes, at: float) -> None:
        """Take the next bytes, which came at this time."""
        before = self._before
        if (
            before
            and piece.startswith(before)
            and piece.endswith(self._after)
            and piece[len(before)] != _QUOTE
            and piece.find(_NEWLINE) == len(piece) - 2
            and self.events.idle
        ):
            answer = self.answer
            answer.chunks += 1
            answer.last_at = at
            return
        if not piece or (piece == _DONE and self.events.idle):
            return
        for data in self.events.feed(piece):
            self.answer.event(data, at)
        if not before and self.answer.chunks and not self.answer.keep_text:
            self._learn(piece)

    def _learn(self, piece: bytes) -> None:
        """The shape of this piece, if it is one whole event with text that ends nothing."""
        begin, end = piece.find(_TEXT), piece.rfind(_GOES_ON)
        if piece.startswith(b"data: {") and 0 < begin < end and piece.endswith(b"}\n\n") and piece.count(_NEWLINE) == 2:
            self._before, self._after = piece[: begin + len(_TEXT)], piece[end:]
