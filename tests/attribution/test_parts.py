"""Who was hit, from requests on: faults that hit exactly one part of the traffic, of every kind that there is."""

import math

import numpy as np
import pytest

from driftwatch.attribution.history import StreamHistory
from driftwatch.attribution.parts import segments_of
from driftwatch.attribution.scene import Scene
from driftwatch.baseline import StreamBaseline, part_labels, sender_of
from driftwatch.baseline.parts import SIZE
from driftwatch.config import Config
from driftwatch.detectors import Shift
from driftwatch.events.columns import Coded, Markers, requests_of
from driftwatch.incidents.life import Alarm
from driftwatch.incidents.panel import margins_of
from driftwatch.ticks import TickBuilder
from driftwatch.ticks.series import SeriesStore

VALUES = {
    "model": ("small", "large"),
    "route": ("/chat", "/batch"),
    "tenant": ("chat", "api", "legal"),
    "replica": ("a", "b", "c"),
    "adapter": ("base", "tuned"),
    "region": ("eu", "us"),
}
LENGTHS, CACHED = (200, 600, 2000, 6000), (0.0, 0.25, 0.8)
_LENGTHS = ("under 256", "256 to 1023", "1024 to 4095", "4096 to 16383")
_CACHED = ("under 5%", "5% to 50%", "over 50%")
BEFORE, AFTER, PER_TICK, START = 100, 50, 40, 1_800_000_000.0
CONFIG = Config.parse({"streams": {"by": ["service"], "segments": [*VALUES, "finish_reason"], "max_segments": 1000}})
KINDS = (
    *({label: values[-1]} for label, values in VALUES.items()),
    {"finish_reason": "length"},
    {"prompt_tokens": "4096 to 16383"},
    {"prompt_tokens": "under 256"},
    {"cached_share": "under 5%"},
    {"cached_share": "over 50%"},
    {"tenant": "api", "replica": "b"},
    {"prompt_tokens": "1024 to 4095", "adapter": "tuned"},
    {"region": "us", "cached_share": "5% to 50%"},
)


def segments(seed, hit=None, *, size=0.5, slow=None):
    """Requests of one stream, some of them slower from an onset on and some always; and who is said to be hit."""
    rng = np.random.default_rng(seed)
    n = (BEFORE + AFTER) * PER_TICK
    tick = np.repeat(np.arange(BEFORE + AFTER), PER_TICK)
    picked = {label: rng.integers(0, len(values), n) for label, values in VALUES.items()}
    prompt = rng.choice(LENGTHS, n) * rng.uniform(0.9, 1.1, n)
    share = rng.choice(CACHED, n)
    finish = (rng.random(n) < 0.3).astype(np.int32)
    labels = {label: np.array(values)[picked[label]] for label, values in VALUES.items()} | {
        "finish_reason": np.array(["stop", "length"])[finish],
        "prompt_tokens": np.array(_LENGTHS)[np.searchsorted((256, 1024, 4096), prompt, "right")],
        "cached_share": np.array(_CACHED)[np.searchsorted((0.05, 0.5), share, "right")],
    }

    def part(where):
        return np.logical_and.reduce([np.ones(n, bool), *(labels[label] == value for label, value in where.items())])

    inside = part(hit) if hit is not None else np.zeros(n, bool)
    always = part(slow) if slow is not None else np.zeros(n, bool)
    grown = size * (inside & (tick >= BEFORE)) + 0.5 * always
    ttft = 0.05 * np.sqrt(prompt / 200) * np.exp(rng.normal(0, 0.3, n) + grown)
    rows = requests_of(
        n,
        started_at=START + 5.0 * (tick + rng.random(n)) - 1.0,
        completed_at=START + 5.0 * tick + np.sort(rng.random((len(tick) // PER_TICK, PER_TICK)) * 5, axis=1).ravel(),
        prompt_tokens=np.rint(prompt),
        output_tokens=np.full(n, 100.0),
        cached_tokens=np.rint(prompt * share),
        ttft=ttft,
        id_hash=np.arange(1, n + 1),
        finish_reason=Coded(finish, ("stop", "length")),
        labels={"service": Coded.constant("s", n)}
        | {label: Coded(picked[label].astype(np.int32), values) for label, values in VALUES.items()},
    )
    return _told(rows)


def _told(rows):
    builder, first = TickBuilder(CONFIG), int(START // 5)
    builder.add(rows)
    ticks = builder.close(first + BEFORE + AFTER)
    onset, last = first + BEFORE, first + BEFORE + AFTER - 1
    baseline = StreamBaseline(
        CONFIG.learning, margins_of(CONFIG), sender=lambda number: sender_of(builder.segments.where(number))
    )
    baseline.collect(ticks.between(first, onset - 1), first)
    history = StreamHistory()
    history.add(baseline.start(onset - 1, patient=False))
    history.add(baseline.judge(ticks.between(onset, last), onset, last))
    nothing = Markers(np.empty(0), (), (), ())
    scene = Scene(CONFIG, {"s": history}, {"s": {}}, builder.segments, SeriesStore(5.0, 10), nothing)
    shift = Shift(onset, onset, onset, 0.1, 0.01, 0.0, 20.0, 100, 20.0)
    return segments_of(scene, Alarm("s", "ttft", last, shift, "ttft"), first, last)


@pytest.mark.parametrize("hit", KINDS, ids=str)
def test_the_exact_part_is_found_in_19_of_20(hit):
    found = [segments(seed, hit) for seed in range(20)]
    exact = sum(bool(parts) and parts[0].where == hit for parts in found)
    assert exact >= 19, [[part.where for part in parts] for parts in found]
    sizes = [parts[0] for parts in found if parts and parts[0].where == hit]
    # half an e-fold longer: 0.65 of what it took before; the rest as it was
    assert np.median([part.added / part.before for part in sizes]) == pytest.approx(math.expm1(0.5), rel=0.1)
    assert np.median([abs(part.rest) / part.before for part in sizes]) < 0.05


@pytest.mark.parametrize("seed", range(10))
def test_nobody_is_named_when_all_were_hit_alike(seed):
    assert segments(seed, {}) == ()


@pytest.mark.parametrize(
    "slow", [{"tenant": "api"}, {"prompt_tokens": "under 256"}, {"cached_share": "over 50%"}], ids=str
)
def test_a_part_that_was_always_slow_is_not_named(slow):
    assert [segments(seed, slow=slow) for seed in range(5)] == [()] * 5
    assert [segments(seed, {}, slow=slow) for seed in range(5)] == [()] * 5


def test_every_part_has_a_name_of_its_own():
    names = [tuple(part_labels(part).items()) for part in range(SIZE)]
    assert len(set(names)) == SIZE
