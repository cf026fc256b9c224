# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Who tries, and all there is to try, from the flows and what a cluster holds. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Place, allowing, is_at
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import is_simulated_node

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import End, Flow

Object = dict[str, t.Any]
Labels = dict[str, str]

STRANGER: t.Final = "stranger"
NOBODY: t.Final = "nobody in particular"
NODES: t.Final = "nodes"
OUTSIDE: t.Final = "outside"
STAND_INS: t.Final = "probe pods"
# What a node may have besides, which the API server does not tell.
NODE_PORTS: t.Final[t.Mapping[int, str]] = {
    22: "SSH",
    2379: "etcd",
    2380: "etcd's peers",
    5000: "registry",
    9100: "node exporter",
    10249: "kube-proxy's metrics",
    10256: "kube-proxy's health",
    10257: "controller manager",
    10259: "scheduler",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of pod that tries: a stand-in of ours with its labels, or the real one."""

    end: str
    namespace: str
    labels: Labels
    namespace_labels: Labels
    # Of the real pod, where there is one to run in.
    pod: str = ""
    container: str = ""

    @property
    def title(self) -> str:
        return f"{self.namespace}: {self.end}" + (" (the real pod)" if self.pod else "")

    @property
    def place(self) -> Place:
        return Place("", self.namespace, self.labels, self.namespace_labels)


@dataclass(frozen=True, slots=True)
class Target:
    """Something that listens, and who is behind it."""

    group: str
    text: str
    host: str
    port: int
    protocol: str = "TCP"
    # Pods or addresses behind it, each with its port.
    behind: tuple[tuple[Place, int], ...] = ()
    # What its listener is known by, for the one that shows that it lives.
    pods: tuple[tuple[str, str, int], ...] = ()
    kubelet: str = ""
    # Nobody but a pod without policies can tell whether it lives.
    guessed: bool = False

    def is_in(self, namespaces: t.Container[str]) -> bool:
        """Whether all that is behind it runs in these namespaces."""
        return all(place.namespace in namespaces for place, _port in self.behind)


@dataclass(frozen=True, slots=True)
class World:
    """What a cluster holds, namespace by namespace."""

    namespaces: dict[str, Labels]
    pods: list[Object] = field(default_factory=list)
    services: list[Object] = field(default_factory=list)
    slices: list[Object] = field(default_factory=list)
    nodes: list[Object] = field(default_factory=list)

    def labels_of(self, namespace: str) -> Labels:
        return self.namespaces.get(namespace, {})

    def place(self, pod: Object) -> Place:
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        address = (pod.get("status") or {}).get("podIP") or ""
        return Place(address, metadata["namespace"], labels, self.labels_of(metadata["namespace"]))


def is_allowed(flows: t.Sequence[Flow], source: Place, target: Target) -> bool:
    return any(allowing(flows, source, place, port, target.protocol) for place, port in target.behind)


def sources_of(flows: t.Sequence[Flow], ours: t.Sequence[str], tenants: t.Sequence[str], world: World) -> list[Source]:
    """One stand-in for every kind of pod of ours, one without labels in every namespace, and a stranger comes later."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Source] = {}
    for namespace in (*ours, *tenants):
        found[namespace, ()] = Source(NOBODY, namespace, {}, world.labels_of(namespace))
    for flow in flows:
        # As a target, the pods of one model are no other kind than those of all.
        for end in (flow["from"], *(() if flow["model"] else (flow["to"],))):
            if not end["component"] or not end["pods"]:
                continue
            for namespace in end["namespaces"]:
                labels = dict(end["pods"])
                key = (namespace, tuple(sorted(labels.items())))
                name = f"{end['name']} of {flow['model']}" if flow["model"] else end["name"]
                found.setdefault(key, Source(name, namespace, labels, world.labels_of(namespace)))
    return list(found.values())


def real_sources(stand_ins: t.Sequence[Source], world: World) -> list[Source]:
    """For each stand-in a ready pod that it stands in for."""
    found = []
    for source in stand_ins:
        if not source.labels:
            continue
        for pod in world.pods:
            labels = pod["metadata"].get("labels") or {}
            here = pod["metadata"]["namespace"] == source.namespace and source.labels.items() <= labels.items()
            if here and _is_ready(pod):
                name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
                found.append(Source(source.end, source.namespace, labels, source.namespace_labels, name, container))
                break
    return found


def targets_of(flows: t.Sequence[Flow], world: World) -> list[Target]:
    """Every port of every pod, Service and node; what only pretends to run is left out."""
    simulated = {node["metadata"]["name"] for node in world.nodes if is_simulated_node(node)}
    ends = _ends(flows)
    found = [
        target
        for pod in world.pods
        if (pod.get("status") or {}).get("podIP")
        and pod["status"].get("phase") == "Running"
        and not pod["spec"].get("hostNetwork")
        and pod["spec"].get("nodeName") not in simulated
        for target in _pod_targets(pod, world.place(pod), flows, ends)
    ]
    nodes = [node for node in world.nodes if node["metadata"]["name"] not in simulated]
    for service in world.services:
        found += _service_targets(service, world, nodes, ends)
    for node in nodes:
        found += _node_targets(node)
    return found


def _pod_targets(pod: Object, place: Place, flows: t.Sequence[Flow], ends: t.Sequence[End]) -> t.Iterator[Target]:
    metadata = pod["metadata"]
    declared = {
        (port["containerPort"], port.get("protocol") or "TCP")
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
    }
    named = {(port["port"], port["protocol"]) for flow in flows if is_at(flow["to"], place) for port in flow["ports"]}
    for port, protocol in sorted(declared | named):
        text = f"pod {metadata['namespace']}/{metadata['name']}:{port}"
        at = ((metadata["namespace"], metadata["name"], port),)
        yield Target(_group(ends, place), text, place.address, port, protocol, ((place, port),), at)


def _service_targets(
    service: Object, world: World, nodes: t.Sequence[Object], ends: t.Sequence[End]
) -> t.Iterator[Target]:
    metadata, spec = service["metadata"], service["spec"]
    address = spec.get("clusterIP") or "None"
    if address == "None":
        return
    pods = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in world.pods}
    for port in spec.get("ports") or ():
        behind, at = [], []
        for place, number, pod in _endpoints(service, port.get("name") or "", world, pods):
            behind.append((place, number))
            if pod:
                at.append((*pod, number))
            else:
                text = f"{metadata['namespace']}/{metadata['name']} at {place.address}:{number}"
                group = _group(ends, place)
                yield Target(group, text, place.address, number, port["protocol"], ((place, number),))
        if not behind:
            continue
        group = _group(ends, behind[0][0])
        text, protocol = f"Service {metadata['namespace']}/{metadata['name']}:{port['port']}", port["protocol"]
        yield Target(group, text, address, port["port"], protocol, tuple(behind), tuple(at))
        for node in nodes if port.get("nodePort") else ():
            if host := _address(node):
                text = f"node port {port['nodePort']} of {metadata['namespace']}/{metadata['name']}"
                yield Target(group, text, host, port["nodePort"], protocol, tuple(behind), tuple(at))


def _endpoints(
    service: Object, port: str, world: World, pods: t.Mapping[tuple[str, str], Object]
) -> t.Iterator[tuple[Place, int, tuple[str, str] | None]]:
    """Ready ends of a Service's port: where, at which port, and which pod it is."""
    metadata = service["metadata"]
    for piece in world.slices:
        labels = piece["metadata"].get("labels") or {}
        if (
            piece["metadata"]["namespace"] != metadata["namespace"]
            or labels.get("kubernetes.io/service-name") != metadata["name"]
        ):
            continue
        number = next((entry["port"] for entry in piece.get("ports") or () if (entry.get("name") or "") == port), None)
        for endpoint in piece.get("endpoints") or ():
            if number is None or not (endpoint.get("conditions") or {}).get("ready"):
                continue
            reference = endpoint.get("targetRef") or {}
            key = (reference.get("namespace") or metadata["namespace"], reference.get("name") or "")
            if pod := pods.get(key):
                yield world.place(pod), number, key
            else:
                yield Place(endpoint["addresses"][0]), number, None


def _node_targets(node: Object) -> t.Iterator[Target]:
    name, host = node["metadata"]["name"], _address(node)
    kubelet = (((node.get("status") or {}).get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    if host and kubelet:
        yield Target(NODES, f"kubelet of {name}", host, kubelet, "TCP", ((Place(host), kubelet),), (), name)
    for port, what in NODE_PORTS.items() if host else ():
        yield Target(NODES, f"{what} of {name}", host, port, "TCP", ((Place(host), port),), guessed=True)


def _address(node: Object) -> str:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((entry["address"] for entry in addresses if entry["type"] == "InternalIP"), "")


def _ends(flows: t.Sequence[Flow]) -> list[End]:
    """Those that connections lead to, the narrowest first: all pods of a namespace say least of one."""
    found = {flow["to"]["name"]: flow["to"] for flow in flows if not flow["model"]}
    return sorted(found.values(), key=lambda end: -len(end["pods"] or {}))


def _group(ends: t.Sequence[End], place: Place) -> str:
    named = (end["name"] for end in ends if (end["pods"] or not place.namespace) and is_at(end, place))
    return next(named, f"others in {place.namespace}" if place.namespace else NODES)


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
