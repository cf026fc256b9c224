# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_gateway import (
    LOCKED,
    Around,
    check_gateway,
    gateway_options,
    version_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

ROLES = read_roles(pathlib.Path(__file__).resolve().parents[4] / "roles")
CHEAP = {"input_per_token": 1e-07, "output_per_token": 4e-07}
DEAR = {"input_per_token": 1e-07, "output_per_token": 8e-07}
CHAT = {"name": "chat", "served_name": "org/chat", "price": CHEAP}
LARGE = {"name": "large", "served_name": "org/large", "price": DEAR}


def plan(
    *,
    tier: str = "dev",
    substrate: str = "existing",
    models: list[t.Any] | None = None,
    operator: bool = True,
    **values: t.Any,
) -> tuple[dict[str, t.Any], list[str]]:
    """The plan's entries, and what is wrong as text."""
    validator = Validator()
    listed = [CHAT, LARGE] if models is None else models
    around = Around(tier, substrate, listed, {"cloudnative_pg": operator})
    found = check_gateway(gateway_options(values, ROLES), around, validator)
    return found, [str(problem) for problem in validator.problems]


def only(problems: list[str], *parts: str) -> None:
    """One problem, which names the variable, the value and the fix."""
    assert len(problems) == 1, problems
    assert all(part in problems[0] for part in parts), problems[0]


@pytest.mark.parametrize("tier", ["cost", "dev"])
def test_the_defaults_are_sound(tier: str) -> None:
    found, problems = plan(tier=tier)
    assert problems == []
    assert found["gateway"] == {
        "namespace": "llm-gateway",
        "serving_namespace": "llm-serving",
        "replicas": 1,
        "image": "ghcr.io/berriai/litellm-non_root:v1.108.7",
    }
    assert found["datastores"]["database"]["kind"] == "statefulset"
    assert found["datastores"]["redis"]["kind"] == "single"


def test_production_has_two_replicas_and_an_operated_database() -> None:
    found, problems = plan(tier="prod", datastores_accept_single_redis=True)
    assert problems == []
    assert found["gateway"]["replicas"] == 2
    database = found["datastores"]["database"]
    assert (database["kind"], database["instances"], database["host"]) == ("cnpg", 3, "postgresql-rw")


def test_replicas_of_the_inventory_win() -> None:
    assert plan(llm_gateway_replicas=3)[0]["gateway"]["replicas"] == 3


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("ghcr.io/berriai/litellm-non_root:v1.108.7", (1, 108, 7)),
        ("ghcr.io/berriai/litellm-non_root:v1.108.7@sha256:" + "1" * 64, (1, 108, 7)),
        ("localhost:5000/litellm:main-v1.106.10-stable", (1, 106, 10)),
        ("registry.example.com/litellm:1.108.7.1", (1, 108, 7)),
        ("ghcr.io/berriai/litellm:main-stable", None),
        ("localhost:5000/litellm", None),
        ("ghcr.io/berriai/litellm@sha256:" + "1" * 64, None),
    ],
)
def test_the_release_is_read_from_the_tag(image: str, version: tuple[int, int, int] | None) -> None:
    assert version_of(image) == version


@pytest.mark.parametrize("release", ["1.82.7", "1.82.8", "1.107.0"])
def test_a_compromised_release_is_refused(release: str) -> None:
    image = f"ghcr.io/berriai/litellm:v{release}"
    only(plan(llm_gateway_image=image)[1], "llm_gateway_image", image, "compromised", "v1.108.7")


@pytest.mark.parametrize("release", ["1.89.2", "1.103.7", "1.104.5", "1.105.3", "1.106.2", "0.200.0"])
def test_a_release_with_the_salt_key_hole_is_refused(release: str) -> None:
    only(plan(llm_gateway_image=f"litellm:v{release}")[1], "llm_gateway_image", "GHSA-7hp6-4w63-5g45")


@pytest.mark.parametrize("release", ["1.103.8", "1.104.6", "1.105.4", "1.106.10", "1.108.0", "1.109.1", "2.0.0"])
def test_a_release_after_the_fix_passes(release: str) -> None:
    assert plan(llm_gateway_image=f"litellm:v{release}")[1] == []


def test_a_tag_that_moves_is_refused() -> None:
    only(plan(llm_gateway_image="ghcr.io/berriai/litellm:main-latest")[1], "names no release", "v1.108.7")


@pytest.mark.parametrize("key", ["input_per_token", "output_per_token"])
def test_a_model_without_a_price_is_refused(key: str) -> None:
    model = {**CHAT, "price": {**CHEAP, key: 0.0}}
    only(plan(models=[LARGE, model])[1], f"llm_models[1].price.{key}", "is missing", "set both prices")


