# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys and their Secrets: made, compared, repaired, healed; what is wrong is said."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key import KeyOptions, reconcile_keys
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_input import read_keys
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import KeySecrets, token_of
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import FakeLiteLLM
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.litellm_keys import (
    ROUTES,
    URL,
    World,
    done,
    entry,
)

Row = dict[str, t.Any]


@pytest.fixture
def world() -> t.Iterator[World]:
    with FakeLiteLLM() as gateway:
        yield World(gateway)


def test_a_key_is_made_and_its_value_is_in_its_secret_alone(world: World) -> None:
    report = world.run(entry(models=["chat"]))
    assert done(report) == [("app", "created")]
    assert world.works()
    data, row = world.data(), world.row()
    assert data.keys() == {"OPENAI_API_KEY", "OPENAI_BASE_URL"}
    assert data["OPENAI_BASE_URL"] == URL
    assert row["key_alias"] == f"acme/app/{row['token'][:8]}"
    assert (row["models"], row["allowed_routes"], row["max_parallel_requests"]) == (["chat"], ROUTES, 4)
    assert row["metadata"] == {"managed_by": "llm-platform", "environment": "prod", "key": "app", "generation": 1}
    said = json.dumps([report.keys, report.extra, report.steps()]) + repr(report)
    assert data["OPENAI_API_KEY"] not in said
    assert row["token"] in said


def test_no_two_keys_have_the_same_value(world: World) -> None:
    world.make(*(entry(f"k{number}") for number in range(20)))
    assert len({world.data(f"llm-key-k{number}")["OPENAI_API_KEY"] for number in range(20)}) == 20


def test_a_key_without_models_of_its_own_has_those_of_its_team(world: World) -> None:
    world.make(entry())
    assert world.row()["models"] == ["all-team-models"]


def test_a_second_run_writes_nothing_and_does_not_ask_once_a_key(world: World) -> None:
    entries = [entry(f"k{number}") for number in range(150)]
    world.make(*entries)
    world.gateway.requests.clear()
    world.secrets.requests.clear()
    assert {action for _name, action in done(world.run(*entries))} == {"none"}
    assert (world.calls, world.gateway.writes) == (2, [])
    assert [method for method, _path in world.secrets.requests] == ["GET"]


def test_check_mode_says_the_same_and_writes_nothing(world: World) -> None:
    planned = world.run(entry(), check=True)
    assert (world.gateway.writes, world.secrets.writes) == ([], [])
    finished = world.run(entry())
    assert done(planned) == done(finished)
    assert planned.keys[0]["changes"] == finished.keys[0]["changes"]
    assert planned.changed


def test_check_mode_before_there_is_a_gateway_creates_all(world: World) -> None:
    keys, _longest = read_keys(
        {"environment": "prod", "keys": [entry()], "max_lifetime": None, "allowed_routes": ROUTES}
    )
    options = KeyOptions("prod", URL, frozenset(), check_mode=True)
    assert done(reconcile_keys(None, KeySecrets(world.secrets.client), keys, options)) == [("app", "created")]


DRIFTS: list[Row] = [
    {"max_budget": 900.0},
    {"max_budget": None},
    {"budget_duration": "1d"},
    {"models": []},
    {"models": ["all-proxy-models"]},
    {"rpm_limit": None},
    {"tpm_limit": 9},
    {"max_parallel_requests": None},
    {"allowed_routes": []},
    {"allowed_routes": ["management_routes"]},
    {"blocked": True},
    {"expires": None},
    {"expires": "2027-12-24T00:00:00Z"},
    {"expires": "2026-11-24T00:00:00Z"},
    {"team_id": None},
    {"key_alias": "other"},
    {"budget_id": "rich"},
    {"user_id": "admin"},
    {"tpd_limit": 1},
    {"budget_limits": [{"budget_duration": "1d", "max_budget": 3.0}]},
    {"budget_fallbacks": {"chat": ["dear"]}},
    {"model_max_budget": {"chat": {"budget_limit": 9}}},
    {"access_group_ids": ["everything"]},
    {"aliases": {"cheap": "dear"}},
    {"config": {"a": 1}},
    {"permissions": {"get_spend_routes": True}},
    {"router_settings": {"num_retries": 9}},
    {"allowed_cache_controls": ["no-cache"]},
    {"auto_rotate": True},
    {"object_permission": {"object_permission_id": "x", "vector_stores": ["v"], "models": []}},
    {"metadata": None},
    {"metadata": {}},
    {
        "metadata": {
            "managed_by": "llm-platform",
            "environment": "prod",
            "key": "app",
            "generation": 1,
            "temp_budget_increase": 5,
        }
    },
]


