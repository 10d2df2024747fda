"""A recording's requests through the simulated engine, and the fit of the few times that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.optimize import minimize

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Outcomes, Steps
from driftwatch.simulate.pace import STEP_S, Pace
from driftwatch.simulate.scheduler import Replica
from driftwatch.simulate.settings import Settings, Timing
from simulating.recorded import Recording, Seen

DRAIN_S = 600.0  # after the last arrival
ROUNDS = 2  # Nelder-Mead stalls; begun again where it ended, it goes on


@dataclass(frozen=True, slots=True)
class Times:
    """What is fitted, in seconds; the floor ``weights_s`` cannot be told from ``overhead_s`` and is 0.

    Parameters
    ----------
    overhead_s, sequence_s, token_s, kv_token_s
        As in `Timing`.
    network_s
        Time to first token that is spent outside the engine.
    """

    overhead_s: float
    sequence_s: float
    token_s: float
    kv_token_s: float
    network_s: float

    def timing(self, pairs: float) -> Timing:
        """The engine's; ``pairs`` is the cost of a pair of tokens in attention over that of a token."""
        return Timing(self.overhead_s, self.sequence_s, 0.0, self.token_s, self.kv_token_s, self.token_s * pairs)


@dataclass(frozen=True, slots=True)
class Engine:
    """A real engine's settings.

    Parameters
    ----------
    settings
        As it was started; the times are replaced by fitted ones.
    pairs
        Operations for a pair of tokens in attention over those for a token in the linear layers.
    """

    settings: Settings
    pairs: float

    def with_times(self, times: Times) -> Settings:
        """The same engine as fast as this."""
        return replace(self.settings, timing=times.timing(self.pairs))


def replayed(recording: Recording, engine: Engine, times: Times, slow: Floats | None = None) -> Seen:
    """Send the recording's requests to one simulated replica, and look when the scraper looked.

    Parameters
    ----------
    recording
        Whose requests; those of a chain are sent when the one before has ended.
    engine, times
        What serves them.
    slow
        How slow the machine was in each `STEP_S`, from the first second on; constant unless given.
    """
    start, end = begin(recording), float(recording.traffic.at[-1]) + DRAIN_S
    settings = engine.with_times(times)
    at = recording.traffic.at
    for _ in range(1 + int((recording.chain >= 0).sum())):
        pace = Pace(np.random.default_rng(0), start, end - start, 0.0)
        pace.slow = pace.slow if slow is None else slow.tolist()
        order = np.argsort(at, kind="stable")
        sent = replace(recording.traffic.take(order), at=at[order])
        outcomes, steps = Replica(sent, [(start, settings)], pace, end).run()
        outcomes = outcomes.take(np.argsort(order))
        chained = _chained(recording, at, outcomes.completed_at)
        if np.array_equal(chained, at):
            break
        at = chained
    return _seen(recording, at, outcomes, steps, settings.kv_blocks, times.network_s)


def begin(recording: Recording) -> float:
    """A second before anything was recorded."""
    return min(float(recording.traffic.at[0]), float(recording.seen.t[0])) - 1.0


def _chained(recording: Recording, at: Floats, ended: Floats) -> Floats:
    """When each request is sent, if the one before it in its chain ended then; never where it has not ended."""
    moved = at.copy()
    for chain in range(int(recording.chain.max(initial=-1)) + 1):
        rows = np.flatnonzero(recording.chain == chain)
        real = recording.traffic.at[rows] + recording.seen.latency[rows]
        pause = recording.traffic.at[rows[1:]] - real[:-1]
        moved[rows[1:]] = np.nan_to_num(ended[rows[:-1]], nan=at[-1]) + pause
    return moved


def slowness(recording: Recording, engine: Engine, times: Times) -> Floats:
    """How slow the machine was in each `STEP_S` by the engine's own counters: over the time its work should take.

    Nothing of it knows what waits or who is served: it is the machine's speed, which the neighbours of a virtual
    machine change.
    """
    counted, settings = recording.counted, engine.settings
    kv_tokens = counted.kv * settings.kv_blocks * settings.block_tokens
    again = counted.preempted * kv_tokens / np.maximum(counted.sequences, 1)  # the engine does not count these tokens
    due = times.overhead_s + times.sequence_s * counted.sequences + times.token_s * (counted.tokens + again)
    ratio = np.log(counted.iteration_s / (due + times.kv_token_s * kv_tokens))
    t = begin(recording) + STEP_S * (np.arange(int(np.ptp(counted.t) / STEP_S) + 2) + 0.5)
    near = np.exp(-0.5 * ((t[:, None] - counted.t) / STEP_S) ** 2)
    return np.asarray(np.exp(near @ ratio / near.sum(1)))


def _seen(recording: Recording, at: Floats, outcomes: Outcomes, steps: Steps, blocks: int, network_s: float) -> Seen:
    t = recording.seen.t
    gaps = outcomes.generated - 1
    spent = outcomes.completed_at - outcomes.first_token_at
    row = np.clip(np.searchsorted(steps.start, t, "right") - 1, 0, len(steps) - 1)
    inside = np.clip((t - steps.start[row]) / steps.duration[row], 0.0, 1.0)
    used = steps.blocks[row] + inside * (steps.blocks_after - steps.blocks)[row]
    return Seen(
        ttft=outcomes.first_token_at - at + network_s,
        itl=np.where(gaps > 0, spent / np.maximum(gaps, 1), np.nan),
        latency=outcomes.completed_at - at + network_s,
        t=t,
        kv=used / blocks,
        running=steps.running[row],
        waiting=steps.waiting[row],
        preempted=np.cumsum(steps.preempted)[row],
    )


def fitted(recording: Recording, engine: Engine, guess: Times, slow: Floats | None = None) -> Times:
    """The times that bring TTFT and gaps nearest to the recorded ones, request by request.

    The mean absolute logarithm of simulated over recorded: requests far off count no more than their distance.
    """

    def miss(logs: Floats) -> float:
        return distance(recording.seen, replayed(recording, engine, Times(*np.exp(logs).tolist()), slow))

    return Times(*np.exp(_lowest(miss, np.log(list(asdict(guess).values())))).tolist())


def distance(real: Seen, simulated: Seen) -> float:
    """Mean absolute logarithm of simulated over recorded TTFT and gaps, request by request."""
    parts = [np.abs(np.log(simulated.ttft / real.ttft)), np.abs(np.log(simulated.itl / real.itl))]
    return float(sum(np.nanmean(part[np.isfinite(part)]) for part in parts))


def _lowest(miss: Callable[[Floats], float], begin: Floats) -> Floats:
    for _ in range(ROUNDS):
        simplex = np.vstack([begin, begin + 0.4 * np.eye(len(begin))])
        options = {"initial_simplex": simplex, "maxfev": 160, "xatol": 0.01, "fatol": 1e-4}
        begin = minimize(miss, begin, method="Nelder-Mead", options=options).x
    return begin
