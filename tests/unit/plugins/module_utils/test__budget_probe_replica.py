# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What was answered while a replica died is in the ledger, once and at its price, or it is said."""

from __future__ import annotations

import dataclasses
import typing as t
from contextlib import contextmanager

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _budget_probe_replica as replica
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Scene, Timing
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_ledger import Row
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Model
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import Witness
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_gateway import FakeGateway

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import ModelPod

MODELS: t.Final = {name: Model(name, 0.001, 0.004, 512, Witness(name)) for name in ("chat", "spare")}
TOKENS: t.Final = {"prompt_tokens": 10, "completion_tokens": 5}
PRICE: t.Final = 10 * 0.001 + 5 * 0.004


def answer(name: str) -> Answer:
    return Answer(200, id=name, usage=dict(TOKENS))


def row(name: str, **change: t.Any) -> Row:
    return dataclasses.replace(Row(name, "key", "chat", 10, 5, PRICE, failed=False), **change)


def faults(rows: list[Row], spent: float | None = None) -> str:
    booked = sum(item.spend for item in rows)
    found = replica.ledger_faults([answer("a"), answer("b")], rows, booked if spent is None else spent, MODELS)
    return "; ".join(found)


def test_each_answer_is_booked_once_also_that_of_the_model_it_fell_back_to() -> None:
    failed = Row("c", "key", "chat", 0, 0, 0.0, failed=True)
    assert faults([row("a"), row("b", model="spare"), failed]) == ""


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([row("a")], "1 of 2 answers are not in the ledger, such as b"),
        ([row("a"), row("b", failed=True, spend=0.0)], "1 of 2 answers are not in the ledger, such as b"),
        ([row("a"), row("b"), row("b")], "1 answers are in the ledger more than once, such as b"),
        ([row("a"), row("b", completion_tokens=4)], "booked with other tokens or at another price, such as b"),
        ([row("a"), row("b", spend=PRICE / 2)], "booked with other tokens or at another price, such as b"),
        ([row("a"), row("b", model="other")], "booked with other tokens or at another price, such as b"),
    ],
    ids=["lost", "failed", "twice", "tokens", "price", "model"],
)
def test_what_is_booked_wrongly_is_found_out(rows: list[Row], fault: str) -> None:
    assert fault in faults(rows)


def test_a_key_that_has_spent_something_else_is_found_out() -> None:
    assert "the key has spent $0.00000000, the rows are $0.06000000" in faults([row("a"), row("b")], 0.0)


class Pod:
    """A pod whose counters rise, and which ends when it is told to."""

    def __init__(self, name: str, running: int) -> None:
        self.name, self.running, self.ended, self.obeys = name, running, False, True

    def text(self, method: str, path: str, body: t.Any = None) -> str:
        if path == "/metrics":
            return f"vllm:request_success_total 3\nvllm:num_requests_running {self.running}\n"
        assert (method, path, body) == ("PUT", "/simulator/faults", {"crash": True})
        if self.obeys:
            self.ended = True
            raise ProbeError("gone")
        return "{}"


class Cast:
    """A tenant's gateway, three pods of a model, and a probe of them."""

    def __init__(self, **defects: t.Any) -> None:
        self.gateway = FakeGateway(**defects)
        self.pods = [Pod(f"chat-{number}", number) for number in range(3)]
        self.asked: list[int] = []

    @contextmanager
    def at_least(self, replicas: int, _seconds: float) -> t.Iterator[None]:
        self.asked.append(replicas)
        yield

    name = "chat"

    @contextmanager
    def reached(self) -> t.Iterator[t.Sequence[ModelPod]]:
        yield t.cast("t.Sequence[ModelPod]", self.pods)

    def observe(self) -> Observation:
        stage = self.gateway.stage()
        nothing: t.Any = None
        timing = Timing(flush=0.05)
        admin: t.Any = stage.replicas[0].admin
        scene = Scene([], admin, stage.guests, stage.models[0], nothing, timing, stage.replicas)
        return replica.observe_replica(scene, t.cast("t.Any", self), self.reached)


def test_the_busiest_replica_dies_and_nothing_is_lost() -> None:
    cast = Cast()
    seen = cast.observe()
    assert seen.faults == []
    assert cast.asked == [3]
    assert [pod.ended for pod in cast.pods] == [False, False, True]
    assert "0 of 400 requests failed, 0.00%, when a replica ended with 2 under way" in seen.facts[0]
    assert "400 of 400 answers are in the ledger" in seen.facts[1]


def test_an_answer_that_is_not_booked_is_found_out() -> None:
    # The first six are those that look whether all replicas are known.
    seen = Cast(loses_rows=10).observe()
    assert any("4 of 400 answers are not in the ledger" in fault for fault in seen.faults), seen.faults


def test_requests_that_fail_are_counted() -> None:
    seen = Cast(refuses_everybody=True).observe()
    assert "100.0% of 400 requests failed: {'401 auth_error': 400}" in seen.faults[0]


def test_a_replica_that_goes_on_proves_nothing() -> None:
    cast = Cast()
    cast.pods[2].obeys = False
    with pytest.raises(ProbeError, match="pod chat-2 did not end"):
        cast.observe()
