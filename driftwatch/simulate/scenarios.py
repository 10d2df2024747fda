"""How serving degrades silently: 23 patterns from public reports, each as a fault of adjustable size.

Every scenario names the report that it is modelled on. What a size does to users is measured, not assumed: see
`driftwatch.simulate.severity`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftwatch.events.columns import Floats
from driftwatch.simulate.deployments import grouped, speculating, tight
from driftwatch.simulate.faults import Bend, Fault
from driftwatch.simulate.harms import (
    after_cancels,
    aging,
    cached,
    cancelled,
    chunked,
    crowded,
    cut_short,
    endless,
    everyone,
    hog,
    looping,
    misrouted,
    preempted,
    slowed,
    terser,
    truncated,
    unending,
    with_adapter,
)
from driftwatch.simulate.scenario import Scenario

_KV = ("kv_cache_usage", "preemptions")


def _leaked(amount: Floats, seconds: Floats) -> Floats:
    """How much of the host's memory has leaked: all when it is felt."""
    felt = np.flatnonzero(amount > 0)
    return np.asarray(np.minimum(seconds / max(float(seconds[felt[0]]) if len(felt) else 3600.0, 1.0), 1.0))


# rows of a table stay rows: one field a line would be pages
# fmt: off
_TABLE: tuple[Scenario, ...] = (
    Scenario(
        "preemption_cliff", 1, "fewer KV blocks than yesterday", "llm-d/inference-sim#298",
        Fault(engine=lambda s, x: replace(s, kv_blocks=int(s.kv_blocks * (1 - x)))),
        "ttft", most=0.9, deployment=tight, causes=_KV, measured=True, wobble=0.0,
        chain=("kv_cache_usage", "prefix_hit_rate", "preemptions", "ttft"),
    ),
    Scenario(
        "retraction_hysteresis", 2, "slow decoding stays after a burst has gone", "sgl-project/sglang#26248",
        Fault(engine=slowed, crowd=lambda x: hog(1.0), crowd_s=90.0),
        "itl", most=8.0, causes=(*_KV, "traffic{tenant=batch}"),
        chain=("traffic{tenant=batch}", "kv_cache_usage", "prefix_hit_rate", "preemptions", "itl"),
    ),
    Scenario(
        "reprefill_loop", 3, "prompts computed again and again, nothing accounted", "vllm-project/vllm#52520",
        Fault(engine=lambda s, x: replace(s, stuck_tokens=int(1000 * x))),
        "itl", most=2.0, causes=("prompt_tokens", "mean_prompt_tokens"), measured=True,
        chain=("prompt_tokens", "itl"),
    ),
    Scenario(
        "acceptance_collapse", 4, "speculation is never right any more", "vllm-project/vllm-ascend#10495",
        Fault(engine=lambda s, x: replace(s, acceptance=max(s.acceptance * (1 - x), 0.0))),
        "itl", most=1.0, deployment=speculating, causes=("spec_decode_accept_rate", "spec_decode_accept_length"),
        measured=True, chain=("spec_decode_accept_rate", "itl"),
    ),
    Scenario(
        "acceptance_decay", 5, "speculation is right less and less", "sgl-project/sglang#28771",
        Fault(engine=lambda s, x: replace(s, acceptance=max(s.acceptance * (1 - x), 0.0))),
        "itl", most=1.0, deployment=speculating, causes=("spec_decode_accept_rate", "spec_decode_accept_length"),
        measured=True, chain=("spec_decode_accept_rate", "itl"), shape="ramp",
    ),
    Scenario(
        "repetition_loop", 6, "answers repeat themselves to the limit, and every metric improves",
        "model-serving-minefield#108", Fault(senders=looping, text="loop", spoils=unending),
        "answers", deployment=speculating, kinds=("degradation", "change"),
    ),
    Scenario(
        "offload_corruption", 7, "KV offload mixes requests up when many run", "vllm-project/vllm#29781",
        Fault(text="other_answer", spoils=crowded), "answers", telemetry=False,
    ),
    Scenario(
        "transfer_corruption", 8, "worse with every request since the restart", "sgl-project/sglang#23020",
        Fault(text="other_model", spoils=aging), "answers", telemetry=False,
    ),
    Scenario(
        "cancel_corruption", 9, "one sender hangs up, another's answer is spoilt", "sgl-project/sglang#23392",
        Fault(senders=cancelled, text="other_answer", spoils=after_cancels), "answers",
        kinds=("degradation", "change"),
    ),
    Scenario(
        "cached_speculation", 10, "wrong where prefix cache and speculation meet", "vllm-project/vllm#43559",
        Fault(text="other_model", spoils=cached), "answers", deployment=speculating, telemetry=False,
    ),
    Scenario(
        "fp8_kv_cache", 11, "an 8-bit KV cache is rolled out", "sgl-project/sglang#22671",
        Fault(engine=lambda s, x: replace(s, kv_blocks=2 * s.kv_blocks), text="other_model", spoils=everyone),
        "answers", telemetry=False, marker=("deploy", "kv-cache-dtype fp8"), wobble=0.0,
    ),
    Scenario(
        "chunk_corruption", 12, "prompts longer than a chunk are misread", "vllm-project/vllm#26042",
        Fault(text="other_model", spoils=chunked), "answers", telemetry=False,
    ),
    Scenario(
        "nan_tokens", 13, "NaN in the logits: exclamation marks to the limit", "vllm-project/vllm#22881",
        Fault(senders=endless, text="exclamations", spoils=unending), "answers",
    ),
    Scenario(
        "wrong_adapter", 14, "one adapter answers for another", "vllm-project/vllm#47724",
        Fault(text="other_model", spoils=with_adapter), "answers", who={"adapter": "legal"}, telemetry=False,
    ),
    Scenario(
        "misrouting", 15, "some conversations go to the wrong pool", "Anthropic, September 2025",
        Fault(text="wrong_script", spoils=misrouted), "answers", telemetry=False,
    ),
    Scenario(
        "lower_effort", 16, "answers become shorter", "Anthropic, April 2026",
        Fault(senders=terser, text="terse", spoils=everyone), "output_length", most=4.0,
        kinds=("change", "degradation"), wobble=0.0,
    ),
    Scenario(
        "prompt_truncation", 17, "long prompts are cut without a word", "ollama/ollama#17889",
        Fault(senders=truncated, text="lost_beginning",
              spoils=cut_short),
        "answers", telemetry=False,
    ),
    Scenario(
        "prefix_miss", 18, "the prefix cache finds nothing any more", "vllm-project/vllm#33270",
        Fault(engine=lambda s, x: replace(s, prefix_found=max(1 - x, 0.0))),
        "ttft", causes=("prefix_hit_rate",), measured=True, chain=("prefix_hit_rate", "ttft"),
    ),
    Scenario(
        "vram_overcommit", 19, "the driver pages GPU memory", "a public trace of an RTX 4090",
        Fault(engine=slowed, bends=(
            Bend("DCGM_FI_DEV_POWER_USAGE", lambda a, s: 1 / (1 + 0.6 * a)),
            Bend("DCGM_FI_DEV_MEM_COPY_UTIL", lambda a, s: 1 / (1 + a)),
        )),
        "latency", most=8.0,
    ),
    Scenario(
        "kv_hog", 20, "a batch tenant fills the KV cache", "our own recording",
        Fault(crowd=hog), "ttft", most=1.5, deployment=tight,
        causes=(*_KV, "traffic{tenant=batch}", "prompt_tokens"), measured=True,
        chain=("traffic{tenant=batch}", "prompt_tokens", "mean_prompt_tokens", "kv_cache_usage",
               "prefix_hit_rate", "preemptions", "ttft"),
    ),
    Scenario(
        "pressure_garbles", 21, "what is preempted and computed again reads worse", "vllm-project/vllm#15763",
        Fault(crowd=hog, text="garbled", spoils=preempted), "ttft", most=1.5, deployment=tight,
        causes=(*_KV, "traffic{tenant=batch}", "prompt_tokens"), measured=True,
        chain=("traffic{tenant=batch}", "prompt_tokens", "mean_prompt_tokens", "kv_cache_usage",
               "prefix_hit_rate", "preemptions", "ttft"),
    ),
    Scenario(
        "host_memory_leak", 22, "the engine's host memory grows until it swaps", "vllm-project/vllm#44175",
        Fault(
            engine=lambda s, x: replace(s, timing=replace(s.timing, overhead_s=s.timing.overhead_s + 0.01 * x)),
            bends=(
                Bend("process_resident_memory_bytes", lambda a, s: 1 + 2 * _leaked(a, s)),
                Bend("node_memory_MemAvailable_bytes", lambda a, s: np.maximum(1 - 0.88 * _leaked(a, s), 0.12)),
            ),
        ),
        "latency", most=20.0, causes=("process_memory", "host_memory", "host_memory_available"), measured=True,
        chain=("process_memory", "host_memory_available", "latency"),
    ),
    Scenario(
        "throttled_gpu", 23, "one GPU of a group is held back by heat", "operators' reports",
        Fault(engine=slowed, replicas=(1,), bends=(
            Bend("DCGM_FI_DEV_SM_CLOCK", lambda a, s: 1 / (1 + a), gpu=0),
            Bend("DCGM_FI_DEV_POWER_USAGE", lambda a, s: 1 / (1 + 0.5 * a)),
        )),
        "itl", most=8.0, deployment=grouped, causes=("gpu_sm_clock",), measured=True, chain=("gpu_sm_clock", "itl"),
        who={"replica": "1"},
    ),
)
# fmt: on

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _TABLE}
"""All scenarios, in the order of the catalogue."""
