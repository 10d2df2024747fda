"""Which of the usual health checks stayed green: standard checks in two layers, and your own.

The infrastructure layer (host, pod, target, GPU, error rate) says whether an incident was silent. The serving layer
(KV cache, queue, preemptions) is shown beside it and does not: those are what an engine's own dashboard shows.
docs/health-checks.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from driftwatch.attribution.checks.standard import STANDARD, Rule
from driftwatch.events.columns import Floats
from driftwatch.incidents.models import Contrast, Finding, HealthCheck, State
from driftwatch.ticks.series import SeriesId, SeriesStore

__all__ = ["STANDARD", "Rule", "contrast", "evaluate", "silent", "watched"]

_BEFORE_S = 60.0  # what began this shortly before the onset, which is an estimate, counts as begun with it

_COMPARE = {
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a rule compares, for each tick; a scrape spreads what it counted over the time before it."""

    values: Floats
    guard_s: float = _BEFORE_S


def evaluate(
    checks: Iterable[Rule],
    store: SeriesStore,
    first_tick: int,
    onset_tick: int,
    last_tick: int,
    extra: Mapping[str, Floats] | None = None,
) -> tuple[HealthCheck, ...]:
    """What each check showed from the onset on, and whether it had fired before.

    Parameters
    ----------
    checks
        See `STANDARD` and `driftwatch.attribution.checks.rules.configured`.
    store
        The series; ticks after ``last_tick`` are not looked at.
    first_tick, onset_tick, last_tick
        Before the incident is ``[first, onset)``, during it is ``[onset, last]``.
    extra
        Series that are not metrics, such as ``error_share``: a value for each tick of ``[first, last]``,
        NaN where not measured.

    Returns
    -------
    tuple of HealthCheck
        In the order of the checks. ``newly``: some series of it fires in the incident and did not before; where it
        began within the last minute before the onset, or the last scrape, it counts as begun with it.
        ``worst`` is the worst value since the onset, in the unit of the threshold.
    """
    before = onset_tick - first_tick

    def outcome(rule: Rule) -> HealthCheck:
        return _outcome(rule, _measured(rule, store, first_tick, last_tick, extra or {}), before, store.width_s)

    return tuple(_first_measured([outcome(r) for r in (rule, *rule.alternatives)]) for rule in checks)


def watched(rule: Rule, store: SeriesStore, first: int, last: int, extra: Mapping[str, Floats]) -> Floats:
    """What a check compares in each tick of ``[first, last]``: the value closest to firing of all label sets."""
    measured = [m.values for r in (rule, *rule.alternatives) for m in _measured(r, store, first, last, extra)]
    if not measured:
        return np.full(last - first + 1, np.nan)
    values = np.stack(measured)
    badness = np.where(np.isnan(values), -np.inf, _badness(rule, values))
    return np.asarray(np.take_along_axis(values, badness.argmax(axis=0)[None], axis=0)[0])


def silent(checks: Sequence[HealthCheck]) -> bool:
    """Nothing that watches the infrastructure newly fired, and at least one such check was measured.

    Examples
    --------
    >>> silent([])
    False
    """
    infrastructure = [c for c in checks if c.layer == "infrastructure"]
    return any(c.state != "absent" for c in infrastructure) and not any(c.newly for c in infrastructure)


def _first_measured(outcomes: Sequence[HealthCheck]) -> HealthCheck:
    return next((outcome for outcome in outcomes if outcome.state != "absent"), outcomes[0])


def _outcome(rule: Rule, measured: list[_Measured], before: int, width_s: float) -> HealthCheck:
    """Judge one array for each label set, of which the first ``before`` ticks precede the onset."""
    values = [m.values for m in measured]
    during = np.concatenate([v[before:] for v in values]) if values else np.empty(0)
    during = during[~np.isnan(during)]
    ticks = ceil(rule.for_s / width_s)
    fires = [_held(_COMPARE[rule.comparison](v, rule.threshold) & ~np.isnan(v), ticks) for v in values]
    news = [_begins(f, before, ceil(m.guard_s / width_s)) for f, m in zip(fires, measured, strict=True)]
    worst = float(during[np.argmax(_badness(rule, during))]) if len(during) else None
    state: State = "absent" if not len(during) else "firing" if any(f[before:].any() for f in fires) else "green"
    return HealthCheck(
        name=rule.name,
        layer=rule.layer,
        state=state,
        newly=any(news),
        worst=worst,
        threshold=rule.threshold,
        comparison=rule.comparison,
        for_s=rule.for_s,
        unit=rule.unit,
        source=rule.source,
        series=rule.series,
        room=_room(rule, worst),
    )


def _room(rule: Rule, worst: float | None) -> float | None:
    """How far it was from firing, as a share of the threshold; None where that has no meaning."""
    if worst is None or not rule.threshold or rule.comparison in ("==", "!="):
        return None
    upward = rule.comparison in (">", ">=")
    return (rule.threshold - worst if upward else worst - rule.threshold) / abs(rule.threshold)


