"""Who asks what, and when: tenants, and the requests that they make.

Each quantity of each tenant has a random generator of its own, and the k-th conversation (or request) draws the same
whatever the rate. So a rerun with one thing changed differs in that thing only, as a counterfactual must.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from driftwatch.errors import ConfigError
from driftwatch.events.columns import Coded, Floats, concat_coded
from driftwatch.simulate.arrivals import DAY_S, Load, bursty, poisson, swinging, traced
from driftwatch.simulate.columns import Ints, Traffic
from driftwatch.simulate.conversations import draw_turns, since_begun, with_history
from driftwatch.simulate.traces import Trace

NEVER = 2**31
"""Tokens after which a sender that does not hang up would."""

Lengths = tuple[Ints, Ints, Ints, Ints]

LUCK_SIGMA = 0.15
WARM_UP = 8.0  # mean conversations before the window: e^-8 of them last longer


@dataclass(frozen=True, slots=True)
class Tenant:
    """One stream of requests with a character of its own.

    Parameters
    ----------
    name
        Unique; the random draws hang on it.
    rate
        Mean requests per second, all turns counted.
    arrival
        ``poisson`` or ``bursty``: how conversations begin.
    cv
        Variation of the gaps between bursty ones: standard deviation over mean.
    trace
        Recorded arrivals and lengths to use instead of ``arrival``, ``prompt_tokens`` and ``output_tokens``, from a
        random row on; needs ``turns`` 1.
    swing, period_s, phase
        How the rate goes up and down, as for `swinging`.
    load
        A further factor on the rate at which conversations begin, at each time, as from `read_load`. It is asked
        for times before the window too.
    prompt_tokens
        Median and sigma (lognormal) of the tokens that a turn adds, ``shared_tokens`` and history not included.
    output_tokens
        Median and sigma (lognormal) of the tokens of an answer.
    max_tokens
        Where every answer ends at the latest.
    shared_tokens
        Length of the system prompt, which all its prompts begin with.
    turns
        Mean turns of a conversation (geometric).
    think_s
        Mean seconds (lognormal) from one turn's arrival to the next, the answer to the first included.
    route
        The label.
    adapters
        The share of the conversations that each LoRA adapter has; the rest goes to the base model.
    max_model_len
        Most tokens of a prompt and ``max_tokens`` together.
    n_prompts
        Real prompts to choose from; 0 where no text is kept.

    Raises
    ------
    ConfigError
        A value is impossible, or two do not fit together.
    """

    name: str
    rate: float
    arrival: str = "poisson"
    cv: float = 3.0
    trace: Trace | None = None
    swing: float = 0.0
    period_s: float = DAY_S
    phase: float = 0.0
    load: Load | None = None
    prompt_tokens: tuple[float, float] = (300.0, 0.9)
    output_tokens: tuple[float, float] = (150.0, 0.7)
    max_tokens: int = 1024
    shared_tokens: int = 0
    turns: float = 1.0
    think_s: float = 30.0
    route: str = "/v1/chat/completions"
    adapters: Mapping[str, float] = field(default_factory=dict)
    max_model_len: int = 32_768
    n_prompts: int = 0

    def __post_init__(self) -> None:
        shares = self.adapters.values()
        possible = {
            "rate must be 0 or more": self.rate >= 0.0,
            "arrival must be poisson or bursty": self.arrival in ("poisson", "bursty"),
            "swing must be from 0 to 1": 0.0 <= self.swing <= 1.0,
            "period_s and think_s must be above 0": min(self.period_s, self.think_s) > 0.0,
            "turns must be 1 or more, and 1 with a trace": self.turns == 1.0
            or (self.turns > 1.0 and self.trace is None),
            "the medians of tokens must be above 0, their sigmas 0 or more": self.prompt_tokens[0] > 0.0
            and self.output_tokens[0] > 0.0
            and min(self.prompt_tokens[1], self.output_tokens[1]) >= 0.0,
            "max_tokens must be 1 or more": self.max_tokens >= 1,
            "max_model_len must exceed shared_tokens and max_tokens together": self.room > self.shared_tokens >= 0,
            "the shares of adapters must be 0 or more, their sum at most 1": min(shares, default=0.0) >= 0.0
            and sum(shares) <= 1.0 + 1e-9,
            "n_prompts must be 0 or more": self.n_prompts >= 0,
        }
        wrong = [rule for rule, holds in possible.items() if not holds]
        if wrong:
            raise ConfigError(f"tenant {self.name!r}: {'; '.join(wrong)}")

    @property
    def room(self) -> int:
        """Most tokens of a prompt."""
        return self.max_model_len - self.max_tokens


def draw(tenants: Sequence[Tenant], model: str, start: float, seconds: float, seed: int) -> Traffic:
    """Draw the requests of some tenants in a window of time.

    Conversations that began before it go on in it, so that its beginning is like the rest. A turn's prompt is the
    last turn's prompt and answer and what the user adds; where that is longer than the model takes, the history is
    dropped.

    Parameters
    ----------
    tenants
        At least one, each of another name. What one of them draws does not depend on the others.
    model
        The label of all requests.
    start, seconds
        The window, in seconds since the epoch, and its length.
    seed
        The same seed, the same draws.

    Raises
    ------
    ConfigError
        There are no tenants, two have one name, or a load is impossible.

    Examples
    --------
    >>> chat = Tenant("chat", rate=2.0, turns=4.0, shared_tokens=100)
    >>> traffic = draw([chat, Tenant("batch", rate=1.0)], "m", start=0.0, seconds=1_000.0, seed=1)
    >>> 2_500 < len(traffic) < 3_500, sorted(set(traffic.labels["tenant"].to_list()))
    (True, ['batch', 'chat'])
    """
    names = [tenant.name for tenant in tenants]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"tenants must be one or more, each of another name; these are {names}")
    return merge(*(_draw_one(tenant, model, start, seconds, seed) for tenant in tenants))


def merge(*parts: Traffic) -> Traffic:
    """Join traffic in order of arrival; of requests at one time, those of an earlier part come first."""
    names = dict.fromkeys(name for part in parts for name in part.labels)
    plain = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Traffic) if f.name != "labels"}
    labels = {name: concat_coded([p.labels.get(name, Coded.constant(None, len(p))) for p in parts]) for name in names}
    return Traffic(**plain, labels=labels).take(np.argsort(plain["at"], kind="stable"))


def _draw_one(tenant: Tenant, model: str, start: float, seconds: float, seed: int) -> Traffic:
    def rng(purpose: str) -> np.random.Generator:
        return _rng(seed, tenant.name, purpose)

    early = WARM_UP * tenant.turns * tenant.think_s if tenant.turns > 1.0 else 0.0
    begun, rows = _beginnings(tenant, rng("arrival"), start - early, seconds + early)
    turns = draw_turns(rng("turns"), len(begun), tenant.turns)
    session = np.repeat(np.arange(len(begun)), turns)
    n = len(session)
    lengths = _drawn(tenant, rng, turns) if tenant.trace is None else _recorded(tenant, tenant.trace, rows)
    prompt, output, history, shared = lengths
    traffic = Traffic(
        at=begun[session] + since_begun(rng("think"), turns, tenant.think_s),
        prompt_tokens=prompt,
        output_tokens=output,
        max_tokens=np.full(n, tenant.max_tokens),
        cancel_after=np.full(n, NEVER),
        session=session + (int(rng("session").integers(2**31)) << 32),
        history_tokens=history,
        shared_tokens=shared,
        prompt=(rng("text").random(n) * tenant.n_prompts).astype(np.int64) if tenant.n_prompts else np.full(n, -1),
        luck=_lognormal(rng("luck"), n, LUCK_SIGMA),
        labels={
            "tenant": Coded.constant(tenant.name, n),
            "route": Coded.constant(tenant.route, n),
            "adapter": _adapters(rng("adapter"), len(begun), tenant.adapters).take(session),
            "model": Coded.constant(model, n),
        },
    )
    return traffic.take((traffic.at >= start) & (traffic.at < start + seconds))


def _rng(seed: int, tenant: str, purpose: str) -> np.random.Generator:
    """One generator for each quantity; 256 is no byte, so no two pairs of names give one key."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*tenant.encode(), 256, *purpose.encode())))


