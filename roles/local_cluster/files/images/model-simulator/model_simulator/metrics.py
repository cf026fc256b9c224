# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""vLLM's Prometheus metrics (v0.31, V1 engine): names, types, labels and buckets are what its users' rules rely on."""

from __future__ import annotations

import typing as t

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from .sequence import FinishReason, Sequence

if t.TYPE_CHECKING:
    from .scheduler import Progress, Scheduler, Step

LATENCY = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
FIRST_TOKEN = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
INTER_TOKEN = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0),
)
STEP_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
PARAMETER_N = (1, 2, 5, 10, 20)
PREEMPTIONS = (1, 2, 3, 4, 5, 10, 20)
SOURCES = ("local_compute", "local_cache_hit", "external_kv_transfer")


def token_buckets(largest: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50 … up to the longest context."""
    series = (mantissa * 10**power for power in range(len(str(largest))) for mantissa in (1, 2, 5))
    return tuple(value for value in series if value <= largest)


class Metrics:
    def __init__(self, model_name: str, max_model_len: int, cache_config: t.Mapping[str, str]) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._labels = {"model_name": model_name, "engine": "0"}
        self._families: dict[str, t.Any] = {}
        self._model_gauges()
        tokens = token_buckets(max_model_len)
        self.first_token = self._histogram(
            "time_to_first_token_seconds", "Histogram of time to first token in seconds.", FIRST_TOKEN
        )
        self.inter_token = self._histogram(
            "inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", INTER_TOKEN
        )
        self.per_output_token = self._histogram(
            "request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.",
            INTER_TOKEN,
        )
        phases = {
            "e2e_request_latency_seconds": "e2e request latency in seconds",
            "request_queue_time_seconds": "time spent in WAITING phase for request",
            "request_inference_time_seconds": "time spent in RUNNING phase for request",
            "request_prefill_time_seconds": "time spent in PREFILL phase for request",
            "request_decode_time_seconds": "time spent in DECODE phase for request",
        }
        self.phase = {name: self._histogram(name, f"Histogram of {what}.", LATENCY) for name, what in phases.items()}
        sizes = {
            "request_prompt_tokens": "Number of prefill tokens processed.",
            "request_generation_tokens": "Number of generation tokens processed.",
            "request_max_num_generation_tokens": "Histogram of maximum number of requested generation tokens.",
            "request_params_max_tokens": "Histogram of the max_tokens request parameter.",
            "request_prefill_kv_computed_tokens": "Histogram of new KV tokens computed during prefill.",
        }
        self.size = {name: self._histogram(name, what, tokens) for name, what in sizes.items()}
        self.step_tokens = self._histogram(
            "iteration_tokens_total", "Histogram of number of tokens per engine_step.", STEP_TOKENS
        )
        self.parameter_n = self._histogram("request_params_n", "Histogram of the n request parameter.", PARAMETER_N)
        self.request_preemptions = self._histogram(
            "request_num_preemptions", "Histogram of the number of times a request was preempted.", PREEMPTIONS
        )
        self.prompt_tokens = self._counter("prompt_tokens", "Number of prefill tokens processed.")
        self.prompt_tokens_cached = self._counter("prompt_tokens_cached", "Number of cached prompt tokens.")
        self.generation_tokens = self._counter("generation_tokens", "Number of generation tokens processed.")
        self.prefix_queries = self._counter("prefix_cache_queries", "Prefix cache queries, in queried tokens.")
        self.prefix_hits = self._counter("prefix_cache_hits", "Prefix cache hits, in cached tokens.")
        self.preemptions = self._counter("num_preemptions", "Cumulative number of preemption from the engine.")
        self._preemptions_seen = 0
        for name in (
            "external_prefix_cache_queries",
            "external_prefix_cache_hits",
            "mm_cache_queries",
            "mm_cache_hits",
        ):
            self._counter(name, "Not simulated: stays at zero.")
        self.by_source = {
            source: self._counter("prompt_tokens_by_source", "Number of prompt tokens by source.", source=source)
            for source in SOURCES
        }
        self.finished = {
            reason: self._counter(
                "request_success", "Count of successfully processed requests.", finished_reason=reason.value
            )
            for reason in FinishReason
        }
        info = {**cache_config, "engine": "0"}
        Gauge(
            "vllm:cache_config_info",
            "Information of the LLMEngine CacheConfig",
            labelnames=tuple(info),
            registry=self.registry,
        ).labels(**info).set(1)

    def _model_gauges(self) -> None:
        self.running = self._gauge("num_requests_running", "Number of requests in model execution batches.")
        self.waiting = self._gauge("num_requests_waiting", "Number of requests waiting to be processed.")
        self.kv_usage = self._gauge("kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.")
        why = "Number of waiting requests by reason."
        self.waiting_capacity = self._gauge("num_requests_waiting_by_reason", why, reason="capacity")
        self._gauge("num_requests_waiting_by_reason", why, reason="deferred")
        for state, value in (("awake", 1), ("weights_offloaded", 0), ("discard_all", 0)):
            self._gauge("engine_sleep_state", "Engine sleep state.", sleep_state=state).set(value)

    def watch(self, scheduler: Scheduler) -> None:
        """Gauges tell the state at the moment of the scrape."""
        self.running.set_function(lambda: len(scheduler.running))
        self.waiting.set_function(lambda: len(scheduler.waiting))
        self.waiting_capacity.set_function(lambda: len(scheduler.waiting))
        self.kv_usage.set_function(lambda: scheduler.pool.usage)

    def request(self, n: int, max_tokens: int) -> None:
        self.parameter_n.observe(n)
        self.size["request_max_num_generation_tokens"].observe(max_tokens)

    def step(self, step: Step, progress: t.Sequence[Progress], preemptions: int) -> None:
        """Book a step; `preemptions` is the scheduler's count since its start."""
        self.preemptions.inc(preemptions - self._preemptions_seen)
        self._preemptions_seen = preemptions
        generated = sum(1 for item in progress if item.token is not None)
        self.step_tokens.observe(step.prefill_tokens + generated)
        self.generation_tokens.inc(generated)
        for item in progress:
            if item.first:
                self._prefilled(item)
            elif item.token is not None:
                self.inter_token.observe(item.latency)

    def _prefilled(self, item: Progress) -> None:
        sequence = item.sequence
        self.first_token.observe(item.latency)
        self.prompt_tokens.inc(len(sequence.prompt))
        self.prompt_tokens_cached.inc(sequence.cached)
        self.prefix_queries.inc(len(sequence.prompt))
        self.prefix_hits.inc(sequence.cached)
        self.by_source["local_compute"].inc(len(sequence.prompt) - sequence.cached)
        self.by_source["local_cache_hit"].inc(sequence.cached)

    def ended(self, sequence: Sequence, now: float) -> None:
        """A sequence that never was scheduled has only an end and a reason."""
        self.finished[sequence.finished or FinishReason.ERROR].inc()
        self.phase["e2e_request_latency_seconds"].observe(now - sequence.arrived)
        if sequence.scheduled is None:
            return
        first = sequence.first_token if sequence.first_token is not None else now
        last = sequence.last_token if sequence.last_token is not None else first
        self.phase["request_queue_time_seconds"].observe(sequence.scheduled - sequence.ready)
        self.phase["request_prefill_time_seconds"].observe(first - sequence.scheduled)
        self.phase["request_decode_time_seconds"].observe(last - first)
        self.phase["request_inference_time_seconds"].observe(last - sequence.scheduled)
        self.request_preemptions.observe(sequence.preemptions)
        self.size["request_prompt_tokens"].observe(len(sequence.prompt))
        self.size["request_generation_tokens"].observe(sequence.generated)
        self.size["request_prefill_kv_computed_tokens"].observe(len(sequence.prompt) - sequence.cached)
        self.per_output_token.observe((last - first) / (sequence.generated - 1) if sequence.generated > 1 else 0.0)
        if sequence.max_tokens:
            self.size["request_params_max_tokens"].observe(sequence.max_tokens)

    def _gauge(self, name: str, what: str, **more: str) -> Gauge:
        return t.cast("Gauge", self._child(Gauge, name, what, more))

    def _counter(self, name: str, what: str, **more: str) -> Counter:
        return t.cast("Counter", self._child(Counter, name, what, more))

    def _histogram(self, name: str, what: str, buckets: t.Sequence[float]) -> Histogram:
        family = Histogram(
            f"vllm:{name}", what, labelnames=tuple(self._labels), buckets=buckets, registry=self.registry
        )
        return family.labels(**self._labels)

    def _child(self, kind: type[t.Any], name: str, what: str, more: dict[str, str]) -> t.Any:
        """Children of one family share it: a registry refuses a name twice."""
        if name not in self._families:
            names = (*self._labels, *more)
            self._families[name] = kind(f"vllm:{name}", what, labelnames=names, registry=self.registry)
        return self._families[name].labels(**self._labels, **more)
