"""What is healthy, given the workload: a robust regression for each signal, learnt from ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from driftwatch.baseline.features import FEATURES, Workload, used
from driftwatch.baseline.tails import HEALTHY_TICKS, Tail
from driftwatch.events.signals import BY_NAME
from driftwatch.state import saved
from driftwatch.statistics.buckets import Floats, Ints, log_value
from driftwatch.statistics.robust import Gram, gram, huber_fit, huber_weights, midmean, solve, sums
from driftwatch.ticks.tick import Ticks

CONDITIONAL = ("ttft", "itl", "latency", "output_length", "prefill_share")
"""Signals that are judged given the workload."""
BY_SENDER = ("output_length", "prefill_share")
"""Of these, those that depend on who sends."""
OPTIONAL = ("prefill_share",)
"""Signals that many sources have not, so that nothing is said where they are missing."""
_NONNEGATIVE = np.array([name == "load" for name in FEATURES])  # more load never makes an engine faster
_RIDGE = np.array([1e-9, 0.5, 0.5, 0.5, 2.0, 2.0, 2.0, 1.0])


@dataclass(frozen=True, slots=True)
class Measured:
    """Values of one signal: each with its row of the workload and its number of requests."""

    row: Ints
    value: Floats
    count: Floats

    def take(self, kept: Ints) -> Measured:
        """Only these of the values."""
        return Measured(self.row[kept], self.value[kept], self.count[kept])


def measured(signal: str, ticks: Ticks, workload: Workload) -> Measured:
    """Log values of a signal in these ticks."""
    if signal in BY_SENDER:
        value = workload.logs[:, 1] if signal == "output_length" else workload.prefill_share
        row = np.flatnonzero(~np.isnan(value))
        return Measured(row, value[row], workload.requests[row])
    row, bucket, count = ticks.duration(signal)
    return Measured(row, log_value(bucket), count.astype(np.float64))


@saved
@dataclass(slots=True)
class WorkloadModel:
    """Expected log value of one signal given the workload, with what it needs to go on learning.

    Parameters
    ----------
    coefficients
        Shape (8,): of the features of the design.
    scale
        Robust standard deviation of one request's residual.
    ridge
        Shape (8,): penalties; features that the signal is not judged by are held at 0 by a huge one.
    data
        Sums over everything learnt.
    tail
        How far healthy requests lie from the rest of their tick.
    bursts
        How far healthy ticks lie from what the workload explains.
    """

    coefficients: Floats
    scale: float
    ridge: Floats
    data: Gram
    tail: Tail
    bursts: Tail

    @classmethod
    def fit(cls, signal: str, design: Floats, seen: Measured, per_tick: float) -> WorkloadModel:
        """Fit to a healthy stretch.

        Parameters
        ----------
        design
            Shape (n, 8): the workload's design matrix.
        seen
            What was measured.
        per_tick
            Requests per tick: a load is shared by all requests of a tick, so it is worth only one of them.
        """
        ridge = np.where(used(BY_NAME[signal].given), _RIDGE, 1e12)
        ridge[FEATURES.index("load")] *= max(per_tick, 1.0)
        x = design[seen.row]
        coefficients, scale = huber_fit(x, seen.value, seen.count, ridge, _NONNEGATIVE)
        scale = max(scale, 1e-3)
        data = _weighted(x, seen, seen.value - x @ coefficients, scale)
        return cls(coefficients, scale, ridge, data, Tail.nothing(), Tail.nothing())

    def arrays(self) -> dict[str, Floats]:
        """The model as plain arrays."""
        return {
            "coefficients": self.coefficients,
            "ridge": self.ridge,
            "xx": self.data.xx,
            "xy": self.data.xy,
            "scalars": np.array([self.scale, self.data.weight]),
            **self.tail.arrays("apart"),
            **self.bursts.arrays("bursts"),
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Floats]) -> WorkloadModel:
        """The inverse of `arrays`."""
        scale, weight = (float(x) for x in arrays["scalars"])
        data = Gram(arrays["xx"], arrays["xy"], weight)
        tails = (Tail.of_arrays(name, arrays) for name in ("apart", "bursts"))
        return cls(arrays["coefficients"], scale, arrays["ridge"], data, *tails)

    def residual(self, design: Floats, seen: Measured) -> Floats:
        """Log value minus what the workload explains."""
        # no matrix product: it may round differently for another number of rows
        expected = np.einsum("ij,j->i", design, self.coefficients)
        return np.asarray(seen.value - expected[seen.row])

    def absorb(self, design: Floats, seen: Measured) -> None:
        """Learn from another healthy stretch; takes effect at the next `settle`."""
        self.data = self.data + _weighted(design[seen.row], seen, self.residual(design, seen), self.scale)

    def settle(self) -> None:
        """Solve again with all that was absorbed, and find again where the slowest begin."""
        self.coefficients = solve(self.data, self.ridge, _NONNEGATIVE)
        self.settle_tails()

    def settle_tails(self) -> None:
        """Find again where the slowest begin."""
        self.tail.settle()
        self.bursts.settle(HEALTHY_TICKS)

    def slowest(self, name: str) -> Tail:
        """Where the slowest begin that a signal of this name counts."""
        return self.bursts if BY_NAME[name].by_tick else self.tail


def _weighted(x: Floats, seen: Measured, residual: Floats, scale: float) -> Gram:
    return gram(x, seen.value, seen.count * huber_weights(residual, scale))


def location(signal: str, position: Ints, value: Floats, count: Floats, n: int) -> Floats:
    """Interquartile mean of each tick, shape (n,), NaN without values; of what is bounded, the mean."""
    if BY_NAME[signal].shape != "fraction":
        return midmean(position, value, count, n)
    total = sums(position, count, n)
    return np.where(total > 0, sums(position, count * value, n) / np.maximum(total, 1e-9), np.nan)


def by_tick(signal: str, tick: Ints, value: Floats, count: Floats, first: int, n: int) -> tuple[Ints, Floats, Floats]:
    """Location of each tick: (ticks that have any, its value, how many requests)."""
    position = tick - first
    middle = location(signal, position, value, count, n)
    has: NDArray[np.bool_] = ~np.isnan(middle)
    return np.flatnonzero(has) + first, middle[has], sums(position, count, n)[has]
