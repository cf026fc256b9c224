# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight import Asked, Cluster, check, look
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight_permissions import Access, needed
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

PLAN: dict[str, t.Any] = {
    "environment": "test",
    "home_namespace": "llm-platform",
    "kubeconfig": "/tmp/kubeconfig",
    "storage_class": "",
    "namespaces": [{"name": "llm-platform"}, {"name": "llm-serving"}],
    "components": [
        {
            "name": "serving",
            "namespace": "llm-serving",
            "source": "own",
            "kinds": ["apps/deployments"],
            "existing": {},
        }
    ],
    "selected": ["serving"],
    "models": [],
    "flows": [],
}
CLUSTER = Cluster("uid-1", "1.36.3", ["v1", "cert-manager.io/v1"], [], [])
EXISTING = {
    "name": "cert_manager",
    "namespace": "",
    "source": "existing",
    "kinds": [],
    "existing": {
        "api_versions": ["cert-manager.io/v1"],
        "crds": ["certificates.cert-manager.io"],
        "controller": "app.kubernetes.io/name=cert-manager",
        "minimum_version": "v1.18.0",
    },
}


class Answers:
    """A Transport that answers from a table; what is not in it was not found."""

    def __init__(self, table: dict[str, t.Any], allowed: t.Callable[[dict[str, str]], bool] = lambda _a: False) -> None:
        self.table = table
        self.allowed = allowed

    def request(self, method: str, path: str, *, body: t.Any = None, **_options: t.Any) -> Response:
        if path.endswith("selfsubjectaccessreviews"):
            answer = {"status": {"allowed": self.allowed(body["spec"]["resourceAttributes"])}}
            return Response(201, json.dumps(answer).encode())
        found = self.table.get(path)
        if isinstance(found, int):
            return Response(found, json.dumps({"reason": "Forbidden", "message": "no"}).encode())
        return Response(200, json.dumps(found).encode()) if found is not None else Response(404, b'{"message": "none"}')

    def stream(self, path: str, *, query: t.Any = None, seconds: float) -> t.Iterator[bytes]:
        raise AssertionError


DISCOVERY: dict[str, t.Any] = {
    "/apis/storage.k8s.io/v1": {"resources": [{"name": "storageclasses", "kind": "StorageClass", "namespaced": False}]},
    "/apis/apps/v1": {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]},
}


def findings(name: str, table: dict[str, t.Any] | None = None, *, recorded: str = "", **plan: t.Any) -> list[t.Any]:
    client = KubeClient(Answers({**DISCOVERY, **(table or {})}))
    asked = Asked({**PLAN, **plan}, {"cluster": recorded} if recorded else {}, "/inventory/cluster.yml")
    return check(client, CLUSTER, asked, [name])


def test_the_recorded_cluster_passes() -> None:
    (finding,) = findings("identity", recorded="uid-1")
    assert finding.ok


def test_another_cluster_is_refused_and_both_are_named() -> None:
    (finding,) = findings("identity", recorded="uid-0")
    assert not finding.ok
    assert "uid-0" in finding.message
    assert "uid-1" in finding.message
    assert "/inventory/cluster.yml" in finding.fix


def test_a_cluster_of_another_environment_is_refused_and_both_are_named() -> None:
    path = "/api/v1/namespaces/llm-platform/configmaps/llm-platform-environment"
    (finding,) = findings("identity", {path: {"data": {"environment": "prod"}}})
    assert not finding.ok
    assert "prod" in finding.message
    assert "test" in finding.message


def test_a_check_that_may_not_read_has_failed() -> None:
    path = "/api/v1/namespaces/llm-platform/configmaps/llm-platform-environment"
    (finding,) = findings("identity", {path: 403})
    assert not finding.ok
    assert "could not be checked" in finding.message


@pytest.mark.parametrize(("version", "ok"), [("1.33.9", False), ("1.34.0", True), ("1.36.3", True), ("2.0.0", True)])
def test_the_version_must_be_supported(version: str, ok: bool) -> None:
    cluster = Cluster("uid-1", version, [], [], [])
    (finding,) = check(KubeClient(Answers({})), cluster, Asked(PLAN), ["version"])
    assert finding.ok is ok


def crd(version: str) -> dict[str, t.Any]:
    name = "certificates.cert-manager.io"
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    return {path: {"metadata": {"name": name, "labels": {"app.kubernetes.io/version": version}}}}


def deployment(available: int) -> dict[str, t.Any]:
    return {
        "/apis/apps/v1/deployments": {
            "items": [{"metadata": {}, "status": {"availableReplicas": available}}],
            "metadata": {},
        }
    }


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "CRD certificates.cert-manager.io is missing"),
        (crd("v1.9.1") | deployment(1), "version v1.9.1 is older than v1.18.0"),
        (crd("v1.18.2") | deployment(0), "no Deployment with label app.kubernetes.io/name=cert-manager is available"),
    ],
)
def test_what_is_claimed_to_exist_and_does_not_is_a_finding(table: dict[str, t.Any], said: str) -> None:
    (finding,) = findings("existing", table, components=[EXISTING])
    assert not finding.ok
    assert said in finding.message
    assert "cert_manager" in finding.fix


def test_what_exists_is_told_with_its_version() -> None:
    (finding,) = findings("existing", crd("v1.18.2") | deployment(1), components=[EXISTING])
    assert finding.ok
    assert "v1.18.2" in finding.message


