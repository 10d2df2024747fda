"""Whatever stands in a record stays text, in every format, and never stops the writing."""

import re
import unicodedata
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck as Health
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from driftwatch.explain import headline, render
from driftwatch.explain.facts import tell
from driftwatch.explain.markdown import escape
from driftwatch.incidents import chapters, models
from driftwatch.incidents.models import Incident
from driftwatch.report import Quarantined, Report, StreamState

SAMPLE = Incident.model_validate_json((Path(__file__).parent / "sample.json").read_text(encoding="utf-8"))
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></svg><iframe src='https://x.example'>",
    "{{ 7 * 7 }}{% include 'page.html' %}",
    "[click](javascript:alert(1)) ![x](http://x.example/a.png)",
    "@everyone www.x.example #1 **bold** `code` | cell | ~~gone~~ &lt;b&gt; $x$",
    "\n# heading\n\n- item\n```\nfence",
    "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "\u202eesrever\u202c\u200b\u2028line",
    "x" * 5000,
    "nbsp\u00a0\u3000wide",
    "",
)
texts = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=30))
numbers = st.one_of(st.floats(), st.floats(0, 100))
times = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.sampled_from([UTC]))
labels = st.dictionaries(texts, texts, max_size=5)
units = st.one_of(st.sampled_from(["s", "share", "1/s", "tokens", ""]), texts)
several = {"max_size": 3}


def tuples(each):
    return st.lists(each, **several).map(tuple)


