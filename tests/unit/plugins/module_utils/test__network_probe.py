# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything there is gets tried by everybody, and what is seen is compared with the flows."""

from __future__ import annotations

import functools
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check, run_probe, validate_check
from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Place
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe import PROBES
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_judge import Attempts, Measured, Opened
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_map import (
    NOBODY,
    NODE_PORTS,
    OUTSIDE,
    STAND_INS,
    STRANGER,
    Source,
    Target,
    World,
    is_allowed,
    real_sources,
    sources_of,
    targets_of,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.flows_world import plan

Object = dict[str, t.Any]
TENANT = {"llm-platform.wmx.dev/tenant": "red"}
NAMESPACES = {"llm-platform": {}, "llm-gateway": {}, "llm-serving": {}, "tenant-red": TENANT, "default": {}}
OURS = ["llm-platform", "llm-gateway", "llm-serving"]
REDIS = {"app.kubernetes.io/name": "redis"}
LITELLM = {"app.kubernetes.io/name": "litellm"}


@functools.cache
def flows() -> t.Any:
    # One of the inventory's beside them: from a network in which pods have addresses, too.
    client = {
        "from": {"addresses": ["10.2.0.0/24"]},
        "to": {"end": "redis"},
        "ports": [9121],
        "why": "a client outside",
    }
    return plan(llm_network_flows=[client])["flows"]


def pod(name: str, labels: dict[str, str], address: str, *ports: int, **changes: t.Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "llm-gateway", "labels": labels},
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "main", "ports": [{"containerPort": port} for port in ports]}],
            **changes.get("spec", {}),
        },
        "status": {
            "podIP": address,
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": changes.get("ready", "True")}],
        },
    }


def service(name: str, **spec: t.Any) -> Object:
    ports = [{"name": "main", "port": 6379, "protocol": "TCP", **spec.pop("port", {})}]
    return {
        "metadata": {"name": name, "namespace": "llm-gateway"},
        "spec": {"clusterIP": "10.96.0.9", "ports": ports, **spec},
    }


def endpoints(service_name: str, pod_name: str, port: int) -> Object:
    labels = {"kubernetes.io/service-name": service_name}
    reference = {"targetRef": {"kind": "Pod", "name": pod_name}} if pod_name else {}
    return {
        "metadata": {"namespace": "llm-gateway" if pod_name else "default", "labels": labels},
        "ports": [{"name": "main", "port": port}],
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}, **reference}],
    }


def node(name: str, **labels: str) -> Object:
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        },
    }


def world() -> World:
    return World(
        NAMESPACES,
        pods=[
            pod("redis-0", REDIS, "10.1.0.1", 6379, 9121, 9122),
            pod("litellm-a", LITELLM, "10.1.0.2"),
            pod("simulated", {}, "10.9.0.1", 80, spec={"nodeName": "gpu-0"}),
            pod("on-the-node", {}, "192.0.2.1", 9100, spec={"hostNetwork": True}),
        ],
        services=[
            service("redis", port={"nodePort": 30379}),
            service("redis-pods", clusterIP="None"),
            service("nobody-behind"),
            {
                "metadata": {"name": "kubernetes", "namespace": "default"},
                "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "main", "port": 443, "protocol": "TCP"}]},
            },
        ],
        slices=[endpoints("redis", "redis-0", 6379), endpoints("kubernetes", "", 6443)],
        nodes=[node("node-1"), node("gpu-0", type="kwok")],
    )


def test_every_pod_port_service_node_port_kubelet_and_the_api_server_is_a_target() -> None:
    targets = [target for target in targets_of(flows(), world()) if not target.guessed]
    found = {target.text: (target.group, target.host, target.port) for target in targets}
    assert len(found) == len(targets)
    assert found == {
        "pod llm-gateway/redis-0:6379": ("redis", "10.1.0.1", 6379),
        "pod llm-gateway/redis-0:9121": ("redis", "10.1.0.1", 9121),
        "pod llm-gateway/redis-0:9122": ("redis", "10.1.0.1", 9122),
        # Not declared by the pod: the table leads there.
        "pod llm-gateway/litellm-a:4000": ("litellm", "10.1.0.2", 4000),
        "Service llm-gateway/redis:6379": ("redis", "10.96.0.9", 6379),
        "node port 30379 of llm-gateway/redis": ("redis", "192.0.2.1", 30379),
        "Service default/kubernetes:443": ("nodes", "10.96.0.1", 443),
        "default/kubernetes at 192.0.2.1:6443": ("nodes", "192.0.2.1", 6443),
        "kubelet of node-1": ("nodes", "192.0.2.1", 10250),
    }


def test_what_a_node_may_have_besides_is_tried_on_each_real_one() -> None:
    guessed = [target for target in targets_of(flows(), world()) if target.guessed]
    assert "etcd of node-1" in [target.text for target in guessed]
    assert {target.host for target in guessed} == {"192.0.2.1"}
    assert len({target.port for target in guessed}) == len(guessed)


