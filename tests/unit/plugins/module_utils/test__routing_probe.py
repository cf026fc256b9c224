# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A gateway that answers every request but routes them wrongly is found out."""

from __future__ import annotations

import json
import time
import typing as t
from contextlib import ExitStack

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import validate_check
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import Model, ModelPod
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe import KINDS, OWN_PROBES, carry_out
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_ask import Asker
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_queue import Effort
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe_stage import Stage, scene_of
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_routing import (
    Api,
    Gateway,
    Picker,
    Pod,
    error,
    forwarder,
    served,
)

PARAMS: t.Final = {
    "gateway": {"namespace": "gate", "name": "inference"},
    "serving": {"namespace": "models", "api_key_secret": {"name": "vllm-api-key", "key": "api-key"}},
    "image": "example.com/simulator:1",
}
PICKER: t.Final = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "chat-picker", "labels": {"app.kubernetes.io/name": "endpoint-picker"}},
    "spec": {
        "template": {
            "spec": {
                "serviceAccountName": "endpoint-picker",
                "volumes": [{"name": "config", "configMap": {"name": "chat-picker"}}],
                "containers": [
                    {
                        "name": "picker",
                        "args": ["--pool-name=chat", "--v=1"],
                        "readinessProbe": {"periodSeconds": 2},
                        "livenessProbe": {"periodSeconds": 2},
                    }
                ],
            }
        }
    },
}
CONFIG: t.Final = {
    "metadata": {"name": "chat-picker"},
    "data": {
        "picker.yaml": json.dumps(
            {
                "plugins": [{"type": "utilization-detector", "parameters": {"queueDepthThreshold": 2}}],
                "featureGates": ["flowControl"],
                "flowControl": {"defaultRequestTTL": "10s"},
            }
        )
    },
}
POD: t.Final = {
    "metadata": {"name": "inference-istio-1", "labels": {"gw": "inference"}},
    "spec": {"containers": [{"ports": [{"containerPort": 80}]}]},
}
SERVICE: t.Final[dict[str, t.Any]] = {
    "metadata": {"name": "inference-istio"},
    "spec": {"type": "ClusterIP", "selector": {"gw": "inference"}},
}


class World:
    """A platform with two models; `change` breaks it before the probes look."""

    def __init__(self) -> None:
        self.gateway = Gateway()
        self.api = Api(self.gateway)
        self.models = {name: Pod(f"org/{name}", f"{name}-1") for name in ("chat", "spare")}
        self.gateway.pools = {name: [pod] for name, pod in self.models.items()}
        self.api.put("/apis/apps/v1/namespaces/models/deployments/chat-picker", PICKER)
        self.api.put("/api/v1/namespaces/models/configmaps/chat-picker", CONFIG)
        self.api.put("/api/v1/namespaces/gate/services/inference-istio", SERVICE)
        self.api.put("/api/v1/namespaces/gate/pods/inference-istio-1", POD)
        self.picker = Picker()
        self.canary_picker = Picker()
        self.patience = 5.0

    def probe(self, *kinds: str, timeout: float = 5.0) -> tuple[dict[str, dict[str, t.Any]], list[str]]:
        with ExitStack() as stack:
            models = [
                Model(pod.model, (ModelPod(pod.name, stack.enter_context(served(pod)), None),), True, name)
                for name, pod in self.models.items()
            ]
            asker = Asker(stack.enter_context(served(self.gateway)))
            scene = scene_of(PARAMS)
            self.gateway.pickers[scene.name] = self.picker
            self.gateway.pickers[f"{scene.name}-canary"] = self.canary_picker
            kube = KubeClient(t.cast("t.Any", self.api))
            stage = Stage(kube, forwarder(self.api), scene, asker, "inference-istio", lambda: None, models, timeout)
            stage.patience = self.patience
            stage.split_requests = 300
            stage.effort = Effort(4, 6, 3, callers=10, prompt_letters=40, filled_seconds=0.1, pause=0.01)
            stage.pause = lambda seconds: time.sleep(min(seconds, 0.02))
            checks, warnings = carry_out(stage, [kind for kind in KINDS if kind in (kinds or KINDS)])
        return {check["id"]: validate_check(check) for check in checks}, warnings


def only_fault(checks: dict[str, dict[str, t.Any]], check_id: str, *parts: str) -> None:
    assert not checks[check_id]["ok"]
    assert all(part in checks[check_id]["reason"] for part in parts), checks[check_id]["reason"]
    assert [name for name, check in checks.items() if not check["ok"]] == [check_id]


