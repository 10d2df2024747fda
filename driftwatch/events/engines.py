"""The series of inference engines: vLLM, SGLang, TensorRT-LLM, Triton, TGI, llama.cpp, OpenTelemetry GenAI.

Names as of vLLM 0.33, SGLang 0.5, TensorRT-LLM, TGI 3 and llama.cpp in 2026; older ones are kept and marked old.
"""

from __future__ import annotations

from driftwatch.events.series import Ratio, Series, Source, named

_BLOCKS, _ACTIVE = "nv_trt_llm_kv_cache_block_metrics", "nv_trt_llm_request_metrics"

# rows of a table stay rows: one field a line would be pages
# fmt: off
ENGINE_SERIES: tuple[Series, ...] = (
    Series(
        "kv_cache_usage", "KV cache in use", "gauge", "share", "mechanism", expected=True,
        sources=(
            *named("vllm:kv_cache_usage_perc", "sglang:token_usage", "trtllm_kv_cache_utilization"),
            Source(_BLOCKS, where=(("kv_cache_block_type", "fraction"),)),
            *named("vllm:gpu_cache_usage_perc", "llamacpp:kv_cache_usage_ratio", old=True),
        ),
    ),
    Series(
        "preemptions", "preemptions", "counter", "1/s", "mechanism", expected=True,
        sources=named("vllm:num_preemptions", "sglang:num_retracted_requests"),
    ),
    Series(
        "retracted", "requests retracted or paused now", "gauge", "requests", "mechanism",
        sources=(*named("sglang:num_retracted_reqs", "trtllm_num_paused_requests", "vllm:num_requests_swapped"),
                 Source(_ACTIVE, where=(("request_type", "paused"),))),
    ),
    Series(
        "preemptions_per_request", "preemptions of a request", "histogram", "1", "latency",
        sources=named("vllm:request_num_preemptions"),
    ),
    Series(
        "evicted_tokens", "tokens evicted from the prefix cache", "counter", "tokens/s", "mechanism",
        sources=named("sglang:evicted_tokens"),
    ),
    Series("kv_tokens_used", "tokens in the KV cache", "gauge", "tokens", "mechanism",
           sources=named("sglang:kv_used_tokens", "sglang:num_used_tokens", "llamacpp:kv_cache_tokens")),
    Series("kv_tokens_free", "free tokens in the KV cache", "gauge", "tokens", "mechanism", bad="down",
           sources=named("sglang:kv_available_tokens")),
    Series("kv_tokens_evictable", "evictable tokens in the KV cache", "gauge", "tokens", "symptom",
           sources=named("sglang:kv_evictable_tokens")),
    Series("kv_cache_config", "size of the KV cache", "gauge", "1", "health",
           sources=named("vllm:cache_config_info")),  # its labels say how many blocks there are, and of how many tokens
    Series("kv_block_lifetime", "lifetime of a KV block", "histogram", "s", "latency", bad="down",
           sources=named("vllm:kv_block_lifetime_seconds")),
    Series(
        "requests_running", "requests running", "gauge", "requests", "symptom", expected=True,
        sources=(
            *named("vllm:num_requests_running", "sglang:num_running_reqs", "trtllm_num_requests_running"),
            *named("tgi_batch_current_size", "llamacpp:requests_processing"),
            Source(_ACTIVE, where=(("request_type", "active"),)),
        ),
    ),
    Series(
        "requests_waiting", "requests waiting", "gauge", "requests", "symptom", expected=True,
        sources=(
            *named("vllm:num_requests_waiting", "sglang:num_queue_reqs", "trtllm_num_requests_waiting"),
            *named("tgi_queue_size", "llamacpp:requests_deferred"),
            Source(_ACTIVE, where=(("request_type", "waiting"),)),
        ),
    ),
    Series("requests_waiting_by_reason", "requests waiting, by reason", "gauge", "requests", "symptom",
           sources=named("vllm:num_requests_waiting_by_reason")),
    Series("admission_rejections", "requests turned away", "counter", "1/s", "symptom",
           sources=named("vllm:admission_rejections")),
    Series(
        "requests_finished", "requests finished, by reason", "counter", "1/s", "symptom", expected=True,
        sources=named("vllm:request_success", "sglang:num_requests", "trtllm_request_success", "tgi_request_success"),
    ),
    Series("requests_aborted", "requests aborted", "counter", "1/s", "symptom",
           sources=named("sglang:num_aborted_requests")),
    Series("requests_failed", "requests failed", "counter", "1/s", "symptom", sources=named("tgi_request_failure")),
    Series(
        "prompt_tokens", "prompt tokens", "counter", "tokens/s", "exogenous", expected=True,
        sources=named("vllm:prompt_tokens", "sglang:prompt_tokens", "trtllm_prompt_tokens", "llamacpp:prompt_tokens"),
    ),
    Series(
        "generation_tokens", "generated tokens", "counter", "tokens/s", "symptom", bad="down", expected=True,
        sources=named("vllm:generation_tokens", "sglang:generation_tokens", "trtllm_generation_tokens",
                      "llamacpp:tokens_predicted"),
    ),
    Series(
        "generation_rate", "generation throughput", "gauge", "tokens/s", "symptom", bad="down",
        sources=named("sglang:gen_throughput", "llamacpp:predicted_tokens_seconds",
                      "vllm:avg_generation_throughput_toks_per_s"),
    ),
    Series(
        "cached_tokens", "prompt tokens taken from the cache", "counter", "tokens/s", "symptom", bad="down",
        sources=named("vllm:prompt_tokens_cached", "sglang:cached_tokens"),
    ),
    Series(
        "prefix_cache_hits", "prefix cache hits", "counter", "tokens/s", "symptom", bad="down",
        sources=named("vllm:prefix_cache_hits", "trtllm_kv_cache_reused_blocks", "vllm:gpu_prefix_cache_hits"),
    ),
    Series("prefix_cache_misses", "prefix cache misses", "counter", "tokens/s", "symptom",
           sources=named("trtllm_kv_cache_missed_blocks")),
    Series("prefix_cache_queries", "prefix cache queries", "counter", "tokens/s", "symptom",
           sources=named("vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries")),
    Series(
        "prefix_hit_rate", "prefix cache hit rate", "gauge", "share", "mechanism", bad="down",
        sources=(*named("sglang:cache_hit_rate", "trtllm_kv_cache_hit_rate"),
                 *named("vllm:gpu_prefix_cache_hit_rate", old=True)),
    ),
    Series("spec_decode_drafts", "speculative drafts", "counter", "1/s", "symptom",
           sources=named("vllm:spec_decode_num_drafts", "llamacpp:spec_decode_num_drafts")),
    Series("spec_decode_draft_tokens", "speculated tokens", "counter", "tokens/s", "symptom",
           sources=named("vllm:spec_decode_num_draft_tokens", "llamacpp:spec_decode_num_draft_tokens")),
    Series(
        "spec_decode_accepted_tokens", "speculated tokens accepted", "counter", "tokens/s", "symptom", bad="down",
        sources=named("vllm:spec_decode_num_accepted_tokens", "llamacpp:spec_decode_num_accepted_tokens"),
    ),
    Series("spec_decode_accept_rate", "speculation acceptance rate", "gauge", "share", "mechanism", bad="down",
           sources=named("sglang:spec_accept_rate")),
    Series("spec_decode_accept_length", "tokens accepted per draft", "gauge", "tokens", "mechanism", bad="down",
           sources=named("sglang:spec_accept_length", "trtllm_spec_decode_acceptance_length")),
    Series("skipped_tokens", "tokens skipped by speculation", "histogram", "tokens", "latency", bad="down",
           sources=named("tgi_request_skipped_tokens")),
    Series("corrupted_requests", "requests with NaN in their logits", "counter", "1/s", "health",
           sources=named("vllm:corrupted_requests")),
    Series("perplexity", "perplexity of what is generated", "gauge", "1", "health",
           sources=named("trtllm_generation_perplexity")),
    Series("engine_sleeping", "engine asleep", "gauge", "1", "health",
           sources=(Source("vllm:engine_sleep_state", where=(("sleep_state", "awake"),)),), bad="down"),
    Series(
        "ttft", "time to first token", "histogram", "s", "latency", signal="ttft", expected=True,
        sources=named("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds",
                      "trtllm_time_to_first_token_seconds", "gen_ai.server.time_to_first_token",
                      "gen_ai.client.time_to_first_chunk"),
    ),
    Series(
        "itl", "inter-token latency", "histogram", "s", "latency", signal="itl", expected=True,
        sources=(
            *named("vllm:inter_token_latency_seconds", "sglang:inter_token_latency_seconds"),
            *named("trtllm_time_per_output_token_seconds", "tgi_request_mean_time_per_token_duration"),
            *named("gen_ai.server.time_per_output_token", "gen_ai.client.time_per_output_chunk"),
            *named("vllm:time_per_output_token_seconds", old=True),
        ),
    ),
    Series("tpot", "mean gap between tokens of a request", "histogram", "s", "latency",
           sources=named("vllm:request_time_per_output_token_seconds", "sglang:time_per_output_token_seconds",
                         "sglang:request_time_per_output_token_seconds")),
    Series(
        "latency", "end-to-end latency", "histogram", "s", "latency", signal="latency", expected=True,
        sources=named("vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds",
                      "trtllm_e2e_request_latency_seconds", "tgi_request_duration",
                      "gen_ai.server.request.duration", "gen_ai.client.operation.duration"),
    ),
    Series(
        "queue_time", "time in the queue", "histogram", "s", "latency",
        sources=named("vllm:request_queue_time_seconds", "sglang:queue_time_seconds",
                      "trtllm_request_queue_time_seconds", "tgi_request_queue_duration"),
    ),
    Series("prompt_length", "prompt length", "histogram", "tokens", "latency", signal="prompt_length",
           sources=named("vllm:request_prompt_tokens", "tgi_request_input_length")),
    Series("output_length", "output length", "histogram", "tokens", "latency", signal="output_length",
           sources=named("vllm:request_generation_tokens", "tgi_request_generated_tokens")),
    Series("prefill_length", "prompt tokens to compute", "histogram", "tokens", "latency",
           sources=named("vllm:request_prefill_kv_computed_tokens")),
    Series("prefill_time", "prefill time", "histogram", "s", "latency",
           sources=named("vllm:request_prefill_time_seconds")),
    Series("decode_time", "decode time", "histogram", "s", "latency",
           sources=named("vllm:request_decode_time_seconds")),
)
"""All series that engines expose."""

RATIOS: tuple[Ratio, ...] = (
    Ratio("prefix_hit_rate", "prefix cache hit rate", "prefix_cache_hits", "prefix_cache_queries"),
    Ratio("spec_decode_accept_rate", "speculation acceptance rate", "spec_decode_accepted_tokens",
          "spec_decode_draft_tokens"),
    Ratio("spec_decode_accept_length", "tokens accepted per draft", "spec_decode_accepted_tokens",
          "spec_decode_drafts", unit="tokens"),
    Ratio("mean_prompt_tokens", "prompt tokens per request", "prompt_tokens", "requests_finished",
          role="exogenous", bad="up", unit="tokens"),
)
# fmt: on
"""Shares that are made of two counters."""
