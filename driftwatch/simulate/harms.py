"""The parts that faults are made of: what happens to engines, to senders, and which answers are hit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import ABORT, Traffic
from driftwatch.simulate.service import Run, hashed
from driftwatch.simulate.settings import Settings
from driftwatch.simulate.workload import NEVER, Tenant

CUT = 2048
"""Tokens that are left of a prompt that is cut."""


def slowed(settings: Settings, amount: float) -> Settings:
    """All of an iteration takes longer."""
    return settings.slowed(1 + amount)


def hog(rate: float) -> Tenant:
    """A batch tenant with long contexts and long answers."""
    return Tenant("batch", rate, prompt_tokens=(5200, 0.25), output_tokens=(700, 0.3), max_model_len=8192)


def looping(traffic: Traffic, amount: Floats, fixed: Floats) -> Traffic:
    """A share of the answers never stops by itself, and speculation guesses its repetitions well."""
    loops = fixed < amount
    output = np.where(loops, NEVER, traffic.output_tokens)
    return replace(traffic, output_tokens=output, luck=np.where(loops, 1.4 * traffic.luck, traffic.luck))


def endless(traffic: Traffic, amount: Floats, fixed: Floats) -> Traffic:
    """A share of the answers runs to its limit."""
    return replace(traffic, output_tokens=np.where(fixed < amount, NEVER, traffic.output_tokens))


def terser(traffic: Traffic, amount: Floats, fixed: Floats) -> Traffic:
    """Answers become shorter by a factor."""
    return replace(traffic, output_tokens=np.maximum(np.rint(traffic.output_tokens / (1 + amount)), 1).astype(np.int64))


def truncated(traffic: Traffic, amount: Floats, fixed: Floats) -> Traffic:
    """Long prompts of a share of the requests lose their beginning without a word."""
    cut = (fixed < amount) & (traffic.prompt_tokens > CUT)
    prompt = np.where(cut, CUT, traffic.prompt_tokens)
    return replace(traffic, prompt_tokens=prompt, history_tokens=np.where(cut, 0, traffic.history_tokens))


def cancelled(traffic: Traffic, amount: Floats, fixed: Floats) -> Traffic:
    """Senders hang up on a share of the answers halfway."""
    after = np.maximum(traffic.output_tokens // 2, 1)
    return replace(traffic, cancel_after=np.where(fixed < amount, after, traffic.cancel_after))


def everyone(run: Run) -> Floats:
    """Each answer alike."""
    return np.ones(len(run.traffic))


def crowded(run: Run) -> Floats:
    """Only where many sequences ran at once."""
    busy = run.outcomes.running
    return np.asarray(busy >= np.quantile(busy, 0.7), np.float64)


def aging(run: Run) -> Floats:
    """More and more with the requests that a replica has served."""
    return np.clip((run.traffic.at - run.start) / (run.end - run.start), 0, 1)


def after_cancels(run: Run) -> Floats:
    """Where senders have just hung up on others."""
    at, ended = run.traffic.at, run.outcomes.completed_at
    aborts = np.sort(ended[run.outcomes.finish == ABORT])
    seen = np.searchsorted(aborts, at) - np.searchsorted(aborts, at - 30)
    return np.asarray(seen, np.float64)


def cached(run: Run) -> Floats:
    """Only with a prompt that was found in the prefix cache."""
    return np.asarray(run.outcomes.cached_tokens > 0, np.float64)


def chunked(run: Run) -> Floats:
    """Only with a prompt that is longer than a chunk of prefill."""
    return np.asarray(run.traffic.prompt_tokens > run.service.replicas[0].max_num_batched_tokens, np.float64)


def with_adapter(run: Run) -> Floats:
    """Only with the adapter that is mistaken for another."""
    return np.asarray(run.traffic.labels["adapter"].equals("legal"), np.float64)


def misrouted(run: Run) -> Floats:
    """Some conversations, all of their turns."""
    return np.asarray(hashed(run.traffic.session, 15) % 4 == 0, np.float64)


def preempted(run: Run) -> Floats:
    """Only what was preempted and computed again."""
    return np.asarray(run.outcomes.preemptions > 0, np.float64)


def unending(run: Run) -> Floats:
    """Only what does not stop by itself."""
    return np.asarray(run.traffic.output_tokens >= NEVER, np.float64)


def cut_short(run: Run) -> Floats:
    """Only with a prompt that was cut."""
    return np.asarray(run.traffic.prompt_tokens == CUT, np.float64)
