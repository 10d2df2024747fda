"""What one call costs the caller: ours, and what else one might call for each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from river.drift import ADWIN, PageHinkley

import driftwatch as dw
from hosting.requests import KINDS, Fields, tell

_CALLS = 1000
SIGNALS = ("ttft", "itl", "latency", "output", "prompt", "queue", "length", "abort", "error", "rate")


class _Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def costs(f: Fields, rounds: int) -> list[dict[str, Any]]:
    """Microseconds a call: the median over rounds of a thousand calls, and the 99th percentile of single calls."""
    monitor = dw.Monitor({"monitor": {"pause_s": 0.01}})
    ours = _measured("Monitor.request, 12 fields", lambda k: tell(monitor, f, k), rounds)
    shed = sum(monitor.stats().shed.values())
    monitor.close()
    empty = _measured("an empty call, 12 keywords", lambda k: tell(_Empty, f, k), rounds)
    return [ours | {"shed": shed}, empty, _span(f, rounds), _river(f, rounds)]


class _Empty:
    @staticmethod
    def request(**fields: Any) -> None:
        """Nothing."""


def _span(f: Fields, rounds: int) -> dict[str, Any]:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
    tracer = provider.get_tracer("bench")

    class Target:
        @staticmethod
        def request(**fields: Any) -> None:
            with tracer.start_as_current_span("chat") as span:
                span.set_attributes({name: value for name, value in fields.items() if value is not None})

    found = _measured("OpenTelemetry: a span with 12 attributes, batch processor", lambda k: tell(Target, f, k), rounds)
    provider.shutdown()
    return found


def _river(f: Fields, rounds: int) -> dict[str, Any]:
    detectors = [(ADWIN(), PageHinkley()) for _ in SIGNALS]

    def call(k: int) -> None:
        cut = float(f.finish[k] == "length")
        values = (f.ttft[k], 0.02, f.latency[k], f.output[k], f.prompt[k], 0.0, cut, 0.0, 0.0, 1.0)
        for value, (adwin, page_hinkley) in zip(values, detectors, strict=True):
            adwin.update(value)
            page_hinkley.update(value)

    return _measured("river: ADWIN and PageHinkley on ten signals, in line", call, max(rounds // 20, 3))


def _measured(name: str, call: Callable[[int], None], rounds: int) -> dict[str, Any]:
    single, whole = [], []
    for r in range(rounds):
        base = r * _CALLS % (KINDS - _CALLS)
        began = time.perf_counter()
        for k in range(base, base + _CALLS):
            call(k)
        whole.append((time.perf_counter() - began) / _CALLS * 1e6)
        for k in range(base, base + 20):
            one = time.perf_counter_ns()
            call(k)
            single.append((time.perf_counter_ns() - one) / 1e3)
        time.sleep(0.02)
    single.sort()
    late = single[int(0.99 * len(single))]
    return {"what": name, "median_us": median(whole), "p99_us": late, "calls": rounds * _CALLS}
