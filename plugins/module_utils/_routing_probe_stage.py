# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What probes of the routing work with: the gateway, the platform's models, and a model of their own.

Private to the collection.
"""

from __future__ import annotations

import secrets
import time
import typing as t
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import read_gauges
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import Asker, chat_body
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import (
    LABEL_PICKER,
    LABEL_PROBE,
    PLAIN,
    PORT,
    PROBE,
    SPLIT,
    Object,
    Scene,
    anchor,
    canary_of,
    objects,
    picker_name,
    split,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_queue import (
    SHORT_WAIT,
    Effort,
    config_name,
    never_full,
    read_config,
    waiting,
    with_config,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import Model
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

WAITING: t.Final = "vllm:num_requests_waiting"
HITS: t.Final = "vllm:prefix_cache_hits_total"
REPLICAS: t.Final = 3
SLOTS: t.Final = 4
SPLIT_REQUESTS: t.Final = 1500
PAUSE_SECONDS: t.Final = 0.1
SETTLE_SECONDS: t.Final = 1.0
MERGE: t.Final = "application/merge-patch+json"
# A probe that was killed is removed by the next one that comes so much later.
STALE_SECONDS: t.Final = 600
_DEPLOYMENTS: t.Final = "/apis/apps/v1/namespaces/{}/deployments"

# Gives a local URL for a port of a Service's pods, by pod, for as long as the stack lives.
Forwarder = t.Callable[[ExitStack, str, str, int], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Own:
    """The probe's own model, or its canary: its name, its pods by name, and what requests call it."""

    name: str
    pods: t.Mapping[str, Asker]
    model: str

    @property
    def path(self) -> str:
        return f"/m/{self.name}"

    @property
    def plain_path(self) -> str:
        return f"/m/{self.name}-{PLAIN}"

    @property
    def split_path(self) -> str:
        return f"/m/{self.name}-{SPLIT}"

    def arrivals(self, marker: str) -> dict[str, list[str]]:
        """By pod, the markers of the requests that it got and whose marker begins so, in order."""
        found = {}
        for name, pod in self.pods.items():
            reply = pod.ask("GET", "/simulator/requests")
            if reply.status != 200:
                raise ProbeError(f"pod {name} does not show what it received: status {reply.status}")
            log = reply.json.get("requests") or []
            users = [str((entry.get("body") or {}).get("user") or "") for entry in log]
            found[name] = [user for user in users if user.startswith(marker)]
        return found

    def counts(self, marker: str) -> Counter[str]:
        """By pod, how many requests with such a marker it got."""
        return Counter({pod: len(found) for pod, found in self.arrivals(marker).items()})

    def gauge(self, pod: str, name: str) -> float:
        return read_gauges(self.pods[pod].ask("GET", "/metrics").text, (name,)).get(name, 0.0)


