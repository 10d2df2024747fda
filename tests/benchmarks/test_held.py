"""What an engine holds of a stream: bounded by its windows, and small."""

from dataclasses import replace

import pytest

from driftwatch.config import Config
from driftwatch.engine import Engine
from tests.traffic import START, traffic

held = pytest.importorskip("hosting.held", reason="the benchmarks are not beside the tests").held

WINDOW = 2880  # ticks: the longest window that no setting shortens (that of silences, and of what users may do)
SMALL = {"learning": {"max_ticks": 1000}, "attribution": {"history_s": 3600.0}}


def test_once_its_windows_are_full_a_stream_takes_no_more_memory():
    engine = Engine(Config.parse(SMALL))
    day = traffic(3, 180, rate=1.0)
    repeats = 2 * WINDOW // 180 + 1
    sizes = []
    for k in range(repeats):
        part = replace(day, **{name: getattr(day, name) + k * 900.0 for name in ("completed_at", "started_at")})
        engine.add(part)
        engine.advance()
        sizes.append(sum(held(engine).values()))
    assert engine.next_tick - START // 5.0 > 2 * WINDOW - 60
    full, later = sizes[repeats // 2 : 3 * repeats // 4], sizes[3 * repeats // 4 :]
    assert max(later) <= 1.02 * max(full)
    assert max(sizes) < 1.5e6
