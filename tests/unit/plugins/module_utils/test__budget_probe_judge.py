# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A budget held only when it was tried, nothing strange was seen, and no more than one request went over it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_judge import (
    COLUMNS,
    EXHAUSTED,
    FRESH,
    TENANT,
    UNKNOWN,
    Outage,
    Period,
    Row,
    Shot,
    boundary_faults,
    forgotten_faults,
    ledger_faults,
    outage_verdict,
    recovery_faults,
    rollover_faults,
    row_faults,
    table_row,
)

# As recorded: 50 at once on two replicas.
HELD = Row(
    attack="50 at once",
    budget=0.0001024,
    one=0.0000128,
    control=("200", "200"),
    verdicts={"200": 8, "422 budget_exceeded": 42},
    admitted=10,
    real=0.000099,
    worst=0.000099,
    billed=0.000099,
)


def test_a_budget_that_held_has_no_fault() -> None:
    assert row_faults(HELD) == []


def test_one_request_over_the_budget_is_still_held() -> None:
    real = HELD.budget + HELD.one
    row = dataclasses.replace(HELD, real=real, billed=real)
    assert row_faults(row) == []
    assert row.overshoot_requests == pytest.approx(1.0)


def test_a_row_where_the_gateway_refused_the_whole_attack_needs_no_refusal_by_the_budget() -> None:
    assert row_faults(dataclasses.replace(HELD, verdicts={"400 invalid_request_error": 50}, admitted=2)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"real": 0.0001024 + 2.1 * 0.0000128, "billed": 1.0}, "overdrawn by $0.00002688 (2.1 requests)"),
        ({"control": ("200", "422 budget_exceeded")}, "control: 422 budget_exceeded instead of 200"),
        ({"control": ()}, "nobody tried whether the allowed way works"),
        ({"admitted": 1}, "the model's log shows 1 requests"),
        ({"verdicts": {"200": 50}}, "nothing was refused"),
        ({"verdicts": {"200": 8, "429 throttling_error": 42}}, "none was refused because of the budget"),
        ({"verdicts": {"200": 8, "422 budget_exceeded": 41, "500 internal": 1}}, "unexpected: 1 x 500 internal"),
        ({"verdicts": {"200": 8, "422 budget_exceeded": 41, "connection broke": 1}}, "unexpected: 1 x connection"),
        ({"unfinished": 1}, "still worked on 1 requests"),
        ({"billed": None}, "the ledger could not be read"),
        ({"billed": 0.00009}, "the ledger holds $0.00009000, the model worked for $0.00009900"),
    ],
    ids=str,
)
def test_a_row_fails_when_it_must(change: dict[str, t.Any], fault: str) -> None:
    faults = row_faults(dataclasses.replace(HELD, **change))
    assert len(faults) == 1
    assert fault in faults[0]


def test_a_row_of_the_table_has_a_cell_for_each_column() -> None:
    cells = table_row(dataclasses.replace(HELD, billed=None))
    assert len(cells) == len(COLUMNS)
    assert "not read" in cells
    assert cells[-1] == "8 x 200, 42 x 422 budget_exceeded"


SPENT = Period(real=0.00009, answered=8, refused=20)


def test_two_periods_within_their_budgets_are_a_budget_that_turns() -> None:
    assert rollover_faults([SPENT, SPENT], 0.0001, 0.00001, spend=0.00009) == []


@pytest.mark.parametrize(
    ("periods", "spend", "fault"),
    [
        ([SPENT], 0.0, "1 period(s) were used up"),
        ([SPENT, dataclasses.replace(SPENT, refused=0)], 0.0, "1 period(s) were used up"),
        ([SPENT, SPENT, dataclasses.replace(SPENT, answered=0)], 0.0, "period 3: nothing was answered"),
        ([SPENT, dataclasses.replace(SPENT, real=0.00015)], 0.0, "period 2: overdrawn by $0.00005000 (5.0 requests)"),
        ([SPENT, SPENT], 0.00018, "after the reset the ledger holds $0.00018000"),
        ([SPENT, SPENT], None, "could not be read"),
    ],
)
def test_a_turn_fails_when_it_must(periods: list[Period], spend: float | None, fault: str) -> None:
    faults = rollover_faults(periods, 0.0001, 0.00001, spend)
    assert len(faults) == 1
    assert fault in faults[0]


def test_what_was_on_its_way_at_a_turn_widens_the_bound_by_its_reservation_and_no_more() -> None:
    period = Period(real=0.00014, answered=9, refused=11)
    assert boundary_faults(period, 0.0001, 0.00001, on_the_way=0.00003) == []
    assert "overdrawn by $0.00004000 (4.0 requests)" in boundary_faults(period, 0.0001, 0.00001, on_the_way=0.0)[0]
    assert "both are needed" in boundary_faults(Period(0.0, 0, 20), 0.0001, 0.00001, on_the_way=0.0)[0]


