# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Processor time of containers while a load lasts, as the kubelet sees it: no container needs a shell for it.

A kubelet looks at its containers every ten seconds or so. Each look has its own time, so what lies between two looks
within a steady load is exact, whenever they were.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import (
    LABEL_MODEL,
    LABEL_PICKER,
)

from ._platform import GATEWAY, NAME

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient


class Look(t.NamedTuple):
    """Seconds since some beginning, and seconds of processor time since another one."""

    at: float
    used: float


class Watch:
    """Adds up by process what it sees; ask it while the load lasts."""

    def __init__(self, kube: KubeClient, namespaces: t.Iterable[str], scene: str) -> None:
        self._kube = kube
        self._names: dict[tuple[str, str], str] = {}
        nodes = set()
        for pod in (pod for namespace in set(namespaces) for pod in kube.list("v1", "Pod", namespace)):
            name = process_of(pod["metadata"].get("labels") or {}, scene)
            if name and pod["status"].get("phase") == "Running":
                self._names[pod["metadata"]["namespace"], pod["metadata"]["name"]] = name
                nodes.add(pod["spec"]["nodeName"])
        self._nodes = sorted(nodes)
        self._looks: dict[tuple[str, str, str], list[Look]] = {}

    def look(self) -> None:
        for node in self._nodes:
            found = self._kube.get_json(f"/api/v1/nodes/{node}/proxy/stats/summary")
            for key, look in looks_of(found):
                if key[:2] in self._names and look not in (seen := self._looks.setdefault(key, [])):
                    seen.append(look)

    def shares(self) -> dict[str, float]:
        """Processors that each process kept busy; a process that was not seen twice is not in it."""
        found: dict[str, float] = {}
        unknown = set()
        for key, looks in self._looks.items():
            name = self._names[key[:2]]
            share = busy(looks)
            if share is None:
                unknown.add(name)
            else:
                found[name] = found.get(name, 0.0) + share
        return {name: share for name, share in found.items() if name not in unknown}


def busy(looks: t.Sequence[Look]) -> float | None:
    """Between the first and the last look within the load: the very first one may be from before it."""
    inside = sorted(looks)[1:]
    if len(inside) < 2:
        return None
    return (inside[-1].used - inside[0].used) / (inside[-1].at - inside[0].at)


def looks_of(summary: t.Mapping[str, t.Any]) -> t.Iterator[tuple[tuple[str, str, str], Look]]:
    """Namespace, pod and container of each look in a kubelet's summary."""
    for pod in summary.get("pods") or ():
        place = pod["podRef"]
        for container in pod.get("containers") or ():
            cpu = container.get("cpu") or {}
            if "usageCoreNanoSeconds" in cpu:
                at = datetime.fromisoformat(cpu["time"]).timestamp()
                yield (
                    (place["namespace"], place["name"], container["name"]),
                    Look(at, cpu["usageCoreNanoSeconds"] / 1e9),
                )


def process_of(labels: t.Mapping[str, str], scene: str) -> str:
    """What people call it; nothing for what has no part in it."""
    if GATEWAY in labels:
        return f"Envoy of {labels[GATEWAY]}"
    if LABEL_PICKER in labels:
        return "endpoint picker" if labels[LABEL_PICKER] == scene else ""
    if LABEL_MODEL in labels:
        return "model" if labels[LABEL_MODEL] == scene else ""
    known = {"litellm": "LiteLLM", "redis": "Redis", "postgresql": "PostgreSQL"}
    return known.get(labels.get(NAME, ""), "")
