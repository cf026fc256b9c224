# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Lets a replica of a model die while a tenant uses it, and looks for what was answered in the ledger. Private to the
collection."""

from __future__ import annotations

import math
import secrets
import threading
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer, read_gauges
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import FAULTS, ModelPod
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_ledger import Row, same
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_spend import rows_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    Key,
    Model,
    ask,
    good,
    spent_by,
    verdict,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import RUNNING

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Scene, Workload

REPLICAS: t.Final = 3
WORKERS: t.Final = 4
REQUESTS: t.Final = 400
KILLED_AFTER: t.Final = 100
"""Requests that are answered before the replica is killed."""
ALLOWED_SHARE: t.Final = 0.01
TOKENS: t.Final = 16
READY_SECONDS: t.Final = 60.0

REPLICA: t.Final = Claim(
    "replica-dies-under-load",
    "destructive",
    "When a replica dies under load, at most one request in a hundred fails, and all that was answered is in the"
    " ledger.",
    f"one of three replicas ends without a word, with a request under way, while {WORKERS} callers send {REQUESTS}"
    f" requests with a tenant's key: at most {ALLOWED_SHARE:.0%} of them fail, and each that was answered is in the"
    " ledger once, with the tokens its client was told at their price, and in what its key has spent",
)


@dataclass(slots=True)
class Bought:
    """What clients were told: answers, and how requests failed."""

    answers: list[Answer] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.answers) + len(self.failed)


def observe_replica(
    scene: Scene, workload: Workload, pods: Callable[[], t.ContextManager[Sequence[ModelPod]]]
) -> Observation:
    """`pods` reaches those of the model that are there now."""
    seen = Observation(simulated=scene.model.witness.simulated)
    team = scene.team(1e6 * scene.one())
    key = scene.guests.key(team)
    with workload.at_least(REPLICAS, READY_SECONDS), pods() as targets:
        if len(targets) < REPLICAS:
            raise ProbeError(f"{workload.name} has {len(targets)} replicas that can be reached, {REPLICAS} are needed")
        _wait_for_traffic(scene, scene.guests.key(team), targets)
        bought, under_way = _buy(scene, key, targets)
    share = len(bought.failed) / bought.total
    if share > ALLOWED_SHARE:
        seen.faults.append(f"{share:.1%} of {bought.total} requests failed: {dict(Counter(bought.failed))}")
    seen.facts.append(
        f"{len(bought.failed)} of {bought.total} requests failed, {share:.2%}, when a replica ended with {under_way}"
        " under way"
    )
    _compare(seen, scene, key, bought)
    return seen


def _wait_for_traffic(scene: Scene, key: Key, pods: Sequence[ModelPod]) -> None:
    """A replica that the gateway does not know yet could die unnoticed."""
    until = time.monotonic() + READY_SECONDS
    while True:
        for _turn in range(2 * REPLICAS):
            _ask(scene, 0, key)
        if all(_gauge(pod, "vllm:request_success_total") for pod in pods):
            return
        if time.monotonic() >= until:
            raise ProbeError(f"not all replicas got requests within {READY_SECONDS:.0f} s")


def _buy(scene: Scene, key: Key, pods: Sequence[ModelPod]) -> tuple[Bought, int]:
    bought, moment, lock = Bought(), threading.Event(), threading.Lock()

    def work(number: int) -> None:
        answer = _ask(scene, number, key)
        with lock:
            if answer is not None and good(answer):
                bought.answers.append(answer)
            else:
                bought.failed.append("no answer" if answer is None else verdict(answer))
            if bought.total >= KILLED_AFTER:
                moment.set()

    with ThreadPoolExecutor(WORKERS) as workers:
        done = [workers.submit(work, number) for number in range(REQUESTS)]
        moment.wait(READY_SECONDS)
        under_way = _kill(pods)
        for one in done:
            one.result()
    return bought, under_way


def _ask(scene: Scene, number: int, key: Key) -> Answer | None:
    replica = scene.replicas[number % len(scene.replicas)]
    try:
        return ask(replica, scene.model.name, key.value, f"{secrets.token_hex(16)}?", TOKENS, full_length=True)
    except ProbeError:
        return None


def _kill(pods: Sequence[ModelPod]) -> int:
    """The busiest one ends at once, as it would for want of memory; how many requests it had under way."""
    under_way, victim = 0, pods[0]
    until = time.monotonic() + 1.0
    while not under_way and time.monotonic() < until:
        under_way, victim = max(((int(_gauge(pod, RUNNING)), pod) for pod in pods), key=lambda found: found[0])
    try:
        victim.text("PUT", FAULTS, {"crash": True})
    except ProbeError:
        # It cannot say goodbye, nor answer this.
        return under_way
    raise ProbeError(f"pod {victim.name} did not end")


def _gauge(pod: ModelPod, name: str) -> float:
    return read_gauges(pod.text("GET", "/metrics"), (name,)).get(name, 0.0)


def _compare(seen: Observation, scene: Scene, key: Key, bought: Bought) -> None:
    """The ledger is written some seconds later."""
    began = time.monotonic()
    models = {model.name: model for model in (scene.model, *scene.others)}
    until = began + 3 * scene.timing.flush
    while True:
        rows, spent = rows_of(scene.admin, key), spent_by(scene.admin, key)
        faults = ledger_faults(bought.answers, rows, spent, models)
        if not faults or time.monotonic() >= until:
            break
        time.sleep(1.0)
    seen.faults += faults
    seen.facts.append(
        f"{len(bought.answers) if not faults else len(rows)} of {len(bought.answers)} answers are in the ledger,"
        f" ${math.fsum(row.spend for row in rows):.8f}, {time.monotonic() - began:.1f} s after the last one"
    )


def ledger_faults(
    answers: Sequence[Answer], rows: Sequence[Row], spent: float, models: Mapping[str, Model]
) -> list[str]:
    """What is wrong with what was booked. A request may have been answered by the model that it falls back to."""
    faults = []
    by_id = {row.id: row for row in rows if not row.failed}
    lost = [answer.id for answer in answers if answer.id not in by_id]
    if lost:
        such = lost[0] or "one without id"
        faults.append(f"{len(lost)} of {len(answers)} answers are not in the ledger, such as {such}")
    twice = [name for name, count in Counter(row.id for row in rows).items() if count > 1]
    if twice:
        faults.append(f"{len(twice)} answers are in the ledger more than once, such as {twice[0]}")
    wrong = [answer.id for answer in answers if answer.id in by_id and not _right(answer, by_id[answer.id], models)]
    if wrong:
        faults.append(f"{len(wrong)} answers are booked with other tokens or at another price, such as {wrong[0]}")
    booked = math.fsum(row.spend for row in rows)
    if not same(spent, booked):
        faults.append(f"the key has spent ${spent:.8f}, the rows are ${booked:.8f}")
    return faults


def _right(answer: Answer, row: Row, models: Mapping[str, Model]) -> bool:
    tokens = (row.prompt_tokens, row.completion_tokens)
    model = models.get(row.model)
    return (
        tokens == (answer.prompt_tokens, answer.completion_tokens)
        and model is not None
        and same(row.spend, model.cost(*tokens))
    )
