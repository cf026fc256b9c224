# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_routing import (
    Around,
    check_routing,
    routing_options,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

ROLES = read_roles(pathlib.Path(__file__).resolve().parents[4] / "roles")


def plan(tier: str = "dev", around: Around | None = None, **values: t.Any) -> tuple[dict[str, t.Any], list[str]]:
    """The plan's entry, and what is wrong as text."""
    validator = Validator()
    found = check_routing(routing_options(values, ROLES), around or Around(tier), validator)
    return found, [str(problem) for problem in validator.problems]


def test_the_defaults_are_sound() -> None:
    found, problems = plan()
    assert problems == []
    assert found == {
        "implementation": "istio",
        "namespace": "inference-gateway",
        "gateway": "inference",
        "service": "inference-istio",
        "port": 80,
        "url": "http://inference-istio.inference-gateway",
        "pods": {"gateway.networking.k8s.io/gateway-name": "inference"},
        "serving_namespace": "llm-serving",
        "replicas": 1,
        "picker_replicas": 1,
        "request_timeout": 290,
        "objectives": [
            {"name": "critical", "priority": 10},
            {"name": "standard", "priority": 0},
            {"name": "batch", "priority": -10},
        ],
        "wait_seconds": 10,
    }


def test_production_has_two_of_each_unless_told_otherwise() -> None:
    found, _problems = plan("prod")
    assert (found["replicas"], found["picker_replicas"]) == (2, 2)
    found, _problems = plan("prod", gateway_replicas=5, gateway_picker_replicas=1)
    assert (found["replicas"], found["picker_replicas"]) == (5, 1)


@pytest.mark.parametrize(("outer", "inner"), [(300, 290), (60, 54), (10, 9), (2, 1)])
def test_a_request_ends_here_before_it_ends_in_front(outer: int, inner: int) -> None:
    found, problems = plan(llm_gateway_request_timeout=outer)
    assert problems == []
    assert found["request_timeout"] == inner


@pytest.mark.parametrize(("outer", "wait"), [(300, 10), (20, 9), (2, 1)])
def test_a_request_waits_no_longer_than_half_of_its_time(outer: int, wait: int) -> None:
    found, problems = plan(llm_gateway_request_timeout=outer)
    assert problems == []
    assert found["wait_seconds"] == wait
    assert plan(gateway_flow_control={"wait_seconds": 60})[0]["wait_seconds"] == 60


def test_a_shorter_time_is_taken_as_it_is() -> None:
    assert plan(gateway_request_timeout=120)[0]["request_timeout"] == 120


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        (
            {"gateway_request_timeout": 300},
            ("gateway_request_timeout = 300", "llm_gateway_request_timeout, 300", "299"),
        ),
        ({"gateway_request_timeout": -1}, ("gateway_request_timeout = -1",)),
        ({"gateway_replicas": -1}, ("gateway_replicas = -1", "at least 0")),
        ({"gateway_picker_replicas": 21}, ("gateway_picker_replicas = 21", "at most 20")),
        ({"istio_replicas": 99}, ("istio_replicas = 99",)),
        ({"gateway_retry_after": 0}, ("gateway_retry_after = 0", "at least 1")),
        ({"gateway_picker_scorers": {"queue": -1, "prefix": 1}}, ("gateway_picker_scorers.queue = -1",)),
        ({"gateway_flow_control": {"wait_seconds": 290}}, ("gateway_flow_control.wait_seconds = 290", "at most 289")),
        ({"gateway_flow_control": {"wait_seconds": -1}}, ("gateway_flow_control.wait_seconds = -1", "0 to have it")),
        ({"gateway_flow_control": {"waiting": 0}}, ("gateway_flow_control.waiting = 0", "at least 1")),
        ({"gateway_flow_control": {"kv_cache": 0.0}}, ("gateway_flow_control.kv_cache = 0.0", "is no share")),
        ({"gateway_flow_control": {"kv_cache": 90}}, ("gateway_flow_control.kv_cache = 90", "such as 0.9")),
        ({"gateway_flow_control": {"queues": {"batch": 0}}}, ("gateway_flow_control.queues.batch = 0", "at least 1")),
        ({"gateway_picker_scorers": {"queue": 0, "kv_cache": 0, "prefix": 0}}, ("leaves nothing to choose by",)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_work_is_one_line_that_names_it(values: dict[str, t.Any], parts: tuple[str, ...]) -> None:
    _found, problems = plan(**values)
    assert len(problems) == 1, problems
    assert all(part in problems[0] for part in parts), problems[0]


ON = Around("dev", "existing", {"agentgateway": True})


def test_agentgateway_names_the_service_after_the_gateway() -> None:
    found, problems = plan(around=ON, gateway_implementation="agentgateway")
    assert problems == []
    assert (found["implementation"], found["service"]) == ("agentgateway", "inference")
    assert found["url"] == "http://inference.inference-gateway"


@pytest.mark.parametrize(
    ("around", "values", "parts"),
    [
        (ON, {"gateway_implementation": "istio"}, ("llm_features.agentgateway = true", "is istio's")),
        (
            Around("dev", "existing"),
            {"gateway_implementation": "agentgateway"},
            ("gateway_implementation = ", "set llm_features.agentgateway: true"),
        ),
        (
            ON._replace(substrate="local"),
            {"gateway_implementation": "agentgateway"},
            ("gateway_implementation = ", "which the local cluster does not have"),
        ),
        (
            ON,
            {"gateway_implementation": "agentgateway", "gateway_picker_failure_mode": "close"},
            ("gateway_picker_failure_mode = ", "status 500"),
        ),
        (
            ON._replace(models=({"canary": {}}, {"canary": {"name": "chat-canary", "weight": 10}})),
            {"gateway_implementation": "agentgateway"},
            ("llm_models[1].canary = ", "use gateway_implementation: istio"),
        ),
    ],
)
def test_what_one_implementation_cannot_do_is_refused(
    around: Around, values: dict[str, t.Any], parts: tuple[str, ...]
) -> None:
    _found, problems = plan(around=around, **values)
    assert len(problems) == 1, problems
    assert all(part in problems[0] for part in parts), problems[0]
