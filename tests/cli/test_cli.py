"""The commands as a shell sees them: exit status, standard output, standard error."""

import io
import json
import re
import subprocess
import sys
import tomllib

import pytest

from driftwatch import Config
from driftwatch.cli import progress_bar, run
from driftwatch.incidents.models import Incident
from driftwatch.sinks.facts import encoded, facts
from driftwatch.sinks.jsonlines import MOST_BYTES


@pytest.fixture
def sample(root):
    """A stored incident."""
    return root / "tests" / "explain" / "sample.json"


@pytest.fixture
def outcome(capfd):
    """Run a command; its exit status, output and errors."""

    def call(*args):
        status = run([str(arg) for arg in args])
        return status, *capfd.readouterr()

    return call


def test_config_prints_the_defaults(outcome):
    status, out, err = outcome("config")
    assert (status, err) == (0, "")
    assert Config.parse(tomllib.loads(out)) == Config()


def test_help_and_version_are_not_failures(outcome):
    assert outcome("--help")[0] == outcome("scan", "-h")[0] == outcome("--version")[0] == 0


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["scan", "--metrcs", "f"], "--metrics"),
        (["scann", "f"], "scan"),
        (["scan", "f", "--fail-on", "fatal"], "'critical'"),
        (["scan"], "--metrics"),
        (["fit", "f"], "--out"),
        (["explain", "no-such.json"], "no-such.json"),
        (["budget", "--rate", "0"], "--rate"),
        (["budget", "--rate", "often"], "--rate"),
        (["budget", "f", "--rate", "2"], "rate of their own"),
        (["budget", "no-such.jsonl"], "no-such.jsonl"),
        (["budget", "--config", "no-such.toml"], "no-such.toml"),
        (["scan", "f", "--html", "no-such-folder/report.html"], "no-such-folder"),
    ],
)
def test_bad_usage_exits_with_2_and_says_what_to_do(args, hint, outcome):
    status, out, err = outcome(*args)
    assert (status, out) == (2, "")
    assert hint in err.splitlines()[-1]
    assert "Traceback" not in err


def test_budget_tells_the_rule_and_the_delays_and_stores_them(outcome, tmp_path):
    (tmp_path / "own.toml").write_text("[budget]\nfalse_incidents = 2\nper_days = 7\n[margins]\nttft = 0.3\n")
    status, out, err = outcome("budget", "--rate", 5, "--config", tmp_path / "own.toml", "--json", tmp_path / "p.json")
    assert (status, err) == (0, "")
    assert "The budget is 2 false incidents in 7 days" in out
    assert "On a typical stream at 5/s" in " ".join(out.split())
    assert re.search(r"^    ttft +30% +in margin  in margin  .* s$", out, re.MULTILINE)
    price = json.loads((tmp_path / "p.json").read_text())
    assert price["per_days"] == 7
    assert [d["outcome"] for d in price["streams"][0]["signals"][0]["delays"][:2]] == ["within_margin"] * 2


@pytest.mark.parametrize("shape", ["one", "list", "report"])
@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_explain_reads_one_incident_a_list_or_a_report(shape, format_, outcome, sample, tmp_path):
    incident = json.loads(sample.read_text())
    stored = {"one": incident, "list": [incident], "report": {"incidents": [incident]}}[shape]
    path = tmp_path / "incidents.json"
    path.write_text(json.dumps(stored))
    status, out, err = outcome("explain", path, "--format", format_)
    assert (status, err) == (0, "")
    assert incident["id"] in out
    assert out.lstrip().startswith("<!") == (format_ == "html")


def test_explain_chooses_by_id(outcome, sample, tmp_path):
    first = json.loads(sample.read_text())
    second = first | {"id": "another-one"}
    path = tmp_path / "incidents.json"
    path.write_text(json.dumps([first, second]))
    _, out, _ = outcome("explain", path, "--id", "another-one")
    assert "another-one" in out
    assert first["id"] not in out
    assert outcome("explain", path, "--id", "no-such")[0] == 2
    status, page, _ = outcome("explain", path, "--format", "html")
    assert status == 0
    assert first["id"] in page
    assert "another-one" in page


def test_explain_reads_what_an_alert_wrote_line_by_line(outcome, sample, tmp_path):
    """The last of each incident counts, as it is known last; a line that a crash cut short is left out."""
    incident = Incident.model_validate_json(sample.read_text())
    path = tmp_path / "incidents.jsonl"
    told = [incident.model_copy(update={"id": name, "seq": seq}) for seq, name in ((1, "one"), (2, "one"), (1, "two"))]
    lines = [encoded(facts(each, MOST_BYTES)) for each in told]
    path.write_bytes(b"\n".join([lines[0], lines[1][:80], *lines[1:]]))
    status, out, err = outcome("explain", path)
    assert status == 0
    assert [reference in out for reference in ("one, update 1", "one, update 2", "two, update 1")] == [
        False,
        True,
        True,
    ]
    assert "line 2: left out" in err


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"id": "x"}', "3", "\x00"])
def test_a_file_that_holds_no_incidents_is_one_clear_line(text, outcome, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(text)
    status, out, err = outcome("explain", path)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "broken.json" in err


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_one_line_names_it(missing, root):
    code = f"import sys; sys.modules[{missing!r}] = None; from driftwatch.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"driftwatch: {missing} is needed")
    assert done.stderr.endswith("pip install 'driftwatch-serving[batch]'\n")
    assert done.stderr.count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_drawn_on_a_terminal_and_nothing_in_a_pipe(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar() as progress:
        progress(50, 100)
    assert "50%" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar() as progress:
        assert progress is None
    assert sys.stderr.getvalue() == ""
