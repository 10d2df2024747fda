"""Every example of README and docs runs, and every TOML block is a valid configuration.

Of ```bash blocks, lines that start with ``driftwatch`` are run and the others are parsed (the lines that install are
run by .ci/run). Blocks of one page run one after the other, in a folder that holds a recording.
"""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from driftwatch import Config
from driftwatch.live import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LANGUAGES = {"python", "bash", "toml", "text", "json"}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def pages_with(language):
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, language)]


@pytest.fixture
def workplace(tmp_path, bundled, monkeypatch):
    """A folder with what the examples name: a recording, its files, and a healthy log."""
    shutil.copytree(bundled, tmp_path / "recording")
    shutil.copytree(bundled, tmp_path, dirs_exist_ok=True)
    (tmp_path / "watch.toml").write_text("[host]\n")
    with gzip.open(bundled / "requests.jsonl.gz") as log:
        healthy = log.readlines()[:1500]
    (tmp_path / "healthy.jsonl.gz").write_bytes(gzip.compress(b"".join(healthy)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_says_what_it_is():
    fences = {fence for page in PAGES for fence in re.findall(r"^```(\w*)\n.*?^```", page.read_text(), re.M | re.S)}
    assert fences <= LANGUAGES


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_examples_run(page, workplace):
    names = {"__name__": "example"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", pages_with("bash"))
def test_commands_run(page, workplace):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    lines = [line for block in blocks(page, "bash") for line in block.splitlines() if line.startswith("driftwatch ")]
    for line in lines:
        command = [sys.executable, "-m", *shlex.split(line)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), f"{line}\n{done.stderr}"
        assert done.stderr == "", line


@pytest.mark.parametrize("page", pages_with("bash"))
def test_shell_blocks_parse(page):
    for block in blocks(page, "bash"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True, capture_output=True)


@pytest.mark.parametrize("page", pages_with("toml"))
def test_toml_blocks_are_valid_configurations(page):
    for block in blocks(page, "toml"):
        kind = Settings if block.startswith("# watch.toml") else Config
        kind.parse(tomllib.loads(block), source=page.name)


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_the_scripts_run(script, workplace):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_links_between_pages_lead_somewhere():
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())]
    assert len(links) > 15
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []
