# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the models' pods fit on the nodes there are. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from decimal import Decimal

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_COMPONENT, LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._quantity import parse_quantity

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

Amounts = dict[str, Decimal]
_PRODUCT_LABEL = "nvidia.com/gpu.product"
_SIMULATED = ("type", "kwok")


@dataclass
class Node:
    """A node that takes pods, and what is left of it."""

    labels: Mapping[str, str]
    taints: list[Mapping[str, str]]
    free: Amounts


def check_room(client: KubeClient, plan: Mapping[str, t.Any]) -> tuple[list[str], str, str]:
    """The models that do not fit, what to say when all do, and the fix."""
    nodes = {
        node["metadata"]["name"]: Node(
            labels=node["metadata"].get("labels") or {},
            taints=[
                taint
                for taint in (node.get("spec") or {}).get("taints") or []
                if taint.get("effect") != "PreferNoSchedule"
            ],
            free={name: parse_quantity(amount) for name, amount in node["status"]["allocatable"].items()},
        )
        for node in client.list("v1", "Node")
        if _takes_pods(node)
    }
    for pod in client.list("v1", "Pod", field_selector="status.phase!=Succeeded,status.phase!=Failed"):
        node = nodes.get((pod.get("spec") or {}).get("nodeName") or "")
        # The models' own pods are about to be asked for again.
        if node and not _is_model(pod):
            for name, amount in requests_of(pod).items():
                node.free[name] = node.free.get(name, Decimal(0)) - amount
    return place([*plan["models"], *plan.get("canaries", ())], list(nodes.values()))


def place(models: Iterable[Mapping[str, t.Any]], nodes: list[Node]) -> tuple[list[str], str, str]:
    """Puts each replica on the first node that takes it, the largest first."""
    problems, placed = [], 0
    for model in sorted(models, key=_size, reverse=True):
        wanted = _requests(model)
        fitting = [node for node in nodes if _may(model, node)]
        for number in range(1, model["replicas"] + 1):
            node = next((node for node in fitting if _fits(wanted, node)), None)
            if node is None:
                asked = ", ".join(f"{name} {amount:f}" for name, amount in sorted(wanted.items()))
                best = _best(wanted, fitting)
                problems.append(
                    f"model {model['name']} finds no node for replica {number} of {model['replicas']} ({asked}; {best})"
                )
                break
            for name, amount in wanted.items():
                node.free[name] = node.free.get(name, Decimal(0)) - amount
            placed += 1
    fix = "add nodes, lower replicas, resources or gpu, or take room out of preflight_checks where nodes come on demand"
    return problems, f"{placed} model replicas fit on {len(nodes)} nodes", fix


def requests_of(pod: Object) -> Amounts:
    """What the scheduler reserves for a pod: its containers, or its largest init container, and the overhead."""
    spec = pod.get("spec") or {}
    total: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("containers") or []:
        _add(total, container)
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            _add(total, container)
            continue
        for name, amount in _amounts((container.get("resources") or {}).get("requests")).items():
            peak[name] = max(peak.get(name, Decimal(0)), amount)
    for name, amount in peak.items():
        total[name] = max(total.get(name, Decimal(0)), amount)
    for name, amount in _amounts(spec.get("overhead")).items():
        total[name] = total.get(name, Decimal(0)) + amount
    total["pods"] = Decimal(1)
    return total


def _add(total: Amounts, container: Mapping[str, t.Any]) -> None:
    for name, amount in _amounts((container.get("resources") or {}).get("requests")).items():
        total[name] = total.get(name, Decimal(0)) + amount


def _amounts(values: Mapping[str, str] | None) -> Amounts:
    return {name: parse_quantity(str(amount)) for name, amount in (values or {}).items()}


def _takes_pods(node: Object) -> bool:
    # kwok's nodes run nothing: a pod there would only look as if it ran.
    key, value = _SIMULATED
    if (node["metadata"].get("labels") or {}).get(key) == value or (node.get("spec") or {}).get("unschedulable"):
        return False
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _is_model(pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return labels.get(LABEL_PART_OF) == PLATFORM and labels.get(LABEL_COMPONENT) == "serving"


def _requests(model: Mapping[str, t.Any]) -> Amounts:
    wanted = _amounts(model["resources"]["requests"])
    if model["gpu"]["count"]:
        wanted[model["gpu"]["resource"]] = Decimal(model["gpu"]["count"])
    wanted["pods"] = Decimal(1)
    return wanted


def _size(model: Mapping[str, t.Any]) -> tuple[int, Decimal]:
    return model["gpu"]["count"], parse_quantity(model["resources"]["requests"]["memory"])


def _may(model: Mapping[str, t.Any], node: Node) -> bool:
    wanted = dict(model["node_selector"])
    if model["gpu"]["product"]:
        wanted[_PRODUCT_LABEL] = model["gpu"]["product"]
    if any(node.labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_tolerated(model, taint) for taint in node.taints)


def _tolerated(model: Mapping[str, t.Any], taint: Mapping[str, str]) -> bool:
    if model["gpu"]["count"] and taint["key"] == model["gpu"]["resource"]:
        return True
    return any(
        toleration["key"] == taint["key"]
        and toleration["effect"] in ("", taint.get("effect", ""))
        and (toleration["operator"] == "Exists" or toleration["value"] == taint.get("value", ""))
        for toleration in model["tolerations"]
    )


def _fits(wanted: Amounts, node: Node) -> bool:
    return all(node.free.get(name, Decimal(0)) >= amount for name, amount in wanted.items())


def _best(wanted: Amounts, nodes: list[Node]) -> str:
    if not nodes:
        return "no ready node has its labels and taints"
    free = {name: max(node.free.get(name, Decimal(0)) for node in nodes) for name in wanted}
    return "at most free on one node: " + ", ".join(f"{name} {amount:f}" for name, amount in sorted(free.items()))
