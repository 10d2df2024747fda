"""False alarms measured over false alarms promised, on every healthy stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from intervals import poisson_interval

from detecting.ours import watch
from detecting.peers import PEERS, Peer
from detecting.scale import Scale, say, seeded
from detecting.streams import Drawn, Stream
from driftwatch.statistics.buckets import Ints

ARLS = (1e3, 1e4, 1e5, 1e6, 2e7)
HORIZON = 5_000
PEER_ARL, PEER_LEARNT = 1e4, 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """How a promise was kept.

    Parameters
    ----------
    detector, stream, learnt, margin, arl
        Of what.
    asked
        Whether the promise must hold there.
    alarms, ticks
        False alarms, and ticks watched for the first one of each run.
    ratio, low, high
        Alarms over promised alarms, with an exact 95% interval.
    early
        Share of runs that alarmed before it was counted (see `Stream.settles`); they are left out.
    begin
        Median of the ticks from which on it was counted.
    """

    detector: str
    stream: str
    learnt: int
    margin: float
    arl: float
    asked: bool
    alarms: int
    ticks: int
    ratio: float
    low: float
    high: float
    early: float
    begin: float


def promise(streams: Sequence[Stream], levels: dict[str, float], scale: Scale) -> Iterator[dict[str, Any]]:
    """Ours on all streams, from two baselines and with two margins; then the peers."""
    for stream in streams:
        for learnt in (300, 1_000):
            for margin in (0.0, stream.margin):
                rows = list(ours(stream, learnt, margin, scale))
                shown = next(r for r in rows if r.arl == 1e4)
                say(f"promise: {stream.title}, learnt {learnt}, margin {margin:.3g}: {shown.ratio:.2f} at 1e4")
                yield from map(asdict, rows)
        yield from (asdict(peers(stream, peer, levels[peer.name], scale)) for peer in PEERS)


def ours(stream: Stream, learnt: int, margin: float, scale: Scale) -> Iterator[Kept]:
    """Counts at each run length, all from the same runs."""
    counted = max(learnt, stream.settles)
    firsts, begins = [], []
    for batch, runs in scale.batches(800):
        drawn = _drawn(stream, "promise", learnt, batch, counted + HORIZON, runs)
        seen = watch(drawn.value, drawn.total, learnt, margin, ARLS, share=stream.share, seed=batch)
        firsts.append(seen.first)
        begins.append(np.maximum(seen.begin, counted))
    first, begin = np.concatenate(firsts), np.concatenate(begins)
    asked = margin > 0 or stream.exchangeable
    for k, arl in enumerate(ARLS):
        yield kept("ours", stream, learnt, margin, arl, asked, first[:, k], begin, counted + HORIZON)


def peers(stream: Stream, peer: Peer, level: float, scale: Scale) -> Kept:
    """A peer that alarms once in 10,000 ticks on normal values."""
    learnt = max(PEER_LEARNT, stream.settles)  # they do not know when they have learnt enough
    runs = peer.affordable(learnt + HORIZON, scale.part(4.0), 200)
    drawn = _drawn(stream, "promise", learnt, 0, learnt + HORIZON, runs)
    first = peer.first(drawn.raw, learnt, level)
    begin = np.full(runs, learnt)
    return kept(peer.name, stream, learnt, 0.0, PEER_ARL, False, first, begin, len(drawn.raw))


def kept(
    detector: str,
    stream: Stream,
    learnt: int,
    margin: float,
    arl: float,
    asked: bool,
    first: Ints,
    begin: Ints,
    end: int,
) -> Kept:
    """Count first alarms: with a constant rate, alarms over time watched is its most likely value."""
    early = (first >= 0) & (first < begin)
    ticks = int((np.where(first < 0, end, first + 1) - begin)[~early].clip(min=0).sum())
    alarms = int((first[~early] >= 0).sum())
    low, high = poisson_interval(alarms) * arl / max(ticks, 1)
    ratio = alarms * arl / max(ticks, 1)
    return Kept(
        detector=detector,
        stream=stream.title,
        learnt=learnt,
        margin=margin,
        arl=arl,
        asked=asked,
        alarms=alarms,
        ticks=ticks,
        ratio=ratio,
        low=low,
        high=high,
        early=float(early.mean()),
        begin=float(np.median(begin)),
    )


def _drawn(stream: Stream, purpose: str, learnt: int, batch: int, ticks: int, runs: int) -> Drawn:
    return stream.draw(seeded(purpose, stream.title, learnt, batch), ticks, runs, learnt)
