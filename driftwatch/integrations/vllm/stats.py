"""vLLM's stat logger: what its engine says of each finished request, and of itself."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from driftwatch.integrations.guest import quietly
from driftwatch.integrations.vllm.join import Row
from driftwatch.integrations.vllm.shared import Shared, shared

_EVERY_S = 2.0
"""The engine's own series are told this often, in seconds; it speaks many times a second."""


class Recorder:
    """Tells the monitor of this process what an engine of vLLM says; made by vLLM.

    The engine's series are told only where no page of metrics is scraped, so that none comes twice.

    Parameters
    ----------
    vllm_config
        As vLLM gives it.
    engine_index
        Which engine of several.
    """

    def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
        self._shared = shared()
        self._model = _model_of(vllm_config)
        self._labels = {"model_name": self._model, "engine": str(engine_index)}
        self._totals: Counter[str] = Counter()
        self._finished: Counter[str] = Counter()
        self._next = 0.0

    def record(
        self, scheduler_stats: Any, iteration_stats: Any, mm_cache_stats: Any = None, engine_idx: int = 0
    ) -> None:
        """What one step of the engine brought; vLLM calls it in its output loop."""
        if self._shared is not None:
            self._record(self._shared, scheduler_stats, iteration_stats)

    def log_engine_initialized(self) -> None:
        """Part of vLLM's protocol; nothing to do."""

    @quietly
    def log(self) -> None:
        """Called now and then, also when the engine is idle."""
        if self._shared is not None:
            self._shared.join.expire()

    @quietly
    def _record(self, here: Shared, scheduler: Any, iteration: Any) -> None:
        if iteration is not None:
            for finished in iteration.finished_requests:
                self._finished[str(finished.finish_reason)] += 1
                row = row_of(finished, self._model) | {"completed_at": time.time()}
                here.join.engine(finished.request_id, row)
            self._count(iteration)
        if scheduler is not None and not here.settings.targets:
            _prefixes(scheduler, self._totals)
            self._series(here, scheduler)

    def _count(self, iteration: Any) -> None:
        self._totals["vllm:num_preemptions_total"] += iteration.num_preempted_reqs
        self._totals["vllm:prompt_tokens_total"] += iteration.num_prompt_tokens
        self._totals["vllm:generation_tokens_total"] += iteration.num_generation_tokens

    def _series(self, here: Shared, scheduler: Any) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_S
        gauges = {
            "vllm:kv_cache_usage_perc": scheduler.kv_cache_usage,
            "vllm:num_requests_running": scheduler.num_running_reqs,
            "vllm:num_requests_waiting": scheduler.num_waiting_reqs,
        }
        for name, value in {**gauges, **self._totals}.items():
            here.monitor.metric(name, value, labels=self._labels)
        for reason, count in self._finished.items():
            labels = {**self._labels, "finished_reason": reason}
            here.monitor.metric("vllm:request_success_total", count, labels=labels)


def row_of(finished: Any, model: str) -> Row:
    """A finished request as the fields of `driftwatch.Monitor.request`; ``ttft`` is the engine's part of it.

    Parameters
    ----------
    finished
        vLLM's ``FinishedRequestStats``: not a stable interface, so what is missing is left out.
    model
        The name under which it is served.
    """
    first = _number(finished, "queued_time") + _number(finished, "prefill_time")
    row: Row = {
        "model": model,
        "request_id": finished.request_id,
        "prompt_tokens": finished.num_prompt_tokens,
        "output_tokens": finished.num_generation_tokens,
        "cached_tokens": getattr(finished, "num_cached_tokens", None),
        "latency": finished.e2e_latency,
        "ttft": first if first > 0 else None,
        "queue_time": max(_number(finished, "queued_time"), 0.0),
        "itl_mean": getattr(finished, "mean_time_per_output_token", None) or None,
        "finish_reason": str(finished.finish_reason),
    }
    return {name: value for name, value in row.items() if value is not None}


def _number(finished: Any, name: str) -> float:
    return float(getattr(finished, name, 0.0) or 0.0)


def _prefixes(scheduler: Any, totals: Counter[str]) -> None:
    stats = getattr(scheduler, "prefix_cache_stats", None)
    if stats is not None:
        totals["vllm:prefix_cache_queries_total"] += stats.queries
        totals["vllm:prefix_cache_hits_total"] += stats.hits


def _model_of(vllm_config: Any) -> str:
    names = getattr(vllm_config.model_config, "served_model_name", None) or vllm_config.model_config.model
    return str(names[0] if isinstance(names, list | tuple) else names)
