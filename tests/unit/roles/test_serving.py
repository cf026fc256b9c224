# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The objects of a model."""

from __future__ import annotations

import copy
import typing as t

import pytest

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
        found = [
            obj
            for template in ("model.yml.j2", "network-policy.yml.j2")
            for obj in render_template("serving", template, variables, namespace="llm-serving")
        ]
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
    assert [rule["ports"][0]["port"] for rule in objects["NetworkPolicy"]["spec"]["egress"]] == [53, 443]


def test_a_path_or_a_simulator_fetches_nothing(render: Render) -> None:
    for changes in ({}, {**VLLM, "source": "/mnt/models", "source_kind": "path", "cache": MODEL["cache"]}):
        objects = render(**changes)
        assert "initContainers" not in pod_of(objects)
        assert "egress" not in objects["NetworkPolicy"]["spec"]
        assert objects["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


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


def test_only_declared_clients_reach_the_port(render: Render) -> None:
    clients = [{"namespace": "llm-gateway", "pod_labels": {"app": "litellm"}}, {"namespace": "monitoring"}]
    assert "ingress" not in render()["NetworkPolicy"]["spec"]
    (rule,) = render(options={"serving_clients": clients})["NetworkPolicy"]["spec"]["ingress"]
    names = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]]
    assert names == ["llm-gateway", "monitoring"]
    assert rule["from"][0]["podSelector"] == {"matchLabels": {"app": "litellm"}}
    assert [port["port"] for port in rule["ports"]] == ["http"]


def test_the_gateway_is_a_client_wherever_the_plan_has_it(render: Render) -> None:
    plan = {"tier": "dev", "storage_class": "", "models": [], "gateway": {"namespace": "llm-gateway"}}
    clients = [{"namespace": "monitoring"}]
    (rule,) = render(options={"llm_plan": plan, "serving_clients": clients})["NetworkPolicy"]["spec"]["ingress"]
    assert [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]] == [
        "monitoring",
        "llm-gateway",
    ]
    assert rule["from"][1]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "litellm"}}


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
