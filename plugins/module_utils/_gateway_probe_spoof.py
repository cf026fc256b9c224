# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Can a client choose what a model is told? Judged by what the model received. Private to the collection."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import (
    FAIRNESS,
    OBJECTIVE,
    SALT,
    new_marker,
    routing_faults,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import Model, Received
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import Stage
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Key

CLAIM: t.Final = Claim(
    "body-header-spoof-ignored",
    "live",
    "Headers and body fields that would choose upstream, identity or priority never reach the model.",
    "each tried alone, and all together on every route: the request is answered, and the model received it from the"
    " team of the key, with the team's priority and salt, and nothing of what was slipped in",
)
SPOOF: t.Final = "spoofed"
"""In every value that is slipped in, so that it can be searched for."""
NOWHERE: t.Final = f"http://127.0.0.1:9/{SPOOF}"
PARALLEL: t.Final = 8
# The simulator keeps its last 200 requests.
BATCH: t.Final = 24

HEADERS: t.Final[dict[str, str]] = dict.fromkeys(
    (
        FAIRNESS,
        FAIRNESS.upper(),
        OBJECTIVE,
        "x-gateway-model-name-rewrite",
        "x-gateway-destination-endpoint",
        "x-litellm-tags",
        "x-litellm-customer-id",
        "x-litellm-end-user-id",
        "x-litellm-spend-logs-metadata",
        "x-litellm-call-id",
        "x-litellm-session-id",
        "x-litellm-agent-id",
        "x-litellm-enable-message-redaction",
        "x-request-id",
        "traceparent",
        "baggage",
        "user-agent",
        "cookie",
        "openai-organization",
        "x-forwarded-for",
        "api-key",
        "x-api-key",
        "x-goog-api-key",
    ),
    SPOOF,
) | {"x-litellm-timeout": "0.001", "x-litellm-num-retries": "3", "x-litellm-stream-timeout": "0.001"}

BODY: t.Final[dict[str, t.Any]] = {
    "user_config": {"model_list": [{"model_name": SPOOF, "litellm_params": {"model": SPOOF, "api_base": NOWHERE}}]},
    "api_base": NOWHERE,
    "base_url": NOWHERE,
    "api_key": SPOOF,
    "api_version": SPOOF,
    "custom_llm_provider": SPOOF,
    "extra_headers": {FAIRNESS: SPOOF, OBJECTIVE: SPOOF, "authorization": SPOOF},
    "headers": {FAIRNESS: SPOOF, OBJECTIVE: SPOOF},
    "extra_body": {SALT: SPOOF, SPOOF: 1},
    "extra_query": {SPOOF: "1"},
    SALT: SPOOF,
    "metadata": {"user_api_key_team_id": SPOOF, "tags": [SPOOF], "user_api_key_team_metadata": {"priority": SPOOF}},
    "litellm_metadata": {"user_api_key_team_id": SPOOF, "user_api_key_hash": SPOOF},
    "litellm_params": {"api_base": NOWHERE},
    "litellm_session_id": SPOOF,
    "litellm_trace_id": SPOOF,
    "litellm_call_id": SPOOF,
    "proxy_server_request": {"headers": {FAIRNESS: SPOOF}},
    "secret_fields": {"raw_headers": {FAIRNESS: SPOOF}},
    "tags": [SPOOF],
    "fallbacks": [SPOOF],
    "context_window_fallbacks": [{SPOOF: [SPOOF]}],
    "model_list": [{"model_name": SPOOF}],
    "mock_response": SPOOF,
    "mock_testing_fallbacks": True,
    "mock_testing_rate_limit_error": True,
    "cache": {"namespace": SPOOF, "no-cache": True},
    "guardrails": [SPOOF],
    "num_retries": 3,
    "timeout": 0.001,
    "request_timeout": 0.001,
    "priority": 99,
    "service_tier": SPOOF,
    "store": True,
    "chat_template": SPOOF,
    "chat_template_kwargs": {SPOOF: SPOOF},
    "documents": [{"text": SPOOF}],
    "vllm_xargs": {SPOOF: SPOOF},
    "kv_transfer_params": {SPOOF: SPOOF},
    "request_id": SPOOF,
    SPOOF: SPOOF,
}
# What a model may be told in a body; the texts themselves are judged by their marker.
EXPECTED: t.Final = frozenset(
    {"model", "messages", "prompt", "input", "max_tokens", "stream", "stream_options", "encoding_format", SALT}
)


