"""What is said, to the byte. After a wanted change: ``python tests/explain/test_golden.py`` writes the files anew."""

import re
from pathlib import Path

import pytest

from driftwatch.explain import render
from driftwatch.incidents.models import Incident

HERE = Path(__file__).parent
SAMPLE = Incident.model_validate_json((HERE / "sample.json").read_text(encoding="utf-8")).model_copy(
    update={"chart": None}
)
MINIMAL = Incident.model_validate(
    {
        "id": "dw-0",
        "kind": "telemetry",
        "severity": "info",
        "stream": "model=m",
        "opened_at": "2026-11-23T12:00:30Z",
        "onset": "2026-11-23T12:00:00Z",
        "onset_interval": ["2026-11-23T11:59:50Z", "2026-11-23T12:00:10Z"],
        "updated_at": "2026-11-23T12:01:00Z",
        "findings": [],
    }
)
CASES = [
    (name, incident, format, ending)
    for name, incident in (("full", SAMPLE), ("minimal", MINIMAL))
    for format, ending in (("text", "txt"), ("markdown", "md"), ("html", "html"))
]


def said(incident, format):
    text = render(incident, format)
    return re.sub(r"<style>.*?</style>", "<style></style>", text, flags=re.DOTALL)


@pytest.mark.parametrize(("name", "incident", "format", "ending"), CASES)
def test_the_words_are_those_agreed(name, incident, format, ending):
    golden = (HERE / "golden" / f"{name}.{ending}").read_bytes().decode()
    assert said(incident, format) == golden


@pytest.mark.parametrize("format", ["text", "markdown", "html"])
def test_the_same_record_gives_the_same_words(format):
    again = Incident.model_validate_json(SAMPLE.model_dump_json())
    assert render(SAMPLE, format) == render(again, format)


if __name__ == "__main__":
    for name, incident, format, ending in CASES:
        (HERE / "golden" / f"{name}.{ending}").write_bytes(said(incident, format).encode())
