"""The real engines of the recordings, as their flags and their counters say that they were."""

from __future__ import annotations

from driftwatch.simulate.hardware import MODELS
from driftwatch.simulate.settings import Settings, Timing
from simulating.replay import Engine, Times

_UNKNOWN = Timing(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

# vLLM 0.32 on a CPU: 48 blocks, of which one is never given out; at most 2,048 tokens an iteration is the default of
# the server on CPUs. The model has 4 layers, 192 wide, and 393,216 linear weights in each.
CPU = Engine(
    Settings(
        _UNKNOWN, kv_blocks=47, block_tokens=128, max_num_seqs=64, max_num_batched_tokens=2048, prefix_caching=False
    ),
    pairs=4 * 192 / (2 * 393_216),
)
CPU_GUESS = Times(5e-3, 1e-3, 4e-5, 1e-7, 5e-3)

# An early vLLM on a 24 GiB GPU: the least change of KV use is 1 / 36,282; a context of 131,072 tokens switches chunked
# prefill on, with 512 tokens an iteration.
LLAMA = MODELS["llama-3.2-1b"]
GPU = Engine(
    Settings(_UNKNOWN, kv_blocks=36_282, max_num_seqs=256, max_num_batched_tokens=512, prefix_caching=False),
    pairs=4 * LLAMA.layers * LLAMA.hidden / (2 * LLAMA.parameters),
)
GPU_GUESS = Times(5e-3, 2.5e-4, 2e-5, 1e-9, 1e-2)
