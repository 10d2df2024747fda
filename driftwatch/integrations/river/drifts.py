"""Our detectors as drift detectors of river. Importing this needs the extra ``river``."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from driftwatch._optional import load
from driftwatch.detectors import Detector, LocationDetector, ProportionDetector, Shift
from driftwatch.statistics.buckets import Floats, Ints

if TYPE_CHECKING:
    from river.base import DriftAndWarningDetector
else:
    DriftAndWarningDetector = load("river.base", "river").DriftAndWarningDetector

_EPOCH = 256  # values between two times of learning; as many of the newest are not learnt from yet
_LONGEST = 16 * _EPOCH  # learning waits for a warning to pass, but not for longer than this
_SHORTEST_ARL = 500.0  # evidence begins as if some values had been watched: a shorter promise would be none
_FEWEST = 50  # values to learn from, at least
_FAR = 1e100  # what lies farther out is taken as this, so that its square is a number


class _Drift(DriftAndWarningDetector):
    """What both drifts share: values in, one at a time or many at once, and a new start after each drift."""

    def __init__(self, arl: float, margin: float, learn: int, warn: float | None) -> None:
        super().__init__()
        self.arl, self.margin, self.learn, self.warn = arl, margin, learn, warn
        if not arl >= _SHORTEST_ARL:
            raise ValueError(f"arl is {arl!r}: a mean run length between false alarms must be at least 500 values")
        if not margin >= 0.0:
            raise ValueError(f"margin is {margin!r}: it must not be negative")
        if learn < _FEWEST:
            raise ValueError(f"learn is {learn!r}: at least {_FEWEST} values are needed to learn from")
        if warn is not None and not 1.0 < warn <= arl:
            raise ValueError(f"warn is {warn!r}: it must be above 1 and at most arl, which is {arl!r}")
        self.shift: Shift | None = None
        self.n_ignored = 0
        self._n = 0
        self._reset()

    @abc.abstractmethod
    def _make(self) -> Detector:
        """Return a new detector of one series."""

    def _reset(self) -> None:
        super()._reset()
        self._detector = self._make()
        self._seen, self._next, self._learnt = 0, self.learn, 0

    @property
    def onset(self) -> int | None:
        """Which value was the first changed one of the last drift, counted from 0; None before the first drift."""
        return None if self.shift is None else self.shift.onset

    @property
    def evidence(self) -> float:
        """Natural logarithm of the e-value that something has changed since it was learnt; -inf while learning."""
        return float(self._detector.evidence(self._n - 1)[0])

    def update(self, x: float) -> None:
        """Take one value.

        Parameters
        ----------
        x
            The value; NaN and infinity are ignored, and counted in ``n_ignored``.
        """
        self.update_many((x,))

    def update_many(self, x: Sequence[float] | Floats) -> NDArray[np.bool_]:
        """Take values, as `update` would one after the other, but without a loop over them: some 50 times as fast.

        Parameters
        ----------
        x
            Shape (n,), oldest first.

        Returns
        -------
        Shape (n,): at which of them a drift was detected.
        """
        value = self._valid(np.asarray(x, np.float64))
        drift = np.zeros(len(value), np.bool_)
        done = 0
        while done < len(value):
            if self.drift_detected:
                self._reset()
            done += self._take(value[done:])
            drift[done - 1] = self.drift_detected
        return drift

    def _valid(self, value: Floats) -> Floats:
        """Values that can be judged, or what is wrong with them."""
        if value.ndim != 1:
            raise ValueError(f"values of shape {value.shape}: a drift detector takes one series, of shape (n,)")
        return np.where(np.isfinite(value), np.clip(value, -_FAR, _FAR), np.nan)

    def _take(self, value: Floats) -> int:
        """Take values until it is time to learn, or until a drift; returns how many."""
        due = self._next - self._seen
        seen = np.flatnonzero(~np.isnan(value))[:due]
        taken = int(seen[-1]) + 1 if len(seen) == due else len(value)
        drift = self._judge(self._n + seen, value[seen]) if len(seen) else None
        if drift is not None:
            taken, seen = int(seen[drift]) + 1, seen[: drift + 1]
        self._n, self._seen = self._n + taken, self._seen + len(seen)
        self.n_ignored += taken - len(seen)
        if self._seen == self._next and drift is None:
            self._learn()
        return taken

    def _judge(self, at: Ints, value: Floats) -> int | None:
        """Which of these values completes the evidence for a drift, if any does."""
        log_e = self._detector.update(at, value[:, None], np.ones((len(value), 1)))[:, 0]
        found = np.flatnonzero(log_e >= math.log(self.arl))
        self._drift_detected = len(found) > 0
        self._warning_detected = not len(found) and bool(log_e[-1] >= math.log(self.warn or self.arl / 10.0))
        if not len(found):
            return None
        self.shift = self._detector.describe(0, int(at[found[0]]))
        return int(found[0])

    def _learn(self) -> None:
        first = self._seen == self.learn
        if first or not self._warning_detected or self._seen - self._learnt > _LONGEST:
            self._detector.learn(self._n if first else self._n - _EPOCH)
            self._learnt = self._seen
        self._next += _EPOCH


class LocationDrift(_Drift):
    """A location that moves, either way: a loss, a residual, a latency.

    A mixture Shiryaev-Roberts e-detector on ranks, so no distribution is assumed (`driftwatch.detectors`). It learns
    from the first values, judges each one that follows, and after a drift it starts again, as river's own detectors do.

    Parameters
    ----------
    arl
        Mean number of values between two false alarms, at least 500: the promise, and the only threshold.
    margin
        A move by less than this is not a drift (same unit as the values).
    learn
        Values to learn from before the first is judged, at least 50. Learning goes on after that.
    warn
        A warning comes about once in so many values when nothing has changed; a tenth of ``arl`` if None.
    seed
        Breaks ties between ranks.

    Attributes
    ----------
    drift_detected, warning_detected
        Whether the last value completed the evidence for a drift; whether there is enough of it for a warning.
    shift
        The last drift: onset and its 90% interval (values, counted from 0), size, evidence; None before the first.
    n_ignored
        How many values were neither finite nor, therefore, judged.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    Shin, Ramdas & Rinaldo (2024), "E-detectors", section 2-3; Vovk, Gammerman & Shafer (2022), Algorithmic Learning in
    a Random World, chapter 8 (betting on conformal p-values).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = np.concatenate([rng.exponential(1.0, 1000), rng.exponential(4.0, 100)])
    >>> detector = LocationDrift(arl=10_000)
    >>> for k, value in enumerate(values):
    ...     detector.update(value)
    ...     if detector.drift_detected:
    ...         print(f"found within 50 values: {k < 1050}; began at about {round(detector.onset, -2)}")
    found within 50 values: True; began at about 1000
    """

    def __init__(
        self, arl: float = 10_000, margin: float = 0.0, learn: int = 300, warn: float | None = None, seed: int = 0
    ) -> None:
        self.seed = seed
        super().__init__(arl, margin, learn, warn)

    def _make(self) -> Detector:
        return LocationDetector(margin=np.array([float(self.margin)]), seeds=np.array([self.seed]))


class ProportionDrift(_Drift):
    """A share that moves, either way: errors of a classifier, clicks, failures.

    Likelihood ratios against the learnt share, tempered by the dependence between values: `driftwatch.detectors`. It
    learns from the first values, judges each one that follows, and after a drift it starts again.

    Parameters
    ----------
    arl, learn, warn
        As of `LocationDrift`.
    margin
        A move by less than this is not a drift (a difference of shares).

    Raises
    ------
    ValueError
        If a parameter is out of its range; from ``update`` if a value is not from 0 to 1.

    References
    ----------
    Shin, Ramdas & Rinaldo (2024), "E-detectors", section 4 (bounded observations).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> wrong = np.concatenate([rng.random(1000) < 0.1, rng.random(500) < 0.4])
    >>> detector = ProportionDrift(margin=0.02)
    >>> found = np.flatnonzero(detector.update_many(wrong))
    >>> len(found), bool(1000 <= found[0] < 1050), round(detector.onset, -2)
    (1, True, 1000)
    """

    def __init__(self, arl: float = 10_000, margin: float = 0.0, learn: int = 300, warn: float | None = None) -> None:
        super().__init__(arl, margin, learn, warn)

    def _make(self) -> Detector:
        return ProportionDetector(margin=np.array([float(self.margin)]))

    def _valid(self, value: Floats) -> Floats:
        value = super()._valid(value)
        wrong = value[(value < 0.0) | (value > 1.0)]
        if len(wrong):
            raise ValueError(f"a value of {wrong[0]:g}: a share takes 0 and 1, or what lies between; see LocationDrift")
        return value
