# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks at a cluster, without touching it, and tells what stands in the way of the plan. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._leftovers import leftovers, report
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_rules import MINIMUM_MINOR
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight_network import check_api_server, check_dns
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight_permissions import check_permissions
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight_room import check_room
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight_tenants import check_tenants
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

CHECKS = ("identity", "version", "permissions", "existing", "storage", "room", "addresses", "leftovers", "tenants")
ENVIRONMENT_CONFIG_MAP = "llm-platform-environment"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version"

Plan = Mapping[str, t.Any]


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    id: str
    ok: bool
    message: str
    fix: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        return {"id": self.id, "ok": self.ok, "message": self.message, "fix": self.fix}


@dataclass(frozen=True)
class Asked:
    """What the checks compare the cluster with."""

    plan: Plan
    # What was written down at first contact; empty before it.
    recorded: Mapping[str, str] = field(default_factory=dict)
    identity_file: str = ""


@dataclass(frozen=True)
class Cluster:
    """What was learned about the cluster."""

    uid: str
    version: str
    api_versions: list[str]
    dns_addresses: list[str]
    api_server_addresses: list[str]
    # Behind its Service.
    api_server_port: int = 0

    def as_dict(self) -> dict[str, t.Any]:
        return dict(vars(self))


def look(client: KubeClient) -> Cluster:
    """Who the cluster is and what it serves; fails when it cannot be reached."""
    groups = client.get_json("/apis").get("groups") or []
    served = {version["groupVersion"] for group in groups for version in group.get("versions") or []}
    service = _get(client, "/api/v1/namespaces/kube-system/services/kube-dns")
    slices = client.list("discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes.io/service-name=kubernetes")
    return Cluster(
        uid=client.get_json("/api/v1/namespaces/kube-system")["metadata"]["uid"],
        version=client.version().removeprefix("v"),
        api_versions=sorted(served | {"v1"}),
        dns_addresses=list(((service or {}).get("spec") or {}).get("clusterIPs") or []),
        api_server_addresses=sorted(
            address
            for piece in slices
            for endpoint in piece.get("endpoints") or []
            for address in endpoint["addresses"]
        ),
        api_server_port=next((port["port"] for piece in slices for port in piece.get("ports") or []), 0),
    )


def check(client: KubeClient, cluster: Cluster, asked: Asked, checks: list[str]) -> list[Finding]:
    """The findings of the checks asked for, at once; a check that could not run has failed."""
    runners: dict[str, Callable[[], list[Finding]]] = {
        "identity": lambda: _identity(client, cluster, asked),
        "version": lambda: [_version(cluster)],
        "permissions": lambda: [_finding("permissions", *check_permissions(client, asked.plan))],
        "existing": lambda: _existing(client, cluster, asked.plan),
        "storage": lambda: _storage(client, asked.plan),
        "room": lambda: [_finding("room", *check_room(client, asked.plan))],
        "addresses": lambda: _addresses(client, cluster, asked.plan),
        "leftovers": lambda: _leftovers(client, asked.plan),
        "tenants": lambda: [_finding("tenants", *check_tenants(client, asked.plan))],
    }

    def run(name: str) -> list[Finding]:
        try:
            return runners[name]()
        except KubeError as exc:
            return [Finding(name, False, f"could not be checked: {exc}", "give the kubeconfig's user read access")]

    with ThreadPoolExecutor(max_workers=len(CHECKS)) as pool:
        return [finding for findings in pool.map(run, checks) for finding in findings]


def _finding(name: str, problems: list[str], ok: str, fix: str) -> Finding:
    return Finding(name, False, "; ".join(problems), fix) if problems else Finding(name, True, ok)


def _identity(client: KubeClient, cluster: Cluster, asked: Asked) -> list[Finding]:
    environment = asked.plan["environment"]
    recorded = asked.recorded.get("cluster") or ""
    findings = []
    if recorded and recorded != cluster.uid:
        message = (
            f"environment {environment} was first met on cluster {recorded}, "
            f"and {asked.plan['kubeconfig']} reaches cluster {cluster.uid}"
        )
        fix = f"correct llm_kubeconfig or llm_context, or remove {asked.identity_file} if the cluster was made anew"
        findings.append(Finding("identity", False, message, fix))
    marked = _get(client, f"/api/v1/namespaces/{asked.plan['home_namespace']}/configmaps/{ENVIRONMENT_CONFIG_MAP}")
    owner = ((marked or {}).get("data") or {}).get("environment") or environment
    if owner != environment:
        message = (
            f"cluster {cluster.uid} belongs to environment {owner}, and this inventory is environment {environment}"
        )
        fix = f"use the inventory of {owner}, correct llm_kubeconfig, or run teardown with that inventory first"
        findings.append(Finding("identity", False, message, fix))
    if not findings:
        met = "known" if recorded else "met for the first time"
        findings.append(Finding("identity", True, f"cluster {cluster.uid} of environment {environment}, {met}"))
    return findings


