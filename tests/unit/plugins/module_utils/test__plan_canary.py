# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._plan import PlanError, Request, make_plan
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_table import plan_table
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.test__plan import (
    BASE,
    CHAT,
    PRICE,
    ROLES,
    ROLES_DIR,
    VLLM,
    catalog,
)

Entry = dict[str, t.Any]
FLOWS: t.Final = yaml.safe_load((ROLES_DIR / "network" / "files" / "flows.yml").read_text(encoding="utf-8"))
NEXT: t.Final = {"weight": 10, "image": "ghcr.io/org/next:2"}


def plan(model: Entry, *others: Entry, **changes: object) -> Entry:
    models = [{"price": PRICE, **entry} for entry in (model, *others)]
    variables = {**BASE, "llm_profile": "llm_gateway", "llm_models": models, **changes}
    return make_plan(Request(variables, ROLES, catalog(), flows=FLOWS))


def problems(model: Entry, *others: Entry, **changes: object) -> list[str]:
    with pytest.raises(PlanError) as caught:
        plan(model, *others, **changes)
    return str(caught.value).splitlines()[1:]


def canary(model: Entry, **options: object) -> Entry:
    (found,) = plan({**model, "canary": {"weight": 10, **options}})["canaries"]
    return t.cast("Entry", found)


def test_a_canary_has_what_its_model_has_but_for_the_differences() -> None:
    made = plan({**CHAT, "served_name": "org/chat", "args": ["--a"], "replicas": 3, "canary": NEXT})
    (model,), (found,) = made["models"], made["canaries"]
    assert model["canary"] == {"name": "chat-canary", "weight": 10}
    assert model["services"] == ["chat", "chat-canary"]
    assert found["services"] == ["chat-canary"]
    differing = {key for key in model if model[key] != found[key]}
    assert differing == {"name", "image", "replicas", "canary", "services"}
    assert (found["name"], found["image"], found["replicas"]) == ("chat-canary", "ghcr.io/org/next:2", 1)
    assert found["served_name"] == "org/chat", "clients know one model"


def test_models_without_a_canary_stay_as_they_were() -> None:
    made = plan(CHAT)
    assert made["canaries"] == []
    assert made["models"][0]["canary"] == {}
    assert made["models"][0]["services"] == ["chat"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"args": ["--b"]}, {"args": ["--b"], "image": ""}),
        ({"source": "hf://a/b@v2"}, {"source": "a/b", "revision": "v2", "artifact": "hf://a/b@v2"}),
        ({"source": "c/d"}, {"source": "c/d", "revision": "", "artifact": "hf://c/d@main"}),
        ({"source": "/models/x"}, {"source_kind": "path", "artifact": ""}),
        ({"image": "r/i:1", "replicas": 2}, {"image": "r/i:1", "replicas": 2}),
    ],
    ids=["args", "revision", "repository", "path", "image"],
)
def test_each_difference_is_taken_over(options: Entry, expected: Entry) -> None:
    base = {**VLLM, "source": "a/b", "revision": "v1", "args": ["--a"], "cache": {"size": ""}}
    found = canary(base, **options)
    assert {key: found[key] for key in expected} == expected


def test_what_depends_on_the_weights_is_chosen_anew() -> None:
    assert canary(VLLM, source="/models/x")["cache"]["size"] == ""
    assert canary({**VLLM, "source": "/models/x"}, source="c/d")["cache"]["size"] == "20Gi"
    sized = {**VLLM, "cache": {"size": "50Gi", "storage_class": "fast"}}
    assert canary(sized, source="/models/x")["cache"] == {
        "size": "",
        "storage_class": "fast",
        "access_mode": "ReadWriteOnce",
    }


def test_a_canary_takes_gpus_of_its_own() -> None:
    made = plan({**VLLM, "gpu": {"count": 2}, "canary": {"weight": 5, "args": ["--x"]}})
    assert [entry["gpu"]["count"] for entry in (*made["models"], *made["canaries"])] == [2, 2]


