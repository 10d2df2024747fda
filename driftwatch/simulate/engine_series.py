"""What a replica's ``/metrics`` would have shown: vLLM's series, with its names, labels and bucket boundaries.

Counts are whole and exact at each scrape; within a stretch of iterations they grow evenly.

References
----------
.. [1] vLLM 0.33, ``vllm/v1/metrics/loggers.py`` and ``stats.py``: names, buckets, and what is observed when. The
   prompt tokens of a request are counted once, when its first token leaves: neither computing them again after a
   preemption nor a prefill that never ends is in ``prompt_tokens`` (recordings of it agree: the sum of
   ``iteration_tokens_total`` is prompt plus generated tokens exactly, with hundreds of preemptions). Versions after it
   add the tokens of each chunk of prefill when it is computed.
.. [2] vLLM issues 31503 and 55634: a request that its sender gives up is in no series by request, not even in
   ``request_success_total{finished_reason="abort"}``, which stays at zero.
.. [3] vLLM issue 52520: prompts that are computed again and again do show in ``prompt_tokens``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Floats
from driftwatch.simulate.buckets import GAP, LENGTHS, TTFT, WHOLE
from driftwatch.simulate.columns import ABORT, FINISHES, Ints, Outcomes, Steps, Traffic
from driftwatch.simulate.counting import Clock, Place, Plan, held, stretch_ends
from driftwatch.simulate.scrapes import Kind, Sampled

_REASONS = (*FINISHES, "error", "repetition")


@dataclass(frozen=True, slots=True)
class _Scope:
    """What all series of one replica share."""

    steps: Steps
    clock: Clock
    labels: Mapping[str, str]
    lean: bool

    def one(self, name: str, value: Floats, kind: Kind = "gauge", **more: str) -> Sampled:
        labels = {"engine": "0", **self.labels, **more}
        return Sampled(f"vllm:{name}", labels, self.clock.instants, value, kind)

    def counter(self, name: str, value: Floats, **more: str) -> Sampled:
        return self.one(f"{name}_total", value, "counter", **more)

    def flat(self, name: str, value: float = 0.0, **more: str) -> Sampled:
        kind: Kind = "counter" if name.endswith("_total") else "gauge"
        return self.one(name, np.full(len(self.clock.instants), value), kind, **more)

    def grown(self, each: Floats) -> Floats:
        """Whole units counted of what each stretch has so much of."""
        return self.clock.since_start(lambda times: np.floor(Place.of(self.steps, times).total(each) + 1e-6))

    def events(self, times: Floats, amounts: Floats | Ints | None = None) -> Floats:
        """Amounts (1 each where None) of all events until each scrape."""
        order = np.argsort(times, kind="stable")
        whole = np.ones(len(times)) if amounts is None else np.asarray(amounts, np.float64)[order]
        sums, at = np.concatenate([[0.0], np.cumsum(whole)]), times[order]
        return self.clock.since_start(lambda until: sums[np.searchsorted(at, until, "right")])


def engine_series(
    steps: Steps,
    rows: tuple[Traffic, Outcomes],
    settings: Plan,
    instants: Floats,
    labels: Mapping[str, str],
    *,
    restarts: Sequence[float] = (),
    lean: bool = False,
) -> list[Sampled]:
    """Make the series of one replica's engine.

    Parameters
    ----------
    steps
        What it did.
    rows
        The requests that it served, and what became of them.
    settings
        Its settings over time, the first from the beginning.
    instants
        Shape (n,): when it is scraped, in order.
    labels
        Labels of all series: ``model_name``, and whatever the scraper adds.
    restarts
        When the engine began anew, with counters at zero.
    lean
        Leave out the buckets of all histograms but those of TTFT, gaps, end-to-end and queue times.

    Returns
    -------
    list of Sampled
        The samples of a histogram (``_bucket``, ``_sum``, ``_count``) are series of their own.

    Raises
    ------
    ValueError
        If there are no steps: nobody knows then what to show.
    """
    if not len(steps):
        raise ValueError("a replica without a single stretch has no series; simulate it for longer than zero seconds")
    scope = _Scope(steps, Clock.of(instants, restarts), labels, lean)
    return [
        *_state(scope, settings),
        *_tokens(scope, rows, settings),
        *_gaps(scope),
        *_first_tokens(scope, rows),
        *_finished(scope, rows),
        *_constants(scope),
    ]


def _state(scope: _Scope, settings: Plan) -> Iterable[Sampled]:
    """Gauges: the KV cache and the two queues, at the instant."""
    steps, instants = scope.steps, scope.clock.instants
    place = Place.of(steps, instants)
    inside = (instants >= steps.start[0]) & (instants < stretch_ends(steps)[-1])
    blocks = steps.blocks[place.stretch] + place.part * (steps.blocks_after - steps.blocks)[place.stretch]
    kv_blocks = held(settings, lambda s: s.kv_blocks, instants)
    waiting = np.where(inside, steps.waiting[place.stretch], 0.0)
    yield scope.one("kv_cache_usage_perc", np.clip(np.where(inside, blocks, 0.0) / kv_blocks, 0.0, 1.0))
    yield scope.one("num_requests_running", np.where(inside, steps.running[place.stretch], 0.0))
    yield scope.one("num_requests_waiting", waiting)
    yield scope.one("num_requests_waiting_by_reason", waiting, reason="capacity")
    yield scope.flat("num_requests_waiting_by_reason", reason="deferred")


def _tokens(scope: _Scope, rows: tuple[Traffic, Outcomes], settings: Plan) -> Iterable[Sampled]:
    """Counters of what the engine did."""
    steps, (traffic, outcomes) = scope.steps, rows
    yield scope.counter("num_preemptions", scope.events(steps.start, steps.preempted))
    begun = ~np.isnan(outcomes.first_token_at)
    first = outcomes.first_token_at[begun]
    stuck = scope.grown(held(settings, lambda s: s.stuck_tokens, steps.start) * steps.iterations)  # as reported in [3]
    prompts = scope.events(first, traffic.prompt_tokens[begun]) + stuck
    cached = scope.events(first, outcomes.cached_tokens[begun])
    generated = scope.grown(steps.generated)
    yield scope.counter("prompt_tokens", prompts)
    yield scope.counter("prompt_tokens_cached", cached)
    yield scope.counter("prompt_tokens_by_source", prompts - cached, source="local_compute")
    yield scope.counter("prompt_tokens_by_source", cached, source="local_cache_hit")
    yield scope.flat("prompt_tokens_by_source_total", source="external_kv_transfer")
    yield scope.counter("generation_tokens", generated)
    yield scope.one("iteration_tokens_total_sum", prompts + generated, "histogram")
    yield scope.one("iteration_tokens_total_count", scope.grown(steps.iterations), "histogram")
    yield scope.counter("prefix_cache_queries", scope.events(steps.start, steps.queried))
    yield scope.counter("prefix_cache_hits", scope.events(steps.start, steps.hit))
    if any(s.draft_tokens for _, s in settings):
        a_draft = held(settings, lambda s: s.draft_tokens, steps.start)
        yield scope.counter("spec_decode_num_drafts", scope.grown(steps.drafted / np.maximum(a_draft, 1.0)))
        yield scope.counter("spec_decode_num_draft_tokens", scope.grown(steps.drafted))
        yield scope.counter("spec_decode_num_accepted_tokens", scope.grown(steps.accepted))


def _gaps(scope: _Scope) -> Iterable[Sampled]:
    """Gaps between tokens: every sequence that decodes has one in each iteration."""
    steps, bounds = scope.steps, np.array(GAP)
    gaps = np.round(steps.decoding * steps.iterations)
    each_s = steps.duration / np.maximum(steps.iterations, 1.0)
    bucket, ends = np.searchsorted(bounds, each_s, "left"), stretch_ends(steps)

    def counts(times: Floats) -> Floats:
        over = _table(np.searchsorted(times, ends, "left"), bucket, (len(times), len(bounds) + 1), gaps)
        place = Place.of(steps, times)
        open_ = place.part < 1.0  # a stretch that is over is in the table
        under_way = np.floor(place.part * gaps[place.stretch]) * open_
        table = np.cumsum(over, axis=0)
        np.add.at(table, (np.arange(len(times)), bucket[place.stretch]), under_way)
        return np.cumsum(table, axis=1)

    seconds = scope.clock.since_start(lambda times: Place.of(steps, times).total(gaps * each_s))
    yield from _histogram(scope, "inter_token_latency_seconds", GAP, scope.clock.since_start(counts), seconds)


def _first_tokens(scope: _Scope, rows: tuple[Traffic, Outcomes]) -> Iterable[Sampled]:
    traffic, outcomes = rows
    begun = ~np.isnan(outcomes.first_token_at)
    first = outcomes.first_token_at[begun]
    yield from _observed(scope, "time_to_first_token_seconds", TTFT, first, first - traffic.at[begun])


def _finished(scope: _Scope, rows: tuple[Traffic, Outcomes]) -> Iterable[Sampled]:
    """What vLLM observes of a request when it ends; one that its sender gave up is not observed."""
    traffic, outcomes = rows
    ended = (outcomes.finish >= 0) & (outcomes.finish != ABORT) & ~np.isnan(outcomes.completed_at)
    ended &= ~np.isnan(outcomes.first_token_at)
    at, first, scheduled = (x[ended] for x in (outcomes.completed_at, outcomes.first_token_at, outcomes.scheduled_at))
    arrived, finish, generated = traffic.at[ended], outcomes.finish[ended], outcomes.generated[ended]
    prompt, limit = traffic.prompt_tokens[ended], traffic.max_tokens[ended]
    for code, reason in enumerate(_REASONS):
        yield scope.counter("request_success", scope.events(at[finish == code]), finished_reason=reason)
    observed: dict[str, tuple[tuple[float, ...], NDArray[np.generic]]] = {
        "e2e_request_latency_seconds": (WHOLE, at - arrived),
        "request_queue_time_seconds": (WHOLE, scheduled - arrived),
        "request_prefill_time_seconds": (WHOLE, first - scheduled),
        "request_decode_time_seconds": (WHOLE, at - first),
        "request_inference_time_seconds": (WHOLE, at - scheduled),
        "request_time_per_output_token_seconds": (GAP, (at - first) / np.maximum(generated - 1, 1)),
        "request_prompt_tokens": (LENGTHS, prompt),
        "request_generation_tokens": (LENGTHS, generated),
        "request_max_num_generation_tokens": (LENGTHS, generated),
        "request_params_max_tokens": (LENGTHS, limit),
        "request_params_n": (LENGTHS[:5], np.ones(len(at))),
        "request_prefill_kv_computed_tokens": (LENGTHS, prompt - outcomes.cached_tokens[ended]),
        "request_num_preemptions": ((), outcomes.preemptions[ended]),
    }
    for name, (bounds, values) in observed.items():
        yield from _observed(scope, name, bounds, at, np.asarray(values, np.float64))


def _observed(scope: _Scope, name: str, bounds: tuple[float, ...], at: Floats, values: Floats) -> Iterable[Sampled]:
    """A histogram of values observed at some times."""
    bucket = np.searchsorted(np.array(bounds), values, "left")

    def counts(times: Floats) -> Floats:
        shape = (len(times), len(bounds) + 1)
        table = _table(np.searchsorted(times, at, "left"), bucket, shape, np.ones(len(at)))
        return np.cumsum(np.cumsum(table, axis=0), axis=1)

    yield from _histogram(scope, name, bounds, scope.clock.since_start(counts), scope.events(at, values))


def _table(row: Ints, column: Ints, shape: tuple[int, int], amounts: Floats) -> Floats:
    """Sum amounts by row and column; what belongs to a row beyond the last is left out."""
    n = shape[0] * shape[1]
    return np.asarray(np.bincount(row * shape[1] + column, amounts, minlength=n)[:n].reshape(shape), np.float64)


_ALWAYS = ("time_to_first_token", "inter_token_latency", "e2e_request_latency", "request_queue_time")


def _histogram(scope: _Scope, name: str, bounds: tuple[float, ...], counts: Floats, sums: Floats) -> Iterable[Sampled]:
    if bounds and not (scope.lean and name.removesuffix("_seconds") not in _ALWAYS):
        for column, bound in enumerate((*map(str, bounds), "+Inf")):
            yield scope.one(f"{name}_bucket", counts[:, column], "histogram", le=bound)
    yield scope.one(f"{name}_sum", sums, "histogram")
    yield scope.one(f"{name}_count", counts[:, -1], "histogram")


def _constants(scope: _Scope) -> Iterable[Sampled]:
    """What an engine exposes all the time and never moves here: no sleep mode, no images, no cache elsewhere."""
    for state in ("awake", "weights_offloaded", "discard_all"):
        yield scope.flat("engine_sleep_state", float(state == "awake"), sleep_state=state)
    for name in ("mm_cache_queries", "mm_cache_hits", "external_prefix_cache_queries", "external_prefix_cache_hits"):
        yield scope.flat(f"{name}_total")
    for reason in ("max_num_queued_reqs", "max_num_queued_tokens"):
        one = scope.flat("admission_rejections_total", reason=reason)
        yield replace(one, labels={name: value for name, value in one.labels.items() if name != "engine"})
