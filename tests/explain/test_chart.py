import re
from importlib.resources import files
from pathlib import Path

import pytest

from driftwatch.explain import chart
from driftwatch.incidents.models import Chart, Incident, Line

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


def test_every_colour_has_its_counterpart_on_dark():
    style = files("driftwatch.explain").joinpath("templates/style.css").read_text(encoding="utf-8")
    dark = style.partition("@media (prefers-color-scheme: dark)")[2]
    svg = chart.figure(SAMPLE, 900) + chart.timeline([SAMPLE], (SAMPLE.onset, SAMPLE.updated_at), 900)
    used = set(re.findall(r'(fill|stroke)="(#[0-9a-f]{6})"', svg))
    assert used
    assert [f'[{name}="{colour}"]' for name, colour in sorted(used) if f'[{name}="{colour}"]' not in dark] == []


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
