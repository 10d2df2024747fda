"""The prefix cache: blocks of requests that ended, kept until their place is needed, the oldest given up first."""

from __future__ import annotations

from collections import OrderedDict


class PrefixCache:
    """What conversations left behind, least recently used first.

    Examples
    --------
    >>> cache = PrefixCache()
    >>> cache.keep(1, 10); cache.keep(2, 5); cache.shrink(12)
    >>> cache.take(1), cache.take(2), cache.blocks
    (0, 5, 0)
    """

    __slots__ = ("blocks", "entries")

    def __init__(self) -> None:
        self.entries: OrderedDict[int, int] = OrderedDict()
        self.blocks = 0

    def keep(self, session: int, blocks: int) -> None:
        """Keep what a conversation's last turn computed."""
        self.blocks += blocks - self.entries.pop(session, 0)
        self.entries[session] = blocks

    def take(self, session: int) -> int:
        """Blocks of a conversation that are still there; they belong to the request now."""
        blocks = self.entries.pop(session, 0)
        self.blocks -= blocks
        return blocks

    def shrink(self, room: int) -> None:
        """Give up the oldest until the rest fits."""
        while self.blocks > room:
            self.blocks -= self.entries.popitem(last=False)[1]

    def clear(self) -> None:
        """Forget everything, as after a restart."""
        self.entries.clear()
        self.blocks = 0
