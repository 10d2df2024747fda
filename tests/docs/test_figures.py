"""The figures of the methods show what the code does now, and can be read anywhere."""

import re
from importlib import import_module

import pytest

NAMES = ("ranks", "evidence", "dependence", "shares", "change-time", "telemetry", "two-time-scales")


@pytest.fixture
def figures(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "docs"))
    return import_module("figures")


@pytest.fixture
def panels(figures):
    return import_module("panels")


def test_every_figure_is_named_here(figures):
    assert tuple(figures.FIGURES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_shows_what_the_code_does_now(name, root, figures, panels):
    svg = (root / "docs" / "methods" / f"{name}.svg").read_text()
    assert re.findall(r"<!-- data (\w+) -->", svg) == [panels.digest(figures.FIGURES[name]())], (
        "run: python docs/figures.py"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_small_and_is_shown(name, root):
    svg = root / "docs" / "methods" / f"{name}.svg"
    assert svg.stat().st_size < 60_000
    pages = [page.read_text() for page in (root / "docs").rglob("*.md")]
    assert any(f"{name}.svg)" in page for page in pages)


def test_a_digest_sees_a_third_digit_and_no_fourth(panels):
    def digest(value):
        return panels.digest([panels.Panel("", lines={"": ([0.0], [value])})])

    assert digest(1.001) == digest(1.002) != digest(1.02)