@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_what_somebody_changed_is_shown_and_taken_back(world: World, drift: Row) -> None:
    world.make(entry())
    before = dict(world.row())
    world.row().update(drift)
    planned, finished = world.run(entry(), check=True), world.run(entry())
    assert done(planned) == done(finished) == [("app", "updated")]
    assert planned.keys[0]["changes"] == finished.keys[0]["changes"]
    assert finished.keys[0]["changes"].keys() == drift.keys()
    assert done(world.run(entry())) == [("app", "none")]
    assert world.row()["token"] == before["token"]
    assert not finished.extra


@pytest.mark.parametrize(
    "same",
    [
        {"max_budget": 1},
        {"rpm_limit": "5"},
        {"blocked": None},
        {"spend": 0.7},
        {"router_settings": None},
        {"budget_limits": []},
        {"object_permission": {"object_permission_id": "x", "vector_stores": [], "mcp_tool_permissions": None}},
        {"expires": "2026-12-23T12:00:09Z"},
    ],
    ids=str,
)
def test_another_form_of_the_same_is_no_drift(world: World, same: Row) -> None:
    world.make(entry())
    world.row().update(same)
    assert done(world.run(entry())) == [("app", "none")]


def test_a_repair_sends_only_what_differs(world: World) -> None:
    world.make(entry())
    world.row()["models"] = []
    world.gateway.requests.clear()
    world.run(entry())
    body = {"key": world.row()["token"], "models": ["all-team-models"]}
    assert world.gateway.writes == [("/key/update", body)]


def test_a_secret_that_is_gone_is_made_anew_and_the_old_key_ends(world: World) -> None:
    world.make(entry())
    old = world.row()["token"]
    world.secrets.secrets.clear()
    report = world.run(entry())
    assert done(report) == [("app", "healed")]
    assert report.keys[0]["reason"] == "its Secret is gone"
    assert world.works()
    assert not world.gateway.usable(old)
    assert done(world.run(entry())) == [("app", "none")]


def test_to_delete_the_secret_does_not_buy_a_new_budget(world: World) -> None:
    world.make(entry())
    world.row()["spend"] = 0.9
    world.secrets.secrets.clear()
    world.run(entry())
    assert world.row()["spend"] == 0.9


@pytest.mark.parametrize("retires", ["soon", 7, ["x"], {"a": 1}], ids=str)
def test_metadata_that_somebody_has_filled_with_nonsense_does_not_stop_the_run(world: World, retires: t.Any) -> None:
    world.make(entry())
    metadata = {**world.row()["metadata"], "retires": retires}
    forged = world.gateway.post_key_generate({"key_alias": "x", "team_id": "acme", "metadata": metadata})["key"]
    world.run(entry())
    assert not world.gateway.usable(token_of(forged))
    assert world.works()


def test_a_key_that_is_gone_in_litellm_is_not_brought_back_with_the_same_value(world: World) -> None:
    """Somebody may have deleted it because it leaked."""
    world.make(entry())
    old = world.row()["token"]
    world.gateway.keys.clear()
    assert done(world.run(entry())) == [("app", "healed")]
    assert world.works()
    assert old not in world.gateway.keys


def test_a_value_that_somebody_put_into_the_secret_is_replaced(world: World) -> None:
    world.make(entry())
    old = world.row()["token"]
    world.secrets.secrets[("tenant-acme", "llm-key-app")]["data"]["OPENAI_API_KEY"] = "c2stYnktaGFuZA=="
    assert done(world.run(entry())) == [("app", "healed")]
    assert world.works()
    assert not world.gateway.usable(old)


