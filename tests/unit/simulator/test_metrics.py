# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The metrics that dashboards, alerts and autoscalers read, as vLLM 0.31 exposes them."""

from __future__ import annotations

import typing as t

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

if t.TYPE_CHECKING:
    from conftest import Running

LABELS = {"model_name", "engine"}
GAUGES = {
    "num_requests_running": LABELS,
    "num_requests_waiting": LABELS,
    "num_requests_waiting_by_reason": LABELS | {"reason"},
    "kv_cache_usage_perc": LABELS,
    "engine_sleep_state": LABELS | {"sleep_state"},
}
COUNTERS = {
    "prefix_cache_queries": LABELS,
    "prefix_cache_hits": LABELS,
    "num_preemptions": LABELS,
    "prompt_tokens": LABELS,
    "prompt_tokens_by_source": LABELS | {"source"},
    "prompt_tokens_cached": LABELS,
    "generation_tokens": LABELS,
    "request_success": LABELS | {"finished_reason"},
}
LATENCY = (
    "0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0 60.0 120.0 240.0 480.0 960.0 1920.0 7680.0 +Inf"
)
INTER_TOKEN = "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 +Inf"
TOKENS = "1.0 2.0 5.0 10.0 20.0 50.0 100.0 200.0 500.0 1000.0 2000.0 5000.0 +Inf"
HISTOGRAMS = {
    "time_to_first_token_seconds": "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 "
    "40.0 80.0 160.0 640.0 2560.0 +Inf",
    "inter_token_latency_seconds": INTER_TOKEN,
    "request_time_per_output_token_seconds": INTER_TOKEN,
    "e2e_request_latency_seconds": LATENCY,
    "request_queue_time_seconds": LATENCY,
    "request_inference_time_seconds": LATENCY,
    "request_prefill_time_seconds": LATENCY,
    "request_decode_time_seconds": LATENCY,
    "request_prompt_tokens": TOKENS,
    "request_generation_tokens": TOKENS,
    "request_max_num_generation_tokens": TOKENS,
    "request_params_max_tokens": TOKENS,
    "request_prefill_kv_computed_tokens": TOKENS,
    "request_params_n": "1.0 2.0 5.0 10.0 20.0 +Inf",
    "request_num_preemptions": "1.0 2.0 3.0 4.0 5.0 10.0 20.0 +Inf",
    "iteration_tokens_total": "1.0 8.0 16.0 32.0 64.0 128.0 256.0 512.0 1024.0 2048.0 4096.0 8192.0 16384.0 +Inf",
}


@pytest.fixture(scope="module")
def families(fast: Running) -> dict[str, t.Any]:
    text = httpx.get(f"{fast.url}/metrics", trust_env=False).text
    return {family.name.removeprefix("vllm:"): family for family in text_string_to_metric_families(text)}


@pytest.mark.parametrize(("kind", "table"), [("gauge", GAUGES), ("counter", COUNTERS)])
def test_gauges_and_counters_have_their_names_types_and_labels(
    families: dict[str, t.Any], kind: str, table: dict[str, set[str]]
) -> None:
    for name, labels in table.items():
        family = families[name]
        assert family.type == kind, name
        assert {frozenset(sample.labels) for sample in family.samples} == {frozenset(labels)}, name


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_histograms_have_their_buckets(families: dict[str, t.Any], name: str) -> None:
    family = families[name]
    assert family.type == "histogram"
    buckets = [sample.labels["le"] for sample in family.samples if sample.name.endswith("_bucket")]
    assert " ".join(buckets) == HISTOGRAMS[name]


def test_a_finished_request_counts_by_its_reason(families: dict[str, t.Any]) -> None:
    reasons = {sample.labels["finished_reason"] for sample in families["request_success"].samples}
    assert reasons == {"stop", "length", "abort", "error", "repetition"}


def test_the_cache_configuration_names_blocks_and_their_size(families: dict[str, t.Any]) -> None:
    (sample,) = families["cache_config_info"].samples
    assert sample.value == 1
    assert (sample.labels["block_size"], sample.labels["num_gpu_blocks"], sample.labels["engine"]) == (
        "16",
        "4096",
        "0",
    )


def test_counters_and_histograms_move_with_requests(serve: t.Callable[..., Running]) -> None:
    server = serve("--simulator-profile", "fast")
    body = {"model": "sim", "prompt": "one two three " * 40, "max_tokens": 20, "ignore_eos": True}
    with server.client() as client:
        usage = [client.post("/v1/completions", json=body).json()["usage"] for _turn in range(2)]
    prompt = sum(one["prompt_tokens"] for one in usage)
    hits = sum(one["prompt_tokens_details"]["cached_tokens"] for one in usage)
    assert hits > 0
    assert server.metric("vllm:prompt_tokens_total") == prompt
    assert server.metric("vllm:prefix_cache_queries_total") == prompt
    assert server.metric("vllm:prefix_cache_hits_total") == hits
    assert server.metric("vllm:prompt_tokens_by_source_total", source="local_cache_hit") == hits
    assert server.metric("vllm:generation_tokens_total") == 40
    assert server.metric("vllm:request_success_total", finished_reason="length") == 2
    assert server.metric("vllm:time_to_first_token_seconds_count") == 2
    assert server.metric("vllm:inter_token_latency_seconds_count") == 38
    assert server.metric("vllm:e2e_request_latency_seconds_count") == 2
    assert server.metric("vllm:request_generation_tokens_sum") == 40
