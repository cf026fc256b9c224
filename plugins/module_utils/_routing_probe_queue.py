# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Pickers of a probe with the configuration of those that are deployed, and a model that is easily filled behind two of
them: one in which requests queue, and one that lets all of them through to the pod's own queue.

Private to the collection.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_PART_OF, PLATFORM
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_objects import (
    LABEL_MODEL,
    LABEL_PICKER,
    LABEL_PROBE,
    PROBE,
    Object,
    Scene,
    objects,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_state import PRIORITIES

try:
    import yaml
except ImportError:  # said by read_config, so that the rest of the collection can be imported without it
    yaml = None  # type: ignore[assignment]

OBJECTIVES: t.Final = "inference.networking.x-k8s.io/v1alpha2"
CONFIG: t.Final = "picker.yaml"
VOLUME: t.Final = "config"
DETECTOR: t.Final = "utilization-detector"
UNQUEUED: t.Final = "-unqueued"
URGENT, BATCH = PRIORITIES["critical"], PRIORITIES["batch"]
SLOTS: t.Final = 8
CONTEXT: t.Final = 65536
# Most probes ask one after the other, also a model without pods: they must not wait as long as a client may.
SHORT_WAIT: t.Final = "2s"
# How long somebody waits is what is measured here, so it must not be cut off.
LONG_WAIT: t.Final = "60s"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is asked; enough for a p95, and little enough for a minute."""

    idle: int = 5
    urgent: int = 20
    unqueued: int = 4
    callers: int = 7 * SLOTS
    prompt_letters: int = 180_000
    """Of the urgent tenant: long documents, whose tokens come late also from an idle model."""
    answer_tokens: tuple[int, int] = (8, 40)
    """Of the batch tenant: short and unlike, so that a slot is free again soon."""
    filled_seconds: float = 2.0
    pause: float = 0.1


def config_name(picker: Object) -> str:
    """The ConfigMap that a picker reads."""
    for volume in picker["spec"]["template"]["spec"].get("volumes") or ():
        if volume["name"] == VOLUME and "configMap" in volume:
            return str(volume["configMap"]["name"])
    raise ProbeError(f"Deployment {picker['metadata']['name']} is no picker of ours: it has no volume {VOLUME}")


def read_config(found: Object) -> Object:
    if yaml is None:
        raise ProbeError("the Python package PyYAML is needed; install it for the interpreter of this host")
    name = found["metadata"]["name"]
    try:
        config = yaml.safe_load(found["data"][CONFIG])
    except (KeyError, yaml.YAMLError) as exc:
        raise ProbeError(f"ConfigMap {name} holds no picker's configuration: {exc}") from exc
    if not isinstance(config, dict):
        raise ProbeError(f"ConfigMap {name} holds no picker's configuration")
    return config


def has_queue(config: Object) -> bool:
    return "flowControl" in (config.get("featureGates") or ())


def waiting(config: Object, wait: str) -> Object:
    """The same, but requests wait for so long."""
    found = copy.deepcopy(config)
    if "flowControl" in found:
        found["flowControl"]["defaultRequestTTL"] = wait
    return found


def never_full(config: Object) -> Object:
    """The same, but however many requests wait in some pods, others are sent on to the rest at once."""
    found = copy.deepcopy(config)
    for plugin in found.get("plugins") or ():
        if plugin["type"] == DETECTOR:
            plugin["parameters"]["queueDepthThreshold"] = 1000
    return found


def without_queue(config: Object) -> Object:
    left_out = ("featureGates", "saturationDetector", "flowControl")
    return {name: copy.deepcopy(value) for name, value in config.items() if name not in left_out}


def with_config(made: list[Object], scene: Scene, config: Object) -> list[Object]:
    """The pickers among these objects read this configuration, which is the first of the objects."""
    name = f"{scene.name}-picker"
    found = _object("v1", "ConfigMap", scene, name)
    found["data"] = {CONFIG: yaml.safe_dump(config, sort_keys=False)}
    found["metadata"]["ownerReferences"] = made[0]["metadata"]["ownerReferences"]
    for obj in made:
        if obj["kind"] == "Deployment" and LABEL_PICKER in obj["spec"]["selector"]["matchLabels"]:
            for volume in obj["spec"]["template"]["spec"]["volumes"]:
                if volume["name"] == VOLUME:
                    volume["configMap"] = {"name": name}
    return [found, *made]


def busy(scene: Scene) -> Scene:
    """One pod, so that all wait for the same slots."""
    return scene._replace(name=f"{scene.name}-busy", replicas=1, slots=SLOTS, canary=0)


def unqueued(scene: Scene) -> Scene:
    """The other way to the same pod."""
    return busy(scene)._replace(name=f"{busy(scene).name}{UNQUEUED}")


def queue_objects(scene: Scene, picker: Object, config: Object, owner: str) -> list[Object]:
    """The pod behind both ways, with objectives as the platform's models have them."""
    made = [*_queued(busy(scene), picker, config), *_unqueued(unqueued(scene), picker, config)]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": scene.name, "uid": owner}
    for obj in made:
        obj["metadata"]["ownerReferences"] = [reference]
    return made


def objective(scene: Scene, priority: int) -> str:
    """As the LLM gateway's guard names it."""
    return f"{scene.name}-{priority}"


def _queued(scene: Scene, picker: Object, config: Object) -> list[Object]:
    made = objects(scene, picker, "")
    for obj in made:
        if obj["kind"] == "Deployment" and LABEL_MODEL in obj["spec"]["selector"]["matchLabels"]:
            obj["spec"]["template"]["spec"]["containers"][0]["args"].append(f"--max-model-len={CONTEXT}")
    for priority in (URGENT, BATCH):
        found = _object(OBJECTIVES, "InferenceObjective", scene, objective(scene, priority))
        pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": scene.name}
        found["spec"] = {"priority": priority, "poolRef": pool}
        made.append(found)
    return with_config(made, scene, waiting(config, LONG_WAIT))


def _unqueued(scene: Scene, picker: Object, config: Object) -> list[Object]:
    """All but the pod, and with the other one's pod instead."""
    made = objects(scene, picker, "")
    made = [obj for obj in made if (obj["kind"], obj["metadata"]["name"]) != ("Deployment", scene.name)]
    for obj in made:
        _point(obj, scene.name, scene.name.removesuffix(UNQUEUED))
    return with_config(made, scene, without_queue(config))


def _point(obj: t.Any, name: str, other: str) -> None:
    """Wherever the model's label selects pods, those of the other name."""
    if isinstance(obj, dict):
        if obj.get(LABEL_MODEL) == name:
            obj[LABEL_MODEL] = other
        for value in obj.values():
            _point(value, name, other)
    elif isinstance(obj, list):
        for value in obj:
            _point(value, name, other)


def _object(api_version: str, kind: str, scene: Scene, name: str) -> Object:
    labels = {LABEL_PROBE: PROBE, LABEL_PART_OF: PLATFORM}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": scene.namespace, "labels": labels},
    }
