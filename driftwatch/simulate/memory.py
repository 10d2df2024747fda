"""The memory of one replica: who is in it, and the blocks of the paged KV cache that each holds.

A sequence that decodes is not touched from token to token. ``clock`` counts the tokens that one which decodes all along
would have got; one that joins at clock c with a context of k tokens has ``k - c + clock`` of them from then on, and
needs another block whenever that is a multiple of the block's size.

References
----------
.. [1] Kwon et al. (2023). Efficient memory management for large language model serving with PagedAttention. SOSP.
   Blocks, and preemption of the latest by recomputation (section 4.5).
"""

from __future__ import annotations

from math import ceil

from driftwatch.simulate.columns import Traffic
from driftwatch.simulate.prefixes import PrefixCache
from driftwatch.simulate.settings import Settings

# As slots: an object of so many attributes is slow to look into otherwise.
_ATTRIBUTES = """
prompt session history shared tenant luck done left offset credit hit
partial decoding clock offsets lucks used growers cache resident queried found settings blocks size gain
"""


class Memory:
    """The sequences that have blocks, and the blocks of finished ones that can be found again.

    Parameters
    ----------
    traffic
        The requests that may come.
    settings
        The engine's, to begin with.
    """

    __slots__ = tuple(_ATTRIBUTES.split())

    def __init__(self, traffic: Traffic, settings: Settings) -> None:
        n = len(traffic)
        self.prompt: list[int] = traffic.prompt_tokens.tolist()
        self.session: list[int] = traffic.session.tolist()
        self.history: list[int] = traffic.history_tokens.tolist()
        self.shared: list[int] = traffic.shared_tokens.tolist()
        self.tenant: list[int] = traffic.labels["tenant"].codes.tolist()
        self.luck: list[float] = traffic.luck.tolist()
        # of each request
        self.done = [0] * n  # tokens that it has got
        self.left = [0] * n  # prompt tokens still to be computed
        self.offset = [0] * n  # its context is offset + clock while it decodes
        self.credit = [0] * n  # blocks of its tenant's system prompt, which are counted once
        self.hit = [-1] * n  # tokens found when it was first admitted
        # of the engine
        self.partial: list[int] = []  # admitted, prompt not computed yet
        self.decoding: dict[int, None] = {}  # in order of admission
        self.clock, self.offsets, self.lucks = 0.0, 0, 0.0
        self.used = 0
        # sequences by the clock (modulo a block) at which they need a block
        self.growers = [0] * settings.block_tokens
        self.cache = PrefixCache()
        self.resident: dict[int, int] = {}  # blocks of each tenant's system prompt, once one of its requests was here
        self.queried = self.found = 0
        self.settings = settings
        self.resize(settings)

    def resize(self, settings: Settings) -> None:
        """Go on with other settings; after a restart nothing is found again."""
        if settings.restarts != self.settings.restarts:
            self.cache.clear()
            self.used -= sum(self.resident.values())
            self.resident.clear()
        self.settings, self.blocks, self.size = settings, settings.kv_blocks, settings.block_tokens
        self.gain = settings.gain()

    def needed(self, clock: float) -> int:
        """Blocks that the decoding sequences will have asked for when the clock shows this."""
        first, size = int(self.clock), self.size
        if int(clock) == first + 1:
            return self.growers[(first + 1) % size]
        rounds, rest = divmod(int(clock) - first, size)
        begin = (first + 1) % size
        more = sum(self.growers[begin : begin + rest]) + sum(self.growers[: max(begin + rest - size, 0)])
        return more + rounds * len(self.decoding)

    def fits(self, steps: int) -> bool:
        """Whether so many iterations fit, seen at a glance where there is plenty of room."""
        free = self.blocks - self.used
        most = (int(steps * self.gain / self.size) + 1) * len(self.decoding)
        return most <= free or self.needed(self.clock + steps * self.gain) <= free

    def grow(self, clock: float) -> None:
        """Decode until the clock shows this; what was kept gives way."""
        self.used += self.needed(clock)
        if self.cache.blocks > self.blocks - self.used:
            self.cache.shrink(self.blocks - self.used)
        self.clock = clock

    def admit(self, i: int, room: int) -> bool:
        """Give a request its blocks, if they fit into ``room``."""
        size, context = self.size, self.prompt[i] + self.done[i]
        finds = self.settings.prefix_caching and _drawn(self.session[i]) < self.settings.prefix_found
        common = self.shared[i] // size if finds else 0
        extra = 0 if not common or self.tenant[i] in self.resident else common
        blocks = -(-context // size) - common
        if self.used + blocks + extra > room:
            return False
        hit = 0
        if finds:
            kept = self.cache.take(self.session[i]) * size
            known = context if self.done[i] else self.history[i]
            hit = min(kept, known, context - 1) // size * size
            hit = max(hit, 0 if extra else common * size)
            self.resident.setdefault(self.tenant[i], common)
        self.queried += context if self.settings.prefix_caching else 0
        self.found += hit
        self.used += blocks + extra
        if self.cache.blocks > self.blocks - self.used:
            self.cache.shrink(self.blocks - self.used)
        self.credit[i], self.left[i] = common, context - hit
        if self.hit[i] < 0:
            self.hit[i] = hit
        self.partial.append(i)
        return True

    def begin(self, i: int) -> None:
        """An admitted request, no longer in ``partial``, has its first token of this stay and decodes from now on."""
        self.offset[i] = self.prompt[i] + self.done[i] - int(self.clock)
        self.done[i] += 1
        self.offsets += self.offset[i]
        self.lucks += self.luck[i]
        self.growers[(1 - self.offset[i]) % self.size] += 1
        self.decoding[i] = None

    def got(self, i: int) -> int:
        """Tokens of a decoding sequence; the newest has no keys and values yet."""
        return self.offset[i] + int(self.clock) - self.prompt[i] + 1

    def evict(self) -> int:
        """Take the latest out and say which it was; what it has got stays known."""
        if self.partial:
            i = self.partial.pop()
            self.used -= ceil((self.prompt[i] + self.done[i]) / self.size) - self.credit[i]
        else:
            i = next(reversed(self.decoding))
            self.done[i] = self.got(i)
            self.drop(i)
        return i

    def drop(self, i: int) -> None:
        """Take a decoding sequence out, and leave what was computed where its conversation's next turn can find it."""
        blocks = -(-(self.offset[i] + int(self.clock)) // self.size)
        del self.decoding[i]
        self.offsets -= self.offset[i]
        self.lucks -= self.luck[i]
        self.growers[(1 - self.offset[i]) % self.size] -= 1
        self.used -= blocks - self.credit[i]
        if self.settings.prefix_caching:
            self.cache.keep(self.session[i], blocks)
            if self.cache.blocks > self.blocks - self.used:
                self.cache.shrink(max(self.blocks - self.used, 0))


def _drawn(session: int) -> float:
    """A fixed number in [0, 1) for each conversation."""
    return (session * 2_654_435_761 & 0xFFFFFFFF) / 2**32