def test_every_kind_of_pod_and_one_without_labels_in_every_namespace_try() -> None:
    found = {(source.namespace, source.end) for source in sources_of(flows(), OURS, ["tenant-red"], world())}
    assert {(namespace, NOBODY) for namespace in (*OURS, "tenant-red")} <= found
    assert {("llm-gateway", "litellm"), ("llm-gateway", "redis"), ("llm-serving", "model-servers")} <= found
    assert ("tenant-red", "tenants") not in found, "a tenant's pod has no labels of ours"


def test_a_real_pod_tries_where_one_is_ready() -> None:
    stand_ins = sources_of(flows(), OURS, [], world())
    seen = world()
    assert {source.pod for source in real_sources(stand_ins, seen)} == {"redis-0", "litellm-a"}
    seen.pods[0]["status"]["conditions"] = []
    assert {source.pod for source in real_sources(stand_ins, seen)} == {"litellm-a"}


class Scene:
    """A cluster whose network does what the flows say, but for what a test changes."""

    def __init__(self) -> None:
        seen = world()
        sources = [Source(STRANGER, "probe", {}, {}), *sources_of(flows(), OURS, ["tenant-red"], seen)]
        self.targets = targets_of(flows(), seen)
        self.targets.append(
            Target(OUTSIDE, "198.51.100.1:9 outside", "198.51.100.1", 9, behind=((Place("198.51.100.1"), 9),))
        )
        for number, source in enumerate(sources):
            place = Place(f"10.2.0.{number}", source.namespace, source.labels, source.namespace_labels)
            self.targets.append(Target(STAND_INS, f"probe pod {number}", place.address, 8080, behind=((place, 8080),)))
        self.own = frozenset([*OURS, "tenant-red"])
        self.attempts = [
            Attempts(source, f"10.2.0.{number}", rounds=9, born=frozenset(range(len(self.targets))))
            for number, source in enumerate(sources)
        ]
        for one in self.attempts:
            one.tried = {number: self.through(one, target) for number, target in enumerate(self.targets)}
        self.outside = next(number for number, target in enumerate(self.targets) if target.group == OUTSIDE)
        self.one(STRANGER).opened = (Opened(self.outside, 9, 1900, True),)
        self.silent: dict[int, str] = {}

    def through(self, one: Attempts, target: Target) -> str:
        free = one.source.end == STRANGER and not target.is_in(self.own)
        itself = target.host == one.address
        return "" if free or itself or is_allowed(flows(), one.source.place, target) else "Connection refused"

    def one(self, end: str, namespace: str = "") -> Attempts:
        return next(
            one for one in self.attempts if one.source.end == end and one.source.namespace.startswith(namespace)
        )

    def number(self, text: str) -> int:
        return next(number for number, target in enumerate(self.targets) if target.text == text)

    def checks(self, **changes: t.Any) -> dict[str, Check]:
        seen = Measured(flows(), self.own, self.targets, self.attempts, self.silent, **changes)
        return {
            claim.id: validate_check(run_probe(claim, functools.partial(judge, seen)))
            for claim, judge in PROBES.values()
        }


def test_a_network_that_keeps_to_the_flows_passes_all_and_shows_the_matrix() -> None:
    checks = Scene().checks()
    assert [check["ok"] for check in checks.values()] == [True, True, True], checks
    table = checks["bypass-blocked"]["table"]
    row = next(row for row in table["rows"] if row[0] == "llm-gateway: litellm")
    cells = dict(zip(table["columns"], row, strict=True))
    assert cells["redis"] == "3 open, 1 refused", "9121 is open to a network that pods are in, and says nothing"
    assert cells["nodes"] == f"{3 + len(NODE_PORTS)} refused"
    assert OUTSIDE not in table["columns"]


@pytest.mark.parametrize(
    ("end", "namespace", "target", "said"),
    [
        ("litellm", "", "pod llm-gateway/redis-0:9122", "llm-gateway: litellm opens pod llm-gateway/redis-0:9122"),
        (STRANGER, "", "Service llm-gateway/redis:6379", "probe: stranger opens Service llm-gateway/redis:6379"),
        (NOBODY, "tenant-red", "node port 30379 of llm-gateway/redis", "opens node port 30379"),
        (NOBODY, "llm-serving", "kubelet of node-1", "opens kubelet of node-1"),
        (NOBODY, "tenant-red", "probe pod 0", "tenant-red: nobody in particular opens probe pod 0"),
    ],
)
def test_whatever_opens_against_the_flows_is_named(end: str, namespace: str, target: str, said: str) -> None:
    scene = Scene()
    scene.one(end, namespace).tried[scene.number(target)] = ""
    check = scene.checks()["bypass-blocked"]
    assert not check["ok"]
    assert said in check["reason"]
    assert "1 OPEN" in str(check["table"])


