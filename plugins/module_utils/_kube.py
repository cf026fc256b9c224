# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A typed Kubernetes client: discovery, pages, watches, server-side apply, errors. Private to the collection."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._discovery import Discovery, Resource
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import FIELD_MANAGER, split_api_version
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError, Query, Response, Transport

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object, Ref

Objects = list[dict[str, t.Any]]  # inside the class `list` is the method

PAGE = 500
APPLY = "application/apply-patch+yaml"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiError(KubeError):
    """The API server answered with a status that is an error."""

    def __init__(self, method: str, path: str, response: Response) -> None:
        self.status = response.status
        try:
            body = response.json()
        except KubeError:
            body = {}
        self.reason = str(body.get("reason") or "")
        self.message = str(body.get("message") or response.body[:300].decode(errors="replace").strip() or "no message")
        super().__init__(
            f"{method} {path} was refused with {self.status} {self.reason}: {self.message}{_hint(self.status)}"
        )


def _hint(status: int) -> str:
    if status == 401:
        return "; the token or certificate is wrong or has expired: get a new kubeconfig"
    if status == 403:
        return "; grant this permission to the user of the kubeconfig"
    return ""


class KubeClient:
    """Thread-safe: threads share the pool below and the discovery cache."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.discovery = Discovery(transport)

    @classmethod
    def from_options(cls, params: t.Mapping[str, t.Any]) -> KubeClient:
        """A client for a module's connection options (CONNECTION_SPEC)."""
        # Tests and callers with a transport of their own need neither YAML nor urllib3's pool.
        from ansible_collections.wmx.llm_platform.plugins.module_utils._kubeconfig import (
            ConnectionConfigError,
            connection_of,
        )
        from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import HttpTransport

        try:
            return cls(HttpTransport(connection_of(params)))
        except ConnectionConfigError as exc:
            raise KubeError(str(exc)) from exc

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: t.Any = None,
        content_type: str | None = None,
        accept: str | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Ask, and give back the answer whatever its status."""
        return self.transport.request(
            method, path, query=query, body=body, content_type=content_type, accept=accept, timeout=timeout
        )

    def checked(self, method: str, path: str, **options: t.Any) -> Response:
        """Ask, and raise ApiError when the answer is an error."""
        response = self.request(method, path, **options)
        if response.status >= 400:
            raise ApiError(method, path, response)
        return response

    def get_json(self, path: str, query: Query | None = None) -> dict[str, t.Any]:
        return self.checked("GET", path, query=query).json()

    def version(self) -> str:
        """The server's version, like `v1.36.3`."""
        return str(self.get_json("/version")["gitVersion"])

    def resource_path(self, ref: Ref) -> str:
        return self.discovery.of(ref).path(ref.namespace, ref.name)

    def get(self, ref: Ref) -> Object | None:
        """The object, or None when there is none (or no such kind)."""
        resource = self.discovery.find(ref.group, ref.version, ref.kind)
        if resource is None:
            return None
        path = resource.path(ref.namespace, ref.name)
        response = self.request("GET", path)
        if response.status == 404:
            return None
        if response.status >= 400:
            raise ApiError("GET", path, response)
        return response.json()

    def apply(self, obj: Object, ref: Ref, *, dry_run: bool = False, timeout: float | None = None) -> Response:
        """Server-side apply; the answer whatever its status (201 created, 200 changed or not)."""
        query: Query = {
            "fieldManager": FIELD_MANAGER,
            "force": True,
            "fieldValidation": "Strict",
            "dryRun": "All" if dry_run else None,
        }
        return self.request(
            "PATCH", self.resource_path(ref), query=query, body=obj, content_type=APPLY, timeout=timeout
        )

    def delete(self, ref: Ref, *, uid: str | None = None, dry_run: bool = False) -> Response:
        """Delete in the background; the answer whatever its status. All goes into the body: next to one, the server
        ignores the query, dryRun too."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        if dry_run:
            body["dryRun"] = ["All"]
        return self.request("DELETE", self.resource_path(ref), body=body)

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Objects:
        """All objects of a kind; every page is read. Items carry apiVersion and kind."""
        resource = self.discovery.resource(*split_api_version(api_version), kind)
        return self.list_resource(resource, namespace, label_selector, field_selector)[0]

    def list_resource(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        page: int = PAGE,
    ) -> tuple[Objects, str]:
        """The objects and the resourceVersion a watch may start from."""
        path = resource.path(namespace or "")
        query: dict[str, str | int | bool | None] = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": page,
        }
        items: Objects = []
        restarts = 0
        while True:
            response = self.request("GET", path, query=query)
            if response.status == 410 and restarts < 3:  # the pages' snapshot was compacted away: read again
                restarts += 1
                items.clear()
                query.pop("continue", None)
                continue
            if response.status >= 400:
                raise ApiError("GET", path, response)
            body = response.json()
            for item in body.get("items") or []:
                item["apiVersion"], item["kind"] = resource.api_version, resource.kind
                items.append(item)
            token = body["metadata"].get("continue")
            if not token:
                return items, str(body["metadata"].get("resourceVersion", ""))
            query["continue"] = token

    def names(self, resource: Resource, namespace: str | None = None, limit: int = PAGE) -> set[tuple[str, str]] | None:
        """(namespace, name) of all objects of a kind, or None when there are more than `limit`."""
        path = resource.path(namespace or "")
        body = self.checked("GET", path, query={"limit": limit}, accept=METADATA_LIST).json()
        if body["metadata"].get("continue"):
            return None
        return {(item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in body.get("items") or []}

    def watch(
        self, resource: Resource, *, resource_version: str, label_selector: str | None = None, seconds: float = 30.0
    ) -> t.Iterator[dict[str, t.Any]]:
        """Events `{type, object}` of a kind everywhere, until the server ends the watch (about `seconds`)."""
        query: Query = {
            "watch": True,
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "allowWatchBookmarks": True,
            "timeoutSeconds": max(1, int(seconds)),
        }
        for line in self.transport.stream(resource.path(), query=query, seconds=seconds + 5):
            event = json.loads(line)
            if isinstance(event, dict) and event.get("kind") == "Status":
                event = {"type": "ERROR", "object": event}
            yield t.cast("dict[str, t.Any]", event)
