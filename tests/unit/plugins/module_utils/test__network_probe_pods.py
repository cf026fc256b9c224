# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins have the labels of real pods, get none of their requests, and are gone afterwards."""

from __future__ import annotations

import json
import time
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe import probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_map import Source
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_pods import (
    NoPython,
    StandIns,
    ask_real,
    remove_namespaces,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import Done, NotStartedError
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

REDIS = Source("redis", "llm-gateway", {"app.kubernetes.io/name": "redis"}, {})
REAL = Source("litellm", "llm-gateway", {"a": "b", "pod-template-hash": "x"}, {}, "litellm-x", "litellm")


class Requests:
    """An API server that does all it is asked and remembers it."""

    def __init__(self, status: dict[str, t.Any] | None = None) -> None:
        self.status = status or {}
        self.seen: list[tuple[str, str, t.Any, t.Any]] = []

    def request(self, method: str, path: str, *, query: t.Any = None, body: t.Any = None, **_rest: t.Any) -> Response:
        self.seen.append((method, path, query, body))
        if path == "/api/v1/namespaces" and method == "GET":
            return Response(200, json.dumps({"items": [{"metadata": {"name": "left-over"}}]}).encode())
        return Response(200 if method != "POST" else 201, json.dumps({"status": self.status}).encode())

    def stream(self, path: str, *, query: t.Any = None, seconds: float) -> t.Iterator[bytes]:
        raise AssertionError

    def paths(self, method: str) -> list[str]:
        return [path for verb, path, _query, _body in self.seen if verb == method]


def refuse(_target: t.Any) -> t.Any:
    raise AssertionError


def test_a_stand_in_is_labelled_like_the_real_one_and_never_ready() -> None:
    requests = Requests()
    with StandIns(KubeClient(requests), refuse, "image", time.monotonic() + 5) as pods:
        name = pods.start(REDIS, [("10.0.0.1", 6379, "TCP")])
    body = next(body for method, path, _query, body in requests.seen if method == "POST" and path.endswith("/pods"))
    assert body["metadata"]["name"] == name
    assert body["metadata"]["labels"] == {**REDIS.labels, "llm-platform.wmx.dev/probe": "network"}
    # A condition that nobody sets: the pod runs, and no Service has it among its endpoints.
    assert body["spec"]["readinessGates"]
    assert json.loads(body["spec"]["containers"][0]["env"][0]["value"]) == [["10.0.0.1", 6379, "TCP"]]


def test_everything_is_removed_by_label_whatever_happened() -> None:
    requests = Requests()

    def break_off() -> t.NoReturn:
        with StandIns(KubeClient(requests), refuse, "image", time.monotonic() + 5) as pods:
            pods.start(REDIS, [])
            pods.start(pods.stranger, [])
            raise RuntimeError(pods.stranger.namespace)

    with pytest.raises(RuntimeError) as caught:
        break_off()
    own = str(caught.value)
    removed = {path: query for method, path, query, _body in requests.seen if method == "DELETE"}
    assert set(removed) == {f"/api/v1/namespaces/{own}", "/api/v1/namespaces/llm-gateway/pods"}
    assert removed["/api/v1/namespaces/llm-gateway/pods"]["labelSelector"] == "llm-platform.wmx.dev/probe=network"


def test_what_a_killed_probe_left_is_removed() -> None:
    requests = Requests()
    remove_namespaces(KubeClient(requests))
    assert requests.paths("DELETE") == ["/api/v1/namespaces/left-over"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]},
            "ErrImagePull no",
        ),
        ({"phase": "Failed", "conditions": [{"message": "evicted"}]}, "evicted"),
        ({"phase": "Pending"}, "phase Pending"),
    ],
)
def test_a_pod_that_does_not_run_says_why(status: dict[str, t.Any], said: str) -> None:
    with (
        StandIns(KubeClient(Requests(status)), refuse, "image", time.monotonic() - 1) as pods,
        pytest.raises(ProbeError, match=f"pod llm-gateway/x with image image does not run: {said}"),
    ):
        pods.address("llm-gateway", "x")


def test_a_running_pod_has_an_address() -> None:
    status = {"podIP": "10.0.0.7", "phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}
    with StandIns(KubeClient(Requests(status)), refuse, "image", time.monotonic() - 1) as pods:
        assert pods.address("llm-gateway", "x") == "10.0.0.7"


def test_the_real_pod_gets_the_agent_on_standard_input() -> None:
    seen: list[t.Any] = []

    def run(pods: t.Any, script: str, arguments: t.Sequence[str], stdin: str) -> Done:
        seen.append((pods, script, arguments, stdin.splitlines()))
        return Done(0, '{"tried": ["", "refused"]}\n', "")

    wanted = [("10.0.0.1", 1, "TCP", True), ("10.0.0.1", 2, "TCP", False)]
    assert ask_real(run, REAL, wanted) == ["", "refused"]
    ((pods, _script, _arguments, (agent, asked)),) = seen
    assert (pods.selector, pods.container) == ("a=b,pod-template-hash=x", "litellm")
    assert "def attempt(" in json.loads(agent)
    assert json.loads(asked) == [list(one) for one in wanted]


def test_a_real_pod_without_python_is_no_fault_but_one_that_breaks_is() -> None:
    with pytest.raises(NoPython):
        ask_real(lambda *_args: Done(127, "", "python3: not found"), REAL, [])
    with pytest.raises(ProbeError, match="pod llm-gateway/litellm-x ended with code 1: Traceback"):
        ask_real(lambda *_args: Done(1, "", "Traceback"), REAL, [])


def test_a_real_pod_without_a_shell_has_no_python_either() -> None:
    def run(*_args: t.Any) -> Done:
        raise NotStartedError("no sh")

    with pytest.raises(NoPython):
        ask_real(run, REAL, [])


def test_without_a_cluster_no_claim_holds() -> None:
    params = {"kinds": ["bypass", "egress", "birth"], "flows": [], "namespaces": ["a"], "tenants": [], "outside": {}}
    for option in ("kubeconfig", "context", "api_key", "username", "password", "ca_cert", "client_cert", "client_key"):
        params[option] = None  # type: ignore[assignment]
    checks = probe({**params, "host": "https://127.0.0.1:1", "validate_certs": False, "proxy": None})
    assert [check["id"] for check in checks] == ["bypass-blocked", "egress-blocked", "birth-race-bounded"]
    assert not any(check["ok"] for check in checks)
    assert all("did not run" in check["reason"] for check in checks)