def test_a_fallback_names_models_of_the_inventory() -> None:
    fallbacks = [{"model": "org/large", "to": ["org/chat", "org/none"]}]
    only(plan(llm_gateway_fallbacks=fallbacks)[1], "llm_gateway_fallbacks[0].to[1]", "org/none", "org/chat, org/large")
    fallbacks = [{"model": "chat", "to": ["org/chat"]}]
    only(plan(llm_gateway_fallbacks=fallbacks)[1], "llm_gateway_fallbacks[0].model", '"chat"', "served_name")


def test_a_fallback_never_costs_more_than_was_reserved() -> None:
    assert plan(llm_gateway_fallbacks=[{"model": "org/large", "to": ["org/chat"]}])[1] == []
    only(plan(llm_gateway_fallbacks=[{"model": "org/chat", "to": ["org/large"]}])[1], "to[0]", "costs more")
    only(plan(llm_gateway_fallbacks=[{"model": "org/chat", "to": ["org/chat"]}])[1], "to[0]", "falls back to itself")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("llm_gateway_replicas", -1),
        ("llm_gateway_replicas", 51),
        ("llm_gateway_workers", 0),
        ("llm_gateway_key_cache_seconds", 0),
        ("llm_gateway_retries", 11),
        ("datastores_database_instances", 10),
    ],
)
def test_an_impossible_number_is_refused(name: str, value: int) -> None:
    only(plan(**{name: value})[1], name, str(value), "out of range")


def test_a_single_redis_in_production_must_be_accepted_by_name() -> None:
    _found, problems = plan(tier="prod")
    only(problems, "datastores_redis", "datastores_accept_single_redis: true")


def test_cloudnative_pg_is_not_on_the_local_cluster() -> None:
    only(plan(substrate="local", datastores_database="cnpg")[1], "datastores_database", "statefulset")


def test_cloudnative_pg_must_be_on_the_cluster() -> None:
    _found, problems = plan(datastores_database="cnpg", operator=False)
    only(problems, "datastores_database", "llm_features.cloudnative_pg: true")
    _found, problems = plan(tier="prod", operator=False, datastores_accept_single_redis=True)
    only(problems, "datastores_database", '"cnpg"')


@pytest.mark.parametrize("kind", ["database", "redis"])
def test_an_external_server_has_a_host_and_networks(kind: str) -> None:
    option = f"datastores_{kind}_external"
    _found, problems = plan(**{f"datastores_{kind}": "external"})
    assert [problem.split(" ")[0] for problem in problems] == [f"{option}.host", f"{option}.cidrs"]
    given = {"host": "store.example.com", "port": 16000, "cidrs": ["10.20.0.0/24", "fd00::/64"]}
    found, problems = plan(**{f"datastores_{kind}": "external", option: given})
    assert problems == []
    entry = found["datastores"][kind]
    assert (entry["host"], entry["port"], entry["cidrs"]) == ("store.example.com", 16000, given["cidrs"])
    assert entry["pods"] == {}


@pytest.mark.parametrize(
    ("change", "part"),
    [({"cidrs": ["10.0.0.0/33"]}, "cidrs[0]"), ({"port": 0}, "port"), ({"host": "a b"}, "host")],
)
def test_a_wrong_external_server_is_refused(change: dict[str, t.Any], part: str) -> None:
    given = {"host": "db.example.com", "cidrs": ["10.20.0.0/24"], **change}
    _found, problems = plan(datastores_database="external", datastores_database_external=given)
    only(problems, f"datastores_database_external.{part}")


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section, keys in LOCKED.items() for key in sorted(keys)]
)
def test_what_holds_a_budget_is_not_overridden(section: str, key: str) -> None:
    _found, problems = plan(llm_gateway_config={section: {key: "sk-hidden"}})
    only(problems, f"llm_gateway_config.{section}.{key}")
    assert "sk-hidden" not in problems[0]


def test_models_and_variables_do_not_come_from_the_free_settings() -> None:
    only(plan(llm_gateway_config={"model_list": []})[1], "llm_gateway_config.model_list")
    only(plan(llm_gateway_config={"general_settings": []})[1], "llm_gateway_config.general_settings", "no dict")
    assert plan(llm_gateway_config={"litellm_settings": {"success_callback": ["langfuse"]}})[1] == []


def test_callbacks_are_added_and_never_replace_the_guard() -> None:
    settings = {"litellm_settings": {"callbacks": "langfuse"}}
    only(plan(llm_gateway_config=settings)[1], "llm_gateway_config.litellm_settings.callbacks", "langfuse", "list")
    assert plan(llm_gateway_config={"litellm_settings": {"callbacks": ["langfuse"]}})[1] == []
