"""How a replica is built and tuned: what changes when something breaks."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one iteration takes: linear layers and attention run one after the other, each at its own roofline.

    ``overhead_s + sequence_s * sequences + max(weights_s, token_s * tokens) + kv_token_s * kv_tokens
    + pair_s * prefill tokens x their contexts``, all times ``slowdown``.

    Parameters
    ----------
    overhead_s
        Scheduling, launching kernels and sampling, in seconds an iteration.
    sequence_s
        Sampling and streaming, in seconds a running sequence.
    weights_s
        Reading all weights once, in seconds: the floor of the linear layers.
    token_s
        Computing the linear layers for one token, in seconds.
    kv_token_s
        Reading the keys and values of one token of context, in seconds.
    pair_s
        Attention of one prefilled token to one token of its context, in seconds.
    draft_s
        Drafting one speculative token, in seconds an iteration.
    slowdown
        Factor on all of it: a throttled clock, paging, a neighbour.
    """

    overhead_s: float
    sequence_s: float
    weights_s: float
    token_s: float
    kv_token_s: float
    pair_s: float
    draft_s: float = 0.0
    slowdown: float = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One replica's engine, as its flags and its hardware make it.

    Parameters
    ----------
    timing
        How long an iteration takes.
    kv_blocks
        Blocks of the paged KV cache.
    block_tokens
        Tokens a block holds.
    max_num_seqs
        Most sequences that run at once.
    max_num_batched_tokens
        Most tokens of one iteration; longer prompts are computed in chunks.
    prefix_caching
        Whether blocks of finished requests are kept and found again.
    prefix_found
        Share of the conversations whose blocks can be found again; the others are computed anew.
    draft_tokens
        Tokens speculated in each iteration and sequence; 0 is no speculation.
    acceptance
        Probability that a speculated token is accepted when those before it were.
    stuck_tokens
        Prompt tokens that each iteration computes for requests that never get anywhere.
    restarts
        How often it was started again: another number means an empty prefix cache.
    timeout_s
        A request that waited longer than this is given up by its sender, in seconds.
    """

    timing: Timing
    kv_blocks: int
    block_tokens: int = 16
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    prefix_caching: bool = True
    prefix_found: float = 1.0
    draft_tokens: int = 0
    acceptance: float = 0.0
    stuck_tokens: int = 0
    restarts: int = 0
    timeout_s: float = 120.0

    def gain(self) -> float:
        """Mean tokens a sequence gets from one iteration.

        Notes
        -----
        With ``k`` drafts each accepted with probability ``a`` when those before it were, ``(1 - a^(k+1)) / (1 - a)``.

        References
        ----------
        .. [1] Leviathan, Kalman, Matias (2023). Fast Inference from Transformers via Speculative Decoding. ICML,
           equation 1.
        """
        a = self.acceptance
        return float(self.draft_tokens + 1) if a >= 1 else (1 - a ** (self.draft_tokens + 1)) / (1 - a)

    def slowed(self, factor: float) -> Settings:
        """The same engine with iterations that take ``factor`` times as long."""
        return replace(self, timing=replace(self.timing, slowdown=self.timing.slowdown * factor))


@dataclass(frozen=True, slots=True)
class Service:
    """Replicas of one model behind a router.

    Parameters
    ----------
    model
        Its name, as requests and metrics say it.
    replicas
        Settings of each replica.
    gpu
        Name of the GPU, a key of `driftwatch.simulate.hardware.GPUS`.
    gpus_per_replica
        Tensor parallelism.
    sticky
        Share of the sessions that stay on the replica of their first turn.
    network_s
        What lies between engine and client, in seconds (median).
    noise
        Slow variation of an engine's speed: standard deviation of its logarithm.
    """

    model: str
    replicas: tuple[Settings, ...]
    gpu: str = "A100-40GB"
    gpus_per_replica: int = 1
    sticky: float = 1.0
    network_s: float = 0.012
    noise: float = 0.03
