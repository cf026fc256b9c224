# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster in memory that takes merge patches and checks versions, and a contract to try on it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import Done
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Entry, Pods, read_contract
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cluster import (
    FakeCluster,
    Stored,
    content,
    flatten,
    reply,
    status,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

Object = dict[str, t.Any]
HOME, MODELS, GATEWAY = "llm-platform", "models", "gateway"
POSTGRESQL = {"namespace": GATEWAY, "selector": "app=postgresql", "container": "postgresql"}
REDIS = {"namespace": GATEWAY, "selector": "app=redis", "container": "redis"}


def entry(name: str, *places: str, **rest: t.Any) -> Object:
    """An entry as the role writes it; places are `namespace/secret:key`."""
    targets = []
    for place in places:
        where, _colon, key = place.partition(":")
        namespace, _slash, secret = where.partition("/")
        targets.append({"namespace": namespace, "secret": secret, "key": key, **rest.get("target", {})})
    return {"name": name, "format": "hex32", **{k: v for k, v in rest.items() if k != "target"}, "targets": targets}


def contract(*entries: Object) -> list[Entry]:
    return read_contract(entries)


MASTER = entry(
    "master", "gateway/litellm:MASTER", format="sk-hex32", rotation={"verb": "roll", "order": ["llm_gateway"]}
)
SHARED = entry(
    "shared",
    "models/api:key",
    "gateway/litellm:UPSTREAM",
    rotation={"verb": "roll", "order": ["serving", "llm_gateway"]},
)
SALT = entry(
    "salt",
    "gateway/litellm:SALT",
    format="sk-hex32",
    write_once=True,
    encrypts=[{"namespace": GATEWAY, "selector": "app=postgresql"}],
    rotation={"verb": "refused", "reason": "rows are encrypted with it"},
)
DATABASE = entry(
    "database",
    "gateway/pg:password",
    target={"type": "kubernetes.io/basic-auth", "literals": {"username": "litellm"}},
    rotation={"verb": "postgresql", "order": ["llm_gateway"], "user": "litellm", "pods": POSTGRESQL},
)
CACHE = entry("cache", "gateway/redis:password", rotation={"verb": "redis", "order": ["llm_gateway"], "pods": REDIS})
TOKEN = entry("token", "models/hub:token", format="operator")


class SecretCluster(FakeCluster):
    """Knows the kinds that secrets are about."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds[("apps", "v1")] |= {"StatefulSet": ("statefulsets", True), "DaemonSet": ("daemonsets", True)}
        self.kinds[("external-secrets.io", "v1")] = {
            "ClusterSecretStore": ("clustersecretstores", False),
            "SecretStore": ("secretstores", True),
        }
        for namespace in (MODELS, GATEWAY):
            self.put("v1", "Namespace", "", namespace)
        # Runs just before the next write.
        self.rival: t.Callable[[], object] | None = None

    def secret(self, namespace: str, name: str, **values: str) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.put("v1", "Secret", namespace, name, data=data)

    def value(self, place: str) -> str | None:
        """The decoded value at `namespace/secret:key`."""
        where, _colon, key = place.partition(":")
        namespace, _slash, name = where.partition("/")
        live = self.get(("", "Secret", namespace, name)) or {}
        encoded = (live.get("data") or {}).get(key)
        return base64.b64decode(encoded).decode() if encoded else None

    def workload(self, namespace: str, name: str, spec: Object, *, component: str, kind: str = "Deployment") -> None:
        template = {"metadata": {"labels": {"app": name}}, "spec": spec}
        labels = {"app.kubernetes.io/part-of": "llm-platform", "app.kubernetes.io/component": component}
        ready = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}
        self.put(
            "apps/v1", kind, namespace, name, metadata={"labels": labels}, spec={"template": template}, status=ready
        )

    def rolled(self) -> list[str]:
        """Names of the workloads in the order in which they got a new pod template."""
        return [
            path.rpartition("/")[2]
            for method, path, _query, _body in self.requests
            if method == "PATCH" and "/apps/" in path
        ]

    def request(
        self, method: str, path: str, *, body: t.Any = None, content_type: str | None = None, **rest: t.Any
    ) -> Response:
        if method != "GET" and "/leases" not in path and self.rival is not None:
            rival, self.rival = self.rival, None
            rival()
        return super().request(method, path, body=body, content_type=content_type, **rest)

    def _apply(self, key: tuple[str, str, str, str], query: Object, body: Object) -> Response:
        """A merge patch here: nothing in these tests is applied."""
        stored = self.objects.get(key)
        if stored is None:
            return status(404, "NotFound", "not found")
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted and wanted != stored.meta["resourceVersion"]:
            return status(409, "Conflict", "the object has been modified")
        live = {k: v for k, v in stored.live().items() if k != "status"}
        merged = merge(live, body)
        merged["metadata"] = {"labels": merged["metadata"].get("labels", {})}
        stored.values = flatten(content(merged))
        stored.meta["resourceVersion"] = self._next()
        return reply(200, stored.live())

    def _replace(self, key: tuple[str, str, str, str], method: str, body: Object) -> Response:
        if key[1] != "Secret":
            return super()._replace(key, method, body)
        if key in self.objects:
            return status(409, "AlreadyExists", "already exists")
        rest = {k: v for k, v in body.items() if k not in ("apiVersion", "kind", "metadata")}
        labels = {"labels": body["metadata"].get("labels", {})}
        stored: Stored = self.put("v1", "Secret", key[2], key[3], metadata=labels, **rest)
        return reply(201, stored.live())


def merge(value: Object, patch: Object) -> Object:
    """RFC 7386."""
    merged = dict(value)
    for name, item in patch.items():
        if item is None:
            merged.pop(name, None)
        else:
            below = merged.get(name)
            merged[name] = merge(below if isinstance(below, dict) else {}, item) if isinstance(item, dict) else item
    return merged


def environment_of(secret: str, key: str) -> Object:
    """A pod whose one container reads a value."""
    ref = {"secretKeyRef": {"name": secret, "key": key}}
    return {"containers": [{"name": "main", "env": [{"name": f"{secret}-{key}", "valueFrom": ref}]}]}


class Servers:
    """PostgreSQL and Redis behind their clients, with the passwords they take; `fail` makes the next call an error."""

    def __init__(self, **passwords: set[str]) -> None:
        self.passwords = passwords
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.statements: list[str] = []
        self.fail = ""

    def __call__(self, pods: Pods, script: str, arguments: t.Sequence[str], stdin: str) -> Done:
        self.seen.append((script, tuple(arguments)))
        given, _newline, command = stdin.partition("\n")
        assert arguments[-1] == str(len(command)), "the client would read too much or too little"
        server = pods.container
        if self.fail:
            return Done(1, "", self.fail)
        if not any(given == known or proves(known, given) for known in self.passwords[server]):
            wrong = 'FATAL:  password authentication failed for user "litellm"'
            return Done(2, "", wrong) if server == "postgresql" else Done(0, "AUTH failed: WRONGPASS\n", "")
        self.statements.append(command)
        if server == "postgresql":
            self.passwords[server] = {command.split("'")[1]}
            return Done(0, "", "")
        change = command.split()[-1]
        if change[0] == ">":
            self.passwords[server].add(change[1:])
        elif change[1:] not in self.passwords[server]:
            return Done(0, "ERR The password you are trying to remove from the user does not exist\n", "")
        else:
            self.passwords[server].remove(change[1:])
        return Done(0, "OK\n", "")


def proves(verifier: str, password: str) -> bool:
    """The server's side of RFC 5803: whether this password leads to the stored key."""
    if not verifier.startswith("SCRAM-SHA-256$"):
        return False
    head, keys = verifier.removeprefix("SCRAM-SHA-256$").split("$")
    iterations, salt = head.split(":")
    stored, server = (base64.b64decode(key) for key in keys.split(":"))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return stored == client and server == hmac.digest(salted, b"Server Key", "sha256")
