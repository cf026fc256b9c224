# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster in memory that answers what the API server would: discovery, server-side apply, lists, watches, Leases."""

from __future__ import annotations

import copy
import json
import re
import threading
import time
import typing as t
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response, encode_query

Object = dict[str, t.Any]
Path = tuple[str, ...]
MEMBER = "<member>"
LIST_KEYS = {"containers": ("name",), "env": ("name",), "ports": ("containerPort", "protocol"), "items": ("id",)}
SETS = {"finalizers", "tags"}
DEFAULTS = {"ports": {"protocol": "TCP"}}
NAMESPACED = True
KINDS = {
    ("", "v1"): {
        "Namespace": ("namespaces", False),
        "ConfigMap": ("configmaps", True),
        "Secret": ("secrets", True),
        "Service": ("services", True),
        "Pod": ("pods", True),
        "Event": ("events", True),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
        "ResourceQuota": ("resourcequotas", True),
        "LimitRange": ("limitranges", True),
    },
    ("networking.k8s.io", "v1"): {"NetworkPolicy": ("networkpolicies", True)},
    ("apps", "v1"): {"Deployment": ("deployments", True)},
    ("batch", "v1"): {"Job": ("jobs", True)},
    ("storage.k8s.io", "v1"): {"StorageClass": ("storageclasses", False)},
    ("coordination.k8s.io", "v1"): {"Lease": ("leases", True)},
    ("apiextensions.k8s.io", "v1"): {"CustomResourceDefinition": ("customresourcedefinitions", False)},
    ("admissionregistration.k8s.io", "v1"): {
        "ValidatingWebhookConfiguration": ("validatingwebhookconfigurations", False)
    },
}


def flatten(value: t.Any, path: Path = ()) -> dict[Path, t.Any]:
    """An object as field paths, the way the server tracks who owns what."""
    name = path[-1][2:] if path else ""
    if isinstance(value, dict) and value:
        return {p: leaf for key, item in value.items() for p, leaf in flatten(item, (*path, f"f:{key}")).items()}
    if isinstance(value, list) and value and name in LIST_KEYS and all(isinstance(item, dict) for item in value):
        flat: dict[Path, t.Any] = {}
        for item in value:
            keys = {key: item.get(key, DEFAULTS.get(name, {}).get(key)) for key in LIST_KEYS[name]}
            step = (*path, "k:" + json.dumps(keys, sort_keys=True))
            flat |= {step: MEMBER, **flatten(item, step)}
        return flat
    if isinstance(value, list) and value and name in SETS:
        return {(*path, "v:" + json.dumps(item)): MEMBER for item in value}
    return {path: copy.deepcopy(value)}


def unflatten(flat: dict[Path, t.Any]) -> t.Any:
    root: dict[str, t.Any] = {}
    for path, leaf in flat.items():
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["leaf"] = leaf

    def build(node: dict[str, t.Any]) -> t.Any:
        below = {step: child for step, child in node.items() if step != "leaf"}
        if not below:
            return copy.deepcopy(node["leaf"])
        first = next(iter(below))
        if first.startswith("f:"):
            return {step[2:]: build(child) for step, child in below.items()}
        if first.startswith("v:"):
            return [json.loads(step[2:]) for step in below]
        items = []
        for step, child in below.items():
            item = build(child) if child.keys() - {"leaf"} else {}
            items.append({**json.loads(step[2:]), **item})
        return items

    return build(root) if root else {}


def fields_v1(paths: t.Iterable[Path]) -> dict[str, t.Any]:
    root: dict[str, t.Any] = {}
    for path in paths:
        node = root
        for step in path:
            node = node.setdefault(step, {})
            if step.startswith("k:"):
                node.setdefault(".", {})
    return root


class Stored:
    """One object: values by path, owners by manager, and what the server itself says of it."""

    def __init__(self, head: Object) -> None:
        self.head = head
        self.values: dict[Path, t.Any] = {}
        self.owners: dict[tuple[str, str], set[Path]] = {}
        self.times: dict[tuple[str, str], str] = {}
        self.meta: Object = {}
        self.status: Object = {}

    def _drop(self, manager: tuple[str, str], paths: t.Iterable[Path]) -> None:
        for path in paths:
            if not any(path in owned for who, owned in self.owners.items() if who != manager):
                self.values.pop(path, None)

    def _take(self, manager: tuple[str, str], new: dict[Path, t.Any]) -> None:
        for path, value in new.items():
            for who, owned in self.owners.items():
                if who != manager and path in owned and self.values.get(path) != value:
                    owned.discard(path)
            self.values[path] = value

    def apply(self, manager: str, obj: Object) -> None:
        who, new = (manager, "Apply"), flatten(content(obj))
        self._drop(who, self.owners.get(who, set()) - new.keys())
        self._take(who, new)
        self.owners[who] = set(new)

    def edit(self, manager: str, patch: Object, when: str) -> None:
        who, new = (manager, "Update"), flatten(patch)
        self._take(who, new)
        self.owners.setdefault(who, set()).update(new)
        self.times[who] = when

    def live(self) -> Object:
        obj = unflatten(self.values)
        metadata = {**self.head["metadata"], **(obj.get("metadata") or {}), **self.meta}
        metadata["managedFields"] = [
            {
                "manager": manager,
                "operation": operation,
                "apiVersion": self.head["apiVersion"],
                "time": self.times.get((manager, operation), "2026-01-01T00:00:00Z"),
                "fieldsType": "FieldsV1",
                "fieldsV1": fields_v1(sorted(owned)),
            }
            for (manager, operation), owned in self.owners.items()
            if owned
        ]
        result = {**obj, "apiVersion": self.head["apiVersion"], "kind": self.head["kind"], "metadata": metadata}
        return {**result, "status": copy.deepcopy(self.status)} if self.status else result


