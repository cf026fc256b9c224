# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the cluster has already: members by one list a kind, others by name. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of

if t.TYPE_CHECKING:
    from concurrent.futures import Executor

    from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import GroupKind
    from ansible_collections.wmx.llm_platform.plugins.module_utils._desired import Desired
    from ansible_collections.wmx.llm_platform.plugins.module_utils._discovery import Resource
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

Key = tuple[str, str, str, str]
FEW = 3


@dataclass
class Snapshot:
    """`members` carry the label of one of our ApplySets; `others` are wanted objects that exist without it."""

    members: dict[Key, Object] = field(default_factory=dict)
    others: dict[Key, Object] = field(default_factory=dict)

    def find(self, desired: Desired) -> Object | None:
        """The live object in the version that is desired."""
        live = self.members.get(desired.ref.key) or self.others.get(desired.ref.key)
        return live if live is not None and live["apiVersion"] == desired.ref.api_version else None


def take(
    client: KubeClient,
    desired: t.Sequence[Desired],
    recorded: t.Iterable[GroupKind],
    selector: str,
    executor: Executor,
) -> Snapshot:
    """Read the state before an apply."""
    resources = _resources(client, desired, recorded, executor)
    snapshot = Snapshot()
    lists = executor.map(lambda resource: _members(client, resource, selector), resources.values())
    for members in lists:
        for live in members:
            snapshot.members[ref_of(live).key] = live
    unlisted: dict[Resource, list[Desired]] = {}
    for item in desired:
        resource = resources.get(item.ref.group_kind)
        if resource is not None and snapshot.find(item) is None:
            unlisted.setdefault(resource, []).append(item)
    suspects = [
        item for found in executor.map(lambda pair: _existing(client, *pair), unlisted.items()) for item in found
    ]
    for item, existing in zip(suspects, executor.map(lambda item: client.get(item.ref), suspects), strict=True):
        if existing is not None:
            snapshot.others[item.ref.key] = existing
    return snapshot


def _resources(
    client: KubeClient, desired: t.Sequence[Desired], recorded: t.Iterable[GroupKind], executor: Executor
) -> dict[GroupKind, Resource]:
    """Every kind that is wanted or once was, as far as the server has it."""
    versions = {item.ref.group_kind: item.ref.version for item in desired}
    samples = {item.ref.api_version: item.ref for item in desired}.values()
    list(executor.map(lambda ref: client.discovery.find(ref.group, ref.version, ref.kind), samples))  # fills its cache
    found: dict[GroupKind, Resource] = {}
    for group, kind in versions.keys() | set(recorded):
        version = versions.get((group, kind))
        resource = client.discovery.find(group, version, kind) if version else client.discovery.preferred(group, kind)
        if resource is not None and "list" in resource.verbs:
            found[(group, kind)] = resource
    return found


def _members(client: KubeClient, resource: Resource, selector: str) -> list[Object]:
    return client.list_resource(resource, label_selector=selector)[0]


def _existing(client: KubeClient, resource: Resource, items: list[Desired]) -> list[Desired]:
    """Those that may exist without our label: a few are asked for by name, many are looked up in lists of names.

    A list that is cut off tells nothing, and a big cluster cuts off the list of all namespaces: then one per namespace.
    """
    if len(items) <= FEW:
        return items
    places = {item.ref.namespace for item in items}
    if len(places) > FEW and (names := _names(client, resource)) is not None:
        return [item for item in items if (item.ref.namespace, item.ref.name) in names]
    found: list[Desired] = []
    for place in sorted(places):
        there = [item for item in items if item.ref.namespace == place]
        names = _names(client, resource, place) if len(there) > FEW else None
        found += [item for item in there if names is None or (place, item.ref.name) in names]
    return found


def _names(client: KubeClient, resource: Resource, namespace: str = "") -> set[tuple[str, str]] | None:
    try:
        return client.names(resource, namespace)
    except ApiError as exc:
        if exc.status != 403:
            raise
        return None
