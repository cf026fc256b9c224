# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Teams: made once, compared in every field, repaired, blocked, deleted only by name."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLM, LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import Changes, sides
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_team import (
    TeamOutcome,
    read_teams,
    reconcile_teams,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import MASTER, FakeLiteLLM

Row = dict[str, t.Any]


@pytest.fixture
def fake() -> t.Iterator[FakeLiteLLM]:
    with FakeLiteLLM() as running:
        yield running


def entry(alias: str = "acme", **given: t.Any) -> Row:
    defaults: Row = {
        "alias": alias,
        "team_id": None,
        "budget_usd": 5.0,
        "budget_period": "30d",
        "models": ["chat", "embed"],
        "rpm": 100,
        "tpm": 1000,
        "unlimited": [],
        "priority": 0,
        "metadata": {},
        "state": "present",
    }
    return {**defaults, **given}


def apply(
    fake: FakeLiteLLM, *entries: Row, check: bool = False, block_others: bool = False, environment: str = "prod"
) -> tuple[list[TeamOutcome], int]:
    llm = LiteLLM(fake.url, MASTER, sleep=lambda _seconds: None)
    teams = read_teams(list(entries), environment)
    return reconcile_teams(llm, environment, teams, block_others=block_others, check_mode=check), llm.calls


def actions(outcomes: list[TeamOutcome]) -> list[str]:
    assert not [item.error for item in outcomes if item.error]
    return [item.action for item in outcomes]


def test_a_team_is_made_with_all_its_limits_and_our_mark(fake: FakeLiteLLM) -> None:
    outcomes, _calls = apply(fake, entry(priority=7, metadata={"cost_center": "x"}))
    assert actions(outcomes) == ["created"]
    row = fake.teams["acme"]
    assert (row["max_budget"], row["budget_duration"], row["rpm_limit"], row["tpm_limit"]) == (5.0, "30d", 100, 1000)
    assert row["models"] == ["chat", "embed"]
    assert row["metadata"] == {
        "managed_by": "llm-platform",
        "environment": "prod",
        "priority": 7,
        "cost_center": "x",
    }


def test_a_second_run_reads_once_and_writes_nothing(fake: FakeLiteLLM) -> None:
    entries = [entry(f"team-{number}") for number in range(100)]
    apply(fake, *entries)
    fake.requests.clear()
    outcomes, calls = apply(fake, *entries)
    assert set(actions(outcomes)) == {"none"}
    assert (calls, fake.writes) == (1, [])


def test_check_mode_says_the_same_as_the_run_and_writes_nothing(fake: FakeLiteLLM) -> None:
    planned, _calls = apply(fake, entry(), check=True)
    assert (actions(planned), fake.writes) == (["created"], [])
    done, _calls = apply(fake, entry())
    assert [item.result() for item in planned] == [item.result() for item in done]


def test_check_mode_before_there_is_a_gateway_creates_all() -> None:
    outcomes = reconcile_teams(None, "prod", read_teams([entry()], "prod"), block_others=True, check_mode=True)
    assert actions(outcomes) == ["created"]


DRIFTS: list[Row] = [
    {"max_budget": 900.0},
    {"max_budget": None},
    {"budget_duration": "1d"},
    {"budget_duration": None},
    {"models": ["chat", "embed", "dear"]},
    {"models": []},
    {"models": ["all-proxy-models"]},
    {"rpm_limit": None},
    {"tpm_limit": 10**9},
    {"blocked": True},
    {"team_alias": "other"},
    {"soft_budget": 3.0},
    {"budget_limits": [{"budget_duration": "1d", "max_budget": 3.0}]},
    {"tpd_limit": 9},
    {"model_max_budget": {"chat": {"budget_limit": 100}}},
    {"litellm_model_table": {"model_aliases": {"cheap": "dear"}}},
    {"access_group_ids": ["everything"]},
    {"router_settings": {"num_retries": 9}},
    {"organization_id": "other"},
    {"default_team_member_models": ["dear"]},
    {"metadata": {}},
    {"metadata": {"managed_by": "llm-platform", "environment": "prod", "priority": 99}},
    {"metadata": {"managed_by": "llm-platform", "environment": "prod", "priority": 0, "temp_budget_increase": 5}},
]


@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_what_somebody_changed_is_shown_and_taken_back(fake: FakeLiteLLM, drift: Row) -> None:
    apply(fake, entry())
    wanted = {**fake.teams["acme"], "litellm_model_table": None}
    fake.teams["acme"] |= drift
    planned, _calls = apply(fake, entry(), check=True)
    done, _calls = apply(fake, entry())
    assert actions(planned) == actions(done) == ["updated"]
    assert planned[0].changes == done[0].changes
    assert len(done[0].changes) == 1
    assert actions(apply(fake, entry())[0]) == ["none"]
    field = next(iter(done[0].changes))
    if field != "model_aliases":
        assert fake.teams["acme"][field] in (wanted[field], wanted[field] or [], wanted[field] or {})


def test_only_what_differs_is_sent_so_that_no_period_begins_anew(fake: FakeLiteLLM) -> None:
    apply(fake, entry())
    fake.teams["acme"]["models"] = ["dear"]
    fake.requests.clear()
    apply(fake, entry())
    assert fake.writes == [("/team/update", {"team_id": "acme", "models": ["chat", "embed"]})]


def test_a_budget_below_a_soft_budget_of_somebody_is_repaired_in_two_steps(fake: FakeLiteLLM) -> None:
    apply(fake, entry())
    fake.teams["acme"] |= {"soft_budget": 8.0, "max_budget": 9.0}
    assert actions(apply(fake, entry())[0]) == ["updated"]
    assert (fake.teams["acme"]["soft_budget"], fake.teams["acme"]["max_budget"]) == (None, 5.0)


@pytest.mark.parametrize(
    "same",
    [
        {"max_budget": 5},
        {"rpm_limit": "100"},
        {"models": ["embed", "chat"]},
        {"budget_limits": []},
        {"router_settings": None},
        {"litellm_model_table": {"model_aliases": {}}},
        {"spend": 4.2},
        {
            "metadata": {
                "priority": 0,
                "environment": "prod",
                "managed_by": "llm-platform",
                "team_member_budget_id": "b",
            }
        },
    ],
    ids=str,
)
def test_another_form_of_the_same_is_no_drift(fake: FakeLiteLLM, same: Row) -> None:
    apply(fake, entry())
    fake.teams["acme"] |= same
    assert actions(apply(fake, entry())[0]) == ["none"]


def test_a_team_can_be_blocked_and_unblocked(fake: FakeLiteLLM) -> None:
    apply(fake, entry())
    assert actions(apply(fake, entry(state="blocked"))[0]) == ["blocked"]
    assert fake.teams["acme"]["blocked"] is True
    assert actions(apply(fake, entry(state="blocked"))[0]) == ["none"]
    assert actions(apply(fake, entry())[0]) == ["updated"]
    assert fake.teams["acme"]["blocked"] is False


def test_a_new_team_can_be_made_blocked(fake: FakeLiteLLM) -> None:
    apply(fake, entry(state="blocked"))
    assert fake.teams["acme"]["blocked"] is True


def test_teams_that_left_the_list_are_blocked_and_nothing_else(fake: FakeLiteLLM) -> None:
    apply(fake, entry("stays"), entry("leaves"))
    apply(fake, entry("theirs"), environment="test")
    fake.post_team_new({"team_id": "by-hand"})
    outcomes, _calls = apply(fake, entry("stays"), block_others=True)
    assert [(item.team_id, item.action) for item in outcomes] == [("stays", "none"), ("leaves", "blocked")]
    assert {name for name, row in fake.teams.items() if row["blocked"]} == {"leaves"}
    assert fake.teams["leaves"]["max_budget"] == 5.0
    assert set(actions(apply(fake, entry("stays"), block_others=True)[0])) == {"none"}


def test_teams_that_left_the_list_are_kept_unless_told_otherwise(fake: FakeLiteLLM) -> None:
    apply(fake, entry("stays"), entry("leaves"))
    assert actions(apply(fake, entry("stays"))[0]) == ["none"]


def test_a_team_is_deleted_only_by_name(fake: FakeLiteLLM) -> None:
    apply(fake, entry(), entry("other"))
    gone = entry(state="absent", budget_usd=None, budget_period=None, models=None, rpm=None, tpm=None)
    assert actions(apply(fake, gone, check=True)[0]) == ["deleted"]
    assert actions(apply(fake, gone)[0]) == ["deleted"]
    assert set(fake.teams) == {"other"}
    assert actions(apply(fake, gone)[0]) == ["none"]


def test_a_lost_answer_to_a_deletion_is_no_error(fake: FakeLiteLLM) -> None:
    apply(fake, entry())
    fake.faults = ["", "lose"]
    assert actions(apply(fake, entry(state="absent"))[0]) == ["deleted"]
    assert fake.teams == {}


def test_a_team_that_is_not_ours_is_not_deleted(fake: FakeLiteLLM) -> None:
    fake.post_team_new({"team_id": "acme"})
    with pytest.raises(LiteLLMError, match="'acme': is not marked as made by this module"):
        apply(fake, entry(state="absent"))
    assert "acme" in fake.teams


@pytest.mark.parametrize("state", ["present", "blocked", "absent"])
def test_a_team_of_another_environment_is_refused_before_anything_is_written(fake: FakeLiteLLM, state: str) -> None:
    apply(fake, entry(), environment="test")
    fake.requests.clear()
    with pytest.raises(LiteLLMError, match="belongs to environment 'test'"):
        apply(fake, entry("new"), entry(state=state))
    assert fake.writes == []


def test_a_team_whose_mark_was_taken_off_is_marked_again(fake: FakeLiteLLM) -> None:
    apply(fake, entry())
    fake.teams["acme"]["metadata"] = {}
    assert actions(apply(fake, entry())[0]) == ["updated"]
    assert fake.teams["acme"]["metadata"]["managed_by"] == "llm-platform"


@pytest.mark.parametrize(
    "fault",
    ["drop", "lose", (500, {"error": {"message": "Transaction already closed"}}), (404, {"error": "was deleted"})],
    ids=str,
)
def test_a_lost_answer_to_a_creation_ends_with_one_team(fake: FakeLiteLLM, fault: t.Any) -> None:
    llm = LiteLLM(fake.url, MASTER, sleep=lambda _seconds: None)
    llm.teams()
    teams = read_teams([entry()], "prod")
    fake.faults = ["", fault, fault]
    outcomes = reconcile_teams(llm, "prod", teams, block_others=False, check_mode=False)
    assert actions(outcomes) == ["created"]
    assert set(fake.teams) == {"acme"}


def test_one_team_that_fails_does_not_stop_the_others(fake: FakeLiteLLM) -> None:
    fake.faults = ["", (400, {"error": {"message": "{'error': 'no, not this one'}"}})]
    outcomes, _calls = apply(fake, entry("one"), entry("two"), entry("three"))
    failed = [item.error for item in outcomes if item.error]
    assert len(failed) == 1
    assert "was refused with 400" in failed[0]
    assert "no, not this one" in failed[0]
    assert len(fake.teams) == 2


class _Deaf(FakeLiteLLM):
    def post_team_update(self, data: Row) -> Row:
        return {"team_id": data["team_id"], "data": self.teams[data["team_id"]]}


def test_a_repair_that_litellm_does_not_take_is_an_error() -> None:
    with _Deaf() as fake:
        apply(fake, entry())
        fake.teams["acme"]["max_budget"] = 900.0
        assert "and did not" in apply(fake, entry())[0][0].error


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget_usd": None}, r"teams\[0\].budget_usd = None: is missing, which LiteLLM takes for unlimited"),
        ({"budget_usd": 0.0}, r"teams\[0\].budget_usd = 0.0: is no budget"),
        ({"budget_usd": -1.0}, "is no budget"),
        ({"budget_usd": float("nan")}, "is no budget"),
        ({"budget_usd": float("inf")}, "is no budget"),
        ({"budget_period": None}, r"budget_period = None: is missing"),
        ({"budget_period": "monthly"}, "is no period; write it like 30d"),
        ({"budget_period": "0d"}, "is no period"),
        ({"models": None}, r"models = None: is missing"),
        ({"models": []}, r"models = \[\]: is missing, which LiteLLM takes for unlimited"),
        ({"models": ["all-proxy-models"]}, "is not one model"),
        ({"models": ["open*"]}, "is not one model"),
        ({"rpm": None}, "or name rpm in `unlimited`"),
        ({"tpm": 0}, "is no limit; give 1 or more"),
        ({"rpm": 5, "unlimited": ["rpm"]}, "is also unlimited"),
        ({"metadata": {"managed_by": "me"}}, "is written by this module"),
        ({"alias": "Not A Label"}, "is no DNS label"),
    ],
    ids=str,
)
def test_what_would_be_unlimited_or_unclear_is_refused(given: Row, said: str) -> None:
    with pytest.raises(LiteLLMError, match=said):
        read_teams([entry(**given)], "prod")


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(LiteLLMError) as caught:
        read_teams([entry(budget_usd=None), entry("acme", rpm=0)], "prod")
    assert "teams[0].budget_usd" in str(caught.value)
    assert "teams[1].rpm" in str(caught.value)
    assert "is also teams[0]" in str(caught.value)


def test_a_limit_may_be_left_out_if_that_is_said() -> None:
    wanted = read_teams([entry(rpm=None, unlimited=["rpm"])], "prod")[0].wanted
    assert wanted["rpm_limit"] is None


def test_the_diff_has_both_sides_of_what_changed_and_nothing_else() -> None:
    found = {"max_budget": {"before": 9.0, "after": 5.0}}
    given: dict[str, tuple[str, Changes]] = {
        "same": ("none", {}),
        "changed": ("updated", found),
        "new": ("created", {"max_budget": {"before": None, "after": 5.0}}),
        "gone": ("deleted", {}),
    }
    assert sides(given) == {
        "before": {"changed": {"max_budget": 9.0}, "gone": {}},
        "after": {"changed": {"max_budget": 5.0}, "new": {"max_budget": 5.0}},
    }
