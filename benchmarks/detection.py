"""What our detectors promise and how they keep it, beside peers: ``python benchmarks/detection.py``.

Measures false alarms on healthy streams, delays, speed, and change times, ours beside river's ADWIN, PageHinkley and
KSWIN, FOCuS, and a CUSUM that knows what it looks for. Writes ``results/detection.json``, ``.md`` and figures.
Needs ``pip install -e ".[test,bench]"``; takes about half an hour of one core.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

from detecting.delay import calibrated, checked, delay, learnt_cases
from detecting.figures import figures
from detecting.onset import onset
from detecting.page import page
from detecting.promise import PEER_LEARNT, promise
from detecting.scale import Scale, say
from detecting.speed import speed
from detecting.streams import streams
from machine import machine

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SECTIONS = ("speed", "promise", "delay", "onset")
PACKAGES = ("numpy", "river", "changepoint-online")


def main() -> None:
    """Measure what is asked for; what was measured before stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a tenth of the work; writes nothing")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="measure this part alone")
    given = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    before = {} if given.quick else earlier()
    found = before | finite(measured(given.only or SECTIONS, Scale(given.quick))) | {"machine": machine(PACKAGES)}
    print(page(found))
    if not given.quick:
        write(found)
    say("done")


def measured(sections: tuple[str, ...], scale: Scale) -> dict[str, Any]:
    """The sections that are asked for, each a list of rows."""
    found: dict[str, Any] = {}
    if "speed" in sections:
        found["speed"] = list(speed(scale))
    usual_case = (PEER_LEARNT, 0.0)
    cases = learnt_cases() if "delay" in sections else {usual_case} if "promise" in sections else set()
    levels = calibrated(scale, cases)
    if "promise" in sections:
        usual = {name: level for (name, *case), level in levels.items() if tuple(case) == usual_case}
        found["promise"] = list(promise(streams(recordings()), usual, scale))
    if "delay" in sections:
        found |= {"delay": list(delay(scale, levels)), "oracle": list(checked(scale))}
    if "onset" in sections:
        found["onset"] = list(onset(scale))
    return found


def recordings() -> Path | None:
    """Real data that does not come with the project, where there is any."""
    folder = Path(os.environ.get("DRIFTWATCH_DATA", HERE.parent.parent / "shared" / "data"))
    return folder if (folder / "vllm_cpu" / "healthy").is_dir() else None


def earlier() -> dict[str, Any]:
    """What was measured before."""
    path = RESULTS / "detection.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def finite(found: Any) -> Any:
    """Nothing for what is not a number or infinite: JSON knows neither."""
    if isinstance(found, dict):
        return {name: finite(value) for name, value in found.items()}
    if isinstance(found, list):
        return [finite(value) for value in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found


def write(found: dict[str, Any]) -> None:
    """The numbers, the page, the figures."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "detection.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "detection.md").write_text(page(found), encoding="utf-8")
    for name, drawing in figures(found).items():
        (RESULTS / f"detection-{name}.svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
