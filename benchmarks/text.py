"""What is heard in answers of real models, beside alibi-detect: ``python benchmarks/text.py --vectors F --cache F``.

Silent swaps of a model, new topics, minorities, and the promise, on answers of 24 models to 805 prompts
(``model_answers`` of the recordings); reference and stream have different prompts, and constants were chosen on others
(``hearing/cases.py``). The folder of vectors holds
MiniLM's, made by ``python benchmarks/hearing/vectors.py FOLDER`` (extra ``embed``, half an hour), so that all detectors
are given the same. The rivals run in an environment of their own first (``hearing/rivals.py`` says how); what is
measured stays in the cache. Writes ``results/text.json``, ``.md`` and a figure.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from hearing.figures import figure
from hearing.measuring import measure
from hearing.page import page, results
from hearing.speed import speed
from machine import machine

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="a folder with ours.jsonl and alibi.jsonl")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop measuring after so long; go on another time")
    given = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    measure(given.vectors, given.cache / "ours.jsonl", given.minutes)
    found: dict[str, Any] = results(given.cache) | {"speed": speed(), "machine": machine(("numpy",))}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "text.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "text.md").write_text(page(found), encoding="utf-8")
    (RESULTS / "text.svg").write_text(figure(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