def _beginnings(tenant: Tenant, rng: np.random.Generator, start: float, seconds: float) -> tuple[Floats, Ints]:
    """When conversations begin, and which row of the trace each is (-1 without one)."""
    swing = swinging(tenant.rate / tenant.turns, tenant.swing, tenant.period_s, tenant.phase)

    def load(at: Floats) -> Floats:
        return swing(at) * tenant.load(at) if tenant.load else swing(at)

    if tenant.trace is not None:
        return traced(rng, load, start, seconds, tenant.trace.at)
    bursts = tenant.arrival == "bursty"
    at = bursty(rng, load, start, seconds, tenant.cv) if bursts else poisson(rng, load, start, seconds)
    return at, np.full(len(at), -1)


def _lognormal(rng: np.random.Generator, n: int, sigma: float) -> Floats:
    return np.exp(sigma * rng.standard_normal(n))


def _tokens(rng: np.random.Generator, n: int, median: float, sigma: float) -> Ints:
    return np.maximum(np.rint(median * _lognormal(rng, n, sigma)), 1.0).astype(np.int64)


def _recorded(tenant: Tenant, trace: Trace, rows: Ints) -> Lengths:
    """Prompt, output, history and shared tokens as a trace has them."""
    prompt = np.minimum(trace.prompt_tokens[rows], tenant.room)
    shared = np.minimum(np.maximum(trace.shared_tokens[rows], tenant.shared_tokens), prompt)
    return prompt, trace.output_tokens[rows], np.zeros_like(prompt), shared


def _drawn(tenant: Tenant, rng: Callable[[str], np.random.Generator], turns: Ints) -> Lengths:
    """Prompt, output, history and shared tokens of all turns as they are drawn."""
    n = int(turns.sum())
    alone = np.minimum(tenant.shared_tokens + _tokens(rng("prompt"), n, *tenant.prompt_tokens), tenant.room)
    output = _tokens(rng("output"), n, *tenant.output_tokens)
    answer = np.minimum(output, tenant.max_tokens)
    prompt, history = with_history(alone, answer, turns, tenant.shared_tokens, tenant.room)
    return prompt, output, history, np.full(n, tenant.shared_tokens)


def _adapters(rng: np.random.Generator, n: int, shares: Mapping[str, float]) -> Coded:
    """One for each conversation; what the shares leave is the base model, which has no adapter."""
    drawn = np.searchsorted(np.cumsum(list(shares.values())), rng.random(n), side="right")
    return Coded(np.where(drawn < len(shares), drawn, -1).astype(np.int32), tuple(shares))
