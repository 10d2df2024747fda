"""What goes into a simulation and what comes out of it, as columns (numpy); nothing here computes.

Times are seconds since the epoch, durations seconds, counts whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from driftwatch.events.columns import Coded, Floats

Ints = NDArray[np.int64]

STOP, LENGTH, ABORT = 0, 1, 2
FINISHES: tuple[str, ...] = ("stop", "length", "abort")
"""Why an answer ended, by code."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests as their senders mean them, a row each, in order of arrival.

    Parameters
    ----------
    at
        Shape (n,): when each arrives.
    prompt_tokens
        Shape (n,): tokens of the prompt, its history and its shared beginning included.
    output_tokens
        Shape (n,): tokens after which the model would stop by itself.
    max_tokens
        Shape (n,): the sender's limit; a longer answer ends there with ``length``.
    cancel_after
        Shape (n,): tokens after which the sender hangs up; a huge number where it does not.
    session
        Shape (n,): the conversation that it belongs to.
    history_tokens
        Shape (n,): leading tokens that the conversation's last turn (its prompt and answer) had too.
    shared_tokens
        Shape (n,): leading tokens that all requests of the tenant have: the system prompt.
    prompt
        Shape (n,): which prompt of the collection of real ones it asks, -1 where no text is kept.
    luck
        Shape (n,): how well speculation guesses this answer, around 1; divides the tokens gained per draft.
    labels
        ``tenant``, ``route``, ``adapter``, ``model``: strings, n each.
    """

    at: Floats
    prompt_tokens: Ints
    output_tokens: Ints
    max_tokens: Ints
    cancel_after: Ints
    session: Ints
    history_tokens: Ints
    shared_tokens: Ints
    prompt: Ints
    luck: Floats
    labels: Mapping[str, Coded]

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: NDArray[Any] | slice) -> Traffic:
        """Keep these rows (indices, a mask or a slice)."""
        plain = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "labels"}
        return replace(self, **plain, labels={name: column.take(rows) for name, column in self.labels.items()})


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of each request, a row each in the order of `Traffic`.

    Parameters
    ----------
    replica
        Shape (n,): which replica served it.
    scheduled_at
        Shape (n,): when it left the queue for the first time; NaN where it never did.
    first_token_at
        Shape (n,): when its first token left the engine; NaN where none did.
    completed_at
        Shape (n,): when its last token left the engine, or it was given up; NaN where it is still running at the end.
    generated
        Shape (n,): tokens that it got.
    cached_tokens
        Shape (n,): prompt tokens that the prefix cache had when it was first scheduled.
    preemptions
        Shape (n,): how often it lost its place and was computed anew.
    finish
        Shape (n,): code of `FINISHES`; -1 where it has not ended.
    running
        Shape (n,): sequences that the replica was running when this one was scheduled, itself included.
    """

    replica: Ints
    scheduled_at: Floats
    first_token_at: Floats
    completed_at: Floats
    generated: Ints
    cached_tokens: Ints
    preemptions: Ints
    finish: Ints
    running: Ints

    def take(self, rows: NDArray[Any]) -> Outcomes:
        """Keep these rows (indices or a mask)."""
        return Outcomes(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Steps:
    """What one replica did, a row for each stretch of iterations that were alike.

    In order of time and without gaps; an idle stretch has no iterations.

    Parameters
    ----------
    start, duration
        Shape (m,): when the stretch began, and how long it took.
    iterations
        Shape (m,): iterations of the engine in it; 0 while idle.
    decoding
        Shape (m,): sequences that got tokens in each of its iterations.
    running, waiting
        Shape (m,): sequences admitted (those still in prefill included), and requests in the queue, during it.
    blocks, blocks_after
        Shape (m,): KV blocks in use at its beginning and its end; in between their number grows evenly.
    kv_tokens
        Shape (m,): tokens whose keys and values each of its iterations reads, at its beginning.
    prefilled
        Shape (m,): prompt tokens computed in it, those computed again after a preemption included.
    generated
        Shape (m,): tokens generated in it, over all sequences.
    drafted, accepted
        Shape (m,): tokens speculated in it, and those of them that were accepted.
    preempted
        Shape (m,): sequences that lost their place at its beginning.
    queried, hit
        Shape (m,): tokens looked up in the prefix cache in it, and found.
    """

    start: Floats
    duration: Floats
    iterations: Floats
    decoding: Floats
    running: Floats
    waiting: Floats
    blocks: Floats
    blocks_after: Floats
    kv_tokens: Floats
    prefilled: Floats
    generated: Floats
    drafted: Floats
    accepted: Floats
    preempted: Floats
    queried: Floats
    hit: Floats

    def __len__(self) -> int:
        return len(self.start)
