"""An engine in the plainest words, iteration by iteration: what the fast one is compared with."""

from collections import deque
from dataclasses import dataclass
from math import ceil, inf


@dataclass
class Sequence:
    """A request that is served."""

    row: int
    at: float
    prompt: int
    wanted: int
    done: int = 0
    left: int = 0
    preemptions: int = 0
    first: float = inf
    completed: float = inf

    def context(self):
        return self.prompt + self.done


def serve_naively(traffic, settings, start, end):
    """Every request as a `Sequence`, in the order of the traffic, and the blocks in use before each iteration."""
    wanted = [max(min(w), 1) for w in zip(traffic.output_tokens, traffic.max_tokens, traffic.cancel_after, strict=True)]
    columns = zip(traffic.at.tolist(), traffic.prompt_tokens.tolist(), map(int, wanted), strict=True)
    requests = [Sequence(row, *values) for row, values in enumerate(columns)]
    coming, waiting, partial, decoding, blocks = deque(requests), deque(), [], [], []
    now = start

    def held(tokens):
        return ceil(tokens / settings.block_tokens)

    def needed():
        return sum(held(s.context()) for s in (*partial, *decoding))

    while now < end:
        while coming and coming[0].at <= now:
            waiting.append(coming.popleft())
        preempted = False
        while needed() > settings.kv_blocks:
            if not partial and len(decoding) == 1:
                decoding.pop().completed = now
                break
            last = (partial or decoding).pop()
            last.preemptions += 1
            waiting.appendleft(last)
            preempted = True
        budget = settings.max_num_batched_tokens - len(decoding)
        chunks = []
        for s in partial:
            chunks.append((s, min(s.left, budget)))
            budget -= chunks[-1][1]
        while waiting and not preempted and budget > 0 and len(partial) + len(decoding) < settings.max_num_seqs:
            s = waiting[0]
            if needed() + held(s.context()) > settings.kv_blocks:
                if partial or decoding:
                    break
                waiting.popleft().completed = now
                continue
            partial.append(waiting.popleft())
            s.left = s.context()
            chunks.append((s, min(s.left, budget)))
            budget -= chunks[-1][1]
        if not partial and not decoding:
            now = min(coming[0].at if coming else end, end)
            continue
        blocks.append(sum(held(s.context()) for s in partial) + sum(held(s.context() - 1) for s in decoding))
        now += seconds(settings.timing, decoding, chunks, len(partial))
        for s, chunk in chunks:
            s.left -= chunk
        for s in decoding:
            s.done += 1
        for s in [s for s in partial if not s.left]:
            partial.remove(s)
            decoding.append(s)
            s.first = min(s.first, now)
            s.done += 1
        for s in [s for s in decoding if s.done >= s.wanted]:
            decoding.remove(s)
            s.completed = now
    return requests, blocks


def seconds(timing, decoding, chunks, partial):
    """The time of an iteration, term by term as `Timing` says it."""
    tokens = len(decoding) + sum(chunk for _, chunk in chunks)
    linear = max(timing.weights_s, timing.token_s * tokens)
    kv = timing.kv_token_s * sum(s.context() - 1 for s in decoding)
    pairs = sum(chunk * (s.context() - s.left + chunk / 2) for s, chunk in chunks)
    sequences = timing.sequence_s * (len(decoding) + partial)
    return timing.slowdown * (timing.overhead_s + sequences + linear + kv + timing.pair_s * pairs)
