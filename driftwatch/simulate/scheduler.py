"""One replica: continuous batching over a paged KV cache, first come first served, preemption by recomputation.

Iterations between two things that happen (an arrival, an end, a full cache) are alike, so they are taken in one stretch
whose time and growth are sums in closed form: the cost is by request, not by token. By the clock of its `Memory`, a
sequence that joins at c with r tokens to go leaves at c + r.

References
----------
.. [1] Kwon et al. (2023). Efficient memory management for large language model serving with PagedAttention. SOSP.
   First come first served, preemption of the latest by recomputation (section 4.5).
.. [2] Agrawal et al. (2024). Taming throughput-latency tradeoff in LLM inference with Sarathi-Serve. OSDI. Chunks of
   prefill beside decoding under a budget of tokens (section 4).
"""

from __future__ import annotations

import heapq
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import fields
from math import ceil, inf, sqrt

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import ABORT, LENGTH, STOP, Outcomes, Steps, Traffic
from driftwatch.simulate.memory import Memory
from driftwatch.simulate.pace import Pace
from driftwatch.simulate.settings import Settings

Plan = Sequence[tuple[float, Settings]]
"""From when on which settings hold, the first from the beginning."""

# As slots: an object of so many attributes is slow to look into otherwise.
_ATTRIBUTES = """
at wanted cut traffic pace end plan change_at now stay scheduled first completed evicted crowd
cursor waiting ends log drafts base_s sequence_s weights_s token_s kv_s pair_s slowdown stuck
"""


