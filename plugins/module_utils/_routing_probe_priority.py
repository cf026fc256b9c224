# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""How long an urgent tenant waits while a batch tenant fills a model, with flow control and without. Private to the
collection.

The requests go to the gateway with the headers that the LLM gateway gives them; that it does so is another claim.
"""

from __future__ import annotations

import math
import random
import secrets
import statistics
import threading
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import Asker, Reply, chat_body
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_queue import (
    BATCH,
    URGENT,
    Effort,
    busy,
    has_queue,
    objective,
    queue_objects,
    unqueued,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import (
    Stage,
    picker_config,
    some_picker,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import Scene

ALLOWED: t.Final = 1.5
LAST_SECONDS: t.Final = 30.0
"""For the answers that are under way at the end."""

PRIORITY: t.Final = Claim(
    "interactive-before-batch",
    "destructive",
    "While a batch tenant fills a model, an urgent tenant waits hardly longer than on an idle one, and batch goes on.",
    f"the urgent tenant's p95 of the time to the first token is at most {ALLOWED:g} times that on the idle model,"
    " without flow control it is more, and batch is answered in the same time; what is shed gets 429 with Retry-After",
)


@dataclass(slots=True)
class Heard:
    """What callers of one class were told."""

    answered: int = 0
    shed: int = 0
    faults: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, reply: Reply) -> float:
        """Whether it was an answer; else how many seconds to wait before the next try."""
        with self.lock:
            if reply.status == 200:
                self.answered += 1
                return 0.0
            self.shed += 1
            self.faults.update(reply.error_faults(429, "model_busy", retry=True))
            return float(reply.headers.get("retry-after", "1"))


def observe_priority(stage: Stage) -> Observation:
    picker = some_picker(stage)
    config = picker_config(stage, picker)
    if not has_queue(config):
        raise ProbeError("the pickers have no flow control; set gateway_flow_control.enabled: true")
    for obj in queue_objects(stage.scene, picker, config, stage.owner):
        stage.create(obj)
    with_queue, without = busy(stage.scene), unqueued(stage.scene)
    effort = stage.effort
    asker = Asker(stage.gateway.url, stage.key(), stage.timeout, effort.callers + 1)
    stage.until(f"an answer of model {with_queue.name}", lambda: _answers(asker, with_queue, with_queue.name))
    stage.until(f"an answer of model {without.name}", lambda: _answers(asker, without, with_queue.name))
    urgent = Caller(asker, with_queue.name, effort)
    idle = urgent.times(with_queue, effort.idle)
    with filled(asker, with_queue, with_queue.name, effort) as heard:
        queued = urgent.times(with_queue, effort.urgent)
    with filled(asker, without, with_queue.name, effort) as others:
        direct = urgent.times(without, effort.unqueued)
    return judge(idle, (queued, heard), (direct, others))


@dataclass(frozen=True, slots=True)
class Caller:
    """The urgent tenant: one request after the other."""

    asker: Asker
    model: str
    effort: Effort

    def times(self, scene: Scene, count: int) -> list[float]:
        """Seconds to the first token of each request."""
        found = []
        for _turn in range(count):
            # Unlike each other from the first letter, so that nothing of it is in a cache.
            body = chat_body(self.model, secrets.token_hex(self.effort.prompt_letters // 2), max_tokens=1)
            reply, first = self.asker.first_token(f"/m/{scene.name}", body, headers(scene, URGENT))
            if first is None:
                raise ProbeError(f"the urgent tenant got status {reply.status}: {reply.text[:200]}")
            found.append(first)
            time.sleep(self.effort.pause)
        return found


@contextmanager
def filled(asker: Asker, scene: Scene, model: str, effort: Effort) -> Iterator[Heard]:
    """Many callers of the batch tenant, each of which asks again as soon as it may."""
    heard, stop = Heard(), threading.Event()
    chance = random.Random(1)  # noqa: S311 - lengths of answers

    def call() -> None:
        while not stop.is_set():
            tokens = chance.randint(*effort.answer_tokens)
            body = chat_body(model, secrets.token_hex(8), max_tokens=tokens, ignore_eos=True)
            try:
                # In one piece: the pieces of many streams would be work for this machine, not for the model.
                reply = asker.chat(f"/m/{scene.name}", body, more=headers(scene, BATCH))
            except ProbeError as exc:
                heard.faults.add(str(exc))
                return
            stop.wait(heard.note(reply))

    callers = [threading.Thread(target=call, daemon=True) for _number in range(effort.callers)]
    for caller in callers:
        caller.start()
    try:
        time.sleep(effort.filled_seconds)
        before = heard.answered
        yield heard
        heard.answered -= before
    finally:
        stop.set()
        until = time.monotonic() + LAST_SECONDS
        for caller in callers:
            caller.join(max(0.0, until - time.monotonic()))


def headers(scene: Scene, priority: int) -> dict[str, str]:
    """Those that the LLM gateway gives to the requests of a team."""
    team = "llm-platform-probe-urgent" if priority == URGENT else "llm-platform-probe-batch"
    return {"x-gateway-inference-fairness-id": team, "x-gateway-inference-objective": objective(scene, priority)}


def judge(
    idle: Sequence[float], queued: tuple[Sequence[float], Heard], direct: tuple[Sequence[float], Heard]
) -> Observation:
    seen = Observation(simulated=True)
    bound = p95(idle)
    ways = [("with flow control", *queued), ("without", *direct)]
    rows: list[list[t.Any]] = [["idle", len(idle), *_milliseconds(idle), 1.0, "", ""]]
    for name, times, heard in ways:
        ratio = p95(times) / bound
        rows.append([name, len(times), *_milliseconds(times), round(ratio, 2), heard.answered, heard.shed])
        seen.faults += [f"batch, {name}: {fault}" for fault in sorted(heard.faults)]
        if not heard.answered:
            seen.faults.append(f"{name} no request of the batch tenant was answered meanwhile")
    ratio, other = rows[1][4], rows[2][4]
    if p95(queued[0]) > ALLOWED * bound:
        seen.faults.append(f"the urgent tenant's p95 under load is {ratio} times that on the idle model")
    # A load under which nobody waits would prove nothing.
    if p95(direct[0]) <= ALLOWED * bound:
        seen.faults.append(f"without flow control it is {other} times that: the load did not fill the model")
    seen.facts.append(
        f"p95 of the time to the first token {rows[0][3]} ms on the idle model, under load {rows[1][3]} ms"
        f" ({ratio} times) with flow control and {rows[2][3]} ms ({other} times) without; meanwhile"
        f" {queued[1].answered} batch requests were answered and {queued[1].shed} shed with 429"
    )
    seen.facts.append("asked at the gateway with the headers that the LLM gateway sets")
    columns = ["model", "urgent requests", "p50, ms", "p95, ms", "p95 to idle", "batch answered", "batch shed"]
    seen.table = {"columns": columns, "rows": rows}
    return seen


def p95(times: Sequence[float]) -> float:
    """The nearest rank: a value that was measured."""
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def _milliseconds(times: Sequence[float]) -> list[int]:
    return [round(1000 * statistics.median(times)), round(1000 * p95(times))]


def _answers(asker: Asker, scene: Scene, model: str) -> bool:
    try:
        reply = asker.chat(f"/m/{scene.name}", chat_body(model, "Are you there?"))
    except ProbeError:  # such as a pod that the network does not let the gateway reach yet
        return False
    return reply.status == 200
