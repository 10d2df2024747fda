"""The detectors of others on the same streams: ``python benchmarks/hearing/rivals.py VECTORS CACHE [--minutes 9]``.

alibi-detect and evidently pin old versions of what others need, so that they have an environment of their own::

    python -m venv rivals && rivals/bin/pip install torch alibi-detect==0.13.0
    python -m venv rivals2 && rivals2/bin/pip install evidently==0.7.23 "pandas<3"

What is measured is kept line by line in CACHE, so that an interruption loses nothing: for each stream and detector its
statistic over its own threshold, answer by answer. Thresholds are scaled to an equal measured run length afterwards.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from cases import Case, cases

WINDOWS = (25, 50)
ERT, BOOTSTRAPS = 200.0, 1000
"""Their expected run time is set short, for it takes many bootstraps to set a long one; it is scaled afterwards."""


def alibi(reference: Any) -> dict[str, Callable[[Any], Iterator[float]]]:
    """Its online detectors, set up on one reference."""
    import torch
    from alibi_detect.cd import LSDDDriftOnline, MMDDriftOnline

    torch.set_num_threads(1)
    found = {}
    for kind in (MMDDriftOnline, LSDDDriftOnline):
        for window in WINDOWS:
            np.random.seed(0)
            torch.manual_seed(0)
            found[f"alibi {kind.__name__.removesuffix('DriftOnline')}, window {window}"] = kind(
                reference, ert=ERT, window_size=window, n_bootstraps=BOOTSTRAPS, backend="pytorch", verbose=False
            )
    return {name: _online(detector) for name, detector in found.items()}


def _online(detector: Any) -> Callable[[Any], Iterator[float]]:
    def ratios(stream: Any) -> Iterator[float]:
        detector.reset_state()
        for row in stream:
            data = detector.predict(row)["data"]
            yield float(data["test_stat"] / max(data["threshold"], 1e-12)) if data["threshold"] is not None else 0.0

    return ratios


def evidently(reference: Any) -> dict[str, Callable[[Any], Iterator[float]]]:
    """Its embedding drift on windows that follow one another."""
    import pandas as pd
    from evidently.legacy.metrics.data_drift.embedding_drift_methods import mmd, model

    before = pd.DataFrame(reference)
    methods = {"evidently MMD": (mmd, 0.015), "evidently classifier": (model, 0.55)}
    np.random.seed(0)

    def windowed(make: Any, threshold: float, window: int) -> Callable[[Any], Iterator[float]]:
        method = make(threshold=threshold)

        def scores(stream: Any) -> Iterator[float]:
            for end in range(1, len(stream) + 1):
                whole = end % window == 0
                score = method(pd.DataFrame(stream[end - window : end]), before.copy())[0] if whole else 0.0
                yield float(score) / threshold

        return scores

    return {f"{name}, window {w}": windowed(*how, w) for name, how in methods.items() for w in (50, 100)}


def main() -> None:
    """Measure what is not in the cache yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path, help="a folder with MODEL.npy, shape (prompts, d)")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--who", choices=("alibi", "evidently"), default="alibi")
    parser.add_argument("--splits", type=int, default=100)
    given = parser.parse_args()
    until = time.monotonic() + 60 * given.minutes
    lines = given.cache.read_text().splitlines() if given.cache.exists() else []
    done = {(line["case"], line["detector"].split()[0]) for line in map(json.loads, lines)}
    todo = [case for case in cases("any") if (case.key, given.who) not in done and case.split < given.splits]
    for _, group in groupby(todo, key=lambda case: case.setting):
        if time.monotonic() > until:
            sys.exit(3)
        measure(list(group), given.vectors, given.cache, alibi if given.who == "alibi" else evidently)


def measure(some: list[Case], vectors: Path, cache: Path, who: Callable[[Any], dict[str, Any]]) -> None:
    """All cases of one setting."""
    own = np.load(vectors / f"{some[0].model}.npy").astype(np.float32)
    detectors = who(own[some[0].reference])
    rows = []
    for case in some:
        other = np.load(vectors / f"{case.other}.npy").astype(np.float32)
        stream = np.where(case.changed[:, None], other[case.prompts], own[case.prompts])
        for name, ratios in detectors.items():
            values = [round(value, 3) for value in ratios(stream)]
            rows.append(json.dumps({"case": case.key, "detector": name, "ratios": values}))
    with cache.open("a") as file:
        file.write("\n".join(rows) + "\n")
    print(some[0].setting, len(some), flush=True)


if __name__ == "__main__":
    main()
