# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A check is true only when its probe ran and found nothing against the claim."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    CheckError,
    Claim,
    Observation,
    ProbeError,
    not_run,
    run_probe,
    validate_check,
)

CLAIM = Claim("it-works", "live", "It works.", "an answer")


def test_a_probe_that_saw_what_it_should_makes_an_ok_check() -> None:
    ticks = iter((1.0, 3.5))
    check = run_probe(CLAIM, lambda: Observation(facts=["an answer"], simulated=True), clock=lambda: next(ticks))
    assert check == {
        "id": "it-works",
        "class": "live",
        "claim": "It works.",
        "expected": "an answer",
        "observed": "an answer",
        "ok": True,
        "seconds": 2.5,
        "simulated": True,
    }


def test_a_fault_makes_the_check_not_ok_and_is_its_reason() -> None:
    check = run_probe(CLAIM, lambda: Observation(facts=["two answers"], faults=["one was empty"]))
    assert (check["ok"], check["reason"], check["observed"]) == (False, "one was empty", "two answers")


def test_a_probe_that_looked_at_nothing_is_no_success() -> None:
    check = run_probe(CLAIM, Observation)
    assert not check["ok"]
    assert "did not run" in check["reason"]


def test_a_probe_that_could_not_run_is_not_ok_and_says_why() -> None:
    def probe() -> Observation:
        raise ProbeError("no pod")

    check = run_probe(CLAIM, probe)
    assert (check["ok"], check["reason"]) == (False, "did not run: no pod")


def test_a_claim_without_a_field_is_named() -> None:
    with pytest.raises(CheckError, match="'claim'"):
        not_run({"id": "x", "class": "live"}, "nobody tried")


GOOD = CLAIM.check(ok=True, observed="an answer", seconds=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ok": "yes"}, "'ok' must be bool"),
        ({"ok": 1}, "'ok' must be bool"),
        ({"seconds": True}, "'seconds' must be number"),
        ({"seconds": "1"}, "'seconds' must be number"),
        ({"class": "harmless"}, "must be one of read, live, destructive"),
        ({"id": "../latest"}, "lower-case"),
        ({"id": "It works"}, "lower-case"),
        ({"observed": None}, "'observed' must be str"),
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"series": [1]}, "'series' must be dict"),
        ({"table": [1]}, "'table' must be dict"),
        ({"table": {"columns": ["a"]}}, "must have columns and rows"),
        ({"table": {"columns": [], "rows": []}}, "must have columns and rows"),
        ({"table": {"columns": ["a"], "rows": [], "title": "x"}}, "must have columns and rows"),
        ({"table": {"columns": [1], "rows": []}}, "columns of the table must be strings"),
        ({"table": {"columns": ["a", "b"], "rows": [[1, 2], [1]]}}, "row 1 of the table must be a list of 2 cells"),
        ({"table": {"columns": ["a"], "rows": [[None]]}}, "strings and numbers only"),
    ],
    ids=str,
)
def test_a_malformed_check_is_refused(change: dict[str, t.Any], message: str) -> None:
    with pytest.raises(CheckError, match=message):
        validate_check({**GOOD, **change})


def test_a_table_belongs_to_the_check_of_its_probe() -> None:
    table = {"columns": ["attack", "overshoot"], "rows": [["burst", 0.0]]}
    check = run_probe(CLAIM, lambda: Observation(facts=["1 attack"], table=table))
    assert validate_check(check)["table"] == table


def test_a_check_that_lacks_a_field_is_refused() -> None:
    with pytest.raises(CheckError, match="lacks the field 'ok'"):
        validate_check({key: value for key, value in GOOD.items() if key != "ok"})


def test_a_check_must_be_a_dictionary() -> None:
    with pytest.raises(CheckError, match="got list"):
        validate_check([])
