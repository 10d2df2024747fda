"""How long an iteration takes on a GPU: the roofline of its published peak compute and bandwidth.

References
----------
.. [1] NVIDIA (2021). A100 Tensor Core GPU datasheet: 312 TFLOPS BF16 (dense), 1,555 GB/s (40 GB) and 2,039 GB/s
   (80 GB SXM), 400 W.
.. [2] NVIDIA (2023). H100 Tensor Core GPU datasheet: 1,979 TFLOPS BF16 with sparsity (989 dense), 3.35 TB/s, 700 W
   (SXM5).
.. [3] Williams, Waterman, Patterson (2009). Roofline: an insightful visual performance model. CACM 52(4).
.. [4] Grattafiori et al. (2024). The Llama 3 Herd of Models, table 3: layers, widths and heads.
"""

from __future__ import annotations

from dataclasses import dataclass

from driftwatch.simulate.settings import Settings, Timing

COMPUTE_REACHED, BANDWIDTH_REACHED = 0.55, 0.75
"""Shares of the peak that dense kernels reach in practice: compute, and bandwidth. Assumed, not published."""
OVERHEAD_S, SEQUENCE_S = 2.5e-3, 2.0e-5
"""Scheduling and launching an iteration, and sampling and streaming one sequence of it, in seconds. Assumed."""
RESERVED = 0.08
"""Share of GPU memory for activations, CUDA graphs and the runtime. Assumed."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its maker publishes it.

    Parameters
    ----------
    flops
        Peak dense BF16 operations a second.
    bandwidth
        Peak memory bandwidth, in bytes a second.
    memory
        In bytes.
    watts
        Power limit.
    sm_mhz, memory_mhz
        Highest clocks.
    idle_watts
        Power without work (typical).
    """

    flops: float
    bandwidth: float
    memory: float
    watts: float
    sm_mhz: float
    memory_mhz: float
    idle_watts: float


GPUS: dict[str, Gpu] = {
    "A100-40GB": Gpu(312e12, 1.555e12, 40e9, 400, 1410, 1215, 55),
    "A100-80GB": Gpu(312e12, 2.039e12, 80e9, 400, 1410, 1593, 60),
    "H100-80GB": Gpu(989e12, 3.35e12, 80e9, 700, 1980, 2619, 75),
}


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The shape of a decoder.

    Parameters
    ----------
    parameters
        How many.
    layers, hidden, kv_heads, head
        Layers, width, heads of keys and values, and width of a head.
    """

    parameters: float
    layers: int
    hidden: int
    kv_heads: int
    head: int

    def kv_bytes(self) -> float:
        """Bytes of keys and values of one token in 16 bits.

        Examples
        --------
        >>> MODELS["llama-3.1-8b"].kv_bytes()
        131072.0
        """
        return 2.0 * self.layers * self.kv_heads * self.head * 2


MODELS: dict[str, LanguageModel] = {
    "llama-3.2-1b": LanguageModel(1.24e9, 16, 2048, 8, 64),
    "llama-3.1-8b": LanguageModel(8.03e9, 32, 4096, 8, 128),
    "llama-3.1-70b": LanguageModel(70.6e9, 80, 8192, 8, 128),
}


def timing_of(gpu: Gpu, model: LanguageModel, gpus: int = 1) -> Timing:
    """Times of an iteration in 16 bits on ``gpus`` GPUs of one tensor-parallel group.

    Linear layers read all weights once and do two operations a parameter and token; attention reads keys and values
    once for each token that is decoded, and does four operations a width, layer and pair for those prefilled.

    Examples
    --------
    >>> timing = timing_of(GPUS["A100-40GB"], MODELS["llama-3.1-8b"])
    >>> round(1e3 * timing.weights_s, 1), round(timing.weights_s / timing.token_s)
    (13.8, 147)
    """
    flops = gpus * gpu.flops * COMPUTE_REACHED
    bandwidth = gpus * gpu.bandwidth * BANDWIDTH_REACHED
    return Timing(
        overhead_s=OVERHEAD_S * (1 + 0.1 * (gpus - 1)),
        sequence_s=SEQUENCE_S,
        weights_s=2 * model.parameters / bandwidth,
        token_s=2 * model.parameters / flops,
        kv_token_s=model.kv_bytes() / bandwidth,
        pair_s=4.0 * model.layers * model.hidden / flops,
        draft_s=0.1 * 2 * model.parameters / bandwidth,
    )


def settings_of(gpu: Gpu, model: LanguageModel, gpus: int = 1, memory_share: float = 0.9) -> Settings:
    """An engine that fills ``memory_share`` of the GPU memory: what weights and runtime leave becomes KV blocks.

    Examples
    --------
    >>> settings_of(GPUS["A100-40GB"], MODELS["llama-3.1-8b"]).kv_blocks
    7982
    """
    free = gpus * gpu.memory * (memory_share - RESERVED) - 2 * model.parameters
    return Settings(timing_of(gpu, model, gpus), kv_blocks=int(free / (16 * model.kv_bytes())))
