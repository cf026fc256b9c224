# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t
from decimal import Decimal

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight_room import Node, place, requests_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._quantity import QuantityError, parse_quantity


def model(name: str = "chat", **changes: t.Any) -> dict[str, t.Any]:
    return {
        "name": name,
        "replicas": 1,
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
        "gpu": {"count": 0, "product": "", "resource": "nvidia.com/gpu"},
        "node_selector": {},
        "tolerations": [],
        **changes,
    }


def node(labels: dict[str, str] | None = None, taints: list[dict[str, str]] | None = None, **free: str) -> Node:
    amounts = {
        "cpu": "4",
        "memory": "8Gi",
        "pods": "10",
        **{name.replace("gpu", "nvidia.com/gpu"): v for name, v in free.items()},
    }
    return Node(
        labels or {}, t.cast("t.Any", taints or []), {name: parse_quantity(text) for name, text in amounts.items()}
    )


GPU = {"count": 1, "product": "", "resource": "nvidia.com/gpu"}
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def test_models_that_fit_are_counted() -> None:
    problems, said, _fix = place([model(replicas=4)], [node()])
    assert problems == []
    assert said == "4 model replicas fit on 1 nodes"


@pytest.mark.parametrize(
    ("models", "nodes"),
    [
        ([model(replicas=5)], [node()]),
        ([model("a", replicas=2), model("b", replicas=3)], [node()]),
        ([model(gpu=GPU)], [node()]),
        ([model(gpu=GPU, replicas=2)], [node(gpu="1")]),
        ([model(gpu={**GPU, "product": "L4"})], [node(gpu="1")]),
        ([model()], [node(taints=[{"key": "dedicated", "effect": "NoSchedule"}])]),
        ([model()], [node(taints=[GPU_TAINT])]),
        ([model(node_selector={"zone": "a"})], [node({"zone": "b"})]),
        ([model(replicas=2)], [node(pods="1")]),
        ([model()], []),
    ],
)
def test_a_model_that_does_not_fit_is_named_with_what_it_asks(models: list[t.Any], nodes: list[Node]) -> None:
    problems, _said, fix = place(models, nodes)
    assert len(problems) == 1
    assert "finds no node for replica" in problems[0]
    assert fix


@pytest.mark.parametrize(
    ("wanted", "nodes"),
    [
        (model(gpu=GPU), [node(taints=[GPU_TAINT], gpu="1")]),
        (model(gpu={**GPU, "product": "L4"}), [node({"nvidia.com/gpu.product": "L4"}, gpu="1")]),
        (
            model(tolerations=[{"key": "dedicated", "operator": "Equal", "value": "llm", "effect": ""}]),
            [node(taints=[{"key": "dedicated", "value": "llm", "effect": "NoExecute"}])],
        ),
    ],
)
def test_labels_and_taints_are_matched_as_the_scheduler_does(wanted: t.Any, nodes: list[Node]) -> None:
    assert place([wanted], nodes)[0] == []


def test_a_pod_reserves_its_containers_or_its_largest_init_container() -> None:
    def container(cpu: str, **rest: str) -> dict[str, t.Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **rest}

    spec = {
        "containers": [container("100m"), container("200m")],
        "initContainers": [container("1"), container("50m", restartPolicy="Always")],
        "overhead": {"cpu": "10m"},
    }
    assert requests_of({"spec": spec})["cpu"] == Decimal("1.010")


@pytest.mark.parametrize(
    ("text", "amount"), [("500m", "0.5"), ("2", "2"), ("1.5Gi", "1610612736"), ("2k", "2000"), ("1e3", "1000")]
)
def test_quantities_are_read(text: str, amount: str) -> None:
    assert parse_quantity(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "many", "-1", "4 Gi", "1gi", "٣", "1e999999", "4Gib", "0x10"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(QuantityError):
        parse_quantity(text)
