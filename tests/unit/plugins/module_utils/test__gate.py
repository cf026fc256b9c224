# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import pathlib
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils import _gate_access, _gate_pods
from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import (
    GateError,
    Item,
    Tree,
    Waiver,
    judge,
    read_waivers,
    unused,
)

RULES = (*_gate_pods.RULES, *_gate_access.RULES)
FAULTS = yaml.safe_load(
    (pathlib.Path(__file__).resolve().parents[4] / "roles/deliver/files/planted_faults.yml").read_text(encoding="utf-8")
)
DIGEST = "@sha256:" + "1" * 64
GOOD: list[dict[str, t.Any]] = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "good", "namespace": "n"},
        "spec": {
            "replicas": 2,
            "template": {
                "metadata": {"labels": {"app": "good"}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "topologySpreadConstraints": [{"maxSkew": 1}],
                    "containers": [
                        {
                            "name": "server",
                            "image": f"ghcr.io/a/b:1{DIGEST}",
                            "ports": [{"containerPort": 80}],
                            "env": [
                                {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                                {"name": "DATABASE_PASSWORD", "value": "$(API_KEY)"},
                                {"name": "HUB_TOKEN", "value": "/run/secrets/hub/token"},
                                {"name": "DNS_TOKEN", "value": "file:/run/secrets/hub/token"},
                                {"name": "DATABASE_URL", "value": "postgresql://user:$(API_KEY)@postgres/db"},
                                {"name": "MAX_TOKENS", "value": "512"},
                            ],
                            "volumeMounts": [{"name": "hub", "mountPath": "/run/secrets/hub"}],
                            "readinessProbe": {"tcpSocket": {"port": 80}},
                            "livenessProbe": {"tcpSocket": {"port": 80}},
                            "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
                        }
                    ],
                },
            },
        },
    },
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "good", "namespace": "n"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "good"}}},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "internal", "namespace": "n"},
        "spec": {
            "infrastructure": {"annotations": {"networking.istio.io/service-type": "ClusterIP"}},
            "listeners": [
                {
                    "name": "http",
                    "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}},
                }
            ],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "models", "namespace": "n"},
        "data": {
            "config.yaml": "model_list: [{model_name: m, litellm_params: {input_cost_per_token: 1.0e-7, "
            "output_cost_per_token: 0}, model_info: {max_output_tokens: 9}}]",
            "text": "model_list: {{ not yaml",
        },
    },
]


def tree(*objects: dict[str, t.Any], tier: str = "prod") -> Tree:
    return Tree([Item.of(f"file-{index}.yml", obj) for index, obj in enumerate(objects)], tier)


def test_a_clean_tree_has_no_finding() -> None:
    assert judge(tree(*GOOD), RULES) == []


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault['rule']}: {fault['object']}" for fault in FAULTS])
def test_a_planted_fault_is_found_by_its_rule_alone_with_file_and_fix(fault: dict[str, t.Any]) -> None:
    findings = [
        finding
        for finding in judge(tree(*GOOD, protected(), fault["manifest"]), RULES)
        if finding.object == fault["object"]
    ]
    assert {finding.rule for finding in findings} == {fault["rule"]}
    assert all(finding.path == f"file-{len(GOOD) + 1}.yml" and finding.fix for finding in findings)


def protected() -> dict[str, t.Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "planted", "namespace": "planted"},
        "spec": {"selector": {"matchLabels": {"protected": "yes"}}},
    }


def test_every_rule_has_a_planted_fault() -> None:
    assert {fault["rule"] for fault in FAULTS} == {rule.name for rule in RULES}


def test_replicas_need_protection_in_prod_only() -> None:
    lonely = copy.deepcopy(GOOD[0])
    assert {finding.rule for finding in judge(tree(lonely), RULES)} == {"available"}
    assert judge(tree(lonely, tier="dev"), RULES) == []


def test_a_token_is_right_where_a_role_is_bound() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"serviceAccountName": "a"},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "n"}],
    }
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "a", "namespace": "n"},
        "automountServiceAccountToken": False,
    }
    assert [finding.rule for finding in judge(tree(pod), RULES)] == ["token"]
    assert judge(tree(pod, binding), RULES) == []
    assert judge(tree(pod, account), RULES) == []


def test_an_exception_excuses_its_rule_for_its_object_and_is_reported_when_it_excuses_nothing() -> None:
    fault = FAULTS[0]
    right = Waiver(fault["rule"], "apps/Deployment planted/*", "ada", "a chart's own")
    idle = Waiver("host", "*", "ada", "no longer needed")
    findings = judge(tree(fault["manifest"]), RULES, [right, idle])
    assert [finding.waiver for finding in findings] == [right]
    assert unused(findings, [right, idle]) == [idle]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"rule": "host", "object": "a"}, r"llm_gate\[0\] lacks owner, reason"),
        ({"rule": "none", "object": "a", "owner": "b", "reason": "c"}, "rule = none: is no rule"),
    ],
)
def test_an_exception_without_owner_reason_or_rule_is_none(entry: dict[str, str], problem: str) -> None:
    with pytest.raises(GateError, match=problem):
        read_waivers([entry], (rule.name for rule in RULES), "llm_gate")


containers = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(max_size=5),
            "image": st.text(max_size=10),
            "ports": st.lists(st.just({"containerPort": 1}), max_size=1),
            "env": st.lists(
                st.fixed_dictionaries({"name": st.text(max_size=8), "value": st.none() | st.text(max_size=8)})
            ),
            "resources": st.none() | st.fixed_dictionaries({}, optional={"limits": st.none(), "requests": st.just({})}),
            "securityContext": st.none() | st.just({"privileged": True}),
        },
    ),
    max_size=2,
)


@given(containers, containers, st.sampled_from(["Deployment", "DaemonSet"]))
def test_any_pod_is_judged_without_an_exception(first: list[t.Any], second: list[t.Any], kind: str) -> None:
    obj = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "any"},
        "spec": {"template": {"spec": {"containers": first, "initContainers": second}}},
    }
    assert all(str(finding) for finding in judge(tree(obj), RULES))
