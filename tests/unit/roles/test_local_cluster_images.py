# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which images the local cluster builds."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "local_cluster"
REAL_TEXT = "model-simulator-real-text"


def images(**inventory: t.Any) -> list[str]:
    loader = DataLoader()
    variables: dict[str, t.Any] = {"role_path": str(ROLE)}
    for part in ("defaults", "vars"):
        variables |= loader.load_from_file(str(ROLE / part / "main.yml"), trusted_as_template=True)
    variables |= inventory
    inputs = Templar(loader=loader, variables=variables).template(variables["__local_cluster_build_inputs"]["images"])
    return [image["context"] for image in inputs]


@pytest.mark.parametrize(
    "models",
    [
        [],
        None,
        [{"name": "chat", "engine": "simulator"}],
        [{"name": "chat", "engine": "simulator", "simulator": {"real_text": False}}],
        [{"name": "chat", "engine": "simulator", "simulator": None}, "not checked yet"],
    ],
)
def test_the_large_image_is_not_built_unless_a_model_asks(models: list[t.Any] | None) -> None:
    assert REAL_TEXT not in images(llm_models=models)
    assert "model-simulator" in images(llm_models=models)


def test_without_models_it_is_not_built() -> None:
    assert REAL_TEXT not in images()


def test_it_is_built_after_its_parent_when_one_model_asks() -> None:
    models = [{"name": "a", "simulator": {"profile": "fast"}}, {"name": "b", "simulator": {"real_text": True}}]
    assert images(llm_models=models)[-2:] == ["model-simulator", REAL_TEXT]


def test_it_is_built_once_when_it_is_listed_too() -> None:
    listed = [{"context": name, "name": f"ghcr.io/acme/{name}:1"} for name in ("model-simulator", REAL_TEXT)]
    found = images(llm_models=[{"simulator": {"real_text": True}}], local_cluster_images=listed)
    assert found.count(REAL_TEXT) == 1


ROUTING = ["istio-pilot", "istio-proxy", "endpoint-picker"]
GATEWAY = ["postgres", "redis", "litellm", *ROUTING]


@pytest.mark.parametrize("profile", [None, "platform", "serving"])
def test_the_gateways_images_are_not_built_below_its_profile(profile: str | None) -> None:
    inventory = {} if profile is None else {"llm_profile": profile}
    assert not set(GATEWAY) & set(images(**inventory))


def test_the_gateways_images_are_built_with_its_profile() -> None:
    assert images(llm_profile="llm_gateway")[-len(GATEWAY) :] == GATEWAY


def test_they_have_the_names_that_the_roles_ask_for() -> None:
    loader = DataLoader()
    built = loader.load_from_file(str(ROLE / "vars" / "main.yml"))["__local_cluster_llm_gateway_own_images"]
    datastores = loader.load_from_file(str(ROLE.parent / "datastores" / "defaults" / "main.yml"))
    databases = loader.load_from_file(str(ROLE.parent / "datastores" / "vars" / "main.yml"))
    gateway = loader.load_from_file(str(ROLE.parent / "llm_gateway" / "defaults" / "main.yml"))
    istio = loader.load_from_file(str(ROLE.parent / "istio" / "defaults" / "main.yml"))
    routing = loader.load_from_file(str(ROLE.parent / "gateway" / "defaults" / "main.yml"))
    assert [image["name"] for image in built] == [
        databases["__datastores_default_images"]["statefulset"],
        datastores["datastores_redis_image"],
        gateway["llm_gateway_image"],
        istio["istio_pilot_image"],
        istio["istio_proxy_image"],
        routing["gateway_picker_image"],
    ]
