# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What callers see while a picker is away, on the probe's own model. Private to the collection."""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import Reply, chat_body
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import (
    Own,
    Stage,
    at_scale,
    picker_pods,
    ready,
    set_failure_mode,
)

WITHOUT_PICKER: t.Final = 30
"""Requests that are sent while the picker is away."""

PICKER: t.Final = Claim(
    "picker-dies-as-declared",
    "destructive",
    "Without a picker requests are spread evenly or refused, as the failure mode says.",
    "open: every request is answered and every replica gets some; close: every request is refused with 503, Retry-After"
    " and code no_endpoint_picker; picked again when a picker is back",
)


def observe_picker(stage: Stage) -> Observation:
    own = stage.demand_own()
    seen = Observation(simulated=True)
    set_failure_mode(stage, "FailOpen")
    _without_picker(stage)
    marker = f"open-{secrets.token_hex(4)}"
    replies = [_ask(stage, own, marker) for _turn in range(WITHOUT_PICKER)]
    seen.faults += [f"open: status {status}" for status in sorted({reply.status for reply in replies} - {200})]
    spread = own.counts(marker)
    if not all(spread.values()):
        seen.faults.append(f"open: replicas got {sorted(spread.values())} requests")
    seen.facts.append(f"open: {len(replies)} answers from replicas that got {sorted(spread.values())}")
    _with_picker(stage, own)
    set_failure_mode(stage, "FailClose")
    _without_picker(stage)
    stage.until("a refusal without a picker", lambda: _ask(stage, own).status != 200)
    refused = [_ask(stage, own) for _turn in range(WITHOUT_PICKER)]
    faults = {fault for reply in refused for fault in reply.error_faults(503, "no_endpoint_picker", retry=True)}
    seen.faults += [f"close: {fault}" for fault in sorted(faults)]
    gap = _with_picker(stage, own)
    seen.facts.append(
        f"close: {len(refused)} requests refused with 503; answered again {gap:.1f} s after a picker was asked for"
    )
    return seen


def _without_picker(stage: Stage) -> None:
    at_scale(stage, 0, picker=True)
    stage.until("the end of the picker", lambda: picker_pods(stage) == 0)


def _with_picker(stage: Stage, own: Own) -> float:
    began = stage.clock()
    at_scale(stage, 1, picker=True)
    stage.until("an answer with a picker", lambda: ready(stage, picker=True) > 0 and _ask(stage, own).status == 200)
    return stage.clock() - began


def _ask(stage: Stage, own: Own, marker: str = "") -> Reply:
    return stage.gateway.chat(own.path, chat_body(own.name, f"{secrets.token_hex(4)}?", marker=marker))