def test_a_model_that_rests_has_a_canary_that_rests() -> None:
    (found,) = plan({**CHAT, "replicas": 0, "canary": NEXT})["canaries"]
    assert found["replicas"] == 0


@pytest.mark.parametrize("weight", [0, 1, 50])
def test_a_weight_is_a_share_that_leaves_the_model_the_larger_one(weight: int) -> None:
    assert plan({**CHAT, "canary": {**NEXT, "weight": weight}})["models"][0]["canary"]["weight"] == weight


def test_flows_lead_from_a_canarys_picker_to_its_pods_alone() -> None:
    flows = plan({**CHAT, "canary": NEXT})["flows"]
    pairs = {
        (flow["from"]["pods"]["llm-platform.wmx.dev/picker"], flow["to"]["pods"]["llm-platform.wmx.dev/model"])
        for flow in flows
        if flow["from"]["name"] == "endpoint-pickers" and flow["to"]["name"] == "model-servers"
    }
    assert pairs == {("chat", "chat"), ("chat-canary", "chat-canary")}


def test_tenants_and_budgets_see_one_model() -> None:
    tenant = {"name": "red", "budget": {"usd": 5, "period": "30d"}}
    made = plan({**CHAT, "canary": NEXT}, llm_tenants=[tenant])
    assert made["tenants"][0]["models"] == ["chat"]
    (line,) = problems({**CHAT, "canary": NEXT}, llm_tenants=[{**tenant, "models": ["chat-canary"]}])
    assert "chat-canary" in line


def test_people_are_told_who_gets_how_much() -> None:
    table = plan_table(plan({**CHAT, "canary": NEXT}))
    assert "chat-canary gets 10 % of the requests to chat" in table
    assert [line.split()[0] for line in table.splitlines() if " simulator " in line] == ["chat", "chat-canary"]


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ({"canary": {"image": "r/i:1"}}, ("canary.weight = null", "is required")),
        ({"canary": {**NEXT, "weight": 51}}, ("canary.weight = 51", "at most 50")),
        ({"canary": {**NEXT, "weight": -1}}, ("canary.weight = -1", "at least 0")),
        ({"canary": {**NEXT, "weight": "ten"}}, ('canary.weight = "ten"', "whole number")),
        ({"canary": {**NEXT, "replicas": 0}}, ("canary.replicas = 0", "at least 1")),
        ({"canary": {"weight": 10}}, ("canary = ", "is the same as the model")),
        ({"image": "r/i:1", "canary": {"weight": 10, "image": "r/i:1"}}, ("canary = ", "another image")),
        ({"canary": {"weight": 10, "image": "no image"}}, ("canary.image", "is no image reference")),
        ({"canary": {"weight": 10, "source": "nowhere"}}, ("canary.source", "is no source of weights")),
        ({"canary": {**NEXT, "wait": 1}}, ("canary.wait = 1", "is no option here")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_work_is_one_line_that_names_it(model: Entry, parts: tuple[str, ...]) -> None:
    (line,) = problems({**CHAT, **model})
    assert line.startswith("llm_models[0].")
    assert all(part in line for part in parts), line


def test_a_canary_needs_the_gateway_that_splits() -> None:
    (line,) = problems({**CHAT, "canary": NEXT}, llm_profile="serving")
    assert "llm_models[0].canary = " in line
    assert "set llm_profile: llm_gateway, or remove canary" in line


def test_no_model_may_have_a_canarys_name() -> None:
    other = {"name": "chat-canary", "engine": "simulator"}
    (line,) = problems({**CHAT, "canary": NEXT}, other)
    assert "has the name of llm_models[1], chat-canary" in line


def test_what_is_wrong_with_a_model_is_said_once() -> None:
    (line,) = problems({**CHAT, "image": "no image", "canary": {"weight": 10, "args": ["--x"]}})
    assert line.startswith("llm_models[0].image")


def test_a_volume_for_one_pod_is_not_shared_by_two_canaries() -> None:
    (line,) = problems({**VLLM, "canary": {"weight": 10, "args": ["--x"], "replicas": 2}})
    assert line.startswith("llm_models[0].canary.replicas = 2: cannot share")
