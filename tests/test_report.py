import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from driftwatch.errors import InputError, MissingExtra
from driftwatch.explain import html
from driftwatch.incidents.models import Incident
from driftwatch.report import Quarantined, Report, StreamState

SAMPLE = Incident.model_validate_json((Path(__file__).parent / "explain" / "sample.json").read_text(encoding="utf-8"))
START = datetime(2026, 11, 23, 15, 32, 10, tzinfo=UTC)
QUIET = Report(
    started_at=START,
    ended_at=START + timedelta(minutes=14),
    requests=3412,
    samples=41_820,
    streams=(
        StreamState(name="model=m", requests=3380, ticks=168, learnt_ticks=96, state="watching", refused=("itl: few",)),
        StreamState(name="model=tiny", requests=32, ticks=12, learnt_ticks=12),
    ),
    quarantined=(Quarantined(source="r.jsonl", reason="not JSON", rows=3, first_lines=(412, 413)),),
    late=4,
    duplicates=2,
    absent=("vllm:num_requests_waiting",),
    notes=("metrics are 15 s apart",),
    config_digest="ab12",
    version="0.1.0",
)
FOUND = QUIET.model_copy(update={"incidents": (SAMPLE,)})


def test_without_an_incident_it_says_what_was_watched_and_what_was_not():
    words = str(QUIET)
    for fact in (
        "No incident: nothing that is judged moved by more than its margin",
        "3,412 requests and 41,820 samples of metrics over 14 min",
        "On model=tiny: still learning, 12 ticks so far",
        "On model=m: itl: few",
        "vllm:num_requests_waiting",
        "4 rows came too late",
        "2 rows repeat a request id",
        "412, 413",
        "Metrics are 15 s apart",
    ):
        assert fact in words


def test_a_young_baseline_says_what_it_is_worth():
    young = StreamState(name="a", learnt_ticks=96, effective_ticks=31.4, state="watching")
    words = " ".join(str(Report(streams=(young,))).split())
    assert "its 96 ticks are worth 31 independent ones, and the promise about false alarms holds from 100" in words
    old = young.model_copy(update={"effective_ticks": 100.0})
    assert "young" not in str(Report(streams=(old,)))
    assert "young" not in str(Report(streams=(young.model_copy(update={"state": "learning"}),)))


def test_nothing_learnt_is_not_called_healthy():
    assert "nothing is judged yet" in str(Report())
    assert "nothing is judged yet" in str(Report(streams=(StreamState(name="a"),)))


def test_incidents_are_told_in_full():
    words = str(FOUND)
    assert words.startswith("1 incident (1 critical degradation)\n")
    assert SAMPLE.explain("text").rstrip() in words
    assert repr(FOUND) == "<Report: 1 incident (1 critical degradation)>"


@pytest.mark.parametrize("report", [Report(), QUIET, FOUND])
def test_json_comes_back_the_same(report, tmp_path):
    path = tmp_path / "report.json"
    assert report.to_json(path) == path.read_text(encoding="utf-8")
    assert Report.from_json(path) == Report.from_json(str(path)) == Report.from_json(report.to_json()) == report


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "the document"), ('{"requests": "many"}', "requests"), ('{"colour": 1}', "colour"), ("[]", "the document")],
)
def test_what_is_no_report_is_refused_with_its_place(text, problem, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"report.json: not a report of driftwatch: {problem}"):
        Report.from_json(path)
    with pytest.raises(InputError, match=r"missing\.json: cannot be read"):
        Report.from_json(tmp_path / "missing.json")


def test_a_frame_has_a_row_for_each_incident():
    frame = FOUND.to_frame()
    assert len(frame) == 1
    assert frame.loc[0, "signal"] == "ttft"
    assert frame.loc[0, "cause"] == "kv_cache_usage"
    assert frame.loc[0, "onset"] == SAMPLE.onset
    assert list(QUIET.to_frame().columns) == list(frame.columns)


def test_the_page_is_small_and_needs_nothing_from_outside(tmp_path):
    page = FOUND.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 1_500_000
    assert "<script" not in page
    assert not re.search(r"(?i)\b(src|href)=\"(?!#)|url\(|@import", re.sub(r'url\(["\']?#', "", page))
    assert "Time to first token 0.05 s → 3.1 s" in page


def test_fifty_incidents_are_all_on_the_page_and_the_worst_have_all_their_pictures(tmp_path):
    mild = SAMPLE.model_copy(update={"severity": "info"})
    page = FOUND.model_copy(update={"incidents": (mild,) * 48 + (SAMPLE,) * 2}).to_html(tmp_path / "f.html").read_text()
    assert len(page.encode()) < 1_500_000
    assert page.count("<article") == 50
    assert page.count('<figure class="time"') >= 30
    assert [int(n) for n in re.findall(r'id="incident-(\d+)"', page)] == list(range(1, 51))
    articles = re.split(r"(?=<article)", page)[1:]
    assert [a.count('class="wide"') for a in articles[-2:]] == [1, 1]
    assert page.count("The figure is left out to keep this page small") == 50 - page.count('<figure class="time"')


def test_any_number_of_incidents_keeps_the_page_small(tmp_path):
    plain = SAMPLE.model_copy(update={"chart": None})
    page = FOUND.model_copy(update={"incidents": (plain,) * 200}).to_html(tmp_path / "many.html").read_text()
    assert len(page.encode()) < 1_500_000
    assert page.count("<article") + int(re.search(r"(\d+) more incidents are left out", page)[1]) == 200


def test_a_notebook_shows_the_page_and_its_style_stays_inside():
    shown = FOUND._repr_html_()
    assert shown.lstrip().startswith('<div class="driftwatch">')
    style = re.search(r"<style>(.*?)</style>", shown, re.DOTALL)[1]
    selectors = [re.sub(r"\([^()]*\)", "", s) for s in re.findall(r"(?m)^\s*([.\w][^{}@]*)\{", style)]
    assert selectors
    assert all(part.strip().startswith(".driftwatch") for s in selectors for part in s.split(","))


def test_without_the_extra_a_notebook_shows_text_and_a_page_says_what_to_install(monkeypatch, tmp_path):
    html._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert QUIET._repr_html_().startswith("<pre>No incident")
    with pytest.raises(MissingExtra, match=r"driftwatch-serving\[report\]"):
        QUIET.to_html(tmp_path / "report.html")


def test_a_plot_has_the_pictures_of_the_page():
    twice = FOUND.model_copy(update={"incidents": (SAMPLE, SAMPLE)})
    drawn = twice.plot().to_dict()
    assert len(drawn["vconcat"]) == 1 + 2 * len(SAMPLE.plot().to_dict()["vconcat"])
    assert drawn["datasets"]["0 bars"][1]["number"] == "2"
    assert "nothing to draw" in str(QUIET.plot().to_dict())


def test_an_incident_shows_itself_in_a_notebook(monkeypatch):
    shown = SAMPLE._repr_html_()
    assert shown.lstrip().startswith('<div class="driftwatch">')
    assert "<svg" in shown
    assert 'type="radio"' not in shown
    html._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert SAMPLE._repr_html_().startswith("<pre>Time to first token")


def test_nothing_found_is_only_called_quiet_where_something_is_judged():
    assert '<h1 class="quiet">' in QUIET.page()
    assert "1 of 2" in QUIET.page()
    assert '<h1 class="quiet">' not in Report().page()
    assert '<h1 class="quiet">' not in FOUND.page()
