# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Finds the workloads whose pods read a value from a Secret, and rolls them. Private to the collection."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    LABEL_COMPONENT,
    LABEL_PART_OF,
    PLATFORM,
    Ref,
    ref_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import FIELD_MANAGER
from ansible_collections.wmx.llm_platform.plugins.module_utils._wait import Waiter

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object
    from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Entry, Place

# Never rendered, so no apply takes it back: the tree owns other annotations of the pod template, if any.
ANNOTATION_PREFIX: t.Final = "rotated.llm-platform.wmx.dev/"
_KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_OURS = f"{LABEL_PART_OF}={PLATFORM}"


def reads(spec: Mapping[str, t.Any], secret: str, key: str) -> bool:
    """Whether pods of this spec hold the value: in their environment or in a file."""
    return any(name == secret and found in (key, None) for name, found in _references(spec))


def _references(spec: Mapping[str, t.Any]) -> Iterator[tuple[str, str | None]]:
    """(Secret, key) that a pod reads; None as the key stands for all of them."""
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        for variable in container.get("env") or []:
            if ref := (variable.get("valueFrom") or {}).get("secretKeyRef"):
                yield ref["name"], ref["key"]
        for source in container.get("envFrom") or []:
            if ref := source.get("secretRef"):
                yield ref["name"], None
    for volume in spec.get("volumes") or []:
        sources = [volume, *((volume.get("projected") or {}).get("sources") or [])]
        for source in sources:
            if secret := source.get("secret"):
                name = secret.get("secretName") or secret.get("name") or ""
                yield from ((name, item["key"]) for item in secret.get("items") or [])
                if not secret.get("items"):
                    yield name, None


def consumers(client: KubeClient, places: Collection[Place]) -> list[Object]:
    """Workloads of ours that read one of these values."""
    return [
        workload
        for namespace in sorted({place.namespace for place in places})
        for kind in _KINDS
        for workload in client.list("apps/v1", kind, namespace, _OURS)
        if any(
            reads(workload["spec"]["template"]["spec"], place.secret, place.key)
            for place in places
            if place.namespace == namespace
        )
    ]


def groups(entry: Entry, workloads: Iterable[Object]) -> list[list[Object]]:
    """What rolls one after the other; a server that was told its new password does not restart for it."""
    order, pods = entry.rotation.order, entry.rotation.pods
    found: dict[int, list[Object]] = {}
    for workload in workloads:
        labels = workload["spec"]["template"]["metadata"].get("labels") or {}
        if pods and all(labels.get(name) == value for name, value in _pairs(pods.selector)):
            continue
        component = (workload["metadata"].get("labels") or {}).get(LABEL_COMPONENT, "")
        found.setdefault(order.index(component) if component in order else len(order), []).append(workload)
    return [found[index] for index in sorted(found)]


def _pairs(selector: str) -> Iterator[tuple[str, str]]:
    for term in selector.split(","):
        name, _equals, value = term.partition("=")
        yield name, value


def mark(client: KubeClient, name: str, workloads: Iterable[Object]) -> dict[Ref, Object | None]:
    """Asks for new pods of each; who applies these objects next waits for them."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    annotations = {f"{ANNOTATION_PREFIX}{name}": stamp}
    body = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    newest: dict[Ref, Object | None] = {}
    for workload in workloads:
        ref = ref_of(workload)
        answer = client.checked(
            "PATCH",
            client.resource_path(ref),
            query={"fieldManager": FIELD_MANAGER},
            body=body,
            content_type="application/merge-patch+json",
        )
        newest[ref] = {**answer.json(), "apiVersion": "apps/v1", "kind": ref.kind}
    return newest


def roll(client: KubeClient, name: str, workloads: Iterable[Object], seconds: float) -> list[Ref]:
    """New pods for each, and wait until the old ones are replaced."""
    newest = mark(client, name, workloads)
    Waiter(client, _OURS).wait(newest, seconds)
    return sorted(newest)
