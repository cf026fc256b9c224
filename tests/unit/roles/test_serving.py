# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of a model."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import Entry, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import RenderError

if t.TYPE_CHECKING:
    import pathlib

Object = dict[str, t.Any]
MODEL: Object = {
    "name": "chat",
    "served_name": "org/chat",
    "engine": "simulator",
    "source": "",
    "source_kind": "none",
    "revision": "",
    "image": "",
    "args": [],
    "env": {},
    "replicas": 1,
    "gpu": {"count": 0, "product": "", "resource": "nvidia.com/gpu"},
    "resources": {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "4", "memory": "12Gi"}},
    "max_output_tokens": 1024,
    "max_model_len": 8192,
    "gpu_memory_utilization": 0.6,
    "cache": {"size": "", "storage_class": "", "access_mode": "ReadWriteOnce"},
    "strategy": "RollingUpdate",
    "simulator": {
        "profile": "l4",
        "max_num_seqs": 8,
        "real_text": False,
        "seed": 0,
        "failures": {"error_rate": 0.0, "delay_ms": 250, "stall_rate": 0.0},
    },
    "node_selector": {},
    "tolerations": [],
    "priority": "",
}
VLLM: Object = {
    "engine": "vllm",
    "source": "org/weights",
    "source_kind": "huggingface",
    "gpu": {"count": 1, "product": "NVIDIA-L4", "resource": "nvidia.com/gpu"},
    "cache": {"size": "20Gi", "storage_class": "fast", "access_mode": "ReadWriteOnce"},
    "strategy": "Recreate",
}
Render = t.Callable[..., dict[str, Object]]


@pytest.fixture
def render(render_template: t.Any) -> Render:
    def objects(*, tier: str = "dev", options: Object | None = None, **changes: t.Any) -> dict[str, Object]:
        variables = {
            "llm_plan": {"tier": tier, "storage_class": "", "models": []},
            "__serving_model": {**copy.deepcopy(MODEL), **copy.deepcopy(changes)},
            **(options or {}),
        }
        found = render_template("serving", "model.yml.j2", variables, namespace="llm-serving")
        kinds = {obj["kind"]: obj for obj in found}
        assert len(kinds) == len(found)
        return kinds

    return objects


def pod_of(objects: dict[str, Object]) -> Object:
    return t.cast("Object", objects["Deployment"]["spec"]["template"]["spec"])


def server_of(objects: dict[str, Object]) -> Object:
    (server,) = pod_of(objects)["containers"]
    return t.cast("Object", server)


def environment_of(container: Object) -> dict[str, t.Any]:
    names = [entry["name"] for entry in container["env"]]
    assert len(names) == len(set(names))
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


@pytest.mark.parametrize(
    "changes", [{}, VLLM, {**VLLM, "engine": "vllm-cpu", "gpu": MODEL["gpu"]}], ids=["simulator", "vllm", "cpu"]
)
def test_pods_have_no_more_rights_than_they_need(render: Render, changes: Object) -> None:
    pod = pod_of(render(**changes))
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_key_comes_from_a_secret_whatever_the_inventory_says(render: Render) -> None:
    env = {"VLLM_API_KEY": "leak-1", "HF_TOKEN": "leak-2", "OTHER": "kept"}
    objects = render(**VLLM, env=env)
    seen = environment_of(server_of(objects))
    assert seen["VLLM_API_KEY"] == {"secretKeyRef": {"name": "vllm-api-key", "key": "api-key"}}
    assert seen["OTHER"] == "kept"
    assert "leak" not in repr(objects)


def test_an_environment_of_the_inventory_replaces_ours(render: Render) -> None:
    assert environment_of(server_of(render(**VLLM, env={"HF_HUB_OFFLINE": "0"})))["HF_HUB_OFFLINE"] == "0"