def test_a_gateway_that_routes_as_it_should_fulfils_every_claim() -> None:
    world = World()
    checks, warnings = world.probe()
    assert {name: check.get("reason") for name, check in checks.items() if not check["ok"]} == {}
    assert len(checks) == len(KINDS)
    assert warnings == []
    assert "100% of 42 requests" in checks["picks-least-queued"]["observed"]
    assert "Retry-After 2" in checks["no-endpoint-503"]["observed"]


def test_what_the_probe_makes_is_owned_by_one_object_that_it_removes() -> None:
    world = World()
    world.probe("least")
    made = [name for name in world.api.made if not name.startswith("-")]
    assert {name.split()[0] for name in made} == {
        "ConfigMap",
        "Deployment",
        "HTTPRoute",
        "InferencePool",
        "NetworkPolicy",
        "Service",
    }
    owned = [obj for obj in world.api.objects.values() if "ownerReferences" in obj["metadata"]]
    assert len(owned) == len(made) - 1
    assert world.api.made[-1] == f"-{made[0]}"


def test_a_picker_that_sees_nothing_is_found_out_though_every_request_is_answered() -> None:
    world = World()
    world.picker = Picker("blind")
    checks, _warnings = world.probe("least", "affinity")
    assert not checks["picks-least-queued"]["ok"]
    assert "33% of 42" in checks["picks-least-queued"]["reason"]
    assert not checks["prefix-affinity"]["ok"]


def test_a_picker_that_always_takes_the_same_replica_is_found_out() -> None:
    world = World()
    world.picker = Picker("stuck")
    checks, _warnings = world.probe("least")
    only_fault(checks, "picks-least-queued", "33%")


def test_a_picker_that_forgets_prompts_is_found_out() -> None:
    world = World()
    world.picker = Picker("forgetful")
    checks, _warnings = world.probe("least", "affinity")
    only_fault(checks, "prefix-affinity", "went where their beginning had gone first")


def test_a_path_that_leads_to_another_model_is_found_out() -> None:
    world = World()
    world.gateway.crossed = {"chat": "spare"}
    checks, _warnings = world.probe("routed")
    only_fault(checks, "routed-by-model", "/m/chat: status 404")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda: (404, {"content-type": "text/plain"}, "not found"), "no error in OpenAI's form"),
        (lambda: (404, {}, {"error": {"message": "m", "type": "t", "code": "model_not_found"}}), "content type"),
        (lambda: error(404, "other"), "code 'other' instead of 'model_not_found'"),
        (lambda: error(503, "model_not_found"), "status 503 instead of 404"),
    ],
    ids=["text", "type", "code", "status"],
)
def test_an_error_for_unknown_models_that_no_client_understands_is_found_out(answer: t.Any, fault: str) -> None:
    world = World()
    world.gateway.strangers = answer
    checks, _warnings = world.probe("unknown")
    only_fault(checks, "unknown-model-404", fault)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda: error(503, "no_ready_endpoint"), "Retry-After is None"),
        (lambda: error(500, "no_ready_endpoint", **{"retry-after": "2"}), "status 500 instead of 503"),
        (lambda: error(503, "", **{"retry-after": "2"}), "code ''"),
    ],
    ids=["retry", "status", "code"],
)
def test_a_refusal_without_a_ready_pod_that_no_client_understands_is_found_out(answer: t.Any, fault: str) -> None:
    world = World()
    world.gateway.empty = answer
    checks, _warnings = world.probe("empty")
    only_fault(checks, "no-endpoint-503", fault)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"type": "LoadBalancer"}, "is a LoadBalancer"),
        ({"type": "NodePort"}, "is a NodePort"),
        ({"externalIPs": ["192.0.2.1"]}, "external addresses"),
    ],
    ids=["balancer", "node", "address"],
)
def test_a_second_service_that_leads_outside_is_found_out(spec: dict[str, t.Any], fault: str) -> None:
    world = World()
    other = {"metadata": {"name": "other"}, "spec": {"selector": {"gw": "inference"}, **spec}}
    world.api.put("/api/v1/namespaces/gate/services/other", other)
    checks, _warnings = world.probe("exposed")
    only_fault(checks, "internal-gateway-not-exposed", "Service other", fault)


def test_a_service_of_others_is_nobodys_business() -> None:
    world = World()
    other = {"metadata": {"name": "other"}, "spec": {"selector": {"app": "other"}, "type": "LoadBalancer"}}
    world.api.put("/api/v1/namespaces/gate/services/other", other)
    assert world.probe("exposed")[0]["internal-gateway-not-exposed"]["ok"]


