"""The page in a real browser without a network: both themes, a desk and a phone, keyboard, paper, contrast."""

import os
import shutil
from pathlib import Path

import pytest

import driftwatch as dw
from driftwatch.report import Report
from tests.explain.test_hostile import ATTACKS
from tests.test_report import QUIET

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("DRIFTWATCH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here; DRIFTWATCH_CHROMIUM names one")
WIDTHS, THEMES = (1440, 390), ("light", "dark")
LEAST_CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory, bundled, pictured):
    """A real scan, several incidents with all pictures and hostile names, and nothing found."""
    folder = tmp_path_factory.mktemp("pages")
    several = [pictured.model_copy(update={"stream": attack, "notes": (attack,)}) for attack in ATTACKS[:6]]
    reports = {
        "real": dw.scan(str(bundled)),
        "several": Report(incidents=tuple(several), started_at=pictured.onset, ended_at=pictured.updated_at),
        "quiet": QUIET,
    }
    return {name: report.to_html(folder / f"{name}.html").as_uri() for name, report in reports.items()}


@pytest.fixture
def visit(browser, pages):
    """Opens a page offline; at the end nothing may have gone wrong and nothing been asked for."""
    contexts, wrong = [], []

    def opened(name, width, theme):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: wrong.append(request.url) if request.url != pages[name] else None)
        page.goto(pages[name])
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["real", "several", "quiet"])
def test_a_page_opens_offline_fits_and_can_be_read(visit, name, width, theme):
    page = visit(name, width, theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    *worst, (texts, _) = page.evaluate(LEAST_CONTRAST)
    assert texts > 20
    assert [text for ratio, text in worst if ratio < 4.5] == []


def test_the_theme_can_be_chosen_whatever_the_system_says(visit):
    page = visit("real", 1440, "light")
    ground = "getComputedStyle(document.querySelector('article')).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("dark").check()
    dark = page.evaluate(ground)
    page.get_by_label("light").check()
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(28, 32, 39)")
    assert page.evaluate(ground) == light


def test_the_keyboard_reaches_the_content_and_each_incident(visit):
    page = visit("several", 1440, "light")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") > 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#incident-1"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "incident-1"


def test_a_bar_of_the_timeline_leads_to_its_incident(visit):
    page = visit("several", 1440, "light")
    page.locator('.overview .wide a[href="#incident-4"]').click()
    assert page.evaluate("location.hash") == "#incident-4"


def test_paper_has_no_choices_and_no_scroll_bars(visit):
    page = visit("real", 1440, "dark")
    assert page.pdf().startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator(".theme").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.driftwatch')).colorScheme") == "light"