def test_all_that_the_server_writes_is_in_its_volume(render: Render) -> None:
    server = server_of(render(**VLLM))
    mounts = {mount["mountPath"] for mount in server["volumeMounts"]}
    seen = environment_of(server)
    folders = ("HOME", "HF_HOME", "VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    assert "/var/lib/model-cache" in mounts
    assert all(seen[name].startswith("/var/lib/model-cache/") for name in folders)
    assert seen["HF_HUB_OFFLINE"] == seen["TRANSFORMERS_OFFLINE"] == "1"


def test_weights_of_the_hub_are_fetched_before_the_server_starts(render: Render) -> None:
    objects = render(**VLLM, revision="main")
    (init,) = pod_of(objects)["initContainers"]
    assert init["command"][-2:] == ["org/weights", "main"]
    compile(init["command"][2], "prestage", "exec")
    assert "VLLM_API_KEY" not in environment_of(init)
    claim = objects["PersistentVolumeClaim"]
    assert claim["metadata"]["name"] == "chat-cache"
    assert claim["spec"]["storageClassName"] == "fast"
    assert {"name": "cache", "persistentVolumeClaim": {"claimName": "chat-cache"}} in pod_of(objects)["volumes"]


def test_weights_come_at_the_commit_of_the_lock(render: Render, tmp_path: pathlib.Path) -> None:
    commit = "0123456789" * 4
    lock = Lock(models={"hf://org/weights@main": Entry(commit, "commit", "copied")})
    (tmp_path / "lock.yml").write_text(lock.text(), encoding="utf-8")
    images = {
        "pin": True,
        "built_lock": "",
        "locks": [],
        "lock_file": str(tmp_path / "lock.yml"),
        "rules": {"demand_verified": False},
    }
    plan = {"llm_plan": {"tier": "dev", "storage_class": "", "models": [], "images": images}}
    objects = render(**VLLM, artifact="hf://org/weights@main", options=plan)
    assert f"--revision={commit}" in server_of(objects)["args"]
    assert pod_of(objects)["initContainers"][0]["command"][-2:] == ["org/weights", commit]
    with pytest.raises(RenderError, match=r"hf://org/weights@v2: has no digest in the lock"):
        render(**VLLM, artifact="hf://org/weights@v2", revision="v2", options=plan)


def test_a_path_or_a_simulator_fetches_nothing(render: Render) -> None:
    for changes in ({}, {**VLLM, "source": "/mnt/models", "source_kind": "path", "cache": MODEL["cache"]}):
        objects = render(**changes)
        assert "initContainers" not in pod_of(objects)


def test_a_gpu_is_asked_for_selected_and_tolerated(render: Render) -> None:
    objects = render(**{**VLLM, "gpu": {"count": 2, "product": "NVIDIA-L4", "resource": "nvidia.com/gpu"}})
    pod, server = pod_of(objects), server_of(objects)
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert "--tensor-parallel-size=2" in server["args"]
    assert pod["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-L4"}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    (shm,) = [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "shm"]
    assert shm == {"medium": "Memory", "sizeLimit": "2Gi"}, "memory volumes count against the memory limit"
    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


def test_a_rolling_update_never_needs_a_second_gpu(render: Render) -> None:
    rolling = render(**{**VLLM, "strategy": "RollingUpdate"})["Deployment"]["spec"]["strategy"]
    assert rolling["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert render()["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_production_spreads_replicas_and_limits_disruption(render: Render) -> None:
    production, development = render(tier="prod", replicas=2), render(replicas=2)
    assert production["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    spread = pod_of(production)["topologySpreadConstraints"]
    assert [rule["topologyKey"] for rule in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert "podAntiAffinity" in pod_of(production)["affinity"]
    assert "PodDisruptionBudget" not in development
    assert "topologySpreadConstraints" not in pod_of(development)


def test_the_simulator_gets_its_profile(render: Render) -> None:
    server = server_of(render())
    assert "command" not in server
    assert {"--simulator-profile=l4", "--max-num-seqs=8", "--simulator-delay-seconds=0.25"} <= set(server["args"])
    assert '--override-generation-config={"max_new_tokens": 1024}' in server["args"]
    real = server_of(render(simulator={**MODEL["simulator"], "real_text": True}))
    assert "real-text" in real["image"]
    assert "--simulator-real-text" in real["args"]


@pytest.mark.parametrize("changes", [{}, VLLM], ids=["simulator", "vllm"])
def test_any_string_arrives_as_it_was_written(
    render: Render, hostile_strings: tuple[str, ...], changes: Object
) -> None:
    image = "registry/" + "".join(hostile_strings)
    env = {f"ANY_{number:03}": text for number, text in enumerate(hostile_strings)}
    objects = render(**changes, args=list(hostile_strings), env=env, image=image)
    plain = render(**changes, image="x")
    server, expected = server_of(objects), server_of(plain)
    literal = [text.replace("$(", "$$(") for text in hostile_strings]
    assert server["args"] == expected["args"] + literal
    seen = environment_of(server)
    assert [seen[name] for name in env] == literal
    assert server["image"] == image
    server["args"], server["env"], server["image"] = (expected[key] for key in ("args", "env", "image"))
    for container in pod_of(objects).get("initContainers", []):
        container["image"] = "x"
    assert objects == plain, "nothing else changed"


def test_a_canary_is_called_as_its_model_and_selected_by_a_name_of_its_own(render: Render) -> None:
    objects = render(tier="prod", name="chat-canary", canary_of="chat", image="registry.example.com/next:2")
    selector = {"llm-platform.wmx.dev/model": "chat-canary"}
    deployment = objects["Deployment"]
    assert deployment["metadata"]["name"] == objects["Service"]["metadata"]["name"] == "chat-canary"
    assert deployment["spec"]["selector"]["matchLabels"] == selector
    assert objects["Service"]["spec"]["selector"] == selector
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    container = pod_of(objects)["containers"][0]
    assert container["image"] == "registry.example.com/next:2"
    assert "--served-model-name=org/chat" in container["args"]
