# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What follows from resolved flows: NetworkPolicies, and whether a connection is allowed. Private to the collection.

A flow gives the egress rule of who opens the connection and the ingress rule of who takes it. A connection that no flow
allows is denied at each end that is ours.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ANNOTATION_PHASE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, t.Any]

NAME_LABEL: t.Final = "kubernetes.io/metadata.name"
# Everywhere is everywhere but in private networks: those of the cluster, its neighbours and the cloud's metadata.
PRIVATE: t.Final[Mapping[str, list[str]]] = {
    "0.0.0.0/0": ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"],
    "::/0": ["fc00::/7", "fe80::/10"],
}


class FlowsError(Exception):
    """Flows that no policy can be derived from."""


class Port(t.TypedDict):
    """One port of an end."""

    name: str
    port: int
    protocol: str


class End(t.TypedDict):
    """Who takes part in a flow: pods, addresses, or both."""

    name: str
    what: str
    # Who renders its policies; nobody where the pods are not ours.
    component: str
    policy: str
    phase: str
    # None where there are addresses alone.
    pods: dict[str, str] | None
    namespaces: list[str]
    # By which peers know its namespaces, instead of by their names.
    namespace_label: str
    addresses: list[str]
    # The option that the addresses come from, for errors.
    option: str


Flow = t.TypedDict("Flow", {"from": End, "to": End, "ports": list[Port], "why": str, "model": str})


@dataclass(frozen=True, slots=True)
class Place:
    """One pod, or an address that is no pod's."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)


def network_policies(flows: Iterable[Flow], component: str) -> list[Object]:
    """The policies of all pods that a component brings, one for each kind of pod and namespace."""
    found: dict[tuple[str, str], Object] = {}
    for flow in flows:
        for own, other, direction, peers in (("from", "to", "egress", "to"), ("to", "from", "ingress", "from")):
            end: End = flow[own]  # type: ignore[literal-required]
            if end["component"] != component or end["pods"] is None:
                continue
            rule = {peers: _peers(flow[other], flow), "ports": _ports(flow["ports"])}  # type: ignore[literal-required]
            name = f"{end['policy']}-{flow['model']}" if flow["model"] else end["policy"]
            for namespace in end["namespaces"]:
                policy = found.setdefault((namespace, name), _policy(namespace, name, end))
                if policy["spec"]["podSelector"] != _selector(end["pods"]):
                    raise FlowsError(
                        f"two kinds of pods have a policy {namespace}/{name}; name one of them differently"
                    )
                policy["spec"].setdefault(direction, []).append(rule)
    return [found[key] for key in sorted(found)]


def allowing(flows: Iterable[Flow], source: Place, target: Place, port: int, protocol: str = "TCP") -> list[Flow]:
    """The flows that allow this connection; none where it is to be denied."""
    return [
        flow
        for flow in flows
        if any(entry["port"] == port and entry["protocol"] == protocol for entry in flow["ports"])
        and is_at(flow["from"], source)
        and is_at(flow["to"], target)
    ]


def is_at(end: End, place: Place) -> bool:
    """Whether a place is one of an end's."""
    if not place.namespace:
        return _inside(end["addresses"], place.address)
    pods = end["pods"]
    if pods is None:
        return False
    label = end["namespace_label"]
    known = label in place.namespace_labels if label else place.namespace in end["namespaces"]
    return known and pods.items() <= place.labels.items()


def _inside(networks: Iterable[str], address: str) -> bool:
    wanted = ipaddress.ip_address(address)
    return any(
        wanted in ipaddress.ip_network(network)
        and not any(wanted in ipaddress.ip_network(private) for private in PRIVATE.get(network, []))
        for network in networks
    )


def _policy(namespace: str, name: str, end: End) -> Object:
    metadata: Object = {"name": name, "namespace": namespace}
    if end["phase"]:
        metadata["annotations"] = {ANNOTATION_PHASE: end["phase"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {"podSelector": _selector(end["pods"] or {}), "policyTypes": ["Ingress", "Egress"]},
    }


def _peers(end: End, flow: Flow) -> list[Object]:
    peers: list[Object] = []
    if end["pods"] is not None:
        peers.append({"namespaceSelector": _namespaces(end), "podSelector": _selector(end["pods"])})
    for network in end["addresses"]:
        # Without `except` where there is nothing to except: the server would drop an empty list.
        excepted = {"except": PRIVATE[network]} if network in PRIVATE else {}
        peers.append({"ipBlock": {"cidr": network, **excepted}})
    if not peers:
        # A rule without peers would let everybody in or out.
        option = end["option"] or "its addresses"
        raise FlowsError(
            f"nobody knows where {end['name']} is ({end['what']}), and {flow['from']['name']} -> {flow['to']['name']} "
            f"needs it: set {option}; preflight tells what the cluster says"
        )
    return peers


def _namespaces(end: End) -> Object:
    if end["namespace_label"]:
        return {"matchExpressions": [{"key": end["namespace_label"], "operator": "Exists"}]}
    if len(end["namespaces"]) == 1:
        return {"matchLabels": {NAME_LABEL: end["namespaces"][0]}}
    return {"matchExpressions": [{"key": NAME_LABEL, "operator": "In", "values": sorted(end["namespaces"])}]}


def _selector(labels: Mapping[str, str]) -> Object:
    return {"matchLabels": dict(labels)} if labels else {}


def _ports(ports: Iterable[Port]) -> list[Object]:
    return [{"port": entry["port"], "protocol": entry["protocol"]} for entry in ports]
