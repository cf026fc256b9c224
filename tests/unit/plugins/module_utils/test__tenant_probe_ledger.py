# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Money is compared request by request, and what a model's pods say is summed or said to be unknown."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_ledger import (
    CANCELLED,
    COMPLETED,
    FAILED,
    Ledger,
    Purchase,
    Row,
    counted,
    reconcile,
    same,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Key, Model, Team
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import (
    Counts,
    Outcome,
    Witness,
    new_marker,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient

MODEL = Model("chat", 0.001, 0.004, 512, Witness("chat"))
KEY, OTHER = Key(Team("team"), "sk-a", "hash-a"), Key(Team("team"), "sk-b", "hash-b")
PRICE = MODEL.cost(20, 16)


def purchase(number: int, kind: str = COMPLETED, **changes: t.Any) -> Purchase:
    told = (20, 16) if kind == COMPLETED else None
    name = "" if kind == FAILED else f"id-{number}"
    made = Purchase(kind, f"marker-{number}", name, KEY, MODEL, 16, told)
    return dataclasses.replace(made, **changes)


def row(number: int, **changes: t.Any) -> Row:
    return dataclasses.replace(Row(f"id-{number}", "hash-a", "chat", 20, 16, PRICE, failed=False), **changes)


def ledger(*rows: Row) -> Ledger:
    total = sum(one.spend for one in rows)
    return Ledger(rows, {"hash-a": total}, {"team": total})


def outcome(prompt: int = 20, completion: int = 16) -> Outcome:
    return Outcome(prompt, completion, finished=True)


def test_one_request_of_each_class_reconciles() -> None:
    purchases = [purchase(1), purchase(2, CANCELLED), purchase(3, FAILED)]
    failed = row(9, id="somewhere", prompt_tokens=7, completion_tokens=0, spend=0.0, failed=True)
    result = reconcile(
        purchases,
        ledger(row(1), row(2), failed),
        {"marker-1": [outcome()], "marker-2": [outcome()], "marker-3": [outcome(0, 0)]},
    )
    assert result.faults == []
    assert [line[:3] for line in result.table] == [["completed", 1, 1], ["cancelled", 1, 1], ["failed", 1, 1]]
    assert same(result.dollars["told to clients"], PRICE)
    assert same(result.dollars["ledger, all"], 2 * PRICE)
    assert same(result.dollars["kept by teams"], 2 * PRICE)


@pytest.mark.parametrize(
    ("purchases", "rows", "outcomes", "fault"),
    [
        ([purchase(1)], [row(1, spend=PRICE * (1 + 1e-6))], [outcome()], "its tokens cost"),
        ([purchase(1)], [row(1, completion_tokens=15)], [outcome()], "its client was told (20, 16)"),
        ([purchase(1)], [row(1, key="hash-b")], [outcome()], "another key or model"),
        ([purchase(1)], [row(1, model="code")], [outcome()], "another key or model"),
        ([purchase(1)], [row(1), row(2)], [outcome()], "rows without a request: id-2"),
        ([purchase(1)], [row(1)], [outcome(), outcome()], "the model counted (40, 32) tokens, the ledger (20, 16)"),
        ([purchase(1)], [row(1)], [], "the model counted (0, 0)"),
        ([purchase(1, CANCELLED)], [row(1, prompt_tokens=2, spend=1.0)], [outcome(2)], "the bound is $"),
        ([purchase(1, CANCELLED)], [], [outcome()], "is missing"),
        ([purchase(1, FAILED)], [], [outcome()], "failed at the models: marker-1: the model counted (20, 16)"),
        ([purchase(1, id="")], [row(1)], [outcome()], "a request without id is missing"),
    ],
)
def test_a_difference_is_named(purchases: list[Purchase], rows: list[Row], outcomes: list[Outcome], fault: str) -> None:
    result = reconcile(purchases, ledger(*rows), {"marker-1": outcomes})
    assert fault in "; ".join(result.faults)


def test_many_differences_are_counted_not_listed() -> None:
    result = reconcile([purchase(number) for number in range(50)], ledger(), None)
    assert result.faults == ["completed in the ledger: id-0 is missing; id-1 is missing; id-2 is missing and 47 more"]


def test_the_spend_kept_by_keys_and_teams_must_be_the_sum_of_their_rows() -> None:
    found = Ledger([row(1)], {"hash-a": 2 * PRICE}, {"team": 0.0})
    assert [fault.partition(":")[0] for fault in reconcile([purchase(1)], found, None).faults] == [
        "spend of a key",
        "spend of a team",
    ]


@pytest.mark.parametrize(
    ("delta", "fault"),
    [
        (Counts(1, 20, 16), ""),
        (Counts(2, 40, 32), "others used it meanwhile"),
        (Counts(1, 20, 17), "counted (20, 17) tokens, the ledger (20, 16)"),
    ],
)
def test_counters_agree_exactly_or_say_why_not(delta: Counts, fault: str) -> None:
    result = counted([purchase(1)], ledger(row(1)), {"chat": delta})
    assert (fault in "; ".join(result.faults)) if fault else (result.faults == [] and result.facts)


def test_a_model_without_counters_is_a_fault() -> None:
    assert "could not be asked" in counted([purchase(1)], ledger(row(1)), {}).faults[0]


def test_a_row_is_read_whatever_it_lacks() -> None:
    assert Row.of({"request_id": "a", "metadata": {"status": "failure"}}).failed
    assert Row.of({"model": "m", "model_group": None, "spend": None}) == Row("", "", "m", 0, 0, 0.0, failed=False)


class Pod:
    """The metrics and the log of one pod."""

    def __init__(self, requests: int, *entries: dict[str, t.Any], running: int = 0, status: int = 200) -> None:
        self.requests, self.entries, self.running, self.status = requests, entries, running, status

    def get(self, path: str, *, key: str | None = None) -> tuple[int, str]:
        if path.startswith("/simulator"):
            assert key == "secret"
            return self.status, json.dumps({"requests": self.entries})
        return self.status, (
            f'vllm:request_success_total{{finished_reason="stop"}} {self.requests}\n'
            f'vllm:request_success_total{{finished_reason="length"}} 1\n'
            f"vllm:prompt_tokens_total {self.requests * 20}\nvllm:generation_tokens_total {self.requests * 16}\n"
            f"vllm:num_requests_running {self.running}\nvllm:num_requests_waiting 0\n"
        )


def witness(*pods: Pod, simulated: bool = True) -> Witness:
    return Witness("chat", [t.cast("ChatClient", pod) for pod in pods], "secret", simulated)


def entry(marker: str, **outcome: t.Any) -> dict[str, t.Any]:
    return {"body": {"messages": [{"content": f"Hello [{marker}]"}]}, "outcome": outcome}


def test_counters_are_summed_over_all_pods() -> None:
    assert witness(Pod(3), Pod(4)).counts() == Counts(9, 140, 112)
    assert witness(Pod(3)).settled() == Counts(4, 60, 48)


def test_a_model_that_stays_busy_is_no_witness() -> None:
    with pytest.raises(ProbeError, match="still busy"):
        witness(Pod(3, running=1)).settled(seconds=0.0)


def test_metrics_that_lack_a_counter_are_said() -> None:
    with pytest.raises(ProbeError, match=r"status 503\) lack vllm:request_success_total"):
        witness(Pod(3, status=503)).counts()


def test_requests_are_found_by_their_marker_in_the_logs_of_all_pods() -> None:
    mine, other = new_marker(), new_marker()
    first = Pod(1, entry(mine, prompt_tokens=20, generated_tokens=16, finished=["stop"]), entry(other))
    second = Pod(1, entry(mine, prompt_tokens=0, generated_tokens=0, finished=[]))
    assert witness(first, second).finished({mine}) == {mine: [outcome(), outcome(0, 0)]}


def test_a_request_that_is_not_over_is_waited_for() -> None:
    marker = new_marker()
    busy = Pod(1, entry(marker, prompt_tokens=20, generated_tokens=1, finished=[None]))
    with pytest.raises(ProbeError, match="still works on requests of the probe"):
        witness(busy).finished({marker}, seconds=0.0)


def test_a_log_that_is_refused_is_no_empty_log() -> None:
    with pytest.raises(ProbeError, match="status 401"):
        witness(Pod(1, status=401)).outcomes(set())


def test_without_pods_or_log_a_witness_does_not_guess() -> None:
    assert witness().counts() is None
    assert witness().settled() is None
    assert witness(Pod(1), simulated=False).outcomes(set()) is None
