# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which replica gets a request: the one with the shortest queue, or the one that knows the prompt.

A picker that sees nothing still answers, and every request gets its 200. So replicas are counted, not answers.
Private to the collection.
"""

from __future__ import annotations

import secrets
import typing as t
from contextlib import ExitStack, contextmanager

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import chat_body
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import (
    HITS,
    SLOTS,
    WAITING,
    Own,
    Stage,
)

if t.TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence

WANTED_SHARE: t.Final = 0.95
TURN: t.Final = 14
"""Requests for each replica that is the least loaded one in its turn."""
LONG: t.Final = 6000
"""Tokens of a request that keeps a slot for longer than a turn takes."""
ENOUGH_LOST: t.Final = 3
"""So many requests in queues settle a turn."""
SIGHT_SECONDS: t.Final = 0.3
"""A picker looks at the metrics every 50 ms."""
PREFIXES: t.Final = 4
REPEATS: t.Final = 6
PREFIX_WORDS: t.Final = 700

LEAST: t.Final = Claim(
    "picks-least-queued",
    "live",
    "Under uneven load requests go to the replica with the shortest queue.",
    f"at least {WANTED_SHARE:.0%} of the requests go to the one replica of three without a queue, each of them in turn;"
    " asked in turn without a picker it gets about a third",
)
AFFINITY: t.Final = Claim(
    "prefix-affinity",
    "live",
    "Prompts with the same long beginning go to the same replica and are found in its cache.",
    f"at least {WANTED_SHARE:.0%} of the prompts go where their beginning went first, and its tokens are hits there",
)


def observe_least(stage: Stage) -> Observation:
    own = stage.demand_own()
    seen = Observation(simulated=True)
    picked: list[bool] = []
    turned: list[bool] = []
    rows: list[list[t.Any]] = []
    for idle in own.pods:
        with busy(stage, own, [pod for pod in own.pods if pod != idle]) as queue:
            counts = _ask_and_count(stage, own, own.path)
            picked += [pod == idle for pod in counts.elements()]
            plain = count_in_turn(stage, own)
            turned += [pod == idle for pod in plain.elements()]
        rows.append([idle, queue, counts[idle], counts.total(), plain[idle], plain.total()])
    if not picked or not turned:
        raise ProbeError("no request arrived at any replica")
    share, without = sum(picked) / len(picked), sum(turned) / len(turned)
    if share < WANTED_SHARE:
        seen.faults.append(f"only {share:.0%} of {len(picked)} requests went to the replica without a queue")
    # A load that spreads by itself, or a model with one pod, would prove nothing.
    if without > (1 + WANTED_SHARE) / 2:
        seen.faults.append(f"without a picker {without:.0%} went there, too: the load was not uneven")
    seen.facts.append(
        f"{share:.0%} of {len(picked)} requests went to the replica without a queue, {without:.0%} of {len(turned)}"
        " when replicas were asked in turn"
    )
    seen.table = {
        "columns": ["replica", "queue of the others", "picked", "of", "in turn", "of"],
        "rows": rows,
    }
    return seen


@contextmanager
def busy(stage: Stage, own: Own, pods: Sequence[str]) -> Iterator[float]:
    """Fill the slots and the queues of these pods, and let the picker see it; the shortest of their queues."""
    body = chat_body(own.model, "Go on and on.", max_tokens=LONG, ignore_eos=True, stream=True)
    with ExitStack() as stack:
        for pod in pods:
            stack.enter_context(own.pods[pod].held([body] * (2 * SLOTS)))
        stage.until("a queue", lambda: min(own.gauge(pod, WAITING) for pod in pods) >= SLOTS - 1)
        stage.pause(SIGHT_SECONDS)
        yield min(own.gauge(pod, WAITING) for pod in pods)
    stage.until("the end of the queues", lambda: not any(own.gauge(pod, WAITING) for pod in pods))
    stage.pause(SIGHT_SECONDS)


def _ask_and_count(stage: Stage, own: Own, path: str) -> Counter[str]:
    """One after the other, so that what was asked before is no load; how many each pod got."""
    marker = f"least-{secrets.token_hex(4)}"
    lost = 0
    for number in range(TURN):
        # Unlike each other from the first word, so that no beginning is known anywhere.
        prompt = f"{secrets.token_hex(8)} is number {number}."
        reply = stage.gateway.chat(path, chat_body(own.name, prompt, marker=marker), stage.patience)
        lost += reply.status == 0
        if lost == ENOUGH_LOST:
            break
        if reply.status not in (0, 200):
            raise ProbeError(f"{path}: status {reply.status} {reply.text[:200]}")
    return own.counts(marker)


def count_in_turn(stage: Stage, own: Own) -> Counter[str]:
    """The same without a picker. They arrive at once and are given up in the queues where they wait."""
    marker = f"turn-{secrets.token_hex(4)}"
    body = chat_body(own.model, "Say yes.", marker=marker, stream=True)
    with stage.gateway.held([body] * TURN, own.plain_path):
        stage.until(
            "the arrival of what was asked in turn",
            lambda: own.counts(marker).total() >= TURN,
        )
        return own.counts(marker)


def observe_affinity(stage: Stage) -> Observation:
    own = stage.demand_own()
    seen = Observation(simulated=True)
    before = {pod: own.gauge(pod, HITS) for pod in own.pods}
    homes: dict[int, str] = {}
    kept = 0
    run = secrets.token_hex(4)
    prompts = [_long_prompt() for _prefix in range(PREFIXES)]
    for turn in range(REPEATS):
        # All prefixes take turns: a picker that stays where it was last would be found out.
        for number, prompt in enumerate(prompts):
            marker = f"prefix-{run}-{number}-{turn}."
            body = chat_body(own.name, f"{prompt} Question {secrets.token_hex(8)}?", marker=marker)
            reply = stage.gateway.chat(own.path, body)
            if reply.status != 200:
                raise ProbeError(f"{own.path}: status {reply.status} {reply.text[:200]}")
            places = [pod for pod, found in own.arrivals(marker).items() if found]
            if len(places) != 1:
                raise ProbeError(f"request {marker} arrived at {places or 'no pod'}")
            kept += turn > 0 and homes.setdefault(number, places[0]) == places[0]
            homes.setdefault(number, places[0])
    asked = PREFIXES * (REPEATS - 1)
    share = kept / asked
    if share < WANTED_SHARE:
        seen.faults.append(f"only {share:.0%} of {asked} prompts went where their beginning had gone first")
    hits = {pod: own.gauge(pod, HITS) - before[pod] for pod in own.pods}
    if missing := sorted(pod for pod in set(homes.values()) if hits[pod] <= 0):
        seen.faults.append(f"no token was found in the cache of {', '.join(missing)}")
    seen.facts.append(
        f"{share:.0%} of {asked} prompts with {PREFIXES} beginnings went where theirs had gone first,"
        f" to {len(set(homes.values()))} replica(s); {sum(hits.values()):.0f} tokens were found in their caches"
    )
    return seen


def _long_prompt() -> str:
    return " ".join(secrets.token_hex(3) for _word in range(PREFIX_WORDS))