@dataclass(slots=True)
class Stage:
    """What there is to look at and to ask."""

    kube: KubeClient
    forward: Forwarder
    scene: Scene
    gateway: Asker
    service: str
    key: t.Callable[[], str | None] = lambda: None
    """Gives the models' key; not a value, so that no repr can show it."""
    models: t.Sequence[Model] = ()
    timeout: float = 60.0
    patience: float = 5.0
    """Seconds for an answer of a replica without a queue; what waits longer waits in one."""
    split_requests: int = SPLIT_REQUESTS
    effort: Effort = field(default_factory=Effort)
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    owner: str = ""
    """The uid of what owns all that the probe makes."""
    own: Own | None = field(default=None)
    canary: Own | None = field(default=None)

    def until(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait, but not for ever."""
        deadline = self.clock() + self.timeout
        while not ready():
            if self.clock() > deadline:
                raise ProbeError(f"{what} did not come about within {self.timeout:g} s")
            self.pause(PAUSE_SECONDS)

    def demand_own(self) -> Own:
        if self.own is None:
            raise ProbeError("the probe's own model is not there")
        return self.own

    def demand_canary(self) -> Own:
        if self.canary is None:
            raise ProbeError("the canary of the probe's own model is not there")
        return self.canary

    def create(self, obj: Object) -> Object:
        ref = ref_of(obj)
        path = self.kube.discovery.of(ref).path(ref.namespace)
        return self.kube.checked("POST", path, body=obj).json()

    def remove(self, obj: Object) -> None:
        self.kube.delete(ref_of(obj))


def begin(stage: Stage) -> None:
    """Create the probe's own model, which `end` removes."""
    _remove_leftovers(stage)
    picker = some_picker(stage)
    config = picker_config(stage, picker)
    stage.owner = stage.create(anchor(stage.scene))["metadata"]["uid"]
    try:
        made = objects(stage.scene, picker, stage.owner)
        for obj in with_config(made, stage.scene, never_full(waiting(config, SHORT_WAIT))):
            stage.create(obj)
        if stage.scene.canary:
            stage.create(split(stage.scene))
    except BaseException:
        end(stage)
        raise


def end(stage: Stage) -> None:
    """Remove the probe's own model; what cannot be removed does not keep the rest."""
    try:
        if stage.scene.canary:
            stage.remove(split(stage.scene))
    finally:
        stage.remove(anchor(stage.scene))


@contextmanager
def own_model(stage: Stage) -> t.Iterator[None]:
    """Wait until the probe's own model answers by every one of its pods, through the gateway and to its picker."""
    with ExitStack() as stack:
        stage.own = _answering(stage, stack, stage.scene)
        stage.canary = _answering(stage, stack, canary_of(stage.scene)) if stage.scene.canary else None
        try:
            yield
        finally:
            stage.own = stage.canary = None


def _answering(stage: Stage, stack: ExitStack, scene: Scene) -> Own:
    place = f"{_DEPLOYMENTS.format(scene.namespace)}/{scene.name}"
    stage.until(f"{scene.replicas} ready pods of model {scene.name}", lambda: _ready(stage, place) >= scene.replicas)
    urls = stage.forward(stack, scene.namespace, scene.name, PORT)
    pods = {name: Asker(url, stage.key()) for name, url in urls.items()}
    own = Own(scene.name, pods, scene.served or scene.name)
    stage.until(f"an answer of model {scene.name}", lambda: _answers(stage, own.path))
    stage.until(f"answers of all pods of model {scene.name}", lambda: _all_answer(stage, own))
    return own


def scene_of(params: t.Mapping[str, t.Any]) -> Scene:
    gateway, secret = params["gateway"], params["serving"]["api_key_secret"]
    return Scene(
        name=f"llm-platform-probe-{secrets.token_hex(4)}",
        namespace=params["serving"]["namespace"],
        gateway=gateway["name"],
        gateway_namespace=gateway["namespace"],
        image=params["image"],
        replicas=REPLICAS,
        slots=SLOTS,
        key={"name": secret["name"], "key": secret["key"]},
    )


def at_scale(stage: Stage, replicas: int, *, picker: bool = False) -> None:
    """Change the number of pods of the probe's own model, or of its picker."""
    body = {"spec": {"replicas": replicas}}
    stage.kube.checked("PATCH", f"{_deployment(stage, picker=picker)}/scale", body=body, content_type=MERGE)


def ready(stage: Stage, *, picker: bool = False) -> int:
    """How many pods of the probe's own model, or of its picker, are ready."""
    return _ready(stage, _deployment(stage, picker=picker))


def _ready(stage: Stage, deployment: str) -> int:
    return int((stage.kube.get_json(deployment).get("status") or {}).get("readyReplicas") or 0)


def picker_pods(stage: Stage) -> int:
    """How many pods its picker has, those that are about to go included."""
    selector = f"{LABEL_PICKER}={stage.scene.name}"
    return len(stage.kube.list("v1", "Pod", stage.scene.namespace, selector))


def set_failure_mode(stage: Stage, mode: str) -> None:
    """What is to happen without a picker."""
    group = "/apis/inference.networking.k8s.io/v1"
    path = f"{group}/namespaces/{stage.scene.namespace}/inferencepools/{stage.scene.name}"
    body = {"spec": {"endpointPickerRef": {"failureMode": mode}}}
    stage.kube.checked("PATCH", path, body=body, content_type=MERGE)
    # Until the gateway has been told.
    stage.pause(SETTLE_SECONDS)


def _deployment(stage: Stage, *, picker: bool) -> str:
    name = picker_name(stage.scene) if picker else stage.scene.name
    return f"{_DEPLOYMENTS.format(stage.scene.namespace)}/{name}"


def _answers(stage: Stage, path: str, marker: str = "") -> bool:
    try:
        reply = stage.gateway.chat(path, chat_body(stage.scene.name, "Are you there?", marker=marker))
    except ProbeError:  # such as a pod that the network does not let the gateway reach yet
        return False
    return reply.status == 200


def _all_answer(stage: Stage, own: Own) -> bool:
    """In turn, so that the gateway knows every pod as soon as each of them got a request."""
    marker = f"turn-{secrets.token_hex(4)}"
    if not all(_answers(stage, own.plain_path, marker) for _pod in own.pods):
        return False
    return all(own.arrivals(marker).values())


def picker_config(stage: Stage, picker: Object) -> Object:
    """How a picker that is deployed is set up."""
    path = f"/api/v1/namespaces/{stage.scene.namespace}/configmaps/{config_name(picker)}"
    return read_config(stage.kube.get_json(path))


def some_picker(stage: Stage) -> Object:
    found = stage.kube.list("apps/v1", "Deployment", stage.scene.namespace, "app.kubernetes.io/name=endpoint-picker")
    ours = [item for item in found if (item["metadata"].get("labels") or {}).get(LABEL_PROBE) != PROBE]
    if not ours:
        raise ProbeError(f"there is no endpoint picker in namespace {stage.scene.namespace}")
    return ours[0]


def _remove_leftovers(stage: Stage) -> None:
    now, label = datetime.now(UTC), f"{LABEL_PROBE}={PROBE}"
    left = stage.kube.list("v1", "ConfigMap", stage.scene.namespace, label)
    if stage.scene.canary:
        left += stage.kube.list("networking.istio.io/v1alpha3", "EnvoyFilter", stage.scene.gateway_namespace, label)
    for item in left:
        made = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
        if (now - made).total_seconds() > STALE_SECONDS:
            stage.remove(item)
