# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model's gateway and server are told about a request."""

from __future__ import annotations

import typing as t

import pytest

FAIRNESS = "x-gateway-inference-fairness-id"
OBJECTIVE = "x-gateway-inference-objective"


def routed(**call: t.Any) -> dict[str, t.Any]:
    from llm_platform_guard.routing import routed as function

    return function(call)


def owner(**noted: t.Any) -> tuple[str, str, str]:
    call = routed(metadata=noted)
    return call["extra_headers"][FAIRNESS], call["extra_headers"][OBJECTIVE], call["extra_body"]["cache_salt"]


def test_a_team_is_named_with_its_priority_and_salt() -> None:
    assert owner(user_api_key_team_id="red", user_api_key_team_metadata={"priority": 5}) == ("red", "5", "red")


@pytest.mark.parametrize("name", ["metadata", "litellm_metadata"])
def test_the_owner_is_found_wherever_litellm_noted_it(name: str) -> None:
    call = routed(**{name: {"user_api_key_team_id": "red"}, **({"metadata": {"a": 1}} if name != "metadata" else {})})
    assert call["extra_headers"][FAIRNESS] == "red"


@pytest.mark.parametrize("metadata", [None, {}, {"priority": None}, "text", []])
def test_without_priority_a_team_has_none(metadata: object) -> None:
    assert owner(user_api_key_team_id="red", user_api_key_team_metadata=metadata)[1] == "0"


@pytest.mark.parametrize(
    ("base", "priority", "objective"),
    [
        ("http://inference-istio.inference-gateway/m/chat/v1", -10, "chat--10"),
        ("http://inference-istio.inference-gateway/m/chat-small/v1/", None, "chat-small-0"),
        ("https://example.com/v1", 10, "10"),
        (None, 10, "10"),
    ],
)
def test_an_objective_names_the_pool_that_the_request_goes_to(base: object, priority: object, objective: str) -> None:
    metadata = {"user_api_key_team_id": "red", "user_api_key_team_metadata": {"priority": priority}}
    assert routed(metadata=metadata, api_base=base)["extra_headers"][OBJECTIVE] == objective


def test_a_key_without_team_has_a_cache_of_its_own() -> None:
    one, other = owner(user_api_key_hash="a" * 64), owner(user_api_key_hash="b" * 64)
    assert one == ("key-" + "a" * 16, "0", "key-" + "a" * 16)
    assert one[2] != other[2]


@pytest.mark.parametrize(
    "call", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"user_api_key_team_id": None}}]
)
def test_nobody_is_the_administration(call: dict[str, t.Any]) -> None:
    assert routed(**call)["extra_headers"][FAIRNESS] == "llm-platform-admin"


def test_a_team_with_strange_letters_fits_into_a_header() -> None:
    name, _objective, _salt = owner(user_api_key_team_id="röd\r\nx: y" + "z" * 500)
    assert name.isascii()
    assert len(name) == 128
    assert not set("\r\n: ") & set(name)


def test_other_headers_and_fields_of_a_deployment_stay_and_ours_win() -> None:
    call = routed(
        metadata={"user_api_key_team_id": "red"},
        extra_headers={"x-other": "a", FAIRNESS.title(): "evil", OBJECTIVE: "evil"},
        extra_body={"top_k": 1, "cache_salt": "evil"},
        messages=[1],
    )
    assert call["extra_headers"] == {"x-other": "a", FAIRNESS: "red", OBJECTIVE: "0"}
    assert call["extra_body"] == {"top_k": 1, "cache_salt": "red"}
    assert call["messages"] == [1]


def test_a_second_attempt_is_routed_as_the_first_one() -> None:
    first = routed(metadata={"user_api_key_team_id": "red"}, model="a")
    assert routed(**{**first, "model": "b"}) == {**first, "model": "b"}


TENANT = {"user_api_key_team_id": "red", "user_api_key_team_metadata": {"priority": 5}}


def told(**call: t.Any) -> dict[str, t.Any]:
    from llm_platform_guard.routing import told as function

    return function({"metadata": TENANT, **call})


@pytest.mark.parametrize(
    "call", [{"model": "hosted_vllm/org/a"}, {"model": "org/a", "custom_llm_provider": "hosted_vllm"}]
)
def test_a_model_of_ours_learns_whose_a_request_is(call: dict[str, t.Any]) -> None:
    found = told(**call, user="app")
    assert (found["extra_headers"][FAIRNESS], found["extra_body"]["cache_salt"], found["user"]) == ("red", "red", "app")


@pytest.mark.parametrize(
    "call",
    [{"model": "openai/gpt"}, {"model": "anthropic/claude"}, {"model": "gpt", "custom_llm_provider": "openai"}, {}],
)
def test_somebody_outside_gets_no_empty_fields(call: dict[str, t.Any]) -> None:
    former = {"extra_headers": {FAIRNESS: "red"}, "extra_body": {"cache_salt": "red"}}
    assert told(**former, **call) == {"metadata": TENANT, **call} == told(**call)


@pytest.mark.parametrize(
    "call",
    [{"model": "openai/gpt"}, {"model": "anthropic/claude"}, {"model": "gpt", "custom_llm_provider": "openai"}, {}],
)
def test_somebody_outside_learns_of_no_tenant(call: dict[str, t.Any]) -> None:
    # As it is after a fallback from a model of ours.
    former = {
        "extra_headers": {FAIRNESS: "red", OBJECTIVE: "5", "x-other": "a"},
        "extra_body": {"cache_salt": "red", "user": "red", "top_k": 1},
    }
    found = told(**former, **call, user="red", messages=[1])
    assert found == {
        "metadata": TENANT,
        "messages": [1],
        "extra_headers": {"x-other": "a"},
        "extra_body": {"top_k": 1},
        **call,
    }
