# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Does a request keep its team's headers and salt when another model answers it? Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import new_marker, routing_faults

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import Stage
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Key

CLAIM: t.Final = Claim(
    "fallback-keeps-routing",
    "live",
    "A request that falls back to another model keeps its team's headers and cache salt.",
    "while the first model fails, the second one answers, and both received the team's headers and salt; without the"
    " failure the first one answers",
)
FELL_BACK: t.Final = "x-litellm-attempted-fallbacks"


def observe(stage: Stage) -> Observation:
    if not stage.fallbacks:
        raise ProbeError("no model has a fallback (llm_gateway_fallbacks)")
    seen = stage.observation()
    for name, others in stage.fallbacks:
        _observe_pair(stage, seen, name, others[0])
    return seen


def _observe_pair(stage: Stage, seen: Observation, name: str, other: str) -> None:
    first, second = stage.model(name), stage.model(other)
    second.demand_log()
    # LiteLLM falls back only to what a team may use itself.
    key = stage.guest([name, other])
    for form, stream in (("plain", False), ("streamed", True)):
        calm, failing = new_marker(), new_marker()
        where = f"{name} to {other}, {form}"
        status, fallen = _ask(stage, name, key, calm, stream=stream)
        if status != 200 or fallen or len(first.received(calm)) != 1 or second.received(calm):
            raise ProbeError(f"{where}: without a failure the first model did not answer alone (status {status})")
        with first.failing(failing):
            status, fallen = _ask(stage, name, key, failing, stream=stream)
        if status != 200 or not fallen:
            seen.faults.append(f"{where}: status {status}, {fallen} fallbacks")
        for model in (first, second):
            requests = model.received(failing)
            if not requests:
                seen.faults.append(f"{where}: {model.name} received nothing")
            for request in requests:
                seen.faults += routing_faults(f"{where}, at {model.name}", model, request, key.team.id)
    verdict = "with the team's headers and salt" if not seen.faults else "not as it should"
    seen.facts.append(f"{name} failed, plain and streamed, and {other} answered {verdict}")


def _ask(stage: Stage, name: str, key: Key, marker: str, *, stream: bool) -> tuple[int, int]:
    body = {"model": name, "max_tokens": 2, "stream": stream, "messages": [{"role": "user", "content": marker}]}
    reply = stage.replica.ask(key, "/v1/chat/completions", body)
    given = {header.lower(): value for header, value in reply.headers.items()}
    return reply.status, int(given.get(FELL_BACK) or 0)
