# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a canary gets its share, and whether both sets of pods keep a picker of their own. Private to the collection.

Two pools in one rule look right from outside: the shares are kept, and one of the pools is asked in turn. So the load
of both is uneven while shares are counted.
"""

from __future__ import annotations

import secrets
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import SHOWN, chat_body
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import CANARY_WEIGHT
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_picks import (
    ENOUGH_LOST,
    WANTED_SHARE,
    busy,
    count_in_turn,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import REPLICAS, SPLIT_REQUESTS

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import Stage

WORKERS: t.Final = 6
"""What they ask fills the slots of a replica, and makes a queue that is shorter than those of the others."""
TOLERANCE: t.Final = 3
"""Percent of all requests; with so many the share is off by more in one run of ten thousand."""

CANARY: t.Final = Claim(
    "canary-split",
    "destructive",
    "A canary gets its share of the requests, and in both sets of pods they go to the replica with the shortest queue.",
    f"{CANARY_WEIGHT} ± {TOLERANCE} % of {SPLIT_REQUESTS} requests go to the canary; at least {WANTED_SHARE:.0%} of"
    " those to the model and of those to the canary go to the one replica of three without a queue, each in its turn",
)


def observe_canary(stage: Stage) -> Observation:
    pools = {"model": stage.demand_own(), "canary": stage.demand_canary()}
    seen = Observation(simulated=True)
    arrived: Counter[str] = Counter()
    picked: Counter[str] = Counter()
    turned: Counter[str] = Counter()
    plain: Counter[str] = Counter()
    rows: list[list[t.Any]] = []
    for idle_model, idle_canary in zip(*(pool.pods for pool in pools.values()), strict=True):
        idle = {"model": idle_model, "canary": idle_canary}
        others = {name: [pod for pod in pool.pods if pod != idle[name]] for name, pool in pools.items()}
        queues: dict[str, float] = {}
        with (
            busy(stage, pools["model"], others["model"]) as queues["model"],
            busy(stage, pools["canary"], others["canary"]) as queues["canary"],
        ):
            marker = _ask(stage, seen)
            for name, pool in pools.items():
                counts, in_turn = pool.counts(marker), count_in_turn(stage, pool)
                arrived[name] += counts.total()
                picked[name] += counts[idle[name]]
                plain[name] += in_turn.total()
                turned[name] += in_turn[idle[name]]
                rows.append([idle[name], queues[name], counts[idle[name]], counts.total()])
    _judge(seen, stage.split_requests, arrived, picked)
    for name in pools:
        # A load that spreads by itself would prove nothing.
        if turned[name] > plain[name] * (1 + WANTED_SHARE) / 2:
            seen.faults.append(f"{name}: without a picker {turned[name]} of {plain[name]} went there, too")
    seen.table = {"columns": ["replica", "queue of the others", "picked", "of"], "rows": rows}
    return seen


def _ask(stage: Stage, seen: Observation) -> str:
    """A third of the requests, a few at a time; the marker that they carry."""
    own = stage.demand_own()
    marker = f"split-{secrets.token_hex(4)}"
    lost: list[int] = []
    failed: Counter[str] = Counter()

    def ask(number: int) -> None:
        # What waits in a queue waits long: some of them settle it.
        if len(lost) >= ENOUGH_LOST:
            return
        # Unlike each other from the first word, so that no beginning is known anywhere.
        body = chat_body(own.model, f"{secrets.token_hex(8)} is number {number}.", marker=marker)
        try:
            reply = stage.gateway.chat(own.split_path, body, stage.patience)
        except ProbeError as exc:
            failed[str(exc)] += 1
            return
        if reply.status == 0:
            lost.append(number)
        elif reply.status != 200:
            failed[f"status {reply.status} {reply.text[:SHOWN]}"] += 1

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(ask, range(stage.split_requests // REPLICAS)))
    seen.faults += [f"{count} requests failed: {what}" for what, count in failed.items()]
    return marker


def _judge(seen: Observation, asked: int, arrived: Counter[str], picked: Counter[str]) -> None:
    total = arrived.total()
    if not total:
        raise ProbeError("; ".join(["no request arrived at any replica", *seen.faults[:1]]))
    if total < asked:
        seen.faults.append(f"only {total} of {asked} requests arrived")
    share = 100 * arrived["canary"] / total
    if abs(share - CANARY_WEIGHT) > TOLERANCE:
        seen.faults.append(f"{share:.1f} % of {total} requests went to the canary")
    parts = []
    for name, count in arrived.items():
        kept = picked[name] / count if count else 0.0
        parts.append(f"{kept:.0%} of {count} at the {name}")
        if count and kept < WANTED_SHARE:
            seen.faults.append(f"only {kept:.0%} of {count} requests to the {name} went to its replica without a queue")
    seen.facts.append(
        f"{share:.1f} % of {total} requests went to the canary; to the replica without a queue went {', '.join(parts)}"
    )
