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
LOST = Incident.model_validate(
    MINIMAL.model_dump()
    | {
        "severity": "warning",
        "notes": ["other streams went on", "metrics kept coming"],
        "losses": [
            {
                **{"what": "series", "source": "instance=gpu-7:9400", "since": "2026-11-23T12:00:05Z"},
                **{"missing": 41, "of": 42, "longest_s": 15.0, "names": [f"DCGM_FI_{k}" for k in range(41)]},
            },
            {
                **{"what": "traffic", "source": "model=m", "since": "2026-11-23T12:00:00Z"},
                **{"missing": 1200, "rate": 20.0, "longest_s": 10.0, "evidence": 9.1},
            },
            {
                **{"what": "requests", "source": "model=m", "since": "2026-11-23T11:59:40Z", "missing": 31, "of": 40},
                **{"until": "2026-11-23T12:00:50Z", "longest_s": 45.0, "evidence": 8.0},
            },
        ],
    }
)
CASES = [
    (name, incident, format, ending)
    for name, incident in (("full", SAMPLE), ("minimal", MINIMAL), ("lost", LOST))
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