class Replica(Memory):
    """One engine and what is waiting for it.

    Parameters
    ----------
    traffic
        The requests that the router sends here, in order of arrival.
    plan
        Settings over time.
    pace
        How its speed varies by itself.
    end
        When to stop; what runs then stays unfinished.
    """

    __slots__ = tuple(_ATTRIBUTES.split())

    def __init__(self, traffic: Traffic, plan: Plan, pace: Pace, end: float) -> None:
        begin, settings = plan[0]
        super().__init__(traffic, settings)
        n = len(traffic)
        self.at: list[float] = [*traffic.at.tolist(), inf]
        self.cut = np.minimum(traffic.max_tokens, traffic.cancel_after)
        self.wanted: list[int] = np.maximum(np.minimum(traffic.output_tokens, self.cut), 1).tolist()
        self.traffic, self.pace, self.end = traffic, pace, end
        self.plan = [*plan[1:], (inf, settings)]
        self.change_at = min(self.plan[0][0], end)
        self.now = float(begin)
        # of each request
        self.stay = [0] * n  # how often it has left: an end foreseen in an earlier stay is void
        self.scheduled, self.first, self.completed = [inf] * n, [inf] * n, [inf] * n
        self.evicted, self.crowd = [0] * n, [0] * n
        # of the engine
        self.cursor = 0
        self.waiting: deque[int] = deque()
        self.ends: list[tuple[float, int, int]] = []
        self.log = array("d")  # rows of `Steps`, one after the other
        self._use(settings)

    def run(self) -> tuple[Outcomes, Steps]:
        """Serve everything, and say what became of it and what was done."""
        while self.now < self.end:
            while self.now >= self.change_at:
                self._use(self.plan.pop(0)[1])
                self.change_at = min(self.plan[0][0], self.end)
            if self.at[self.cursor] <= self.now:
                self._arrive()
            preempted = self._make_room()
            queried, found = self.queried, self.found
            chunk, pairs = (0, 0.0) if preempted else self._prefill()
            looked = (float(preempted), float(self.queried - queried), float(self.found - found))
            if chunk or self.decoding:
                self._iterate(chunk, pairs, looked)
            elif not self._idle(looked):
                break
        return self._outcomes(), self._steps()

    def _use(self, settings: Settings) -> None:
        timing = settings.timing
        self.resize(settings)
        self.drafts = settings.draft_tokens
        self.base_s = timing.overhead_s + timing.draft_s * settings.draft_tokens
        self.sequence_s, self.weights_s, self.token_s = timing.sequence_s, timing.weights_s, timing.token_s
        self.kv_s, self.pair_s, self.slowdown = timing.kv_token_s, timing.pair_s, timing.slowdown
        self.stuck = settings.stuck_tokens

    def _arrive(self) -> None:
        while self.at[self.cursor] <= self.now:
            self.waiting.append(self.cursor)
            self.cursor += 1

    def _idle(self, looked: tuple[float, float, float]) -> bool:
        """Wait for the next arrival or change; False when nothing comes any more."""
        until = min(self.at[self.cursor], self.change_at, self.end)
        if until == inf or until <= self.now:
            return False
        used, waiting = self.used, len(self.waiting)
        self.log.extend((self.now, until - self.now, 0.0, 0.0, 0.0, waiting, used, used, *(0.0,) * 5, *looked))
        self.now = until
        return True

    def _make_room(self) -> int:
        """Preempt the latest until all others can take one step; say how many had to go."""
        preempted = 0
        while not self.fits(1) and (self.partial or self.decoding):
            if not self.partial and len(self.decoding) == 1:
                i = next(iter(self.decoding))  # alone and still too long: it ends here
                self.done[i] = self.got(i)
                self._leave(i)
            else:
                i = self.evict()
                self.stay[i] += 1
                self.evicted[i] += 1
                self.waiting.appendleft(i)
                preempted += 1
        return preempted

    def _prefill(self) -> tuple[int, float]:
        """Choose the prompt tokens of the next iteration; how many, and the pairs of tokens that attention sees."""
        waiting, partial = self.waiting, self.partial
        if not waiting and not partial:
            return 0, 0.0
        settings = self.settings
        budget = max(settings.max_num_batched_tokens - len(self.decoding) * (1 + self.drafts) - self.stuck, 0)
        tokens, pairs = 0, 0.0
        for i in partial:
            chunk = min(self.left[i], budget - tokens)
            pairs += self._pairs(i, chunk)
            self.left[i] -= chunk
            tokens += chunk
        room = self.blocks - self.needed(self.clock + self.gain)  # those that decode come first
        while waiting and tokens < budget and len(self.decoding) + len(partial) < settings.max_num_seqs:
            i = waiting[0]
            if self.now - self.at[i] > settings.timeout_s and not self.done[i]:
                self.completed[i] = self.now
                waiting.popleft()
                continue
            if not self.admit(i, room):
                if self.decoding or partial:
                    break
                self.completed[i] = self.now  # it would not fit into an empty engine either
                waiting.popleft()
                continue
            waiting.popleft()
            if self.scheduled[i] == inf:
                self.scheduled[i], self.crowd[i] = self.now, len(self.decoding) + len(partial)
            chunk = min(self.left[i], budget - tokens)
            pairs += self._pairs(i, chunk)
            self.left[i] -= chunk
            tokens += chunk
        return tokens, pairs

    def _pairs(self, i: int, chunk: int) -> float:
        return chunk * (self.prompt[i] + self.done[i] - self.left[i] + chunk / 2)

    def _iterate(self, chunk: int, pairs: float, looked: tuple[float, float, float]) -> None:
        """One iteration with prefill, or as many alike ones without as nothing interrupts."""
        n, start, used = len(self.decoding), self.now, self.used
        tokens = n * (1 + self.drafts) + chunk + self.stuck
        linear_s = max(self.weights_s, self.token_s * tokens)
        kv_tokens = self.offsets + n * self.clock
        factor = self.slowdown * self.pace.factor(start)
        each_s = self.base_s + self.sequence_s * (n + len(self.partial)) + linear_s + self.kv_s * kv_tokens
        each_s = factor * (each_s + self.pair_s * pairs)
        grow_s = factor * self.kv_s * n * self.gain
        steps = 1 if chunk else self._stretch(each_s, grow_s)
        duration = each_s * steps + grow_s * steps * (steps - 1) / 2 + self.pace.pause(start)
        self.grow(self.clock + steps * self.gain)
        self.now = start + duration
        drafted = float(n * steps * self.drafts)
        made = steps * self.gain * (self.lucks if self.drafts else n)
        joined = self._join() if self.partial else 0
        running = n + len(self.partial) + joined
        accepted = min(max(made - n * steps, 0.0), drafted)  # bad luck takes none back, good luck finds no more
        did = (kv_tokens, chunk + self.stuck * steps, made + joined, drafted, accepted, *looked)
        self.log.extend((start, duration, steps, n, running, len(self.waiting), used, self.used, *did))
        self._finish()

    def _stretch(self, each_s: float, grow_s: float) -> int:
        """Iterations until something happens: an end, an arrival that can be admitted, a change, a full cache."""
        steps = ceil((self.ends[0][0] - self.clock) / self.gain - 1e-9)
        until = self.change_at if self.waiting else min(self.at[self.cursor], self.change_at)
        gap = until - self.now
        if gap < each_s * steps + grow_s * steps * (steps - 1) / 2:
            half = grow_s / 2
            linear = each_s - half
            root = gap / linear if half == 0 else (sqrt(linear * linear + 4 * half * gap) - linear) / (2 * half)
            steps = min(steps, ceil(root))
        steps = max(steps, 1)
        return steps if self.fits(steps) else self._fitting(steps)

    def _fitting(self, steps: int) -> int:
        """Most iterations whose growth fits, by bisection; the first one is known to."""
        low, high = 1, steps
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.fits(middle) else (low, middle)
        return low

    def _join(self) -> int:
        """Those whose prompt is computed get their first token and decode from now on; how many."""
        ready = [i for i in self.partial if not self.left[i]]
        if not ready:
            return 0
        self.partial = [i for i in self.partial if self.left[i]]
        for i in ready:
            if self.first[i] == inf:
                self.first[i] = self.now
            self.begin(i)
            go = self.wanted[i] - self.done[i]
            end = self.clock + (go / self.luck[i] if self.drafts else go)
            heapq.heappush(self.ends, (end, i, self.stay[i]))
        return len(ready)

    def _finish(self) -> None:
        ends, clock = self.ends, self.clock + 1e-6
        while ends and ends[0][0] <= clock:
            _, i, stay = heapq.heappop(ends)
            if stay == self.stay[i]:
                self.done[i] = self.wanted[i]
                self._leave(i)

    def _leave(self, i: int) -> None:
        """An answer has ended."""
        self.drop(i)
        self.completed[i] = self.now
        self.stay[i] += 1

    def _outcomes(self) -> Outcomes:
        for i in self.decoding:
            self.done[i] = self.got(i)
        done, traffic = np.array(self.done, np.int64), self.traffic
        completed, first = _known(self.completed), _known(self.first)
        finish = np.where(done < self.cut, np.where(done < self.wanted, LENGTH, STOP), LENGTH)
        finish = np.where((done >= traffic.cancel_after) | np.isnan(first), ABORT, finish)
        return Outcomes(
            replica=np.zeros(len(traffic), np.int64),
            scheduled_at=_known(self.scheduled),
            first_token_at=first,
            completed_at=completed,
            generated=done,
            cached_tokens=np.maximum(np.array(self.hit, np.int64), 0),
            preemptions=np.array(self.evicted, np.int64),
            finish=np.where(np.isnan(completed), -1, finish),
            running=np.array(self.crowd, np.int64),
        )

    def _steps(self) -> Steps:
        columns = np.array(self.log).reshape(-1, len(fields(Steps)))
        return Steps(*(np.ascontiguousarray(column) for column in columns.T))


def _known(times: list[float]) -> Floats:
    """NaN instead of never."""
    known = np.array(times, np.float64)
    known[np.isinf(known)] = np.nan
    return known