def test_labels_annotations_and_address_of_the_secret_are_kept_right(world: World) -> None:
    world.make(entry())
    secret, token = world.secrets.secrets[("tenant-acme", "llm-key-app")], world.row()["token"]
    secret["metadata"]["labels"] = {"mine": "stays"}
    secret["metadata"]["annotations"]["llm-platform.wmx.dev/team"] = "other"
    secret["data"] |= {"OPENAI_BASE_URL": "aHR0cDovL2V2aWw=", "THEIRS": "eA=="}
    report = world.run(entry())
    assert done(report) == [("app", "updated")]
    assert {"secret.base_url", "secret.team"} <= report.keys[0]["changes"].keys()
    assert (world.row()["token"], world.data()["OPENAI_BASE_URL"], world.data()["THEIRS"]) == (token, URL, "x")
    assert secret["metadata"]["labels"]["mine"] == "stays"
    assert done(world.run(entry())) == [("app", "none")]


def test_a_secret_of_somebody_else_is_refused_before_anything_is_written(world: World) -> None:
    world.secrets.put("tenant-acme", "llm-key-app")
    with pytest.raises(LiteLLMError, match="tenant-acme/llm-key-app': exists and was not made here"):
        world.run(entry())
    assert (world.gateway.keys, world.secrets.writes) == ({}, [])


def test_a_namespace_that_is_missing_is_named(world: World) -> None:
    report = world.run(entry(secret={"namespace": "nowhere", "name": None}), entry("other"))
    assert len(report.errors) == 1
    assert "key acme/app: " in report.errors[0]
    assert 'namespaces "nowhere" not found' in report.errors[0]
    assert world.works("llm-key-other")
    assert len(world.gateway.keys) == 1


def test_a_team_that_is_not_there_is_refused_before_anything_is_written(world: World) -> None:
    with pytest.raises(LiteLLMError, match=r"keys\[1\].team = 'nobody': no such team in LiteLLM"):
        world.run(entry(), entry("b", team="nobody"))
    assert (world.gateway.keys, world.secrets.writes) == ({}, [])


@pytest.mark.parametrize("fault", ["drop", "lose", (500, {"error": {"message": "Transaction already closed"}})])
def test_a_lost_answer_to_a_creation_ends_with_one_key_that_works(world: World, fault: t.Any) -> None:
    world.gateway.faults = ["", "", fault]
    assert done(world.run(entry())) == [("app", "created")]
    assert len(world.gateway.keys) == 1
    assert world.works()


def test_one_key_that_fails_does_not_stop_the_others(world: World) -> None:
    world.gateway.post_key_generate({"key_alias": "x", "team_id": "other"})
    world.gateway.faults = ["", "", (400, {"error": {"message": "no, sk-abcdefghijkl is not for you"}})]
    report = world.run(*(entry(f"k{number}") for number in range(5)))
    assert len(report.errors) == 1
    assert "sk-abcdefghijkl" not in report.errors[0]
    assert sum(world.works(f"llm-key-k{number}") for number in range(5)) == 4
    assert [action for _name, action in done(world.run(*(entry(f"k{number}") for number in range(5))))].count(
        "healed"
    ) == 1


class _Shortsighted(FakeLiteLLM):
    """Its list lacks a row, as pages do when rows come and go between them."""

    def get_key_list(self, query: Row) -> Row:
        answer = super().get_key_list(query)
        if "key_hash" in query:
            return answer
        return {**answer, "keys": answer["keys"][1:], "total_count": max(0, len(answer["keys"]) - 1)}


def test_a_key_that_the_list_misses_is_not_replaced() -> None:
    with _Shortsighted() as gateway:
        world = World(gateway)
        world.make(entry(), entry("b"))
        assert done(world.run(entry(), entry("b"))) == [("app", "none"), ("b", "none")]


class _Deaf(FakeLiteLLM):
    def post_key_update(self, data: Row) -> Row:
        return {**self.keys[data["key"]], "key": data["key"]}


def test_a_repair_that_litellm_does_not_take_is_an_error() -> None:
    with _Deaf() as gateway:
        world = World(gateway)
        world.make(entry())
        world.row()["max_budget"] = 900.0
        assert "and did not" in world.run(entry()).errors[0]
