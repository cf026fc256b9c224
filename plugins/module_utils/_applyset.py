# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""ApplySets (KEP-3659): one per component, so that what left the tree is still found. Private to the collection."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError, KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    LABEL_APPLYSET,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    Ref,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

LABEL_ID = "applyset.kubernetes.io/id"
ANNOTATION_TOOLING = "applyset.kubernetes.io/tooling"
ANNOTATION_KINDS = "applyset.kubernetes.io/contains-group-kinds"
ANNOTATION_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
TOOL = "llm-platform"
TOOLING = f"{TOOL}/v1.0.0"

GroupKind = tuple[str, str]


class ApplySetError(KubeError):
    """The parent of an ApplySet belongs to another tool."""


@dataclass(frozen=True)
class ApplySet:
    """The set of one component; its parent is a ConfigMap in the home namespace."""

    component: str
    home: str

    @property
    def parent(self) -> Ref:
        return Ref("", "v1", "ConfigMap", self.home, f"{PLATFORM}-{self.component.replace('_', '-')}")

    @property
    def id(self) -> str:
        ref = self.parent
        digest = hashlib.sha256(f"{ref.name}.{ref.namespace}.{ref.kind}.{ref.group}".encode()).digest()
        return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"

    def parent_object(self, kinds: t.Iterable[GroupKind], namespaces: t.Iterable[str]) -> Object:
        ref = self.parent
        return {
            "apiVersion": "v1",
            "kind": ref.kind,
            "metadata": {
                "name": ref.name,
                "namespace": ref.namespace,
                "labels": {
                    LABEL_ID: self.id,
                    LABEL_PART_OF: PLATFORM,
                    LABEL_MANAGED_BY: PLATFORM,
                    LABEL_COMPONENT: self.component,
                },
                "annotations": {
                    ANNOTATION_TOOLING: TOOLING,
                    ANNOTATION_KINDS: ",".join(sorted(f"{kind}.{group}" if group else kind for group, kind in kinds)),
                    ANNOTATION_NAMESPACES: ",".join(sorted(set(namespaces) - {ref.namespace, ""})),
                },
            },
        }


@dataclass(frozen=True)
class Recorded:
    """What a parent on the cluster says about its members."""

    live: Object
    kinds: frozenset[GroupKind]
    namespaces: frozenset[str]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def read_parents(client: KubeClient, sets: t.Sequence[ApplySet]) -> dict[str, Recorded]:
    """The parents that exist, by component."""
    if not sets:
        return {}
    by_id = {applyset.id: applyset for applyset in sets}
    try:
        found = client.list("v1", "ConfigMap", sets[0].home, label_selector=f"{LABEL_ID} in ({','.join(by_id)})")
    except ApiError as exc:
        if exc.status == 404:
            return {}
        raise
    recorded: dict[str, Recorded] = {}
    for live in found:
        applyset = by_id[live["metadata"]["labels"][LABEL_ID]]
        annotations = live["metadata"].get("annotations") or {}
        tooling = str(annotations.get(ANNOTATION_TOOLING, ""))
        if tooling.split("/", maxsplit=1)[0] != TOOL:
            raise ApplySetError(
                f"{applyset.parent} is the parent of an ApplySet of {tooling or 'an unknown tool'}, not of {TOOL}; "
                "delete that ApplySet with its own tool, or choose another llm_home_namespace"
            )
        kinds = [tuple(part.partition(".")[::2]) for part in _split(annotations.get(ANNOTATION_KINDS, ""))]
        recorded[applyset.component] = Recorded(
            live,
            frozenset((group, kind) for kind, group in kinds),
            frozenset(_split(annotations.get(ANNOTATION_NAMESPACES, ""))) | {applyset.home},
        )
    return recorded


def member_selector(sets: t.Sequence[ApplySet]) -> str:
    return f"{LABEL_APPLYSET} in ({','.join(sorted(applyset.id for applyset in sets))})"


class Parents:
    """Writes the parents of a run, only where they differ from what the cluster has."""

    def __init__(self, client: KubeClient, sets: t.Iterable[ApplySet], recorded: t.Mapping[str, Recorded]) -> None:
        self._client = client
        self._sets = list(sets)
        self._recorded = recorded
        self._written = {name: _notes(record.live) for name, record in recorded.items()}

    def widen(self, members: t.Mapping[str, t.Iterable[Ref]]) -> None:
        """Before an apply: old and new kinds together, so that a run that is killed loses nothing."""
        for applyset in self._sets:
            refs = list(members.get(applyset.component, ()))
            kinds, namespaces = {ref.group_kind for ref in refs}, {ref.namespace for ref in refs}
            if before := self._recorded.get(applyset.component):
                kinds, namespaces = kinds | before.kinds, namespaces | before.namespaces
            if kinds:
                self._write(applyset, kinds, namespaces)

    def narrow(self, members: t.Mapping[str, t.Iterable[Ref]]) -> None:
        """After an apply: what is really left; a set without members needs no parent."""
        for applyset in self._sets:
            refs = list(members.get(applyset.component, ()))
            if refs:
                self._write(applyset, {ref.group_kind for ref in refs}, {ref.namespace for ref in refs})
            elif applyset.component in self._written:
                path = self._client.resource_path(applyset.parent)
                response = self._client.request("DELETE", path)
                if response.status >= 400 and response.status != 404:
                    raise ApiError("DELETE", path, response)

    def _write(self, applyset: ApplySet, kinds: t.Iterable[GroupKind], namespaces: t.Iterable[str]) -> None:
        parent = applyset.parent_object(kinds, namespaces)
        if self._written.get(applyset.component) == _notes(parent):
            return
        response = self._client.apply(parent, applyset.parent)
        if response.status >= 400:
            raise ApiError("PATCH", self._client.resource_path(applyset.parent), response)
        self._written[applyset.component] = _notes(parent)


def _notes(obj: Object) -> dict[str, str]:
    annotations = obj["metadata"].get("annotations") or {}
    return {name: annotations.get(name, "") for name in (ANNOTATION_TOOLING, ANNOTATION_KINDS, ANNOTATION_NAMESPACES)}
