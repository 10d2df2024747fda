"""Scan a recording folder and say what was found: ``python examples/scan_a_recording.py [FOLDER]``."""

import sys
from pathlib import Path

import driftwatch as dw

BUNDLED = Path(__file__).parent / "data" / "kv_pressure"

report = dw.scan(sys.argv[1] if len(sys.argv) > 1 else BUNDLED)
for incident in report.incidents:
    print(incident.explain("text"))
