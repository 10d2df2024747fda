"""The facts of one incident: what driftwatch and others say caused it, given its onset, and what is true."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from scoring.facts import batches_of, rows_of

from attributing.rivals import rankings
from attributing.trials import ERRORS_S, Trial
from driftwatch.attribution.account import record
from driftwatch.config import Config
from driftwatch.detectors import Shift
from driftwatch.engine import Engine
from driftwatch.events.catalogue import RATIOS, resolve
from driftwatch.events.columns import Metrics, SeriesKey
from driftwatch.incidents.life import Alarm, opened
from driftwatch.incidents.models import Cause
from driftwatch.simulate import Recorded
from driftwatch.simulate.case import case
from driftwatch.simulate.decoys import decoys
from driftwatch.statistics.buckets import Floats

Row = dict[str, Any]
DECOYS = 40
SIGNALS = ("ttft", "itl", "latency", "prefill_share")
SAME = {
    "gpu_sm_clock": ("gpu_throttling", "gpu_temperature", "gpu_power"),
    "kv_cache_usage": ("evicted_tokens", "kv_blocks_used"),
    "host_memory": ("host_memory_total",),
}
"""Other names of a hidden cause."""
_LOOKED_AT_S = (600.0, 1500.0)
_BEFORE_S = 1200.0
_UNSURE_S = 15.0


def facts(trial: Trial) -> Row:
    """Simulate an incident with and without its fault, and ask for its cause at several onsets."""
    rng = np.random.default_rng([trial.seed, 7])
    drawn = case(trial.name, trial.severity, trial.seed, confounders=trial.confounders)
    run, healthy = drawn.run(drawn.size), drawn.run(0.0)
    made = Recorded(drawn, run, healthy, trial.scrape_s)
    truth = made.truth
    config = Config.load({"attribution": {"roles": {_decoy(k): "mechanism" for k in range(DECOYS)}}})
    beside = _neighbours(made, truth["onset_at"], rng)
    seen = _engine(made, _without(made.metrics, truth) if trial.withheld else made.metrics, beside, config)
    without = _engine(Recorded(drawn, healthy, healthy, trial.scrape_s), made.metrics, beside, config)
    onset = int(truth["onset_at"] // config.ticks.width_s)
    last = min(int(truth["until"] // config.ticks.width_s), onset + round(rng.uniform(*_LOOKED_AT_S) / 5)) - 1
    stream, signal = _leading(seen, onset, last)
    answers = {str(error): _asked(seen, stream, signal, onset + round(error / 5), last) for error in ERRORS_S}
    first = onset - round(_BEFORE_S / 5)
    candidates = seen._scene(last).candidates(stream, first, onset, last)
    excess = _values(seen, stream, signal, first, last)
    return {
        "truth": truth,
        "signal": signal,
        "candidates": len(candidates),
        "share": true_share(excess, _values(without, stream, signal, first, last), onset - first),
        "answers": answers,
        "rivals": rankings(excess, onset - first, candidates),
    }


def _decoy(number: int) -> str:
    return f"neighbour_{number:02d}"


def _neighbours(made: Recorded, onset: float, rng: np.random.Generator) -> Metrics:
    """Forty series that have nothing to do with it, offered as mechanisms, a fifth of which step near the onset."""
    at = np.arange(made.case.start, made.case.end, made.scrape_s)
    found = decoys(at, DECOYS, rng, step_at=onset)
    value = [np.diff(one.value, prepend=one.value[:1]) if one.kind == "counter" else one.value for one in found]
    keys = tuple(SeriesKey(_decoy(k), (), "gauge") for k in range(DECOYS))
    return Metrics(
        np.tile(at, DECOYS), np.repeat(np.arange(DECOYS, dtype=np.int32), len(at)), np.concatenate(value), keys
    )


def _without(metrics: Metrics, truth: Row) -> Metrics:
    """Without the series of the cause and of its chain, and what else is the same thing."""
    hidden = {name.partition("{")[0] for name in (*truth["causes"], *truth["chain"])}
    hidden |= {same for name in hidden for same in SAME.get(name, ())}
    hidden |= {part for ratio in RATIOS if ratio.name in hidden for part in (ratio.numerator, ratio.denominator)}
    left = [key for key in metrics.keys if (found := resolve(key.name, key.labels)) and found[0].name not in hidden]
    numbers = {key: number for number, key in enumerate(left)}
    renamed = np.array([numbers.get(key, -1) for key in metrics.keys], np.int32)[metrics.series]
    rows = renamed >= 0
    return Metrics(metrics.at[rows], renamed[rows], metrics.value[rows], tuple(left))


def _engine(made: Recorded, metrics: Metrics, beside: Metrics, config: Config) -> Engine:
    """An engine that has seen all of a recording."""
    engine = Engine(config, keep_series=True)
    for markers in _markers(made):
        engine.add(markers)
    engine.add(metrics)
    engine.add(beside)
    for batch in batches_of(made.requests):
        engine.add(batch)
        engine.advance(prompt=False)
    engine.finish()
    return engine


def _markers(made: Recorded) -> list[Any]:
    return [made.markers] if rows_of(made.markers) else []


def _values(engine: Engine, stream: str, signal: str, first: int, last: int) -> Floats:
    return np.asarray(engine.histories[stream].signal(signal, first, last)[0])


def _leading(engine: Engine, onset: int, last: int) -> tuple[str, str]:
    """The stream and the signal that got worse most, against its own ups and downs."""
    moves = {
        (stream, signal): _move(_values(engine, stream, signal, onset - 240, last), 240)
        for stream in engine.histories
        for signal in SIGNALS
    }
    return max(moves, key=lambda name: moves[name])


def _move(values: Floats, onset: int) -> float:
    before, after = (part[~np.isnan(part)] for part in (values[: onset - 12], values[onset:]))
    if len(before) < 20 or len(after) < 20:
        return -math.inf
    return float((after.mean() - before.mean()) / max(before.std(), 1e-9))


def _asked(engine: Engine, stream: str, signal: str, onset: int, last: int) -> Row:
    """What the record of an incident says that leads with this signal and has this onset."""
    config, scene = engine.config, engine._scene(last)
    before, after = (_values(engine, stream, signal, *span) for span in ((onset - 240, onset - 1), (onset, last)))
    size, reference = float(np.nanmean(after) - np.nanmedian(before)), float(np.nanmedian(before))
    slack = round(_UNSURE_S / config.ticks.width_s)
    shift = Shift(onset, onset - slack, onset + slack, size, 0.1 * abs(size), reference, 30.0, len(after), 30.0)
    alarm = Alarm(stream, signal, last, shift, signal)
    began = time.process_time()
    told = record(opened(alarm), scene, engine.checks, lambda known, tick: known, last)
    return {"cpu": time.process_time() - began, "causes": [_brief(c) for c in told.causes if c.tier != "ruled_out"]}


def _brief(cause: Cause) -> Row:
    return {
        "name": cause.name,
        "scope": cause.scope,
        "tier": cause.tier,
        "share": [round(cause.share_low, 3), round(cause.share_high, 3)],
    }


def true_share(seen: Floats, without: Floats, onset: int) -> float | None:
    """What of the excess is due to the fault, by the rerun without it; None where there is hardly any.

    Examples
    --------
    >>> true_share(np.r_[np.zeros(20), np.ones(10)], np.r_[np.zeros(20), np.full(10, 0.25)], 20)
    0.75
    """
    reference = float(np.nanmedian(seen[:onset]))
    excess, rest = (float(np.nanmean(x[onset:])) - reference for x in (seen, without))
    return None if excess < 0.02 else float(np.clip((excess - rest) / excess, 0.0, 1.0))
