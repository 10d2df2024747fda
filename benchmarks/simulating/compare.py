"""Recorded and simulated side by side, with the distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from driftwatch.events.columns import Floats
from simulating.recorded import Recording, Seen

SIGNALS = ("ttft", "itl", "latency")
GAUGES = ("kv", "running", "waiting")
FULL = 0.95
_LEVELS = np.linspace(0.005, 0.995, 50)
_POINTS = 180  # of a line over time
Mask = NDArray[np.bool_]


def parts(recording: Recording) -> dict[str, tuple[float, float]]:
    """From when to when; before and after a change are two parts."""
    change, last = recording.changed_at, float(recording.seen.t[-1])
    if np.isinf(change):
        return {"": (-np.inf, np.inf)}
    return {"before": (-np.inf, change), "after": (change, last)}


def compared(recording: Recording, simulated: Seen, begin: float, end: float) -> dict[str, Any]:
    """Everything about one part of a recording."""
    real, at = recording.seen, recording.traffic.at
    sent, read = (at >= begin) & (at < end), (real.t >= begin) & (real.t < end)
    return {
        "requests": int(sent.sum()),
        "unfinished": int((sent & ~np.isfinite(simulated.latency)).sum()),
        "signals": {name: distances(getattr(real, name)[sent], getattr(simulated, name)[sent]) for name in SIGNALS},
        "gauges": {name: [gauge(seen, name, read) for seen in (real, simulated)] for name in GAUGES},
        "preemptions_a_minute": [preemptions(seen, read) for seen in (real, simulated)],
    }


def distances(real: Floats, simulated: Floats) -> dict[str, Any]:
    """Quantiles of both, Kolmogorov-Smirnov and, of the logarithms, Wasserstein distance.

    ``typical`` is the median factor between a request's simulated and recorded value.
    """
    both = np.isfinite(real) & np.isfinite(simulated)
    real, simulated = real[both], simulated[both]
    return {
        "real": _rounded(np.quantile(real, _LEVELS)),
        "simulated": _rounded(np.quantile(simulated, _LEVELS)),
        "medians": _rounded(np.median([real, simulated], axis=1)),
        "p95": _rounded(np.quantile([real, simulated], 0.95, axis=1)),
        "ks": float(ks_2samp(real, simulated).statistic),
        "wasserstein": float(wasserstein_distance(np.log(real), np.log(simulated))),
        "typical": float(np.exp(np.median(np.abs(np.log(simulated / real))))),
    }


def gauge(seen: Seen, name: str, read: Mask) -> dict[str, float]:
    """Mean, maximum and share of the time above 95%."""
    value = getattr(seen, name)[read]
    return {"mean": float(value.mean()), "most": float(value.max()), "full": float((value > FULL).mean())}


def preemptions(seen: Seen, read: Mask) -> float:
    """Preemptions a minute; NaN where they are not counted."""
    t, count = seen.t[read], seen.preempted[read]
    return float(60 * (count[-1] - count[0]) / (t[-1] - t[0]))


def lines(recording: Recording, simulated: Seen) -> dict[str, Any]:
    """What is drawn over time."""
    rows = np.unique(np.linspace(0, len(recording.seen.t) - 1, _POINTS).astype(int))
    t = recording.seen.t[rows] - recording.seen.t[0]
    drawn = {name: [_rounded(getattr(seen, name)[rows]) for seen in (recording.seen, simulated)] for name in GAUGES}
    drawn["preempted"] = [_rounded(seen.preempted[rows]) for seen in (recording.seen, simulated)]
    return {"t": np.round(t, 1).tolist()} | drawn


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]