def contrast(finding: Finding, checks: Sequence[HealthCheck]) -> Contrast | None:
    """What users felt beside the infrastructure check that came closest to firing; None where one newly fired.

    Parameters
    ----------
    finding
        The leading one.
    checks
        As `evaluate` gives them.
    """
    near = [c for c in checks if c.layer == "infrastructure" and c.state == "green" and c.room is not None]
    measured = [c for c in near if c.unit]  # whether a target is up is a yes or no, and always close
    if not measured or not silent(checks):
        return None
    closest = min(measured, key=lambda check: check.room or 0.0)
    assert closest.worst is not None
    return Contrast(
        felt=finding.signal,
        felt_unit=finding.unit,
        felt_before=finding.before,
        felt_after=finding.after,
        shown=closest.name,
        shown_unit=closest.unit,
        shown_worst=closest.worst,
        shown_threshold=closest.threshold,
        comparison=closest.comparison,
    )


def _begins(fires: NDArray[np.bool_], before: int, guard: int) -> bool:
    return bool(fires[before:].any() and not fires[: max(before - guard, 0)].any())


def _badness(rule: Rule, values: Floats) -> Floats:
    """Larger where closer to firing."""
    if rule.comparison in ("==", "!="):
        distance = np.abs(values - rule.threshold)
        return distance if rule.comparison == "!=" else -distance
    return values if rule.comparison in (">", ">=") else -values


def _held(true: NDArray[np.bool_], ticks: int) -> NDArray[np.bool_]:
    """Where it is true and has been for so many ticks in a row.

    Examples
    --------
    >>> _held(np.array([True, True, False, True, True, True]), 2).tolist()
    [False, True, False, False, True, True]
    """
    if ticks <= 1:
        return true
    count = np.cumsum(np.concatenate([np.zeros(ticks), true]))
    return np.asarray(count[ticks:] - count[:-ticks] == ticks)


def _measured(rule: Rule, store: SeriesStore, first: int, last: int, extra: Mapping[str, Floats]) -> list[_Measured]:
    """What the rule compares, one for each label set."""
    if rule.series in extra:
        values = _trailing(extra[rule.series], rule.window_s, store.width_s)
        return [_Measured(rule.offset + rule.factor * values)]
    wanted = set(rule.labels)
    groups: dict[frozenset[tuple[str, str]], list[_Measured]] = {}
    for series in store.ids(rule.series):
        if wanted <= set(series.labels):
            group = frozenset(pair for pair in series.labels if pair[0] != rule.mean_over)
            values = rule.offset + rule.factor * _quotient(rule, store, series, first, last)
            guard_s = float(np.fmax(_BEFORE_S, store.interval(series, until=last)))
            groups.setdefault(group, []).append(_Measured(values, guard_s))
    return [_Measured(_mean(np.stack([m.values for m in g])), max(m.guard_s for m in g)) for g in groups.values()]


def _mean(values: Floats) -> Floats:
    """Mean over series, shape (series, ticks), of those that are known."""
    known = ~np.isnan(values)
    return np.where(known.any(axis=0), np.nansum(values, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)


def _quotient(rule: Rule, store: SeriesStore, series: SeriesId, first: int, last: int) -> Floats:
    ahead = ceil(rule.window_s / store.width_s)
    upward = (rule.comparison in (">", ">=")) == (rule.factor > 0)
    plain = not (rule.for_s or rule.window_s or rule.per or rule.comparison in ("==", "!="))
    what: Literal["mean", "low", "high"] = "mean" if not plain else "high" if upward else "low"

    def averaged(name: str) -> Floats:
        values = store.values(SeriesId(name, series.labels), first - ahead, last, what=what, until=last)
        return _trailing(values, rule.window_s, store.width_s)[ahead:]

    if not rule.per:
        return averaged(series.name)
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = averaged(series.name) / averaged(rule.per)
    return np.where(np.isfinite(quotient), quotient, np.nan)


def _trailing(values: Floats, window_s: float, width_s: float) -> Floats:
    """Mean of what is known in the window that ends with each tick.

    Examples
    --------
    >>> _trailing(np.array([1.0, np.nan, 3.0, 5.0]), 10.0, 5.0).tolist()
    [1.0, 1.0, 3.0, 4.0]
    """
    ticks = ceil(window_s / width_s)
    if ticks <= 1:
        return values
    known = ~np.isnan(values)
    total, count = (_window_sum(x, ticks) for x in (np.where(known, values, 0.0), known.astype(np.float64)))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _window_sum(values: Floats, ticks: int) -> Floats:
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.zeros(ticks - 1), values]), ticks)
    return np.asarray(windows.sum(axis=1), np.float64)
