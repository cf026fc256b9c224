# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What Istio's charts are told."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "istio"


@pytest.fixture
def resolved(render_template: t.Any) -> t.Callable[..., t.Any]:
    del render_template  # it makes the collection's filters known

    def value(name: str, *, tier: str = "dev", sources: str = "", **options: t.Any) -> t.Any:
        loader = DataLoader()
        variables: dict[str, t.Any] = {}
        for part in ("defaults", "vars"):
            variables |= loader.load_from_file(str(ROLE / part / "main.yml"), trusted_as_template=True)
        variables |= {"llm_plan": {"tier": tier, "sources": sources}, **options}
        return Templar(loader=loader, variables=variables).template(variables[name])

    return value


def test_charts_come_from_the_release_with_its_version(resolved: t.Callable[..., t.Any]) -> None:
    assert resolved("__istio_base_chart") == "oci://ghcr.io/istio/release/charts/base"
    assert resolved("__istio_istiod_chart") == "oci://ghcr.io/istio/release/charts/istiod"
    assert resolved("__istio_chart_version") == "1.31.0"


def test_charts_and_images_are_of_one_release(resolved: t.Callable[..., t.Any]) -> None:
    version = resolved("istio_chart_version")
    assert resolved("istio_pilot_image").endswith(f":{version}")
    assert resolved("istio_proxy_image").endswith(f":{version}")


def test_the_local_cluster_takes_the_charts_that_it_was_built_from(resolved: t.Callable[..., t.Any]) -> None:
    chart = resolved("__istio_istiod_chart", sources="/cache/sources")
    assert chart == "/cache/sources/istio.io/istio/manifests/charts/istio-control/istio-discovery"
    assert resolved("__istio_chart_version", sources="/cache/sources") == "", "only a release has a version"


def test_nothing_waits_for_istio(resolved: t.Callable[..., t.Any]) -> None:
    values = resolved("__istio_own_values")
    assert values["global"]["operatorManageWebhooks"] is True, "else the webhook of sidecars is there"
    assert values["global"]["configValidation"] is False
    assert values["env"]["INJECTION_WEBHOOK_CONFIG_NAME"] == values["env"]["VALIDATION_WEBHOOK_CONFIG_NAME"] == ""
    assert values["global"]["proxy"]["autoInject"] == "disabled"
    assert resolved("__istio_base_values")["defaultRevision"] == ""


def test_pools_of_models_are_understood(resolved: t.Callable[..., t.Any]) -> None:
    values = resolved("__istio_own_values")
    assert values["env"]["ENABLE_GATEWAY_API_INFERENCE_EXTENSION"] == "true"


def test_the_gateways_pods_are_restricted(resolved: t.Callable[..., t.Any]) -> None:
    values = resolved("__istio_own_values")
    assert values["gateways"]["seccompProfile"] == values["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(
    ("tier", "replicas", "wanted"), [("dev", 0, 1), ("prod", 0, 2), ("prod", 1, 1), ("cost", 3, 3)]
)
def test_production_has_two_unless_told_otherwise(
    resolved: t.Callable[..., t.Any], tier: str, replicas: int, wanted: int
) -> None:
    values = resolved("__istio_own_values", tier=tier, istio_replicas=replicas)
    assert values["replicaCount"] == wanted
    assert bool(values["topologySpreadConstraints"]) == (wanted > 1)
    assert bool(values["affinity"]) == (wanted > 1)
