# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What callers see while a replica or a picker dies, on the probe's own model. Private to the collection."""

from __future__ import annotations

import secrets
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import Reply, chat_body
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import (
    Own,
    Stage,
    at_scale,
    picker_pods,
    ready,
    set_failure_mode,
)

WORKERS: t.Final = 4
REQUESTS: t.Final = 800
KILLED_AFTER: t.Final = 150
"""Requests that are answered before the replica is killed."""
ALLOWED_SHARE: t.Final = 0.01
WITHOUT_PICKER: t.Final = 30
"""Requests that are sent while the picker is away."""

REPLICA: t.Final = Claim(
    "replica-dies-under-load",
    "destructive",
    "When a replica dies under load, at most one request in a hundred fails.",
    f"one of three replicas ends without a word while {WORKERS} callers send {REQUESTS} requests:"
    f" at most {ALLOWED_SHARE:.0%} of them fail",
)
PICKER: t.Final = Claim(
    "picker-dies-as-declared",
    "destructive",
    "Without a picker requests are spread evenly or refused, as the failure mode says.",
    "open: every request is answered and every replica gets some; close: every request is refused with 503, Retry-After"
    " and code no_endpoint_picker; picked again when a picker is back",
)


def observe_replica(stage: Stage) -> Observation:
    own = stage.demand_own()
    seen = Observation(simulated=True)
    victim = next(iter(own.pods))
    statuses: list[int] = []
    moment = threading.Event()

    def work(number: int) -> None:
        body = chat_body(own.name, f"{secrets.token_hex(4)} {number}", max_tokens=4)
        try:
            statuses.append(stage.gateway.chat(own.path, body).status)
        except ProbeError:
            statuses.append(0)
        if len(statuses) >= KILLED_AFTER:
            moment.set()

    with ThreadPoolExecutor(WORKERS) as workers:
        done = [workers.submit(work, number) for number in range(REQUESTS)]
        moment.wait(stage.timeout)
        _kill(own, victim)
        for one in done:
            one.result()
    failed = [status for status in statuses if status != 200]
    share = len(failed) / len(statuses)
    if share > ALLOWED_SHARE:
        seen.faults.append(f"{share:.1%} of {len(statuses)} requests failed, with status {sorted(set(failed))}")
    seen.facts.append(
        f"{len(failed)} of {len(statuses)} requests failed, {share:.2%}, when a replica ended after {KILLED_AFTER}"
    )
    stage.until("the return of the replica", lambda: ready(stage) >= stage.scene.replicas)
    return seen


def _kill(own: Own, pod: str) -> None:
    """The process ends at once, as it would for want of memory; it cannot say goodbye, nor answer this."""
    try:
        reply = own.pods[pod].ask("PUT", "/simulator/faults", {"crash": True})
    except ProbeError:
        return
    raise ProbeError(f"pod {pod} did not end: status {reply.status}")


def observe_picker(stage: Stage) -> Observation:
    own = stage.demand_own()
    seen = Observation(simulated=True)
    set_failure_mode(stage, "FailOpen")
    _without_picker(stage)
    marker = f"open-{secrets.token_hex(4)}"
    replies = [_ask(stage, own, marker) for _turn in range(WITHOUT_PICKER)]
    seen.faults += [f"open: status {status}" for status in sorted({reply.status for reply in replies} - {200})]
    spread = {pod: len(found) for pod, found in own.arrivals(marker).items()}
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
