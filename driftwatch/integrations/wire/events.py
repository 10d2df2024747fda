"""Server-sent events out of a stream of bytes, however it was cut into pieces.

Follows "Server-sent events" of the HTML standard (section 9.2.6): lines end with CR, LF or both, a blank line ends an
event, the data of an event is its ``data`` lines joined by LF. Only the data is of interest here.
"""

from __future__ import annotations

LIMIT = 1 << 20
"""Bytes of one event that are held; a longer one is dropped, and counted."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventStream:
    r"""Cuts one stream into the data of its events.

    Attributes
    ----------
    oversized
        Events that were dropped because they were longer than the limit.

    Examples
    --------
    >>> stream = EventStream()
    >>> stream.feed(b"data: a\n"), stream.feed(b"\ndata: b\n\nda"), stream.feed(b"ta:c\r\n\r\n")
    ([], [b'a', b'b'], [b'c'])
    """

    __slots__ = ("_began", "_held", "_losing", "limit", "oversized")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit, self.oversized = limit, 0
        self._held: list[bytes] = []
        self._began = self._losing = False

    @property
    def idle(self) -> bool:
        """Whether the next byte begins an event."""
        return not self._held and not self._losing

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes; returns the data of the events that they complete."""
        if not self._held and not self._losing and _is_one_event(piece):
            self._began = True
            return [piece[6:-2]]
        self._held.append(piece)
        if self._began and b"\n" not in piece and b"\r" not in piece:
            return self._bounded([])
        held = b"".join(self._held)
        if not self._began:
            if len(held) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(held):
                return []
            held, self._began = held.removeprefix(_BYTE_ORDER_MARK), True
        return self._bounded(self._cut(held))

    def _cut(self, held: bytes) -> list[bytes]:
        """The events that have ended; what follows them is kept."""
        unsure = held.endswith(b"\r")  # an LF that belongs to it may follow
        lines = held[: len(held) - unsure].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *events, rest = lines.split(b"\n\n")
        if self._losing and events:
            self._losing, events = False, events[1:]
        self._held = [part for part in (rest, b"\r" * unsure) if part]
        return [data for event in events if (data := _data_of(event)) is not None]

    def _bounded(self, found: list[bytes]) -> list[bytes]:
        """Begin to lose an event that is too long; of one that is being lost only a line's end is kept."""
        if not self._losing and sum(map(len, self._held)) > self.limit:
            self._losing = True
            self.oversized += 1
        if self._losing:
            end = b"".join(self._held)[-2:]
            self._held = [part for part in (end[len(end.rstrip(b"\r\n")) :],) if part]
        return found


def _is_one_event(piece: bytes) -> bool:
    """Whether it is what most servers send: one whole event of one line."""
    end = len(piece) - 2
    return piece.find(b"\n") == end > 5 and piece[end + 1] == 10 and piece[:6] == b"data: " and b"\r" not in piece


def _data_of(event: bytes) -> bytes | None:
    """The data of an event; None for one without any, such as a comment that keeps the connection alive."""
    parts = [_value_of(line) for line in event.split(b"\n") if line == b"data" or line.startswith(b"data:")]
    return b"\n".join(parts) if parts else None


def _value_of(line: bytes) -> bytes:
    return line.partition(b":")[2].removeprefix(b" ")
