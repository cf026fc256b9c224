# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of tenants."""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.flows_world import flows_between

Object = dict[str, t.Any]
TEMPLATES = sorted((pathlib.Path(__file__).resolve().parents[3] / "roles" / "tenants" / "templates").glob("*.yml.j2"))
RED: Object = {
    "name": "red",
    "namespace": "tenant-red",
    "quota": {"cpu": "4", "memory": "8Gi", "storage": "20Gi", "pods": 20, "gpu": 0},
    "admins": [],
}
Render = t.Callable[..., dict[tuple[str, str], Object]]


@pytest.fixture
def render(render_template: t.Any) -> Render:
    def objects(*tenants: Object, **options: t.Any) -> dict[tuple[str, str], Object]:
        listed = [{**RED, **tenant} for tenant in tenants]
        edge = {"internal": {"port": 80, "pod_labels": {"gateway.networking.k8s.io/gateway-name": "internal"}}}
        components = {"llm_gateway": "llm-gateway", "edge": "llm-edge", "tenants": ""}
        flows = flows_between(components, tenants=listed, edge=edge) if listed else []
        variables = {"llm_plan": {"tenants": listed, "flows": flows}, **options}
        found = [obj for path in TEMPLATES for obj in render_template("tenants", path.name, variables)]
        named = {(obj["kind"], obj["metadata"].get("namespace") or obj["metadata"]["name"]): obj for obj in found}
        assert len(named) == len(found)
        return named

    return objects


def test_without_tenants_there_is_nothing(render: Render) -> None:
    assert render() == {}


def test_a_tenant_without_admins_has_four_objects(render: Render) -> None:
    kinds = ["LimitRange", "Namespace", "NetworkPolicy", "ResourceQuota"]
    assert sorted(render({})) == [(kind, "tenant-red") for kind in kinds]


def test_its_namespace_is_restricted_and_says_whose_it_is(render: Render) -> None:
    labels = render({}, foundation_namespace_labels={"a": "yes"}, tenants_namespace_labels={"b": "1e3"})[
        "Namespace", "tenant-red"
    ]["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}
    assert labels["llm-platform.wmx.dev/tenant"] == "red"
    assert (labels["a"], labels["b"]) == ("yes", "1e3")


def test_a_tenants_pods_reach_dns_and_the_entrance_and_nobody_reaches_them(render: Render) -> None:
    spec = render({})["NetworkPolicy", "tenant-red"]["spec"]
    assert spec["podSelector"] == {}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    assert [[port["port"] for port in rule["ports"]] for rule in spec["egress"]] == [[53, 53], [80]]


def test_the_quota_bounds_gpus_and_keeps_services_inside(render: Render) -> None:
    quota = {"cpu": "500m", "memory": "1Gi", "storage": "0", "pods": 3, "gpu": 2}
    hard = render({"quota": quota})["ResourceQuota", "tenant-red"]["spec"]["hard"]
    assert hard == {
        "requests.cpu": "500m",
        "requests.memory": "1Gi",
        "limits.memory": "1Gi",
        "requests.storage": "0",
        "requests.nvidia.com/gpu": "2",
        "pods": "3",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def test_a_pod_that_asks_for_nothing_gets_what_the_quota_counts(render: Render) -> None:
    (limit,) = render({})["LimitRange", "tenant-red"]["spec"]["limits"]
    assert set(limit["defaultRequest"]) == {"cpu", "memory"}
    assert "memory" in limit["default"]


def test_admins_may_read_keys_and_change_nothing_that_protects(render: Render) -> None:
    people = [{"kind": "Group", "name": "oidc:red team"}, {"kind": "User", "name": "ann@example.com"}]
    objects = render({"admins": people}, {"name": "blue", "namespace": "tenant-blue"})
    binding = objects["RoleBinding", "tenant-red"]
    assert [(subject["kind"], subject["name"]) for subject in binding["subjects"]] == [
        ("Group", "oidc:red team"),
        ("User", "ann@example.com"),
    ]
    role = objects["ClusterRole", "llm-platform-tenant-admin"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert ("RoleBinding", "tenant-blue") not in objects
    verbs: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for resource in rule["resources"]:
            verbs.setdefault(resource, set()).update(rule["verbs"])
    assert {"get", "list"} <= verbs["secrets"]
    for resource in ("networkpolicies", "resourcequotas", "limitranges", "namespaces"):
        assert verbs[resource] == {"get", "list", "watch"}
    assert not {"rolebindings", "roles", "*"} & set(verbs)
    assert not any("*" in rule["verbs"] or "*" in rule["apiGroups"] for rule in role["rules"])


def test_another_role_for_admins_is_bound_and_not_made(render: Render) -> None:
    objects = render({"admins": [{"kind": "User", "name": "ann"}]}, tenants_admin_role="edit")
    assert objects["RoleBinding", "tenant-red"]["roleRef"]["name"] == "edit"
    assert not any(kind == "ClusterRole" for kind, _name in objects)


def test_hostile_names_arrive_as_they_are(render: Render, hostile: str) -> None:
    objects = render({"admins": [{"kind": "User", "name": hostile}]})
    assert objects["RoleBinding", "tenant-red"]["subjects"][0]["name"] == hostile


def test_a_hundred_tenants_render_in_a_moment(render: Render) -> None:
    admins = [{"kind": "Group", "name": "all"}]
    many = [{"name": f"t{n}", "namespace": f"tenant-t{n}", "admins": admins} for n in range(100)]
    render({})
    began = time.process_time()
    assert len(render(*many)) == 501
    # 0.5 s on the machine it was written on; ten times as much would be another algorithm.
    assert time.process_time() - began < 5
