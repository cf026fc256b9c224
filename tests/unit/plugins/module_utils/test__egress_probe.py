# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The probe of the way out sees what is wrong, and leaves nothing behind."""

from __future__ import annotations

import base64
import datetime as dt
import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _certificates as certificates
from ansible_collections.wmx.llm_platform.plugins.module_utils import _egress_probe_provider as provider
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError, run_probe, validate_check
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_observe import BUDGETED, observe
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_scene import Place, Scene
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_egress import FakePlatform

if t.TYPE_CHECKING:
    import pathlib

HOST = "api.openai.test"
PLACE = Place("llm-egress", "provider-stand-in", {"gateway": "egress"}, {HOST: "openai"})


def check(folder: pathlib.Path, defect: str = "") -> dict[str, t.Any]:
    platform = FakePlatform(folder, defect)
    return validate_check(run_probe(BUDGETED, lambda: observe(platform.stage())))


def test_a_way_out_that_holds_is_proven_and_called_simulated(tmp_path: pathlib.Path) -> None:
    found = check(tmp_path)
    assert found["ok"], found["reason"]
    assert found["simulated"]
    # Two models, each streamed and plain.
    assert found["observed"].startswith("4 answers by 1 replicas, $0.00041600 in the ledger")
    assert "3 answers for a budget of 3.5, then budget_exceeded" in found["observed"]
    (openai, anthropic) = found["table"]["rows"]
    assert (openai[1:3], anthropic[1:3]) == (
        ["api.openai.test", "/v1/chat/completions"],
        ["api.anthropic.test", "/v1/messages"],
    )
    assert "key-of" not in json.dumps(found)


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        ("the other's key", "api.anthropic.test was not asked with the one key that is its own"),
        ("tells by header", "a provider was told x-gateway-"),
        ("tells by salt", "a provider was told cache_salt"),
        ("tells the user", "a provider was told of a team or its key"),
        ("asks first", "the provider was asked although the budget was spent"),
        ("no budget", "answers cost more than the budget"),
        ("free", "the ledger has $0.0"),
        ("any authority", "was answered with a certificate of a strange authority"),
        ("another way out", "LiteLLM's own pod opens 10.96.0.9:443, past the gateway"),
    ],
)
def test_each_fault_is_seen_by_name(tmp_path: pathlib.Path, defect: str, reason: str) -> None:
    found = check(tmp_path, defect)
    assert not found["ok"]
    assert reason in found["reason"]


def test_a_gateway_that_does_not_answer_is_no_proof(tmp_path: pathlib.Path) -> None:
    platform = FakePlatform(tmp_path)
    platform.chat = lambda *_given, **_named: provider_away()  # type: ignore[method-assign]
    found = run_probe(BUDGETED, lambda: observe(platform.stage()))
    assert found["reason"] == "did not run: gpt is not answered by way of the egress gateway: 503 no healthy upstream"


def provider_away() -> t.Any:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer

    return Answer(503, error="no healthy upstream")


class Cluster:
    """An API server that does all it is asked and remembers it."""

    def __init__(self, *, certificate: bool = True) -> None:
        self.seen: list[tuple[str, str, t.Any, t.Any]] = []
        now = dt.datetime.now(dt.UTC)
        pair = certificates.make_host(HOST, certificates.make_authority("ours", now), 1, now)
        data = {"tls.crt": pair.certificate, "tls.key": pair.key} if certificate else {}
        self.secret = {"data": {name: base64.b64encode(value).decode() for name, value in data.items()}}

    def request(self, method: str, path: str, *, query: t.Any = None, body: t.Any = None, **_rest: t.Any) -> Response:
        self.seen.append((method, path, query, body))
        answer: dict[str, t.Any] = {"status": {"phase": "Failed"}}
        if path == "/api/v1/namespaces" and method == "GET":
            answer = {"items": [{"metadata": {"name": "left-over"}}]}
        if path.endswith("/secrets/openai"):
            answer = self.secret
        return Response(201 if method == "POST" else 200, json.dumps(answer).encode())

    def stream(self, path: str, *, query: t.Any = None, seconds: float) -> t.Iterator[bytes]:
        raise AssertionError

    def made(self, kind: str) -> t.Any:
        return next(body for method, _path, _query, body in self.seen if method == "POST" and body["kind"] == kind)


def play(cluster: Cluster) -> None:
    scene = Scene(KubeClient(cluster), t.cast("t.Any", None), "image", 0.1)
    with scene.stand_in(PLACE):
        raise AssertionError


def test_a_stand_in_that_does_not_run_says_so_and_is_removed() -> None:
    cluster = Cluster()
    with pytest.raises(ProbeError, match="the stand-in with image image does not run"):
        play(cluster)
    removed = [path for method, path, _query, _body in cluster.seen if method == "DELETE"]
    assert removed == removed[:3] * 2, "before, what a killed probe left, and afterwards"
    assert removed[:3] == [
        "/apis/discovery.k8s.io/v1/namespaces/llm-egress/endpointslices",
        "/apis/networking.k8s.io/v1/namespaces/llm-egress/networkpolicies",
        "/api/v1/namespaces/left-over",
    ]
    collections = [query for method, path, query, _body in cluster.seen if method == "DELETE" and "llm-egress" in path]
    assert {query["labelSelector"] for query in collections} == {"llm-platform.wmx.dev/probe=egress"}


def test_the_gateway_is_let_out_to_the_stand_in_and_nowhere_else() -> None:
    cluster = Cluster()
    with pytest.raises(ProbeError):
        play(cluster)
    policy = cluster.made("NetworkPolicy")
    (rule,) = policy["spec"]["egress"]
    assert policy["metadata"]["namespace"] == "llm-egress"
    assert policy["spec"]["podSelector"] == {"matchLabels": {"gateway": "egress"}}
    selector = rule["to"][0]["namespaceSelector"]["matchLabels"]
    assert selector == {"kubernetes.io/metadata.name": cluster.made("Namespace")["metadata"]["name"]}
    assert rule["ports"] == [{"port": provider.PORT, "protocol": "TCP"}]


def test_the_stand_in_has_a_right_certificate_and_a_strange_one_for_each_host() -> None:
    cluster = Cluster()
    with pytest.raises(ProbeError):
        play(cluster)
    made = cluster.made("Secret")["data"]
    assert set(made) == {"right-0.crt", "right-0.key", "wrong-0.crt", "wrong-0.key"}
    right, wrong = (certificates.load(base64.b64decode(made[f"{name}-0.crt"])) for name in ("right", "wrong"))
    assert certificates.names_of(right) == certificates.names_of(wrong) == [HOST]
    assert right.issuer != wrong.issuer
    pod = cluster.made("Pod")["spec"]
    assert "def servers(" in pod["containers"][0]["command"][2]
    assert {"name": "HOSTS", "value": json.dumps([HOST])} in pod["containers"][0]["env"]


def test_without_a_certificate_nothing_is_made() -> None:
    cluster = Cluster(certificate=False)
    with pytest.raises(ProbeError, match="Secret llm-egress/openai holds no certificate; deliver the component egress"):
        play(cluster)
    assert not [path for method, path, _query, _body in cluster.seen if method == "POST"]