findings = st.builds(
    models.Finding,
    signal=st.one_of(st.sampled_from(["ttft", "error_share", "traffic", "score"]), texts, texts.map("score:{}".format)),
    stream=texts,
    unit=units,
    before=numbers,
    after=numbers,
    change=numbers,
    interval=st.tuples(numbers, numbers),
    evidence=numbers,
    onset=times,
    requests=st.integers(0, 10**9),
)
causes = st.builds(
    models.Cause,
    name=st.one_of(st.sampled_from(["kv_cache_usage", "traffic"]), texts),
    share_low=numbers,
    share_high=numbers,
    lag_s=numbers,
    via=tuples(texts),
    scope=labels,
    evidence=st.dictionaries(st.one_of(st.sampled_from(["before", "after"]), texts), numbers, max_size=4),
    unit=units,
    reason=texts,
)
checks = st.builds(
    models.HealthCheck,
    name=texts,
    newly=st.booleans(),
    worst=st.none() | numbers,
    threshold=numbers,
    unit=units,
    source=texts,
    series=texts,
)
segments = st.builds(
    models.Segment,
    where=labels,
    share=numbers,
    lift=numbers,
    signal=texts,
    before=numbers,
    after=numbers,
    requests=st.integers(0, 10**9),
)
losses = st.builds(
    models.Loss,
    source=texts,
    since=times,
    until=st.none() | times,
    missing=st.integers(0, 10**9),
    of=st.integers(0, 10**9),
    rate=numbers,
    longest_s=numbers,
    names=tuples(texts),
    evidence=numbers,
)
terms = st.builds(models.Term, text=texts, before=numbers, after=numbers)
changes = st.builds(
    models.AnswerChange,
    before=st.integers(0, 10**6),
    after=st.integers(0, 10**6),
    traits=tuples(st.builds(models.Trait, name=texts, before=numbers, after=numbers, unit=units)),
    more=tuples(terms),
    fewer=tuples(terms),
    kinds=tuples(
        st.builds(models.KindMove, kind=st.integers(0, 9), before=numbers, after=numbers, terms=tuples(texts))
    ),
    examples=tuples(st.builds(models.Example, request_id=texts, at=numbers, excerpt=texts)),
)
spans = st.tuples(numbers, numbers)
memories = st.builds(
    chapters.Memory,
    readings=tuples(st.builds(chapters.Reading, name=texts, unit=units, before=numbers, after=numbers, worst=numbers)),
    kv_free=numbers,
    kv_full=numbers,
    capacity=numbers,
    asked=numbers,
    at_cap=numbers,
    takers=tuples(st.builds(chapters.Taker, who=texts, where=labels, before=numbers, after=numbers)),
    paging=tuples(
        st.builds(chapters.Paging, where=labels, utilization=numbers, memory=numbers, power=spans, tokens=spans)
    ),
    forecasts=tuples(
        st.builds(
            chapters.Forecast, name=texts, unit=units, now=numbers, limit=numbers, per_hour=spans, runs_out_in_s=spans
        )
    ),
)
economics = st.builds(
    chapters.Economics,
    seconds=spans,
    generated=spans,
    useful_before=spans,
    useful_after=spans,
    wasted=tuples(st.builds(chapters.Waste, before=spans, after=spans)),
    gpus=numbers,
    currency=texts,
    cost_before=spans,
    cost_after=spans,
)
points = st.lists(st.tuples(numbers, numbers), max_size=6).map(tuple)
doses = st.builds(
    models.Dose,
    name=st.one_of(st.just("kv_cache_usage"), texts),
    unit=units,
    signal=texts,
    excess_unit=st.one_of(st.sampled_from(["times", "share"]), texts),
    lag_s=numbers,
    healthy=points,
    during=points,
    ramp=points,
    saturates=st.none() | numbers,
)
values = st.lists(st.none() | numbers, max_size=6).map(tuple)
charts = st.builds(
    models.Chart,
    time=st.lists(st.floats(1e9, 2e9), max_size=6).map(tuple),
    lines=tuples(st.builds(models.Line, name=texts, unit=units, value=values, expected=values)),
)
incidents = st.builds(
    Incident,
    id=texts,
    seq=st.integers(1, 99),
    status=st.sampled_from(get_args(models.Status)),
    stream=texts,
    opened_at=times,
    onset=times,
    onset_interval=st.tuples(times, times),
    updated_at=times,
    resolved_at=st.none() | times,
    findings=tuples(findings),
    causes=tuples(causes),
    silent=st.booleans(),
    health=tuples(checks),
    segments=tuples(segments),
    notes=tuples(texts),
    losses=tuples(losses),
    answers=st.none() | changes,
    memory=st.none() | memories,
    economics=st.none() | economics,
)
pictured = st.builds(
    lambda incident, parts: incident.model_copy(update=parts),
    incidents,
    st.fixed_dictionaries(
        {
            "chart": charts,
            "doses": tuples(doses),
            "markers": tuples(st.builds(models.Mark, at=times, kind=texts, text=texts)),
            "answers": changes,
        }
    ),
)
phases = [Phase.explicit, Phase.reuse, Phase.generate]  # a record is too large to be shrunk in minutes
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(Health), phases=phases)
DOCUMENT = {"html", "head", "meta", "title", "style", "body", "div", "header", "main", "footer", "nav", "article"}
WORDS = {"section", "figure", "figcaption", "details", "summary", "h1", "h2", "h3", "p", "ul", "ol", "li", "span", "a"}
TABLES = {"code", "strong", "small", "table", "caption", "thead", "tbody", "tr", "th", "td"}
CHOICE = {"fieldset", "legend", "label", "input"}
PICTURES = {"svg", "g", "path", "rect", "text", "tspan", "line", "circle", "desc", "title", "defs", "clippath"}
ALLOWED = DOCUMENT | WORDS | TABLES | CHOICE | PICTURES
VOID = {"meta", "input"}