@dataclass(frozen=True, slots=True)
class Route:
    path: str
    text: str
    fields: t.Mapping[str, t.Any]

    def body(self, model: str, marker: str) -> dict[str, t.Any]:
        text: t.Any = [{"role": "user", "content": marker}] if self.text == "messages" else marker
        return {"model": model, self.text: text, **self.fields}


ROUTES: t.Final = (
    Route("/v1/chat/completions", "messages", {"max_tokens": 1}),
    Route("/v1/chat/completions", "messages", {"max_tokens": 1, "stream": True}),
    Route("/v1/completions", "prompt", {"max_tokens": 1}),
    Route("/v1/embeddings", "input", {}),
    Route("/v1/responses", "input", {"max_output_tokens": 1}),
)


# The two that LiteLLM treats most differently.
ALONE: t.Final = (ROUTES[0], ROUTES[4])


@dataclass(frozen=True, slots=True)
class Trick:
    name: str
    headers: t.Mapping[str, str]
    fields: t.Mapping[str, t.Any]


HONEST: t.Final = Trick("nothing", {}, {})
TOGETHER: t.Final = Trick("all together", HEADERS, BODY)


def tricks() -> list[Trick]:
    alone = [Trick(f"header {name}", {name: value}, {}) for name, value in HEADERS.items()]
    alone += [Trick(f"field {name}", {}, {name: value}) for name, value in BODY.items()]
    return alone


def observe(stage: Stage) -> Observation:
    seen = stage.observation()
    model = stage.logged()
    key = stage.guest([model.name])
    # An honest request first: what is not found in the log of an honest one proves nothing by its absence.
    together = [(route, trick) for trick in (HONEST, TOGETHER) for route in ROUTES]
    everything = together + [(route, trick) for trick in tricks() for route in ALONE]
    with ThreadPoolExecutor(PARALLEL) as pool:
        for start in range(0, len(everything), BATCH):
            batch = [(route, trick, new_marker()) for route, trick in everything[start : start + BATCH]]
            asked = pool.map(lambda one: _ask(stage, model, key, one), batch)
            seen.faults += [fault for faults in asked for fault in faults]
            log = model.log()
            for route, trick, marker in batch:
                received = [request for request in log if marker in request.text]
                seen.faults += _received_faults(f"{route.path} with {trick.name}", model, received, key.team.id)
    seen.facts.append(
        f"{len(HEADERS)} headers and {len(BODY)} fields, each alone on {len(ALONE)} routes and all together on"
        f" {len(ROUTES)} forms of request: {len(everything)} requests, each found in the log of {model.name}"
    )
    return seen


def _ask(stage: Stage, model: Model, key: Key, one: tuple[Route, Trick, str]) -> list[str]:
    route, trick, marker = one
    body = {**trick.fields, **route.body(model.name, marker)}
    reply = stage.replica.ask(key, route.path, body, trick.headers)
    where = f"{route.path} with {trick.name}"
    faults = [f"{where}: status {reply.status}"] if reply.status != 200 else []
    if SPOOF in str(reply.json) or SPOOF in str({**reply.headers, "x-llm-platform-left-out": ""}):
        faults.append(f"{where}: the answer has what was slipped in")
    return faults


def _received_faults(where: str, model: Model, requests: t.Sequence[Received], team: str) -> list[str]:
    if len(requests) != 1:
        return [f"{where}: the model received it {len(requests)} times"]
    request = requests[0]
    faults = routing_faults(where, model, request, team)
    if SPOOF in request.text:
        faults.append(f"{where}: the model received what was slipped in")
    if unknown := sorted(set(request.body) - EXPECTED):
        faults.append(f"{where}: the model received {', '.join(unknown)}")
    return faults
