# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether policies are enforced is told from calls, and never from a network that carries nothing."""

from __future__ import annotations

import itertools
import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _probe_network
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check, run_probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_network import ENFORCED, Calls, observe_enforced
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

Passes = t.Callable[[str, bool, int], bool]


class Cluster:
    """Every look at a caller's log finds one call more; `passes(caller, policy is there, calls since)` decides it."""

    def __init__(self, passes: Passes, *, starts: bool = True, address: str = "10.1.2.3") -> None:
        self.passes, self.starts, self.address = passes, starts, address
        self.policy = False
        self.since: dict[str, t.Iterator[int]] = {}
        self.logs: dict[str, str] = {}
        self.urls: list[str] = []
        self.namespaces: list[str] = []

    def request(self, method: str, path: str, *, body: t.Any = None, **_options: t.Any) -> Response:
        if method == "DELETE":
            self.namespaces.remove(path.rsplit("/", 1)[-1])
        elif method == "POST" and path == "/api/v1/namespaces":
            self.namespaces.append(body["metadata"]["name"])
        elif method == "POST" and path.endswith("/networkpolicies"):
            self.policy = True
            self.since = {}
        elif method == "POST":
            self.logs[body["metadata"]["name"]] = ""
            self.urls += [item["value"] for item in body["spec"]["containers"][0]["env"] if item["name"] == "URL"]
        elif path.endswith("/log"):
            return self._log(path.split("/")[-2])
        else:
            waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
            return Response(200, json.dumps({"status": {"containerStatuses": [waiting]}}).encode(), {})
        return Response(201, b"{}", {})

    def stream(self, *_args: t.Any, **_options: t.Any) -> t.Any:
        raise NotImplementedError

    def _log(self, name: str) -> Response:
        if not self.starts:
            return Response(400, b"{}", {})
        if name == "server":
            return Response(200, f"{self.address}\n".encode(), {})
        number = next(self.since.setdefault(name, itertools.count()))
        self.logs[name] += "ok\n" if self.passes(name, self.policy, number) else "no refused\n"
        return Response(200, self.logs[name].encode(), {})


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes on only where the probe looks at it."""
    ticks = itertools.count()
    monkeypatch.setattr(_probe_network.time, "monotonic", lambda: next(ticks) / 10)
    monkeypatch.setattr(_probe_network.time, "sleep", lambda _seconds: None)


def verdict(cluster: Cluster) -> Check:
    check = run_probe(ENFORCED, lambda: observe_enforced(KubeClient(cluster), "example.com/probe:1", 60.0))
    assert cluster.namespaces == [], "the probe's namespace is left"
    return check


def test_a_network_that_denies_one_and_lets_the_other_through_holds_the_claim() -> None:
    check = verdict(Cluster(lambda name, policy, _n: name == "allowed" or not policy))
    assert check["ok"], check
    assert "denied 9 times in a row (refused)" in check["observed"]


def test_a_policy_that_takes_a_while_is_waited_for() -> None:
    assert verdict(Cluster(lambda name, policy, n: name == "allowed" or not policy or n < 5))["ok"]


def test_a_network_without_enforcement_is_found_out() -> None:
    check = verdict(Cluster(lambda _name, _policy, _n: True))
    assert not check["ok"]
    assert "got through for 10 s" in check["reason"]


def test_a_network_that_denies_everybody_is_found_out() -> None:
    check = verdict(Cluster(lambda _name, policy, _n: not policy))
    assert not check["ok"]
    assert "the allowed caller was denied (refused)" in check["reason"]


def test_a_network_that_never_carried_anything_shows_nothing() -> None:
    check = verdict(Cluster(lambda _name, _policy, _n: False))
    assert check["observed"] == "did not run"
    assert "even without a policy (refused)" in check["reason"]


def test_a_caller_that_gets_through_again_is_found_out() -> None:
    check = verdict(Cluster(lambda name, policy, n: name == "allowed" or not policy or n >= 8))
    assert not check["ok"]
    assert "after it had been denied" in check["reason"]


def test_pods_that_do_not_start_are_explained() -> None:
    check = verdict(Cluster(lambda _name, _policy, _n: True, starts=False))
    assert check["observed"] == "did not run"
    assert "ErrImagePull no such image" in check["reason"]


def test_an_address_of_the_sixth_version_is_put_in_brackets() -> None:
    cluster = Cluster(lambda name, policy, _n: name == "allowed" or not policy, address="fd00::7")
    assert verdict(cluster)["ok"]
    assert set(cluster.urls) == {"http://[fd00::7]:8080/"}


@pytest.mark.parametrize(
    ("log", "through", "error"),
    [
        ("", (), ""),
        ("ok\nno timed out\no", (True, False), "timed out"),
        ("no a\nno b\nok\n", (False, False, True), "b"),
    ],
)
def test_a_log_tells_the_calls_and_the_last_error(log: str, through: tuple[bool, ...], error: str) -> None:
    assert Calls.parse(log) == Calls(through, error)
