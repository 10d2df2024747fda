"""What a screen reader finds on the page, and that colours can be told apart in both themes."""

import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest

from driftwatch.report import Report
from tests.explain.conftest import SAMPLE
from tests.test_report import QUIET

STYLE = files("driftwatch.explain").joinpath("templates/style.css").read_text(encoding="utf-8")
ON_CARDS = ("ink", "muted", "critical", "warning", "info", "good", "plot-muted")
PAIRS = [
    *((name, "card") for name in ON_CARDS),
    *((name, "page") for name in ("ink", "muted", "info")),
    *((name, "soft") for name in ("ink", "muted", "info")),
    *(("on", name) for name in ("critical", "warning", "info")),
    ("warning", "plot-band"),
]


class Outline(HTMLParser):
    """Tags in order, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, *tags):
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module", params=["several", "quiet"])
def outline(request, pictured):
    several = Report(incidents=(pictured, SAMPLE), started_at=SAMPLE.onset, ended_at=SAMPLE.updated_at)
    return Outline((several if request.param == "several" else QUIET).page())


def test_headings_begin_with_one_and_skip_no_level(outline):
    levels = [int(tag[1]) for tag, _ in outline.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_landmarks_are_there_once(outline):
    tags = [tag for tag, _ in outline.found]
    assert [tags.count(tag) for tag in ("header", "main", "footer")][:2] == [1, 1]
    assert tags.count("nav") <= 1
    assert outline.all("html") == [{"lang": "en"}]
    assert outline.all("a")[0] == {"class": "skip", "href": "#content"}


def test_what_is_referred_to_is_there_once(outline):
    ids = [attributes["id"] for _, attributes in outline.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    referred = [a["href"][1:] for a in outline.all("a")]
    for _, attributes in outline.found:
        referred += attributes.get("aria-labelledby", "").split()
    assert set(referred) <= set(ids)


def test_every_picture_has_a_title_and_a_description(outline):
    shown = [svg for svg in outline.all("svg") if "aria-labelledby" in svg]
    hidden = [a for a in outline.all("div") if a.get("aria-hidden")]
    assert all(svg["role"] == "img" for svg in shown)
    assert len(shown) + len(hidden) == len(outline.all("svg"))
    assert len(outline.all("desc")) == len(shown)


def test_every_table_has_a_caption_and_its_headers_a_scope(outline):
    assert len(outline.all("caption")) == len(outline.all("table")) > 0
    assert all(cell.get("scope") in ("row", "col", "rowgroup") for cell in outline.all("th"))


def test_all_pictures_of_the_sample_are_drawn(pictured):
    page = Report(incidents=(pictured,)).page()
    assert re.findall(r'<figure class="(\w+)"', page) == ["time", "dose", "dose", "hit", "answers"]
    assert "saturates at 0.8 tokens/s" in page
    assert "The ramp in numbers" in page


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(text, ground, theme):
    colours = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", STYLE)
    light, dark = (luminance(next(c[1 + theme] for c in colours if c[0] == name)) for name in (text, ground))
    assert (max(light, dark) + 0.05) / (min(light, dark) + 0.05) >= 4.5


def test_old_browsers_get_the_light_theme():
    plain = dict(re.findall(r"--([\w-]+): (#\w{6});", STYLE))
    chosen = {name: light for name, light, _ in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", STYLE)}
    assert plain == chosen


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
