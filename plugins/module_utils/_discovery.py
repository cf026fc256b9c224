# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which path serves a kind: discovery, a group and version at a time, on demand. Private to the collection."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
    from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Transport


@dataclass(frozen=True)
class Resource:
    """How one kind is served."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> tuple[str, str]:
        return (self.group, self.kind)

    def path(self, namespace: str = "", name: str = "") -> str:
        """The collection (in one namespace, or everywhere) or the object."""
        path = prefix_of(self.group, self.version)
        if namespace and self.namespaced:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{self.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


class UnknownKindError(KubeError):
    """The API server does not serve this kind (yet)."""


def prefix_of(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


class Discovery:
    """Answers of the API server, remembered for one run. Safe for many threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._served: dict[tuple[str, str], dict[str, Resource]] = {}
        self._preferred: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Forget groups that were missing or may have grown: CustomResourceDefinitions have changed."""
        with self._lock:
            self._served = {key: kinds for key, kinds in self._served.items() if not key[0]}
            self._preferred.clear()

    def find(self, group: str, version: str, kind: str) -> Resource | None:
        return self._kinds(group, version).get(kind)

    def resource(self, group: str, version: str, kind: str) -> Resource:
        found = self.find(group, version, kind)
        if found is None:
            raise UnknownKindError(
                f"the API server does not serve {group + '/' if group else ''}{version} {kind}; "
                "is its CustomResourceDefinition in the tree or its operator installed?"
            )
        return found

    def preferred(self, group: str, kind: str) -> Resource | None:
        """The kind in the version the server prefers, for kinds known by group alone."""
        if not group:
            return self.find("", "v1", kind)
        if group not in self._preferred:
            answer = self._transport.request("GET", f"/apis/{quote(group, safe='')}")
            if answer.status not in (200, 404):
                raise KubeError(f"discovery of API group {group} failed with {answer.status}: {answer.body[:200]!r}")
            body = answer.json() if answer.status == 200 else {}
            self._preferred[group] = (body.get("preferredVersion") or {}).get("version")
        version = self._preferred[group]
        return self.find(group, version, kind) if version else None

    def _kinds(self, group: str, version: str) -> dict[str, Resource]:
        key = (group, version)
        with self._lock:
            if key in self._served:
                return self._served[key]
        answer = self._transport.request("GET", prefix_of(group, version))
        if answer.status not in (200, 404):
            raise KubeError(
                f"discovery of {prefix_of(group, version)} failed with {answer.status}: {answer.body[:200]!r}"
            )
        kinds = {
            entry["kind"]: Resource(
                group,
                version,
                entry["kind"],
                entry["name"],
                bool(entry["namespaced"]),
                frozenset(entry.get("verbs") or ()),
            )
            for entry in (answer.json().get("resources") or [] if answer.status == 200 else [])
            if "/" not in entry["name"]
        }
        with self._lock:
            self._served[key] = kinds
        return kinds

    def of(self, ref: Ref) -> Resource:
        return self.resource(ref.group, ref.version, ref.kind)
