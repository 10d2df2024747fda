"""What a stream's baseline learnt, as plain arrays and back: that a file of `driftwatch fit` keeps, and no more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from driftwatch.baseline.features import Seen
from driftwatch.baseline.load import UsualLoad
from driftwatch.baseline.reuse import Asked
from driftwatch.baseline.senders import Senders
from driftwatch.baseline.shares import Shares
from driftwatch.baseline.stream import StreamBaseline
from driftwatch.baseline.workload import BY_SENDER, CONDITIONAL, WorkloadModel
from driftwatch.statistics.buckets import Floats


def arrays_of(baseline: StreamBaseline) -> dict[str, Floats]:
    """All that was learnt, by name."""
    found = {
        "seen": baseline.seen.counts,
        "outcomes": np.vstack([baseline.shares.hits, baseline.shares.total]),
        "centre": baseline.centre,
        "asked": baseline.asked.known,
        "load": baseline.load.known,
        "learnt": np.array([baseline.learnt, baseline.solved]),
    }
    for name, model in baseline.models.items():
        found |= {f"model.{name}.{key}": value for key, value in model.arrays().items()}
    return found | {f"senders.{name}": senders.array() for name, senders in baseline.senders.items()}


def take_arrays(baseline: StreamBaseline, arrays: Mapping[str, Floats]) -> None:
    """The inverse of `arrays_of`.

    Raises
    ------
    KeyError
        If something is missing.
    """
    baseline.seen, baseline.centre = Seen(arrays["seen"].copy()), arrays["centre"]
    baseline.shares = Shares(arrays["outcomes"][:-1].copy(), arrays["outcomes"][-1].copy())
    baseline.asked, baseline.load = Asked.of_array(arrays["asked"]), UsualLoad.of_array(arrays["load"])
    baseline.learnt, baseline.solved = (float(x) for x in arrays["learnt"])
    for name in CONDITIONAL:
        prefix = f"model.{name}."
        parts = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
        if parts:
            baseline.models[name] = WorkloadModel.of_arrays(parts)
            if name in BY_SENDER:
                baseline.senders[name] = Senders(baseline.sender)
                baseline.senders[name].restore(arrays[f"senders.{name}"])
