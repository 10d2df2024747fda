"""Draw the methods at work: every number comes from the package; a test says when a figure is out of date.

Run it as ``python docs/figures.py`` (with the report extra). Each SVG says the digest of the numbers in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from panels import Line, Panel, drawn

from driftwatch import Config
from driftwatch.baseline import StreamBaseline
from driftwatch.detectors import AnchoredDetector, Detector, LocationDetector, ProportionDetector, median_of
from driftwatch.detectors.memory import HEAD_START
from driftwatch.incidents.life import Alarm
from driftwatch.incidents.panel import margins_of
from driftwatch.incidents.silence import Silence
from driftwatch.incidents.watch import StreamWatch
from driftwatch.statistics.bets import BETS, CELLS, SHIFTS, table
from driftwatch.statistics.buckets import Floats
from driftwatch.statistics.evidence import change_time
from driftwatch.statistics.normal import uniform_of
from driftwatch.statistics.ranks import Past
from driftwatch.statistics.whitening import Whitening

METHODS = Path(__file__).parent / "methods"
ARL = 1e6  # the run length promised in these figures, in ticks


def ranks() -> list[Panel]:
    """P-values of a skewed stream that moves, and how uniform they are while nothing does."""
    value = np.random.default_rng(1).lognormal(0.0, 1.0, (700, 1))
    value[500:] *= 2.0
    tick = np.arange(300.0, 700.0)
    p = _ranked(value[:300], value[300:])[:, 0]
    change = {"twice as large": 500.0}
    healthy = {name: _uniformity(draw) for name, draw in _KINDS.items()}
    return [
        Panel("Lognormal values, 300 learnt", dots={"": (tick, value[300:, 0])}, down=change, y="value", log="y"),
        Panel("Their p-values, seen from above", dots={"": (tick, p)}, down=change, x="tick", y="p", log="y"),
        Panel(
            "Healthy: share of p-values below p, over p (40 learnt)",
            lines=healthy,
            across={"uniform": 1.0},
            x="p",
            y="over p",
            log="x",
        ),
    ]


_KINDS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "normal": lambda rng: rng.normal(size=(440, 500)),
    "lognormal": lambda rng: rng.lognormal(size=(440, 500)),
    "t, 2 df": lambda rng: rng.standard_t(2, (440, 500)),
    "Poisson, 0.3": lambda rng: rng.poisson(0.3, (440, 500)).astype(np.float64),
}


def _ranked(learnt: Floats, x: Floats) -> Floats:
    """P-values from above of the columns of x."""
    past = Past(x.shape[1])
    for k, column in enumerate(learnt.T):
        past.scale(k, float(np.median(column)), max(float(np.std(column)), 0.5))
        past.count(k, column)
    tie = uniform_of(np.arange(x.shape[1], dtype=np.uint64) << np.uint64(20), np.arange(len(x))[:, None])
    return past.rank(x, np.zeros(x.shape[1]), tie)[..., 0]


def _uniformity(draw: Callable[[np.random.Generator], Floats]) -> Line:
    x = draw(np.random.default_rng(2))
    p = np.sort(_ranked(x[:40], x[40:]).ravel())
    at = np.geomspace(1e-3, 1.0, 60)
    return at, np.searchsorted(p, at, side="right") / len(p) / at


def evidence() -> list[Panel]:
    """What the bets pay, and a step of one standard deviation."""
    value = np.random.default_rng(13).normal(size=700)
    value[500:] += 1.0
    tick, log_r, _ = _watched(_location(0.0), value)
    p = np.exp(-np.arange(0, CELLS, 4) / 32.0)
    names = [*(f"moved by {shift:g}" for shift in SHIFTS), *("one in ten", "twice as wide", "new regime")]
    pays = {names[k]: (p, np.exp(table()[:CELLS:4, k])) for k in range(BETS)}
    marks = {"moved by 1": 500.0, "alarm": _alarm(tick, log_r)}
    return [
        Panel("What each bet pays for a p-value", lines=pays, x="p", y="factor", log="xy"),
        Panel("Normal values, 300 learnt", dots={"": (tick, value[300:])}, down=marks, y="value"),
        Panel(
            f"Evidence, A = {ARL:,.0f}",
            lines={"": (tick, log_r)},
            across={"ln A": math.log(ARL)},
            down=marks,
            x="tick",
            y="ln R",
        ),
    ]


def dependence() -> list[Panel]:
    """How much means of blocks vary, before and after whitening, and what a short past may claim."""
    noise = _persistent(np.random.default_rng(1).normal(size=20_000), 0.7)
    day = np.random.default_rng(2).normal(size=20_000) + 0.5 * np.sin(np.arange(20_000) * (2.0 * np.pi / 288.0))
    means = {
        "AR(1) 0.7": _block_means(noise),
        "the same, whitened": _block_means(_white(noise)),
        "cycle of 288, whitened": _block_means(_white(day)),
    }
    lengths = np.unique(np.geomspace(60, 5000, 30).astype(np.int64))
    past = [Whitening.fit(noise[:n]) for n in lengths]
    worth = {
        "worth of a tick's evidence": (lengths * 1.0, np.array([w.worth for w in past])),
        "effective ticks / 1,000": (
            lengths * 1.0,
            np.array([w.effective * n / 1e3 for w, n in zip(past, lengths, strict=True)]),
        ),
    }
    return [
        Panel("Variance of block means x length / variance", lines=means, x="ticks in a block", y="times", log="xy"),
        Panel("What a past of AR(1) 0.7 may claim", lines=worth, across={"promised": 0.1}, x="ticks learnt", log="xy"),
    ]


def _persistent(noise: Floats, rho: float) -> Floats:
    value = noise.copy()
    value[1:] *= math.sqrt(1.0 - rho**2)
    for k in range(1, len(value)):
        value[k] += rho * value[k - 1]
    return value


def _white(value: Floats) -> Floats:
    return np.convolve(value, Whitening.fit(value).taps, "valid")


def _block_means(value: Floats) -> Line:
    length = 2 ** np.arange(11)
    varied = [value[: len(value) // n * n].reshape(-1, n).mean(axis=1).var() * n / value.var() for n in length]
    return length * 1.0, np.array(varied)


def shares() -> list[Panel]:
    """A share of errors that rises from 2% to 10%."""
    rng = np.random.default_rng(8)
    total = np.asarray(1.0 + rng.poisson(19.0, 700), np.float64)
    hits = rng.binomial(total.astype(np.int64), np.where(np.arange(700) < 500, 0.02, 0.1)).astype(np.float64)
    detector = ProportionDetector(margin=np.array([0.01]))
    tick, log_r, _ = _watched(detector, hits, total)
    limit = float(detector.share[0] + 1.96 * detector.error[0] + 0.01)
    over = np.convolve(hits, np.ones(12), "valid") / np.convolve(total, np.ones(12), "valid")
    marks = {"2% to 10%": 500.0, "alarm": _alarm(tick, log_r)}
    smooth, null = {"": (tick, over[-len(tick) :])}, {"null": limit}
    return [
        Panel("Share of the last 12 ticks, 20 requests each", lines=smooth, across=null, down=marks, y="share"),
        Panel(
            f"Evidence, A = {ARL:,.0f}",
            lines={"": (tick, log_r)},
            across={"ln A": math.log(ARL)},
            down=marks,
            x="tick",
            y="ln R",
        ),
    ]


def change() -> list[Panel]:
    """A latency that is half as high again for 100 ticks: when it began, and when it was over."""
    value = np.random.default_rng(3).normal(0.0, 0.4, 720)
    value[480:580] += math.log(1.5)
    watch = StreamWatch("example", Config(), StreamBaseline(Config().learning, margins_of(Config())))
    test = watch.tests["ttft"]
    detector, k = test.detector, test.column
    wide = np.full((720, detector.series), np.nan)
    wide[:, k] = value
    tick, log_r, rows = _watched(detector, wide, column=k)
    alarmed = int(_alarm(tick, log_r))
    assert isinstance(detector, LocationDetector)
    log_factors = detector.dating(k, rows["value"][: alarmed - 299, k], alarmed)[:, 0]
    belief = _posterior(log_factors, detector.memory.weights, tick)
    shift = detector.describe(k, alarmed)
    assert shift is not None
    seen = np.arange(324, 720)
    alarm = Alarm("example", "ttft", alarmed, shift, test.name)
    back = [n for n in seen[seen % 24 == 0] if watch.recovered(alarm, 24, int(n))]
    now = [detector.recent(k, int(n) - 23, int(n)) for n in seen]
    rest = {
        "of the last 24 ticks": (seen * 1.0, np.array([r.size for r in now])),
        "at most": (seen * 1.0, np.array([r.size + 3.1 * r.error for r in now])),
    }
    marks, ends = {"onset": float(shift.onset), "alarm": float(alarmed)}, {"recovered": float(back[0])}
    band = [(float(shift.onset_low), float(shift.onset_high))]
    return [
        Panel("Log latency, half as high again from 480 to 579", dots={"": (tick, value[300:])}, down=marks | ends),
        Panel("Posterior of the onset", lines={"": belief}, down=marks, bands=band, y="chance"),
        Panel("What is left of the move", lines=rest, across={"half": shift.size / 2}, down=ends, x="tick"),
    ]


def _posterior(log_factors: Floats, weights: Floats, tick: Floats) -> Line:
    """Chance of each tick, from the ends of a thousand intervals."""
    ends = [change_time(log_factors, weights, level, HEAD_START) for level in np.arange(0.001, 1.0, 0.002)]
    found = np.bincount([end for e in ends for end in (e.low, e.high)], minlength=len(tick)) / (2.0 * len(ends))
    return tick, found


def telemetry() -> list[Panel]:
    """Silences of three streams that stop at once."""
    rng = np.random.default_rng(1)
    rates = {"1 a tick": 1.0, "5 a minute": 5 / 12, "1 a minute": 1 / 12}
    found = {name: _silent(rng.poisson(rate, 3300)) for name, rate in rates.items()}
    return [Panel("Silence x its own rate", found, across={"ln A": math.log(ARL)}, x="ticks", y="nats")]


def _silent(requests: NDArray[np.int64]) -> Line:
    """Evidence around tick 3,000, after which nothing comes."""
    requests[3000:] = 0
    watched = Silence(threshold=math.log(ARL))
    watched.update(requests[:2880], 0, judge=True)
    watched.learn()
    watched.update(requests[2880:], 2880, judge=True)
    tick = np.arange(2880, 3300)
    shown = (tick >= 2940) & (watched.hot <= 1.5 * math.log(ARL))
    return tick[shown] - 3000.0, watched.hot[shown]


def creep() -> list[Panel]:
    """A latency that rises by 2.5% a day after a week, in ticks of a minute."""
    day, margin = 1440, np.array([math.log(1.1)])
    ticks = 20 * day
    value = np.random.default_rng(1).normal(0.0, 0.3, (ticks, 1))
    value[:, 0] += math.log(1.025) * np.maximum(np.arange(ticks) / day - 8.0, 0.0)
    fast = _location(math.log(1.1))
    inner = LocationDetector(margin=margin, seeds=np.array([2 << 20]), anchored=True)
    slow = AnchoredDetector(inner, span=60, fold=median_of, enough=168)
    both = np.hstack([_learning(detector, value) for detector in (fast, slow)])
    hours = np.minimum(both.reshape(-1, 60, 2).max(axis=1), 30.0)
    at, judged = np.arange(len(hours)) / 24.0, hours > -np.inf
    found = {name: (at[judged[:, k]], hours[judged[:, k], k]) for k, name in enumerate(("every tick", "every hour"))}
    enough = math.log(ARL) - math.log(60.0)
    reached = float(at[np.argmax(hours[:, 1] >= enough)])
    median = np.median(value.reshape(-1, 60), axis=1)
    begins = {"+2.5% a day": 8.0, "alarm": reached}
    return [
        Panel("Log latency, medians of an hour", dots={"": (at, median)}, down=begins),
        Panel(
            f"Evidence, A = {ARL:,.0f}",
            lines=found,
            across={"enough for hours": enough},
            down=begins,
            x="day",
            y="ln R",
        ),
    ]


def _learning(detector: Detector, value: Floats) -> Floats:
    """Ln R of a detector that goes on learning what it has judged, two hours late."""
    told = []
    for start in range(0, len(value), 240):
        rows = slice(start, start + 240)
        told.append(detector.update(np.arange(len(value))[rows], value[rows], np.ones_like(value[rows])))
        detector.learn(start + 120)
    return np.concatenate(told)


FIGURES: dict[str, Callable[[], list[Panel]]] = {
    "ranks": ranks,
    "evidence": evidence,
    "dependence": dependence,
    "shares": shares,
    "change-time": change,
    "telemetry": telemetry,
    "two-time-scales": creep,
}


def _location(margin: float) -> LocationDetector:
    return LocationDetector(margin=np.array([margin]), seeds=np.array([1 << 20]))


def _watched(
    detector: Detector, value: Floats, total: Floats | None = None, *, learnt: int = 300, column: int = 0
) -> tuple[Floats, Floats, NDArray[np.void]]:
    """Ticks after the first, which are learnt from; ln R at each; and what the detector remembers of them."""
    value = value.reshape(len(value), -1)
    total = np.ones_like(value) if total is None else total.reshape(value.shape)
    tick = np.arange(len(value))
    when = tick[learnt:].astype(np.float64)
    detector.update(tick[:learnt], value[:learnt], total[:learnt])
    detector.learn(learnt)
    log_r = detector.update(tick[learnt:], value[learnt:], total[learnt:])
    assert isinstance(detector, LocationDetector | ProportionDetector)
    return when, log_r[:, column], detector.memory.rows[-len(log_r) :]


def _alarm(tick: Floats, log_r: Floats) -> float:
    return float(tick[np.argmax(log_r >= math.log(ARL))])


if __name__ == "__main__":
    for name, made in FIGURES.items():
        (METHODS / f"{name}.svg").write_text(drawn(made()), encoding="utf-8")