def content(obj: Object) -> Object:
    """What field ownership is about: all but the identity."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("name", "namespace")}
    rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    return {**rest, "metadata": metadata} if metadata else rest


class FakeCluster:
    """A Transport. `requests` has all that was asked; `script` answers before the cluster does."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str, str], Stored] = {}
        self.kinds = copy.deepcopy(KINDS)
        self.requests: list[tuple[str, str, Object, t.Any]] = []
        self.script: list[t.Callable[[str, str, Object, t.Any], Response | None]] = []
        self.on_apply: list[t.Callable[[Stored], None]] = []
        self.events: list[Object] = []
        self.version = 100
        self._lock = threading.RLock()
        self.put("v1", "Namespace", "", "llm-platform")

    @property
    def client(self) -> KubeClient:
        return KubeClient(self)

    @property
    def writes(self) -> list[tuple[str, str, Object, t.Any]]:
        return [entry for entry in self.requests if entry[0] != "GET"]

    def put(self, api_version: str, kind: str, namespace: str, name: str, **rest: t.Any) -> Stored:
        """An object that was there before, made by somebody else."""
        group = api_version.rpartition("/")[0]
        metadata: Object = {"name": name, **({"namespace": namespace} if namespace else {})}
        stored = Stored({"apiVersion": api_version, "kind": kind, "metadata": metadata})
        stored.meta = {"uid": f"uid-{len(self.objects)}-{name}", "resourceVersion": self._next()}
        stored.status = rest.pop("status", {"phase": "Active"} if kind == "Namespace" else {})
        if rest:
            stored.edit("somebody", rest, "2026-01-01T00:00:00Z")
        self.objects[(group, kind, namespace, name)] = stored
        return stored

    def edit(
        self, key: tuple[str, str, str, str], manager: str, patch: Object, when: str = "2026-02-02T02:02:02Z"
    ) -> None:
        self.objects[key].edit(manager, patch, when)
        self.objects[key].meta["resourceVersion"] = self._next()

    def get(self, key: tuple[str, str, str, str]) -> Object | None:
        return self.objects[key].live() if key in self.objects else None

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: t.Any = None,
        body: t.Any = None,
        content_type: str | None = None,
        accept: str | None = None,
        timeout: float | None = None,
    ) -> Response:
        options = {key: values[0] for key, values in parse_qs(encode_query(query)[1:]).items()}
        with self._lock:
            self.requests.append((method, path, options, copy.deepcopy(body)))
            for answer in list(self.script):
                if (response := answer(method, path, options, body)) is not None:
                    return response
            return self._answer(method, urlsplit(path).path, options, json.loads(json.dumps(body)))

    def stream(self, path: str, *, query: t.Any = None, seconds: float) -> t.Iterator[bytes]:
        self.requests.append(("GET", path, dict(query or {}), None))
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            for event in [event for event in self.events if path.endswith(f"/{event['object']['kind'].lower()}s")]:
                self.events.remove(event)
                yield json.dumps(event).encode()
            time.sleep(0.01)

    def _answer(self, method: str, path: str, query: Object, body: t.Any) -> Response:
        if path == "/version":
            return reply(200, {"gitVersion": "v1.36.3"})
        parsed = self._parse(path)
        if isinstance(parsed, Response):
            return parsed
        group, version, kind, namespace, name = parsed
        key = (group, kind, namespace, name)
        if method == "GET":
            return self._get(key) if name else self._list(group, version, kind, namespace, query)
        if namespace and ("", "Namespace", "", namespace) not in self.objects:
            return status(404, "NotFound", f'namespaces "{namespace}" not found')
        if method == "PATCH":
            return self._apply(key, query, body)
        if method == "DELETE":
            return self._delete(key, body or {})
        return self._replace(key if name else (group, kind, namespace, body["metadata"]["name"]), method, body)

    def _parse(self, path: str) -> tuple[str, str, str, str, str] | Response:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        group, version, rest = (
            ("", parts[1], parts[2:])
            if parts[0] == "api"
            else (parts[1], parts[2] if len(parts) > 2 else "", parts[3:])
        )
        if not version:
            versions = [entry for entry in self.kinds if entry[0] == group]
            if not versions:
                return status(404, "NotFound", "the server could not find the requested resource")
            return reply(200, {"preferredVersion": {"version": versions[0][1]}})
        served = self.kinds.get((group, version))
        if served is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        if not rest:
            verbs = ["get", "list", "patch", "watch"]
            return reply(
                200,
                {
                    "resources": [
                        {"name": p, "kind": k, "namespaced": n, "verbs": verbs} for k, (p, n) in served.items()
                    ]
                },
            )
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind = next((k for k, (plural, _n) in served.items() if plural == rest[0]), None)
        if kind is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        return group, version, kind, namespace, rest[1] if len(rest) > 1 else ""

    def _get(self, key: tuple[str, str, str, str]) -> Response:
        live = self.get(key)
        return reply(200, live) if live else status(404, "NotFound", f'{key[1]} "{key[3]}" not found')

    def _list(self, group: str, version: str, kind: str, namespace: str, query: Object) -> Response:
        found = [
            stored.live()
            for (g, k, n, _name), stored in sorted(self.objects.items())
            if (g, k) == (group, kind) and namespace in ("", n) and selected(stored.live(), query.get("labelSelector"))
        ]
        start, limit = int(query.get("continue", 0)), int(query.get("limit", 10**6))
        metadata: Object = {"resourceVersion": str(self.version)}
        if start + limit < len(found):
            metadata["continue"] = str(start + limit)
        return reply(200, {"metadata": metadata, "items": found[start : start + limit]})

    def _apply(self, key: tuple[str, str, str, str], query: Object, body: Object) -> Response:
        existed = key in self.objects
        stored = copy.deepcopy(self.objects[key]) if existed else Stored(head_of(body))
        if not existed:
            stored.meta = {"uid": f"uid-{len(self.objects)}-{key[3]}"}
            stored.status = {"phase": "Active"} if key[1] == "Namespace" else {}
        before = stored.live()
        stored.apply(query["fieldManager"], body)
        if not existed or stored.live() != before:
            stored.meta["resourceVersion"] = self._next() if query.get("dryRun") is None else "0"
        if query.get("dryRun") is None:
            self.objects[key] = stored
            for hook in self.on_apply:
                hook(stored)
        return reply(200 if existed else 201, stored.live())

    def _delete(self, key: tuple[str, str, str, str], body: Object) -> Response:
        if key not in self.objects:
            return status(404, "NotFound", "not found")
        wanted = (body.get("preconditions") or {}).get("uid")
        if wanted and wanted != self.objects[key].meta["uid"]:
            return status(409, "Conflict", "the UID in the precondition does not match the UID in record")
        if not body.get("dryRun"):
            del self.objects[key]
        return reply(200, {})

    def _replace(self, key: tuple[str, str, str, str], method: str, body: Object) -> Response:
        if method == "POST" and key in self.objects:
            return status(409, "AlreadyExists", "already exists")
        current = self.objects.get(key)
        asked = body["metadata"].get("resourceVersion")
        if method == "PUT" and (current is None or (asked and asked != current.meta["resourceVersion"])):
            return status(409 if current else 404, "Conflict", "the object has been modified")
        stored = Stored(head_of(body))
        stored.meta = {"uid": "uid-lease", "resourceVersion": self._next()}
        stored.values = flatten(content({**body, "metadata": {"name": key[3]}}))
        self.objects[key] = stored
        return reply(200 if current else 201, stored.live())


def head_of(body: Object) -> Object:
    metadata = {name: value for name, value in body["metadata"].items() if name in ("name", "namespace")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata}


def selected(obj: Object, selector: str | None) -> bool:
    labels = obj["metadata"].get("labels") or {}
    for part in re.findall(r"[^,(]+(?:\([^)]*\))?", selector or ""):
        if found := re.fullmatch(r"(\S+) in \((.*)\)", part):
            matches = labels.get(found[1]) in found[2].split(",")
        else:
            key, equals, value = part.partition("=")
            matches = labels.get(key) == value if equals else key in labels
        if not matches:
            return False
    return True


def reply(code: int, body: Object) -> Response:
    return Response(code, json.dumps(body).encode(), {"Date": "Mon, 23 Nov 2026 10:00:00 GMT"})


def status(code: int, reason: str, message: str) -> Response:
    return reply(code, {"kind": "Status", "code": code, "reason": reason, "message": message})
