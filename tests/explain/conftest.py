"""An incident that has all the pictures that there are."""

from pathlib import Path

import pytest

from driftwatch.incidents.models import AnswerChange, Dose, HealthCheck, Incident, Line, Segment, Term

SAMPLE = Incident.model_validate_json((Path(__file__).parent / "sample.json").read_text(encoding="utf-8"))
DOSE = Dose(
    name="kv_cache_usage",
    unit="share",
    signal="ttft",
    excess_unit="times",
    lag_s=5.0,
    healthy=tuple((0.01 * n, 1.0 + 0.01 * (n % 3)) for n in range(20, 60)),
    during=tuple((0.6 + 0.01 * n, 1.0 + 0.5 * n) for n in range(40)),
    ramp=((0.3, 1.0), (0.5, 1.0), (0.8, 4.0), (0.95, 20.0)),
)


@pytest.fixture(scope="session")
def pictured() -> Incident:
    """The sample with a dose-response, parts that were hit, answers that changed, and a check that is drawn."""
    parts = tuple(
        Segment(where={"tenant": t}, share=0.5, lift=2.0, signal="ttft", before=0.05, after=a, requests=500)
        for t, a in (("chat", 3.0), ("batch", 0.4))
    )
    memory = HealthCheck(
        name="host memory", layer="infrastructure", state="green", worst=0.3, threshold=0.9, unit="share"
    )
    line = Line(name="host memory", unit="share", role="health", value=(0.3,) * len(SAMPLE.chart.time))
    return SAMPLE.model_copy(
        update={
            "doses": (DOSE, DOSE.model_copy(update={"name": "traffic", "unit": "tokens/s", "saturates": 0.8})),
            "segments": parts,
            "health": (*SAMPLE.health, memory),
            "answers": AnswerChange(before=500, after=100, more=(Term(text="however", before=0.1, after=0.4),)),
            "chart": SAMPLE.chart.model_copy(update={"lines": (*SAMPLE.chart.lines, line)}),
        }
    )
