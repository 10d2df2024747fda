"""The live demo's parts: nothing is known early, it keeps its pace, it is drawn, and it says what was true."""

import io
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np
import pytest
from rich.console import Console

from driftwatch import Incident
from driftwatch.demo.live import paced, play
from driftwatch.demo.screen import drawn, shown, sparkline
from driftwatch.demo.verdict import verdict
from driftwatch.demo.view import views
from driftwatch.simulate import simulate


@pytest.fixture(scope="module")
def recorded():
    return simulate("healthy", seed=1, minutes=10)


def played(recorded):
    return play(recorded.requests, recorded.metrics, recorded.markers)


def test_at_each_moment_only_what_has_come_is_known(recorded):
    completed = recorded.requests.completed_at
    for moment in islice(played(recorded), 40):
        assert len(moment.log) == (completed < moment.now).sum()
        newest = max(track.newest for track in moment.engine.series.tracks.values())
        assert moment.now - 30 < newest < moment.now
        assert moment.engine.builder.taken <= len(moment.log)


def test_by_the_end_everything_has_come_in_order(recorded):
    times, last = [], None
    for last in played(recorded):
        times.append(last.now)
    assert (np.diff(times[:-1]) > 0).all()
    assert len(last.log) == np.isfinite(recorded.requests.completed_at).sum()
    assert last.engine.samples == len(recorded.metrics)


@pytest.mark.parametrize("speed", [60.0, 5.0])
def test_the_pace_is_kept_whatever_the_work_takes(recorded, speed):
    now, waits = [0.0], []

    def sleep(seconds):
        waits.append(seconds)
        now[0] += seconds

    moments = list(islice(played(recorded), 30))
    for _ in paced(moments, speed, lambda: now[0], sleep):
        now[0] += 0.01  # what drawing takes
    assert now[0] == pytest.approx((moments[-1].now - moments[0].start) / speed, abs=0.02)
    assert min(waits) >= 0


def test_at_speed_0_nobody_waits(recorded):
    def never(seconds):
        raise AssertionError

    assert len(list(paced(islice(played(recorded), 5), 0.0, lambda: 0.0, never))) == 5


@pytest.mark.parametrize(("ticks", "state"), [(20, "learning what is healthy"), (110, "watching; all is well")])
def test_the_screen_shows_users_machine_checks_and_state(recorded, ticks, state):
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    *_, view = islice(views(played(recorded)), ticks)
    console.print(drawn(view, "a title"))
    text = console.file.getvalue()
    assert view.green > 5
    checks = f"{view.green} of {view.green + len(view.firing)} green"
    assert [
        words for words in ("a title", "time to first token", "KV cache in use", checks, state) if words not in text
    ] == []
    assert max(map(len, text.splitlines())) <= 100


def test_the_terminal_is_given_back_when_it_is_interrupted(recorded):
    console = Console(
        file=io.StringIO(), width=100, force_terminal=True, legacy_windows=False, _environ={"TERM": "xterm"}
    )
    frames = shown(views(played(recorded)), "a title", console)
    next(frames)
    with pytest.raises(KeyboardInterrupt):
        frames.throw(KeyboardInterrupt)
    text = console.file.getvalue()
    assert text.rindex("\x1b[?1049l") > text.index("\x1b[?1049h")  # the other screen is left
    assert text.rindex("\x1b[?25h") > text.index("\x1b[?25l")  # and the cursor is back


def test_a_line_of_nothing_is_empty_and_of_zeros_is_low():
    assert sparkline(np.full(3, np.nan)) == "   "
    assert sparkline(np.zeros(2)) == "▁▁"


@pytest.fixture
def incident(root):
    return Incident.model_validate_json((root / "tests" / "explain" / "sample.json").read_text())


def truth_about(incident, **changes):
    """A truth that the incident fits."""
    at = incident.onset - timedelta(seconds=7)
    cause = next(c for c in incident.causes if c.tier == "supported")
    base = {
        "scenario": "a_scenario",
        "title": "a title",
        "control": False,
        "onset_at": at.replace(tzinfo=UTC).timestamp(),
        "started_at": 0.0,
        "kinds": [incident.kind],
        "causes": [cause.name],
        "telemetry": True,
    }
    return base | changes


def test_the_verdict_compares_times_and_causes(incident):
    said = "\n".join(verdict(truth_about(incident), "felt", [incident]))
    assert "a_scenario" in said
    assert "7 s too late" in said
    assert "which is right" in said
    assert "which is not right" in "\n".join(verdict(truth_about(incident, causes=["other"]), "felt", [incident]))


def test_the_verdict_says_what_was_missed_and_what_was_made_up(incident):
    missed = verdict(truth_about(incident, telemetry=False), "felt", [])
    assert missed[-1] == "driftwatch did not notice it: only the text of answers shows it."
    calm = truth_about(incident, control=True, kinds=[], onset_at=None)
    assert verdict(calm, "felt", [])[-1] == "Nothing was wrong, and nothing was said."
    assert verdict(calm, "felt", [incident])[-1] == "Incidents beside it: 1, which nothing called for."
    late = truth_about(incident, onset_at=datetime(2100, 1, 1, tzinfo=UTC).timestamp())
    assert "did not notice" in verdict(late, "felt", [incident])[2]