def classes(*, default: bool) -> dict[str, t.Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    item = {"metadata": {"name": "local", "annotations": annotations}}
    return {"/apis/storage.k8s.io/v1/storageclasses": {"items": [item], "metadata": {}}}


CACHED = {"name": "chat", "cache": {"size": "1Gi", "storage_class": ""}}


@pytest.mark.parametrize(
    ("default", "plan", "ok"),
    [
        (True, {"models": [CACHED]}, True),
        (False, {"models": [CACHED]}, False),
        (False, {}, True),
        (False, {"models": [CACHED], "storage_class": "local"}, True),
        (True, {"storage_class": "fast"}, False),
        (True, {"models": [{"name": "chat", "cache": {"size": "1Gi", "storage_class": "fast"}}]}, False),
    ],
)
def test_the_storage_class_that_is_needed_must_be_there(default: bool, plan: dict[str, t.Any], ok: bool) -> None:
    assert all(finding.ok for finding in findings("storage", classes(default=default), **plan)) is ok


def test_missing_permissions_are_listed_by_kind_and_place() -> None:
    def allowed(attributes: dict[str, str]) -> bool:
        return attributes["verb"] != "*" and (attributes["resource"], attributes["verb"]) != ("deployments", "patch")

    client = KubeClient(Answers({}, allowed))
    (finding,) = check(client, CLUSTER, Asked(PLAN), ["permissions"])
    assert not finding.ok
    assert finding.message == "patch apps/deployments in llm-serving"


def test_only_what_this_run_touches_needs_permission() -> None:
    assert Access("create", "apps", "deployments", "llm-serving") in needed(PLAN)
    assert not [access for access in needed({**PLAN, "selected": []}) if access.resource == "deployments"]


def test_a_component_without_a_namespace_of_its_own_stays_in_those_of_the_plan() -> None:
    secrets = {"name": "secrets", "namespace": "", "source": "own", "kinds": ["secrets"], "existing": {}}
    wanted = needed({**PLAN, "components": [secrets], "selected": ["secrets"]})
    assert {access.namespace for access in wanted if access.resource == "secrets"} == {"llm-platform", "llm-serving"}


def test_the_cluster_is_known_by_the_uid_of_kube_system() -> None:
    table = {
        "/version": {"gitVersion": "v1.36.3"},
        "/apis": {"groups": [{"versions": [{"groupVersion": "apps/v1"}]}]},
        "/api/v1/namespaces/kube-system": {"metadata": {"uid": "uid-7"}},
        "/api/v1/namespaces/kube-system/services/kube-dns": {"spec": {"clusterIPs": ["10.96.0.10"]}},
        "/apis/discovery.k8s.io/v1": {
            "resources": [{"name": "endpointslices", "kind": "EndpointSlice", "namespaced": True}]
        },
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": {
            "metadata": {},
            "items": [{"metadata": {}, "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 6443}]}],
        },
    }
    cluster = look(KubeClient(Answers(table)))
    assert cluster == Cluster("uid-7", "1.36.3", ["apps/v1", "v1"], ["10.96.0.10"], ["192.0.2.1"], 6443)


def namespace(name: str, **labels: str) -> dict[str, t.Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


TENANTS: dict[str, t.Any] = {
    "tenants": [{"name": "red", "namespace": "tenant-red"}, {"name": "blue", "namespace": "things"}],
    "tenants_delete": [{"name": "old", "namespace": "tenant-old"}],
    "selected": ["tenants"],
}
NAMESPACES = {"/api/v1": {"resources": [{"name": "namespaces", "kind": "Namespace", "namespaced": False}]}}


def tenant_finding(*live: dict[str, t.Any], **plan: t.Any) -> t.Any:
    (found,) = findings(
        "tenants", {**NAMESPACES, "/api/v1/namespaces": {"metadata": {}, "items": list(live)}}, **{**TENANTS, **plan}
    )
    return found


def test_namespaces_of_tenants_that_are_free_or_theirs_pass() -> None:
    found = tenant_finding(namespace("tenant-red", **{"llm-platform.wmx.dev/tenant": "red"}), namespace("unrelated"))
    assert found.ok
    assert found.message.startswith("1 of 3 ")


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (namespace("things"), "namespace things of tenant blue is there and belongs to no tenant"),
        (
            namespace("tenant-red", **{"llm-platform.wmx.dev/tenant": "former"}),
            "namespace tenant-red of tenant red belongs to tenant former",
        ),
        (
            namespace("tenant-old", **{"llm-platform.wmx.dev/tenant": "red"}),
            "namespace tenant-old of tenant old belongs to tenant red",
        ),
    ],
)
def test_a_namespace_of_somebody_else_is_refused(live: dict[str, t.Any], said: str) -> None:
    found = tenant_finding(live)
    assert not found.ok
    assert said in found.message
    assert "kubectl label namespace" in found.fix


def test_tenants_that_this_run_leaves_out_are_not_looked_at() -> None:
    assert tenant_finding(namespace("things"), selected=["serving"]).ok


def test_tenants_need_their_permissions_everywhere() -> None:
    component = {
        "name": "tenants",
        "namespace": "",
        "kinds": ["resourcequotas", "rbac.authorization.k8s.io/clusterroles"],
    }
    wanted = needed({**PLAN, "components": [component], "selected": ["tenants"]})
    assert Access("create", "", "resourcequotas", "") in wanted
    assert Access("create", "rbac.authorization.k8s.io", "clusterroles", "") in wanted