def test_an_allowed_flow_that_does_not_work_fails_too() -> None:
    scene = Scene()
    scene.one("litellm").tried[scene.number("pod llm-gateway/redis-0:6379")] = "no answer"
    check = scene.checks()["bypass-blocked"]
    assert (
        "llm-gateway: litellm cannot open pod llm-gateway/redis-0:6379, which a flow allows (no answer)"
        in check["reason"]
    )


def test_a_connection_kept_since_birth_is_a_way_around() -> None:
    scene = Scene()
    number = scene.number("pod llm-gateway/redis-0:6379")
    scene.one(NOBODY, "llm-serving").opened = (Opened(number, 2, 90, True),)
    checks = scene.checks()
    assert "kept a connection to pod llm-gateway/redis-0:6379" in checks["bypass-blocked"]["reason"]
    assert "opened pod llm-gateway/redis-0:6379 2 times, last after 90 ms" in checks["birth-race-bounded"]["reason"]


def test_what_is_open_to_networks_that_pods_are_in_is_not_protected_from_them() -> None:
    scene = Scene()
    scene.one(NOBODY, "llm-serving").opened = (Opened(scene.number("pod llm-gateway/redis-0:9121"), 2, 90, True),)
    assert all(check["ok"] for check in scene.checks().values())


def test_what_has_no_policies_of_its_own_is_counted_and_bounded() -> None:
    scene = Scene()
    scene.one("redis").opened = (Opened(scene.number("default/kubernetes at 192.0.2.1:6443"), 3, 120, True),)
    checks = scene.checks()
    assert checks["bypass-blocked"]["ok"]
    assert checks["birth-race-bounded"]["ok"]
    assert (
        "last 120 ms after the process began (it tried for 2000), and 1 of them live on"
        in checks["birth-race-bounded"]["observed"]
    )


def test_a_refusal_where_nothing_listens_is_not_counted_and_fails_where_a_flow_leads() -> None:
    scene, other = Scene(), Scene()
    before = scene.checks()["bypass-blocked"]
    scene.silent = {scene.number("pod llm-gateway/redis-0:9122"): "connection refused"}
    after = scene.checks()["bypass-blocked"]
    assert after["ok"]
    assert refused(after) < refused(before)
    number = other.number("pod llm-gateway/redis-0:6379")
    other.silent = {number: "connection refused"}
    for one in other.attempts:
        one.tried[number] = "Connection refused"
    assert (
        "nothing listens at pod llm-gateway/redis-0:6379, which flows lead to"
        in other.checks()["bypass-blocked"]["reason"]
    )


def refused(check: Check) -> int:
    return int(check["observed"].split(" pairs refused")[0].rsplit(" ", 1)[1])


def test_a_network_that_enforces_nothing_is_called_so() -> None:
    scene = Scene()
    for one in scene.attempts:
        one.tried = dict.fromkeys(one.tried, "")
    checks = scene.checks()
    assert checks["bypass-blocked"]["reason"].startswith("the cluster's network does not enforce NetworkPolicies")
    assert not checks["egress-blocked"]["ok"]


def test_a_way_out_is_named() -> None:
    scene = Scene()
    scene.one("redis").tried[scene.outside] = ""
    checks = scene.checks()
    assert checks["egress-blocked"]["reason"] == "llm-gateway: redis opens 198.51.100.1:9 outside"
    assert checks["bypass-blocked"]["ok"]


def test_an_address_that_answers_nobody_proves_nothing() -> None:
    scene = Scene()
    scene.one(STRANGER).tried[scene.outside] = "no answer"
    checks = scene.checks()
    for name in ("egress-blocked", "birth-race-bounded"):
        assert not checks[name]["ok"]
        assert "does not answer even a pod without policies (no answer)" in checks[name]["reason"]


def test_births_prove_nothing_when_nobody_got_out_at_birth() -> None:
    scene = Scene()
    scene.one(STRANGER).opened = ()
    assert "opened nothing in its first moments" in scene.checks()["birth-race-bounded"]["reason"]


def test_without_an_address_outside_two_claims_are_not_proven() -> None:
    scene = Scene()
    for one in scene.attempts:
        one.opened = ()
        del one.tried[scene.outside]
    scene.targets[scene.outside] = scene.targets[0]
    checks = scene.checks(unreached="no address outside of the cluster is named; set network_outside")
    assert checks["bypass-blocked"]["ok"]
    assert "set network_outside" in checks["egress-blocked"]["reason"]
    assert "set network_outside" in checks["birth-race-bounded"]["reason"]


def test_a_pod_that_could_not_try_is_a_fault() -> None:
    scene = Scene()
    broken = scene.one("redis")
    broken.tried, broken.trouble = {}, "pod llm-gateway/probe does not run: quota"
    assert "llm-gateway: redis: pod llm-gateway/probe does not run: quota" in scene.checks()["bypass-blocked"]["reason"]
