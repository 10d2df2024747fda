"""Pages that are made from the code, and pages that must agree with it."""

import re
import tomllib
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from driftwatch import Config, Incident
from driftwatch._settings import default_toml, settings
from driftwatch.cli import app
from driftwatch.explain.facts import tell
from driftwatch.simulate import simulate


def load(path):
    loader = SourceFileLoader(path.stem, str(path))
    module = module_from_spec(spec_from_loader(path.stem, loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "page", ["budget.md", "configuration.md", "incident.schema.json", "simulator.md", "webhook.schema.json"]
)
def test_a_generated_page_is_up_to_date(page, root):
    made = load(root / "docs" / "generate.py").PAGES[page]()
    assert (root / "docs" / page).read_text() == made, "run: python docs/generate.py"


def test_every_key_has_a_meaning_and_every_number_a_unit():
    assert [s for s in settings() if not s.meaning] == []
    numbers = [s for s in settings() if re.fullmatch(r"[\d.]+", s.default)]
    assert len(numbers) > 20
    assert [s for s in numbers if not s.unit] == []


def test_the_default_toml_is_the_default_configuration():
    assert Config.parse(tomllib.loads(default_toml())) == Config()


def test_every_key_of_the_models_is_in_the_default_toml():
    lists = ("checks", "destinations", "maintenance")
    keys = {key for section in Config().model_dump().values() for key in section if key not in lists}
    assert keys <= {line.partition(" = ")[0] for line in default_toml().splitlines()}


def test_every_command_and_option_is_documented_and_no_other(root):
    sections = re.split(r"^## driftwatch ", (root / "docs" / "command-line.md").read_text(), flags=re.MULTILINE)[1:]
    documented = {s.split()[0]: set(re.findall(r"^\| `(--[\w-]+)", s, re.MULTILINE)) for s in sections}
    actual = {
        name: {
            flag
            for part in (command, *getattr(command, "commands", {}).values())
            for p in part.params
            for flag in p.opts
            if flag.startswith("--")
        }
        for name, command in app.commands.items()
    }
    assert documented == actual


def test_every_field_of_the_truth_is_documented_and_no_other(root):
    table = (root / "docs" / "simulator.md").read_text().split("## truth.json")[1].split("\n## ")[0]
    fields = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)))
    assert fields == list(simulate("healthy", minutes=10).truth)


def test_every_section_of_an_explanation_is_interpreted(root):
    incident = Incident.model_validate_json((root / "tests" / "explain" / "sample.json").read_text())
    page = (root / "docs" / "interpreting-an-incident.md").read_text()
    titles = [section.title for section in tell(incident).sections]
    assert len(titles) > 5
    assert [title for title in titles if f"\n## {title}\n" not in page] == []


def test_the_picture_shows_the_rooms_of_the_package_on_the_floors_that_are_checked(root):
    picture = (root / "docs" / "architecture.md").read_text().split("floor  rooms\n")[1].split("```")[0]
    floors = re.findall(r"^ +\d+ +(\w[\w, ]*?)(?:  .*)?$", picture, re.MULTILINE)
    drawn = [set(floor.split(", ")) for floor in floors]
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [{room for room in re.split(r" [|:] ", layer) if "(" not in room} for layer in contracts[0]["layers"]]
    assert drawn == [layer for layer in layers if layer]
    package = {path.stem for path in (root / "driftwatch").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert set().union(*drawn) == package - {"__init__", "__pycache__"}
