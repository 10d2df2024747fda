import re
from importlib.resources import files
from pathlib import Path

import pytest

from driftwatch.explain import chart
from driftwatch.explain.figures import figures
from driftwatch.explain.timeline import timeline
from driftwatch.incidents.models import Chart, HealthCheck, Incident, Line

SAMPLE = Incident.model_validate_json((Path(__file__).parent / "sample.json").read_text(encoding="utf-8"))


def drawn(**fields):
    return SAMPLE.model_copy(update={"chart": SAMPLE.chart.model_copy(update=fields)})


def test_signals_come_first_and_each_row_says_what_it_claims():
    svg = chart.figure(SAMPLE, 900)
    words = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    titles = [w for w in words if "time to first token" in w or "(" in w]
    assert titles[0] == "time to first token, s"
    assert any(w.endswith("(supported, 55% to 85%)") for w in titles)
    assert any(w.endswith("(symptom)") for w in titles)
    assert "onset" in words


@pytest.mark.parametrize("name", ["traffic{tenant=batch}", "traffic tenant=batch"])
def test_a_line_is_told_from_one_of_the_same_name_by_its_labels(name):
    everybody = SAMPLE.causes[2].model_copy(update={"scope": {}, "tier": "consistent"})
    line = SAMPLE.chart.lines[4].model_copy(update={"name": name})
    incident = drawn(lines=(SAMPLE.chart.lines[0], line)).model_copy(update={"causes": (everybody, SAMPLE.causes[2])})
    assert "traffic of tenant=batch, tokens/s (supported, 60% to 95%)" in chart.figure(incident, 900)


def test_every_colour_has_its_counterpart_on_dark(pictured):
    style = files("driftwatch.explain").joinpath("templates/style.css").read_text(encoding="utf-8")
    period = (SAMPLE.onset, SAMPLE.updated_at)
    three = {n: SAMPLE.model_copy(update={"severity": s}) for n, s in enumerate(("critical", "warning", "info"), 1)}
    drawn = [figure.draw(width) for figure in figures(pictured) for width in figure.widths]
    svg = "".join(d.svg() for d in [*drawn, timeline(three, period, 900)] if d is not None)
    used = set(re.findall(r'(fill|stroke)="(#[0-9a-f]{3,6})"', svg))
    assert len(used) > 8
    assert [f'[{name}="{colour}"]' for name, colour in sorted(used) if f'svg [{name}="{colour}"]' not in style] == []


def test_a_check_is_drawn_with_the_threshold_at_which_it_fires():
    check = HealthCheck(
        name="host memory", layer="infrastructure", state="green", worst=0.3, threshold=0.9, unit="share"
    )
    line = Line(name="host memory", unit="share", role="health", value=(0.3,) * len(SAMPLE.chart.time))
    incident = drawn(lines=(SAMPLE.chart.lines[0], line)).model_copy(update={"health": (check,)})
    svg = chart.figure(incident, 900)
    assert "host memory (check green, fires at &gt; 90%)" in svg
    assert 'stroke-dasharray="6,3"' in svg
    assert 'stroke="#19703a"' in svg


def test_candidates_are_drawn_however_many_signals_moved():
    crowd = tuple(SAMPLE.chart.lines[0].model_copy(update={"name": f"signal_{n}"}) for n in range(12))
    others = tuple(line for line in SAMPLE.chart.lines if line.role != "signal")
    titles = re.findall(r">([^<>]+)</text>", chart.figure(drawn(lines=crowd + others), 900))
    assert any("supported" in words for words in titles)
    assert "signal 0, s" in titles
    assert sum(words.startswith("signal ") for words in titles) <= 4


def test_a_timeline_has_a_lane_for_each_stream_and_a_link_for_each_incident():
    other = SAMPLE.model_copy(update={"stream": "model=other"})
    svg = timeline({1: SAMPLE, 2: other, 7: SAMPLE}, (SAMPLE.onset, SAMPLE.updated_at), 900).svg()
    assert re.findall(r'<a href="([^"]*)"', svg) == ["#incident-1", "#incident-2", "#incident-7"]
    words = re.findall(r">([^<>]+)</text>", svg)
    assert words.count("model=smollm2") == words.count("model=other") == 1
    assert "vega.github.io" not in svg


@pytest.mark.parametrize(
    "incident",
    [
        SAMPLE.model_copy(update={"chart": None}),
        drawn(lines=()),
        drawn(time=()),
        drawn(time=SAMPLE.chart.time[:1]),
    ],
)
def test_nothing_to_draw_draws_nothing(incident):
    assert chart.figure(incident, 900) == ""


def test_gaps_and_lines_of_another_length_are_drawn():
    line = Line(
        name="ttft", unit="s", role="signal", value=(None, 1.0, float("nan"), 2.0, float("inf")), expected=(1.0,)
    )
    incident = SAMPLE.model_copy(update={"chart": Chart(time=(1.0, 2.0, 3.0), lines=(line,))})
    assert chart.figure(incident, 900).startswith("<svg")


def test_long_histories_make_no_larger_pictures():
    n = 20_000
    line = SAMPLE.chart.lines[0].model_copy(update={"value": (1.0,) * n, "expected": (1.0,) * n})
    start = SAMPLE.chart.time[0]
    incident = drawn(time=tuple(start + i for i in range(n)), lines=(line,))
    assert len(chart.figure(incident, 900)) < 40_000


def test_the_figure_is_told_in_numbers_too():
    rows = {row[0]: row for row in chart.numbers(SAMPLE).rows}
    assert rows["time to first token"][1] == "signal"
    assert rows["time to first token"][2].endswith(" s")
    assert len(rows) == len(SAMPLE.chart.lines)
