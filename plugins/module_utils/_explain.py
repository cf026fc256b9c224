# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Says why objects are not ready: pods, scheduling, last events. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object, Ref

EVENTS = 3
PODS = 3


def explain(client: KubeClient, ref: Ref, obj: Object | None) -> list[str]:
    """Short sentences; never an error: this runs when something has gone wrong already."""
    if obj is None:
        return ["it is gone"]
    found: list[str] = []
    try:
        pods = _pods(client, ref, obj)
        for pod in pods[:PODS]:
            found += [f"pod {pod['metadata']['name']}: {problem}" for problem in pod_problems(pod)]
        for name, kind in [(ref.name, ref.kind), *((pod["metadata"]["name"], "Pod") for pod in pods[:PODS])]:
            found += _events(client, ref.namespace, kind, name)
    except KubeError as exc:
        found.append(f"(could not look closer: {exc})")
    return list(dict.fromkeys(found))


def _pods(client: KubeClient, ref: Ref, obj: Object) -> list[Object]:
    selector = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if ref.group not in ("apps", "batch") or not selector:
        return []
    text = ",".join(f"{name}={value}" for name, value in selector.items())
    pods = client.list("v1", "Pod", ref.namespace, label_selector=text)
    unready = [pod for pod in pods if pod_problems(pod)]
    return sorted(unready, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)


def pod_problems(pod: Object) -> list[str]:
    """What keeps a pod from being ready, from its status alone."""
    status = pod.get("status") or {}
    problems = [
        f"{condition.get('reason')}: {condition.get('message')}"
        for condition in status.get("conditions") or []
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False"
    ]
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        name, state = container.get("name"), container.get("state") or {}
        if waits := state.get("waiting"):
            text = f"container {name} waits: {waits.get('reason')}"
            problems.append(f"{text}: {waits['message']}" if waits.get("message") else text)
        last = (container.get("lastState") or {}).get("terminated") or {}
        ended = state.get("terminated") or last
        if ended and ended.get("exitCode"):
            problems.append(f"container {name} ended with {ended.get('exitCode')} ({ended.get('reason')})")
        if "running" in state and not container.get("ready"):
            problems.append(f"container {name} runs but is not ready (readiness probe)")
    if not problems and status.get("phase") == "Pending":
        problems.append("phase Pending, and nothing says why: do scheduler and kubelet run?")
    return problems


def _events(client: KubeClient, namespace: str, kind: str, name: str) -> list[str]:
    selector = f"involvedObject.kind={kind},involvedObject.name={name}"
    events = client.list("v1", "Event", namespace or "default", field_selector=selector)
    events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    warnings = [event for event in events if event.get("type") == "Warning"] or events
    return [f"event: {event.get('reason')}: {str(event.get('message')).strip()}" for event in warnings[-EVENTS:]]
