# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bench of the routing puts into the cluster: a place for its load, ways in for it, and a model of its own.

All of it goes when the bench ends, by a signal too; what a killed one left behind goes with the next one.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import secrets
import subprocess
import time
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    API_GROUP,
    LABEL_PART_OF,
    PLATFORM,
    ref_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import ENFORCE, restricted_pod
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import (
    LABEL_MODEL,
    LABEL_PROBE,
    Scene,
    anchor,
    objects,
    picker_name,
)

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

Object = dict[str, t.Any]

LABEL: t.Final = f"{API_GROUP}/bench"
POD: t.Final = "load"
PATIENCE: t.Final = 120.0
# Longer than any of these benches takes.
STALE_SECONDS: t.Final = 3600
NAMESPACE_LABEL: t.Final = "kubernetes.io/metadata.name"


class GroundError(Exception):
    """The cluster has not what the bench needs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A pod in a namespace of its own that may go anywhere; it gets in where a policy was made for it."""

    kube: KubeClient
    command: tuple[str, ...]
    name: str

    def start(self, script: Path) -> subprocess.Popen[str]:
        """The script in the pod; what it is to do, keys included, goes into its standard input."""
        code = script.read_text(encoding="utf-8")
        command = [*self.command, "-n", self.name, "exec", "-i", POD, "--", "python", "-c", code]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, script: Path, wanted: t.Mapping[str, t.Any]) -> t.Any:
        process = self.start(script)
        try:
            return result_of(process, process.communicate(json.dumps(wanted)))
        finally:
            process.kill()


def result_of(process: subprocess.Popen[str], output: tuple[str, str]) -> t.Any:
    if process.returncode:
        raise GroundError(f"the load failed: {output[1][-800:]}")
    return json.loads(output[0])


@contextlib.contextmanager
def load_place(kube: KubeClient, command: t.Sequence[str], image: str) -> t.Iterator[Place]:
    remove_leftovers(kube)
    name = f"llm-platform-bench-{secrets.token_hex(4)}"
    labels = {LABEL: name, LABEL_PART_OF: PLATFORM, ENFORCE: "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    with _made(kube, body):
        resources = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}}
        waits = ["python", "-c", f"import time; time.sleep({STALE_SECONDS})"]
        pod = restricted_pod(POD, image, command=waits, resources=resources, workingDir="/tmp")
        pod["metadata"]["namespace"] = name
        _create(kube, pod)
        path = f"/api/v1/namespaces/{name}/pods/{POD}"
        until(f"pod {name}/{POD}", lambda: kube.get_json(path)["status"].get("phase") == "Running")
        yield Place(kube, tuple(command), name)


@contextlib.contextmanager
def let_in(place: Place, namespace: str, pods: t.Mapping[str, str]) -> t.Iterator[None]:
    """A policy of the bench's own: policies add up, so nobody else's way changes."""
    peer = {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: place.name}}}
    spec = {"podSelector": {"matchLabels": dict(pods)}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]}
    name = f"{place.name}-{secrets.token_hex(2)}"
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL: place.name, LABEL_PART_OF: PLATFORM}}
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    with _made(place.kube, body):
        yield


@dataclass(frozen=True, slots=True)
class Serving:
    """How the platform serves models: what a model of the bench's own needs to be one of them."""

    namespace: str
    image: str
    key: t.Mapping[str, str]
    secret: str

    @classmethod
    def found(cls, kube: KubeClient, namespace: str, image: str) -> Serving:
        models = kube.list("apps/v1", "Deployment", namespace, "app.kubernetes.io/name=model-server")
        containers = [item["spec"]["template"]["spec"]["containers"][0] for item in models]
        image = image or next((one["image"] for one in containers if "simulator" in one["image"]), "")
        if not image:
            raise GroundError(f"no model in {namespace} is a simulator: name the simulator's image with --image")
        for entry in (entry for one in containers for entry in one.get("env") or ()):
            key = (entry.get("valueFrom") or {}).get("secretKeyRef")
            if entry["name"] == "VLLM_API_KEY" and key:
                held = kube.get_json(f"/api/v1/namespaces/{namespace}/secrets/{key['name']}")
                value = base64.b64decode(held["data"][key["key"]]).decode()
                return cls(namespace, image, {"name": key["name"], "key": key["key"]}, value)
        raise GroundError(f"no model in {namespace} has a key")

    def scene(self, place: Place, gateway: tuple[str, str], replicas: int, slots: int) -> Scene:
        """`gateway` is its namespace and its name."""
        return Scene(place.name, self.namespace, gateway[1], gateway[0], self.image, replicas, slots, self.key)


@contextlib.contextmanager
def own_model(place: Place, scene: Scene, arguments: t.Sequence[str], *more: Object) -> t.Iterator[None]:
    """Its pods, pool, picker and paths, all ready; a picker like one of those that are deployed."""
    kube = place.kube
    with _made(kube, anchor(scene)) as owner:
        for obj in [*objects(scene, _some_picker(kube, scene.namespace), owner["metadata"]["uid"]), *more]:
            if obj["kind"] == "Deployment" and obj["metadata"]["name"] == scene.name:
                container = obj["spec"]["template"]["spec"]["containers"][0]
                container["args"] = [*container["args"], "--simulator-request-log-size=0", *arguments]
            reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": scene.name, "uid": owner["metadata"]["uid"]}
            obj["metadata"]["ownerReferences"] = [reference]
            _create(kube, obj)
        for name, count in ((scene.name, scene.replicas), (picker_name(scene), 1)):
            path = f"/apis/apps/v1/namespaces/{scene.namespace}/deployments/{name}"
            until(
                f"{count} ready pod(s) of {name}",
                functools.partial(_has_ready, kube, path, count),
            )
        with let_in(place, scene.namespace, {LABEL_MODEL: scene.name}):
            yield


def remove_leftovers(kube: KubeClient) -> None:
    for api_version, kind in (("v1", "Namespace"), ("networking.k8s.io/v1", "NetworkPolicy")):
        for item in kube.list(api_version, kind, label_selector=LABEL):
            made = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
            if (datetime.now(UTC) - made).total_seconds() > STALE_SECONDS:
                kube.delete(ref_of(item))
    # The model's anchor is one of a probe's, and so the next probe of the routing takes it away.


def until(what: str, ready: t.Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not ready():
        if time.monotonic() > deadline:
            raise GroundError(f"{what} did not come about within {patience:g} s")
        time.sleep(0.2)


@contextlib.contextmanager
def _made(kube: KubeClient, obj: Object) -> t.Iterator[Object]:
    try:
        yield _create(kube, obj)
    finally:
        kube.delete(ref_of(obj))


def _create(kube: KubeClient, obj: Object) -> Object:
    ref = ref_of(obj)
    return kube.checked("POST", kube.discovery.of(ref).path(ref.namespace), body=obj).json()


def _has_ready(kube: KubeClient, path: str, count: int) -> bool:
    return bool((kube.get_json(path).get("status") or {}).get("readyReplicas") == count)


def _some_picker(kube: KubeClient, namespace: str) -> Object:
    for item in kube.list("apps/v1", "Deployment", namespace, "app.kubernetes.io/name=endpoint-picker"):
        if LABEL_PROBE not in (item["metadata"].get("labels") or {}):
            return item
    raise GroundError(f"there is no endpoint picker in namespace {namespace}")
