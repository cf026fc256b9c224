# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From options to a client: the master key, what is missing, and what LiteLLM says without secrets."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import (
    GATEWAY_SPEC,
    AbsentError,
    LiteLLMError,
    open_litellm,
    open_planned,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_info import gather
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import MASTER, FakeLiteLLM

Row = dict[str, t.Any]


class Cluster:
    """A Transport that knows paths."""

    def __init__(self, **answers: Row) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def request(self, method: str, path: str, **_options: t.Any) -> Response:
        assert method == "GET"
        self.asked.append(path)
        found = self.answers.get(path.rpartition("/")[2])
        body = found if found is not None else {"reason": "NotFound", "message": f"{path} not found"}
        return Response(200 if found is not None else 404, json.dumps(body).encode())

    def stream(self, path: str, **_options: t.Any) -> t.Iterator[bytes]:
        raise AssertionError(f"nobody watches {path} here")


def secret(value: str = MASTER, key: str = "PROXY_MASTER_KEY") -> Row:
    return {"data": {key: base64.b64encode(value.encode()).decode()}}


def options(**gateway: t.Any) -> Row:
    checked = ArgumentSpecValidator(GATEWAY_SPEC).validate({"gateway": gateway} if gateway else {})
    assert not checked.error_messages, checked.error_messages
    return t.cast("Row", checked.validated_parameters)


def test_without_options_the_platforms_own_names_hold() -> None:
    gateway = options()["gateway"]
    assert (gateway["namespace"], gateway["service"], gateway["port"]) == ("llm-gateway", "litellm", 4000)
    assert gateway["master_key_secret"] == {"namespace": None, "name": "litellm-secrets", "key": "PROXY_MASTER_KEY"}


def test_a_url_and_a_pod_exclude_each_other() -> None:
    checked = ArgumentSpecValidator(GATEWAY_SPEC).validate({"gateway": {"url": "http://x", "pod": "y"}})
    assert "mutually exclusive" in checked.error_messages[0]


def test_a_url_is_asked_with_the_master_key_of_the_secret() -> None:
    cluster = Cluster(**{"litellm-secrets": secret()})
    with FakeLiteLLM() as fake, open_litellm(options(url=fake.url), KubeClient(cluster)) as llm:
        assert llm.version() == "1.108.7"
    assert cluster.asked == ["/api/v1/namespaces/llm-gateway/secrets/litellm-secrets"]


def test_the_secret_may_lie_elsewhere() -> None:
    cluster = Cluster(mine=secret(key="k"))
    place = {"namespace": "vault", "name": "mine", "key": "k"}
    with (
        FakeLiteLLM() as fake,
        open_litellm(options(url=fake.url, master_key_secret=place), KubeClient(cluster)) as llm,
    ):
        assert llm.version()
    assert cluster.asked == ["/api/v1/namespaces/vault/secrets/mine"]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"litellm-secrets": {"data": {}}}, "has no key 'PROXY_MASTER_KEY': set `gateway.master_key_secret`"),
        ({"litellm-secrets": {"data": {"PROXY_MASTER_KEY": "%%%"}}}, "is no text"),
        (
            {"litellm-secrets": secret(), "litellm": {"spec": {"ports": [{"port": 80}]}}},
            "has no port 4000; it offers 80",
        ),
    ],
)
def test_what_is_wrong_with_the_way_to_the_gateway_is_said(answers: dict[str, Row], said: str) -> None:
    with pytest.raises(LiteLLMError, match=said), open_litellm(options(), KubeClient(Cluster(**answers))):
        pass


@pytest.mark.parametrize("answers", [{}, {"litellm-secrets": secret()}], ids=["no Secret", "no Service"])
def test_a_gateway_that_was_never_installed_is_told_from_one_that_is_down(answers: dict[str, Row]) -> None:
    kube = KubeClient(Cluster(**answers))
    with pytest.raises(AbsentError), open_litellm(options(), kube):
        pass
    with pytest.raises(AbsentError), open_planned(options(), kube, check_mode=False):
        pass
    with open_planned(options(), kube, check_mode=True) as llm:
        assert llm is None


def test_a_gateway_without_ready_pods_is_an_error_in_check_mode_too() -> None:
    service = {"spec": {"ports": [{"port": 4000, "name": "http"}]}}
    kube = KubeClient(Cluster(**{"litellm-secrets": secret(), "litellm": service, "endpointslices": {"items": []}}))
    with pytest.raises(LiteLLMError, match="has no ready pod"), open_planned(options(), kube, check_mode=True):
        pass


def test_what_happens_while_a_client_is_in_use_is_not_taken_for_a_gateway_that_cannot_be_reached() -> None:
    kube = KubeClient(Cluster(**{"litellm-secrets": secret()}))
    with pytest.raises(KeyError), open_litellm(options(url="http://127.0.0.1:1"), kube):
        raise KeyError


def test_information_has_prices_and_spend_and_no_secrets() -> None:
    cluster = Cluster(**{"litellm-secrets": secret()})
    with FakeLiteLLM() as fake, open_litellm(options(url=fake.url), KubeClient(cluster)) as llm:
        fake.post_team_new({"team_id": "acme", "max_budget": 5.0})
        fake.post_key_generate({"key_alias": "a", "team_id": "acme", "key": "sk-a-value-nobody-sees", "spend": 0.5})
        found = gather(llm, ["version", "models", "teams", "keys"])
    assert found["version"] == "1.108.7"
    assert found["models"][0]["model_name"] == "chat"
    assert found["models"][0]["model_info"]["output_cost_per_token"] == 2e-6
    assert (found["teams"][0]["max_budget"], found["keys"][0]["spend"]) == (5.0, 0.5)
    assert "sk-" not in json.dumps(found)


def test_only_what_is_asked_for_is_read() -> None:
    cluster = Cluster(**{"litellm-secrets": secret()})
    with FakeLiteLLM() as fake, open_litellm(options(url=fake.url), KubeClient(cluster)) as llm:
        assert gather(llm, ["teams"]) == {"teams": []}
        assert llm.calls == 1