OUTAGE = Outage(gone=10.0, start=30.0, ready=34.0)


def load(kind: str, *verdicts: tuple[float, str], replica: str = "a", seconds: float = 0.5) -> list[Shot]:
    return [Shot(kind, replica, began, began + seconds, verdict) for began, verdict in verdicts]


DARK = "503 no_db_connection"
SPENDS = load(
    TENANT, (1, "200"), (9.8, "200"), (12, "200"), (18, "200"), (22, DARK), (28, DARK), (33, DARK), (35, "200")
)
OTHERS = [
    *load(EXHAUSTED, (1, "422 budget_exceeded"), (15, "422 budget_exceeded"), (25, DARK)),
    *load(UNKNOWN, (1, "401 token_not_found"), (15, DARK)),
    *load(FRESH, (15, DARK), (36, "200")),
]


def test_an_outage_is_measured_by_replica() -> None:
    found = outage_verdict([*SPENDS, *OTHERS], OUTAGE, allowed=14.0)
    assert found.faults == []
    assert found.passed == {"a": 8.0}
    assert found.recovered == {"a": 1.5}
    assert found.counted == {EXHAUSTED: 2, UNKNOWN: 1, FRESH: 1}


def test_a_request_that_waited_for_the_end_of_the_outage_was_not_let_in_during_it() -> None:
    waited = load(TENANT, (28.5, "200"), seconds=6.0)
    assert outage_verdict([*SPENDS, *OTHERS, *waited], OUTAGE, allowed=14.0).faults == []


@pytest.mark.parametrize(
    ("shots", "fault"),
    [
        ([*SPENDS, *OTHERS, *load(TENANT, (26, "200"))], "a: the tenant was let in 16.0 s into the outage"),
        ([*SPENDS[2:], *OTHERS], "a: control: the tenant was not answered before"),
        ([*SPENDS[:4], SPENDS[-1], *OTHERS], "a: no refusal was seen during the outage"),
        ([*SPENDS, *OTHERS, *load(UNKNOWN, (20, "200"))], "unknown key: 1 of 3 requests were answered"),
        ([*SPENDS, *OTHERS, *load(EXHAUSTED, (40, "200"))], "exhausted key: 1 of 4 requests were answered"),
        ([*SPENDS, *OTHERS, *load(FRESH, (20, "200"))], "key never used before: 1 of 3 requests"),
        ([*SPENDS, *OTHERS[:-2]], "key never used before: no answer of any kind"),
    ],
)
def test_an_outage_fails_when_it_must(shots: list[Shot], fault: str) -> None:
    faults = outage_verdict(shots, OUTAGE, allowed=14.0).faults
    assert len(faults) == 1
    assert fault in faults[0]


def test_whoever_relapses_has_not_recovered() -> None:
    relapse = load(TENANT, (40, DARK), (50, "200"))
    assert outage_verdict([*SPENDS, *relapse, *OTHERS], OUTAGE, allowed=14.0).recovered == {"a": 16.5}
    assert outage_verdict([*SPENDS, *relapse[:1], *OTHERS], OUTAGE, allowed=14.0).recovered == {"a": None}


def test_recovery_takes_thirty_seconds_at_most() -> None:
    assert recovery_faults("Redis", {"a": 30.0, "b": 0.0}) == []
    assert recovery_faults("Redis", {"a": 30.1, "b": None}) == [
        "Redis: a took 30.1 s, 30 s are allowed",
        "Redis: b did not answer again",
    ]
    assert recovery_faults("Redis", {}) == ["Redis: no replica was watched"]


def test_forgetting_fails_beyond_the_bound_or_when_it_was_not_tried() -> None:
    both = {"200", "422 budget_exceeded"}
    assert forgotten_faults("emptied", 1.0, 1.5, 0.5, both) == []
    assert "overdrawn by $0.60000000" in forgotten_faults("emptied", 1.0, 1.6, 0.5, both)[0]
    assert "nothing was answered" in forgotten_faults("emptied", 1.0, 0.0, 0.5, {"422 budget_exceeded"})[0]
    assert "refused because of the budget" in forgotten_faults("emptied", 1.0, 1.0, 0.5, {"200", "503 x"})[0]


def test_the_ledger_neither_loses_nor_invents() -> None:
    assert ledger_faults("x", 1.0, 1.0) == []
    assert ledger_faults("x", 1.0, 0.9, bound=0.1) == []
    assert "holds $0.80000000 of $1.00000000" in ledger_faults("x", 1.0, 0.8, bound=0.1)[0]
    assert "more than" in ledger_faults("x", 1.0, 1.1)[0]
    assert "could not be read" in ledger_faults("x", 1.0, None)[0]
