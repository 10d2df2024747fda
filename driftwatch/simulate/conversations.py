"""Turns of conversations: how many, when, and what each brings along; rows are ordered by conversation, then turn."""

from __future__ import annotations

import math

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.columns import Ints

THINK_SIGMA = 1.0


def draw_turns(rng: np.random.Generator, n: int, mean: float) -> Ints:
    """Draw how many turns each of n conversations has: geometric, each made of one draw from the exponential.

    So a longer mean makes the same conversations longer.
    """
    scale = -1.0 / math.log1p(-1.0 / mean) if mean > 1.0 else 0.0
    return 1 + np.floor(scale * rng.standard_exponential(n)).astype(np.int64)


def since_begun(rng: np.random.Generator, turns: Ints, think_s: float) -> Floats:
    """Draw when each turn comes, counted from the first turn of its conversation.

    Parameters
    ----------
    rng
        Used for nothing else.
    turns
        Shape (c,): how many each conversation has.
    think_s
        Mean seconds from one turn to the next (lognormal).

    Returns
    -------
    ndarray
        Shape (turns.sum(),): seconds, 0 at each first turn, ascending within a conversation.
    """
    gaps = think_s * np.exp(THINK_SIGMA * rng.standard_normal(int(turns.sum())) - 0.5 * THINK_SIGMA**2)
    first = np.cumsum(turns) - turns
    gaps[first] = 0.0
    passed = np.cumsum(gaps)
    since: Floats = passed - np.repeat(passed[first], turns)
    return since


def with_history(alone: Ints, answer: Ints, turns: Ints, shared: int, room: int) -> tuple[Ints, Ints]:
    """Let each turn's prompt begin with the last turn's prompt and answer, as long as there is room for them.

    Where there is not, the history is dropped, and the turn comes alone. Takes one pass for each turn, over all
    conversations at once.

    Parameters
    ----------
    alone
        Shape (n,): tokens of each prompt without history: the system prompt and what the user says.
    answer
        Shape (n,): tokens of each answer.
    turns
        Shape (c,): how many each conversation has; n in all.
    shared
        Tokens of the system prompt, which a history has already.
    room
        Most tokens of a prompt; none comes ``alone`` with more.

    Returns
    -------
    prompt, history
        Shape (n,) each: tokens of each prompt, and those of them that the last turn had.

    Examples
    --------
    >>> alone, answer = np.array([30, 35, 40, 50]), np.array([5, 5, 5, 5])
    >>> prompt, history = with_history(alone, answer, np.array([3, 1]), shared=20, room=80)
    >>> prompt.tolist(), history.tolist()
    ([30, 50, 75, 50], [0, 35, 55, 0])
    """
    prompt, history = alone.copy(), np.zeros_like(alone)
    first = np.cumsum(turns) - turns
    for turn in range(1, int(turns.max(initial=1))):
        row = first[turns > turn] + turn
        before = prompt[row - 1] + answer[row - 1]
        longer = before + alone[row] - shared
        fits = longer <= room
        prompt[row] = np.where(fits, longer, alone[row])
        history[row] = np.where(fits, before, 0)
    return prompt, history