def test_a_foreign_route_that_is_accepted_is_found_out() -> None:
    world = World()
    world.api.verdict = {"type": "Accepted", "status": "True", "reason": "Accepted"}
    world.api.lets_in = True
    checks, _warnings = world.probe("foreign")
    only_fault(checks, "foreign-route-refused", "Accepted=True", "status 200 instead of 404")
    assert any(name.startswith("-Namespace llm-platform-probe-") for name in world.api.made)


def test_pods_that_do_not_come_up_fail_what_needs_them_and_nothing_else() -> None:
    world = World()
    world.api.ready = False
    checks, _warnings = world.probe(timeout=0.1)
    failed = {name for name, check in checks.items() if not check["ok"]}
    assert failed == {claim.id for claim, _observe in OWN_PROBES.values()}
    assert all("did not come about" in checks[name]["reason"] for name in failed)
    assert world.api.made[-1].startswith("-ConfigMap"), "what was made is removed all the same"


def test_without_a_picker_to_copy_nothing_is_made() -> None:
    world = World()
    del world.api.objects["/apis/apps/v1/namespaces/models/deployments/chat-picker"]
    checks, _warnings = world.probe("least")
    assert "there is no endpoint picker" in checks["picks-least-queued"]["reason"]
    assert world.api.made == []


def test_what_a_killed_probe_left_is_removed_by_the_next_one() -> None:
    world = World()
    stale = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "llm-platform-probe-old",
            "namespace": "models",
            "labels": {"llm-platform.wmx.dev/probe": "routing"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
    }
    world.api.put("/api/v1/namespaces/models/configmaps/llm-platform-probe-old", stale)
    world.probe("foreign")
    assert world.api.made[0] == "-ConfigMap llm-platform-probe-old"


def test_without_a_picker_the_failure_mode_decides() -> None:
    world = World()
    checks, _warnings = world.probe("picker")
    assert checks["picker-dies-as-declared"]["ok"], checks["picker-dies-as-declared"]["reason"]


def test_a_gateway_that_sends_everything_to_one_replica_without_a_picker_is_found_out() -> None:
    world = World()
    world.gateway.spread = False
    checks, _warnings = world.probe("picker")
    only_fault(checks, "picker-dies-as-declared", "open: replicas got [0, 0, 30] requests")


def test_a_refusal_without_a_picker_that_no_client_understands_is_found_out() -> None:
    world = World()
    world.gateway.unpicked = lambda: (500, {}, "")
    checks, _warnings = world.probe("picker")
    only_fault(checks, "picker-dies-as-declared", "close: status 500 instead of 503")


def test_requests_that_wait_in_queues_do_not_hold_the_probe_up() -> None:
    world = World()
    world.patience = 0.05
    world.picker = Picker("blind")
    world.api.slow = True
    checks, _warnings = world.probe("least")
    only_fault(checks, "picks-least-queued", "went to the replica without a queue")
    assert checks["picks-least-queued"]["table"]["rows"][0][3] < 14


def test_an_urgent_tenant_goes_before_those_who_fill_the_model() -> None:
    world = World()
    checks, _warnings = world.probe("priority")
    check = checks["interactive-before-batch"]
    assert check["ok"], check["reason"]
    assert check["class"] == "destructive"
    assert check["simulated"] is True
    idle, queued, unqueued = check["table"]["rows"]
    assert idle[4] == 1.0
    assert queued[4] <= 1.5 < unqueued[4]
    assert queued[5] > 0
    made = [name for name in world.api.made if name.startswith("InferenceObjective")]
    assert [name.rpartition("-busy-")[2] for name in made] == ["10", "-10"]


def test_a_queue_that_knows_no_priorities_is_found_out() -> None:
    world = World()
    world.gateway.queues = False
    checks, _warnings = world.probe("priority")
    only_fault(checks, "interactive-before-batch", "times that on the idle model")


def test_what_is_shed_in_a_form_that_no_client_understands_is_found_out() -> None:
    world = World()
    world.gateway.shed = lambda: error(429, "other", **{"retry-after": "0"})
    checks, _warnings = world.probe("priority")
    only_fault(checks, "interactive-before-batch", "batch, with flow control: code 'other' instead of 'model_busy'")


def test_without_flow_control_nothing_is_claimed() -> None:
    world = World()
    plain = {**CONFIG, "data": {"picker.yaml": json.dumps({"plugins": []})}}
    world.api.put("/api/v1/namespaces/models/configmaps/chat-picker", plain)
    checks, _warnings = world.probe("priority")
    assert "did not run: the pickers have no flow control" in checks["interactive-before-batch"]["reason"]