class Page(HTMLParser):
    """Notes every tag and attribute, and fails where tags do not nest."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.links = [], set(), set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value for name, value in attrs if name.endswith("href")}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check_page(text):
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open
    assert page.tags <= ALLOWED
    assert not {name for name in page.attributes if name.startswith("on") or name == "src"}
    assert all(re.fullmatch(r"#[a-z]+(-\d+)?", link) for link in page.links)
    assert "\x1b" not in text


def check_text(text):
    assert all(len(line) <= 230 for line in text.split("\n"))
    assert not [c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


def check_markdown(text):
    assert not re.search(r"(?<!\\)(\\\\)*<", text)
    assert not re.search(r"(?i)(https?|ftp):|www\.", text)
    assert "](" not in text.replace("\\]", "")
    for line in filter(None, text.split("\n")):
        assert re.match(r"(### |\*\*|- |\d\. |\| )", line)
        columns = len(re.findall(r"(?<!\\)\|", line.replace("\\\\", ""))) if line.startswith("| ") else 0
        assert columns in {0, 4, 6, 7}


@given(incidents)
@quick
def test_any_record_can_be_said_in_one_short_line(incident):
    line = headline(incident)
    assert 0 < len(line) <= 120
    assert "\n" not in line


@given(incidents)
@quick
def test_text_stays_on_its_lines_and_has_no_control_characters(incident):
    check_text(render(incident, "text"))


@given(incidents)
@quick
def test_markdown_has_no_markup_but_its_own(incident):
    check_markdown(render(incident, "markdown"))


@given(incidents)
@quick
def test_a_page_has_no_markup_but_its_own(incident):
    check_page(render(incident, "html"))


@given(pictured)
@settings(quick, max_examples=25)
def test_a_page_with_pictures_has_no_markup_but_its_own(incident):
    check_page(render(incident, "html"))


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_field_of_a_whole_report_stays_text(attack):
    mark = models.Mark(at=SAMPLE.onset, kind=attack, text=attack)
    parts = {"stream": attack, "markers": (mark,), "notes": (attack,), "id": attack}
    two = tuple(SAMPLE.model_copy(update=parts | {"severity": severity}) for severity in ("info", "critical"))
    report = Report(
        incidents=two,
        started_at=SAMPLE.onset,
        ended_at=SAMPLE.updated_at,
        streams=(StreamState(name=attack, refused=(attack,), notes=(attack,)),),
        quarantined=(Quarantined(source=attack, reason=attack, rows=1),),
        absent=(attack,),
        notes=(attack,),
        config_digest=attack,
        version=attack,
    )
    check_page(report.page())
    check_page(f"<body>{report._repr_html_()}</body>")
    check_page(f"<body>{two[0]._repr_html_()}</body>")


@pytest.mark.parametrize("attack", ATTACKS)
def test_charts_keep_hostile_text_as_text(attack):
    chart = SAMPLE.chart
    lines = tuple(line.model_copy(update={"name": attack, "unit": attack}) for line in chart.lines[:2])
    mark = models.Mark(at=SAMPLE.onset, kind=attack, text=attack)
    incident = SAMPLE.model_copy(
        update={"chart": chart.model_copy(update={"lines": lines}), "markers": (mark,), "stream": attack}
    )
    page = render(incident, "html")
    check_page(page)
    assert "<svg" in page


def test_a_template_in_a_label_is_not_run():
    assert "49" not in headline(SAMPLE.model_copy(update={"stream": ATTACKS[3]}))
    page = render(SAMPLE.model_copy(update={"stream": ATTACKS[3], "findings": (), "chart": None}), "html")
    assert "{{ 7 * 7 }}" in page


@pytest.mark.parametrize("line", ["1. one", "- item", "+ item", "> quote", "=== under", "# title", "--- rule"])
def test_markdown_at_the_start_of_a_line_is_escaped(line):
    assert escape(line) != line
    assert escape(line).replace("\\", "") == line


def test_more_than_a_page_can_hold_is_counted():
    many = SAMPLE.model_copy(update={"findings": SAMPLE.findings * 10})
    what = next(s for s in tell(many).sections if s.key == "what")
    assert len(what.sentences) == 13
    assert what.sentences[-1] == "And 18 more signals"