def _version(cluster: Cluster) -> Finding:
    match = re.match(r"(\d+)\.(\d+)", cluster.version)
    if match and (int(match[1]), int(match[2])) >= (1, MINIMUM_MINOR):
        return Finding("version", True, f"Kubernetes {cluster.version}")
    return Finding(
        "version", False, f"Kubernetes {cluster.version} is too old", f"upgrade it to 1.{MINIMUM_MINOR} or newer"
    )


def _existing(client: KubeClient, cluster: Cluster, plan: Plan) -> list[Finding]:
    claimed = [entry for entry in plan["components"] if entry["source"] == "existing"]
    findings = []
    for entry in claimed:
        problems, version = _installed(client, cluster, entry["existing"])
        name = f"existing.{entry['name']}"
        if problems:
            fix = f"install it, or take {entry['name']} out of llm_sources and llm_features"
            message = f"the plan expects {entry['name']} on the cluster: {'; '.join(problems)}"
            findings.append(Finding(name, False, message, fix))
        else:
            findings.append(Finding(name, True, f"{entry['name']} {version or 'of unknown version'} is on the cluster"))
    return findings


def _installed(client: KubeClient, cluster: Cluster, wanted: Mapping[str, t.Any]) -> tuple[list[str], str]:
    problems = [f"{api} is not served" for api in wanted.get("api_versions") or [] if api not in cluster.api_versions]
    version = ""
    for name in wanted.get("crds") or []:
        crd = _get(client, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        if crd is None:
            problems.append(f"CRD {name} is missing")
            continue
        metadata = crd["metadata"]
        seen = (metadata.get("annotations") or {}).get(_BUNDLE_VERSION)
        version = version or seen or (metadata.get("labels") or {}).get("app.kubernetes.io/version") or ""
    minimum = wanted.get("minimum_version") or ""
    if version and minimum and _numbers(version) < _numbers(minimum):
        problems.append(f"version {version} is older than {minimum}")
    selector = wanted.get("controller") or ""
    if selector and not problems:
        found = client.list("apps/v1", "Deployment", label_selector=selector)
        if not any((deployment.get("status") or {}).get("availableReplicas") for deployment in found):
            problems.append(f"no Deployment with label {selector} is available")
    return problems, version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _storage(client: KubeClient, plan: Plan) -> list[Finding]:
    classes = client.list("storage.k8s.io/v1", "StorageClass")
    names = sorted(entry["metadata"]["name"] for entry in classes)
    listed = ", ".join(names) or "none"
    findings = []
    wanted: dict[str, str] = {}
    if plan["storage_class"]:
        wanted[plan["storage_class"]] = "llm_storage_class"
    needs_default = False
    for model in (*plan["models"], *plan.get("canaries", ())):
        if model["cache"]["storage_class"]:
            wanted.setdefault(model["cache"]["storage_class"], f"cache.storage_class of model {model['name']}")
        elif model["cache"]["size"]:
            needs_default = needs_default or not plan["storage_class"]
    for name, option in wanted.items():
        if name not in names:
            message = f"{option} is {name}, and the cluster has: {listed}"
            findings.append(Finding("storage", False, message, f"set {option.split()[0]} to one of them"))
    default = sorted(entry["metadata"]["name"] for entry in classes if _is_default(entry))
    if needs_default and not default:
        message = f"a model needs a volume, and no StorageClass is the default (the cluster has: {listed})"
        findings.append(Finding("storage", False, message, "set llm_storage_class"))
    return findings or [
        Finding("storage", True, f"default StorageClass: {', '.join(default) or 'none, and none is needed'}")
    ]


def _is_default(storage_class: Object) -> bool:
    return (storage_class["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"


def _addresses(client: KubeClient, cluster: Cluster, plan: Plan) -> list[Finding]:
    flows = plan["flows"]
    return [
        Finding("addresses.dns", *check_dns(client, flows, cluster.dns_addresses)),
        Finding(
            "addresses.api-server", *check_api_server(flows, cluster.api_server_addresses, cluster.api_server_port)
        ),
    ]


def _leftovers(client: KubeClient, plan: Plan) -> list[Finding]:
    planned = [entry["name"] for entry in plan["components"]]
    found = report(leftovers(client, plan["home_namespace"], planned), plan)
    return [Finding("leftovers", True, message, fix) for message, fix in found]


def _get(client: KubeClient, path: str) -> Object | None:
    response = client.request("GET", path)
    if response.status == 404:
        return None
    # Anything else that is no answer has its reason told by the client.
    return response.json() if response.status < 400 else client.get_json(path)
