"""Token economics: what was generated, what of it was of use, what was wasted, and what 1,000 useful tokens cost.

All streams together, since they share the GPUs that are paid for. Tokens come from ticks, and so from counts; those
that were computed again are known as a range (`driftwatch.attribution.memory.chapter.recomputed`).
"""

from __future__ import annotations

import numpy as np

from driftwatch.attribution.memory.chapter import recomputed
from driftwatch.attribution.scene import Scene
from driftwatch.incidents.chapters import Economics, Span, Waste

LEAST_TICKS = 12
"""Ticks on each side, without which nothing is compared."""
_OUTPUT = "output_tokens"
_GPU_LABELS = ("UUID", "uuid", "gpu")
_SERIES = ("gpu_utilization", "gpu_power", "gpu_memory_used")


def economics_of(scene: Scene, first: int, onset: int, last: int) -> Economics | None:
    """What the tokens cost before the onset and since; None where output tokens are not known.

    Parameters
    ----------
    scene
        What is known around the incident.
    first, onset, last
        Before is ``[first, onset)``, since is ``[onset, last]``; before begins where tokens are known.
    """
    begin = _begin(scene, first)
    if begin is None or min(onset - begin, last + 1 - onset) < LEAST_TICKS:
        return None
    spans = ((begin, onset - 1), (onset, last))
    generated, aborted, failed, cut = (_rates(scene, spans, name) for name in (_OUTPUT, *_LOST))
    gone = [min(a + f, g) for a, f, g in zip(aborted, failed, generated, strict=True)]
    useful = [(max(g - x - c, 0.0), g - x) for g, x, c in zip(generated, gone, cut, strict=True)]
    again = [_again(scene, begin, *span) for span in spans]
    wasted = [_exact("aborted", aborted), _exact("failed", failed), _exact("cut", cut)]
    wasted += [Waste(what="recomputed", before=again[0], after=again[1])] if again[0] and again[1] else []
    gpus = scene.config.economics.gpus or _gpus(scene)
    return Economics(
        seconds=((onset - begin) * scene.width, (last + 1 - onset) * scene.width),
        generated=generated,
        useful_before=useful[0],
        useful_after=useful[1],
        wasted=tuple(waste for waste in wasted if waste.before[1] or waste.after[1]),
        gpus=gpus,
        currency=scene.config.economics.currency,
        cost_before=_cost(scene, gpus, useful[0]),
        cost_after=_cost(scene, gpus, useful[1]),
    )


_LOST = ("aborted_tokens", "failed_tokens", "cut_tokens")


def _begin(scene: Scene, first: int) -> int | None:
    pieces = [h.observed[_OUTPUT][0].tick for h in scene.histories.values() if h.observed.get(_OUTPUT)]
    known = [int(tick[0]) for tick in pieces if len(tick)]
    return max(first, min(known)) if known else None


def _rates(scene: Scene, spans: tuple[tuple[int, int], ...], name: str) -> Span:
    """Tokens a second in each of two spans of ticks."""
    before, after = (
        sum(float(np.nansum(history.signal(name, *span)[0])) for history in scene.histories.values())
        / ((span[1] - span[0] + 1) * scene.width)
        for span in spans
    )
    return before, after


def _again(scene: Scene, first: int, start: int, end: int) -> Span | None:
    found = recomputed(scene, first, start, end)
    seconds = (end - start + 1) * scene.width
    return None if found is None else (found[0] / seconds, found[1] / seconds)


def _exact(what: str, rates: Span) -> Waste:
    return Waste.model_validate({"what": what, "before": (rates[0],) * 2, "after": (rates[1],) * 2})


def _gpus(scene: Scene) -> float | None:
    """GPUs that are seen in the series of the machines that serve."""
    for name in _SERIES:
        seen = {_gpu(dict(series.labels)) for series in scene.series.ids(name)}
        if seen:
            return float(len(seen))
    return None


def _gpu(labels: dict[str, str]) -> tuple[str, ...]:
    unique = next((labels[name] for name in _GPU_LABELS if name in labels), "")
    return unique, labels.get("Hostname", labels.get("hostname", labels.get("instance", "")))


def _cost(scene: Scene, gpus: float | None, useful: Span) -> Span | None:
    """Of 1,000 useful tokens, least and most; None without a price, or where nothing useful came out."""
    price = scene.config.economics.gpu_hour
    if not price or gpus is None or not useful[0]:
        return None
    a_second = price * gpus / 3600.0
    return 1000.0 * a_second / useful[1], 1000.0 * a_second / useful[0]
