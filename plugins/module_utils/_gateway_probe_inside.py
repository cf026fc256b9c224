# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks a gateway from a pod in a namespace like a tenant's. Private to the collection."""

from __future__ import annotations

import inspect
import json
import secrets
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils import _gateway_probe_ask
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import ENFORCE, Object, restricted_pod

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import Attempt, Verdict
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

LABEL_TENANT: t.Final = "llm-platform.wmx.dev/tenant"
POD: t.Final = "caller"
PAUSE_SECONDS: t.Final = 0.2


@dataclass(frozen=True, slots=True)
class Inside:
    """How a pod reaches the gateway."""

    client: KubeClient
    image: str
    host: str
    port: int
    timeout: float
    patience: int = _gateway_probe_ask.PATIENCE

    def ask(self, key: str, attempts: t.Sequence[Attempt]) -> list[Verdict]:
        """The verdicts that the pod saw; its namespace is gone when this returns, whatever happened."""
        name = f"llm-platform-probe-{secrets.token_hex(4)}"
        labels = {LABEL_PART_OF: PLATFORM, ENFORCE: "restricted", LABEL_TENANT: name}
        self.client.checked(
            "POST",
            "/api/v1/namespaces",
            body={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        )
        try:
            return self._in_namespace(name, key, attempts)
        finally:
            self.client.request("DELETE", f"/api/v1/namespaces/{name}")

    def _in_namespace(self, name: str, key: str, attempts: t.Sequence[Attempt]) -> list[Verdict]:
        path = f"/api/v1/namespaces/{name}"
        for plural, body in _objects(key, attempts):
            self.client.checked("POST", f"{path}/{plural}", body=body)
        self.client.checked("POST", f"{path}/pods", body=self._pod())
        until = time.monotonic() + self.timeout
        while True:
            answer = self.client.request("GET", f"{path}/pods/{POD}/log")
            if answer.status == 200 and answer.body.endswith(b"\n"):
                return _read(answer.body)
            if time.monotonic() > until:
                pod = self.client.get_json(f"{path}/pods/{POD}")
                raise ProbeError(
                    f"the pod with image {self.image} did not finish: {json.dumps(pod.get('status'))[:300]}"
                )
            time.sleep(PAUSE_SECONDS)

    def _pod(self) -> Object:
        plain = {"HOST": self.host, "PORT": str(self.port), "ATTEMPTS": "/attempts/list", "SECONDS": "20"}
        plain["PATIENCE"] = str(self.patience)
        env: list[Object] = [{"name": key, "value": value} for key, value in plain.items()]
        env.append({"name": "KEY", "valueFrom": {"secretKeyRef": {"name": POD, "key": "key"}}})
        pod = restricted_pod(
            POD,
            self.image,
            command=["python3", "-c", inspect.getsource(_gateway_probe_ask)],
            env=env,
            volumeMounts=[{"name": "attempts", "mountPath": "/attempts", "readOnly": True}],
        )
        pod["spec"]["volumes"] = [{"name": "attempts", "configMap": {"name": POD}}]
        return pod


def _objects(key: str, attempts: t.Sequence[Attempt]) -> list[tuple[str, Object]]:
    metadata = {"name": POD}
    return [
        ("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": key}}),
        (
            "configmaps",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"list": json.dumps(attempts)}},
        ),
    ]


def _read(log: bytes) -> list[Verdict]:
    last = log.decode(errors="replace").splitlines()[-1]
    try:
        found = json.loads(last)
    except ValueError as exc:
        raise ProbeError(f"the pod ended with: {last[:300]}") from exc
    return t.cast("list[Verdict]", found)
