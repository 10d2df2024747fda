"""Synthetic requests for tests of the whole path: bursty, autocorrelated, heavy-tailed, with a fault where asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftwatch.events.columns import Coded, Requests, requests_of

START = 1_800_000_000.0


def traffic(
    seed: int,
    ticks: int = 240,
    *,
    rate: float = 4.0,
    slower: float | np.ndarray[tuple[int], np.dtype[np.float64]] = 1.0,
    since: int | None = None,
    longer_prompts: float = 1.0,
    cut_share: float = 0.1,
    cut_share_since: float | None = None,
) -> Requests:
    """Requests of one stream with two tenants.

    Parameters
    ----------
    ticks
        Length in ticks of 5 s.
    slower, longer_prompts, cut_share_since
        What is different from tick ``since`` on; ``slower`` may be given for each tick.
    """
    rng = np.random.default_rng(seed)
    tick = np.repeat(np.arange(ticks), rng.poisson(rate * 5.0, ticks))
    n = len(tick)
    changed = tick >= since if since is not None else np.zeros(n, np.bool_)
    shared = np.zeros(ticks)
    for k in range(1, ticks):
        shared[k] = 0.6 * shared[k - 1] + rng.normal(0.0, 0.06)
    prompt = np.rint(np.exp(rng.normal(5.5, 0.6, n)) * np.where(changed, longer_prompts, 1.0)) + 1.0
    output = np.rint(np.exp(rng.normal(4.5, 0.4, n))) + 1.0
    factor = np.broadcast_to(np.asarray(slower, np.float64), ticks)
    engine = np.exp(shared[tick]) * np.where(changed, factor[tick], 1.0)
    ttft = 0.004 * np.sqrt(prompt) * engine * np.exp(0.3 * rng.standard_t(4, n))
    itl = 0.02 * engine * np.exp(rng.normal(0.0, 0.1, n))
    latency = ttft + itl * output
    at = START + 5.0 * (tick + rng.random(n))
    order = np.argsort(at, kind="stable")
    limit = np.where(changed & (cut_share_since is not None), cut_share_since or 0.0, cut_share)
    batch = requests_of(
        n,
        started_at=at - latency,
        completed_at=at,
        prompt_tokens=prompt,
        output_tokens=output,
        ttft=ttft,
        itl=itl,
        latency=latency,
        id_hash=np.arange(1, n + 1),
        finish_reason=Coded((rng.random(n) < limit).astype(np.int32), ("stop", "length")),
        labels={
            "model": Coded.constant("m", n),
            "tenant": Coded((rng.random(n) < 0.3).astype(np.int32), ("chat", "batch")),
        },
    )
    return batch.take(order)


def some_slower(requests: Requests, share: float, factor: float, since: int, *, tenant: int | None = None) -> Requests:
    """The same requests, but from a tick on some (of one tenant only, where it is given) take so much longer."""
    hit = (requests.at >= START + 5.0 * since) & (np.random.default_rng(0).random(len(requests)) < share)
    if tenant is not None:
        hit &= requests.labels["tenant"].codes == tenant
    longer = np.where(hit, factor, 1.0)
    return replace(requests, ttft=requests.ttft * longer, itl=requests.itl * longer, latency=requests.latency * longer)
