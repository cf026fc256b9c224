# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The real table of flows, planned, and an interpreter of NetworkPolicies that does not know how they are derived."""

from __future__ import annotations

import functools
import ipaddress
import pathlib
import typing as t

import jinja2
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan import Request, make_plan
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_flows import Inputs, read_table
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_network import plan_flows
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Flow, Place

Object = dict[str, t.Any]
ROLES_DIR = pathlib.Path(__file__).resolve().parents[4] / "roles"
PRICE = {"input_per_token": 1e-07, "output_per_token": 4e-07}
CHAT: Object = {"name": "chat", "engine": "simulator", "price": PRICE}
WEIGHTS: Object = {"name": "weights", "engine": "vllm", "source": "a/b", "price": PRICE, "gpu": {"count": 1}}
RED: Object = {"name": "red", "budget": {"usd": 1, "period": "1d"}, "models": ["chat"]}


def read(path: str) -> t.Any:
    return yaml.safe_load((ROLES_DIR / path).read_text(encoding="utf-8"))


@functools.cache
def table() -> Object:
    return t.cast("Object", read("network/files/flows.yml"))


@functools.cache
def roles() -> list[t.Any]:
    return read_roles(ROLES_DIR)


def templated(value: t.Any) -> t.Any:
    """What templates of the catalog amount to when the inventory sets nothing."""
    if isinstance(value, dict):
        return {key: templated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [templated(item) for item in value]
    if isinstance(value, str) and "{{" in value:
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701  YAML, not HTML
        return yaml.safe_load(environment.from_string(value).render(llm_home_namespace="llm-platform"))
    return value


@functools.cache
def catalog() -> Object:
    return t.cast("Object", templated(read("plan/vars/main.yml")["__plan_catalog"]))


def plan(**changes: t.Any) -> Object:
    """A plan of everything, on the local cluster."""
    variables = {name: value for name, value in read("plan/defaults/main.yml").items() if not _quotes(value)} | {
        "llm_environment": "test",
        "llm_build_dir": "/tmp/build",
        "llm_evidence_dir": "/tmp/evidence",
        "llm_lock_file": "/tmp/images.lock.yml",
        "llm_cache_dir": "/tmp/cache",
        "llm_profile": "llm_gateway",
        "llm_substrate": "local",
        "llm_disposable": True,
        "llm_models": [CHAT],
        "llm_tenants": [RED],
    }
    return make_plan(Request(variables | changes, roles(), catalog(), flows=table()))


def flows_between(components: dict[str, str], **planned: t.Any) -> list[Flow]:
    """The flows of a plan that has just these components, each with its namespace."""
    view = {
        "substrate": "local",
        "components": [{"name": name, "source": "own", "namespace": space} for name, space in components.items()],
        "namespaces": [],
        "models": [],
        "tenants": [],
        **planned,
    }
    validator = Validator()
    flows = plan_flows(read_table(table(), catalog()), Inputs(view, {}, roles()), validator)
    assert validator.problems == []
    return flows


def _quotes(value: t.Any) -> bool:
    return isinstance(value, str) and "{{" in value


def default_deny(namespaces: Iterable[str]) -> list[Object]:
    return [
        {
            "metadata": {"name": "default-deny", "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        }
        for namespace in namespaces
    ]


def lets_through(policies: list[Object], source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
    """Whether a cluster with these policies lets the connection through, by the words of Kubernetes' documentation."""
    return _direction(policies, source, target, port, protocol, "Egress", "to") and _direction(
        policies, target, source, port, protocol, "Ingress", "from"
    )


def _direction(
    policies: list[Object], own: Place, other: Place, port: int, protocol: str, kind: str, peers: str
) -> bool:
    if not own.namespace:
        return True
    mine = [
        policy["spec"]
        for policy in policies
        if policy["metadata"]["namespace"] == own.namespace
        and kind in policy["spec"]["policyTypes"]
        and _selects(policy["spec"]["podSelector"], own.labels)
    ]
    if not mine:
        return True
    return any(
        {"port": port, "protocol": protocol} in rule["ports"] and any(_is_peer(peer, other) for peer in rule[peers])
        for spec in mine
        for rule in spec.get(kind.lower()) or []
    )


def _is_peer(peer: Object, place: Place) -> bool:
    if "ipBlock" in peer:
        if place.namespace:
            return False
        address = ipaddress.ip_address(place.address)
        inside = address in ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return inside and not any(address in ipaddress.ip_network(cidr) for cidr in peer["ipBlock"].get("except", []))
    names = {"kubernetes.io/metadata.name": place.namespace, **place.namespace_labels}
    return (
        bool(place.namespace)
        and _selects(peer["namespaceSelector"], names)
        and _selects(peer["podSelector"], place.labels)
    )


def _selects(selector: Object, labels: t.Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(entry["key"]) in entry["values"] if entry["operator"] == "In" else entry["key"] in labels
        for entry in selector.get("matchExpressions", [])
    )
