# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The life of tenants: made, changed by hand behind the gateway's API, repaired, removed, deleted."""

from __future__ import annotations

import base64
import time
import typing as t
from contextlib import contextmanager

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLM, open_litellm
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref

pytestmark = pytest.mark.timeout(600)

if t.TYPE_CHECKING:
    from conftest import Record
    from platform_run import Environment, Object, Run

TEAMS, KEYS = "wmx.llm_platform.litellm_team", "wmx.llm_platform.litellm_key"
MODEL = "qwen2.5-0.5b-instruct"
# The gateway's key cache lives 10 s; a port-forwarded request on a busy machine may take some more.
REFUSED_WITHIN = 20.0
RED: dict[str, t.Any] = {
    "name": "e2e-red",
    "budget": {"usd": 50, "period": "30d"},
    "models": ["chat"],
    "keys": [{"name": "app", "budget": {"usd": 5, "period": "30d"}}],
}
BLUE: dict[str, t.Any] = {
    "name": "e2e-blue",
    "budget": {"usd": 5, "period": "1d"},
    "models": ["chat"],
    "keys": [{"name": "app"}],
}


@contextmanager
def litellm(environment: Environment) -> t.Iterator[LiteLLM]:
    gateway: Object = {"url": None, "namespace": "llm-gateway", "service": "litellm", "port": 4000, "pod": None}
    gateway |= {"timeout": 60.0, "master_key_secret": {"namespace": None, "name": "litellm-secrets"}}
    gateway["master_key_secret"]["key"] = "PROXY_MASTER_KEY"
    with open_litellm({"kubeconfig": str(environment.kubeconfig), "gateway": gateway}, environment.client) as llm:
        yield llm


def key_of(environment: Environment, tenant: str) -> str:
    secret = environment.client.get(Ref("", "v1", "Secret", f"tenant-{tenant}", "llm-key-app"))
    assert secret
    return base64.b64decode(secret["data"]["OPENAI_API_KEY"]).decode()


def ask(llm: LiteLLM, key: str) -> int:
    body = {"model": MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}
    status, _answer = llm.request("POST", "/v1/chat/completions", body, key=key)
    return status


def seconds_until_refused(llm: LiteLLM, key: str) -> float:
    began = time.monotonic()
    while (status := ask(llm, key)) == 200:
        assert time.monotonic() - began < REFUSED_WITHIN, f"answered for {REFUSED_WITHIN:.0f} s"
        time.sleep(0.5)
    assert status in {401, 403}, f"refused with {status}, which is no refusal of the key"
    return time.monotonic() - began


def team(llm: LiteLLM, name: str) -> Object:
    (found,) = [entry for entry in llm.teams() if entry.get("team_alias") == name]
    return found


def bring(environment: Environment, *arguments: str) -> Run:
    run = environment.run("tenants", *arguments)
    assert run.code == 0, str(run)
    return run


def drift(llm: LiteLLM, before: Object) -> str:
    """What somebody with the master key and good intentions does; the value of the key that they made."""
    identity = before["team_id"]
    llm.checked("POST", "/team/update", {"team_id": identity, "max_budget": 5000.0})
    llm.checked("POST", "/team/update", {"team_id": identity, "models": ["all-proxy-models"]})
    made = llm.checked("POST", "/key/generate", {"team_id": identity, "key_alias": f"demo-{time.time_ns()}"})
    return t.cast("str", made["key"])


def test_tenants_drift_is_shown_and_repaired_and_removal_blocks(gateway: Environment, record: Record) -> None:
    others = gateway.variables["llm_tenants"]
    own = [*others, RED]
    expected = (
        "--check --diff names budget, models and the extra key and repairs nothing; the run repairs them and the extra"
        " key is refused; a removed tenant's key is refused, its namespace stays bounded; named, all of it is deleted"
    )
    with record("tenant-drift-repaired", expected) as observed, litellm(gateway) as llm:
        gateway.set(llm_tenants=[*own, BLUE])
        bring(gateway)
        assert ask(llm, key_of(gateway, "e2e-red")) == 200
        before = team(llm, "e2e-red")
        extra = drift(llm, before)
        assert ask(llm, extra) == 200, "the drift is none: the extra key does not work"
        observed.append(shown(gateway, llm))
        observed.append(repaired(gateway, llm, before, extra))
        gateway.set(llm_tenants=own)
        observed.append(blocked(gateway, llm))
        gateway.set(llm_tenants_delete=[{"name": "e2e-blue"}])
        observed.append(deleted(gateway, llm))
        gateway.set(llm_tenants=others, llm_tenants_delete=[])


def shown(gateway: Environment, llm: LiteLLM) -> str:
    drifted = team(llm, "e2e-red")
    check = bring(gateway, "--check", "--diff")
    (teams,), (keys,) = check.of(TEAMS), check.of(KEYS)
    (entry,) = [entry for entry in teams["teams"] if entry["alias"] == "e2e-red"]
    assert entry["action"] == "updated", entry
    assert {"max_budget", "models"} <= set(entry["changes"]), entry
    assert keys["extra"], "the extra key was not found"
    assert "5000" in check.output, "--diff does not show the raised budget"
    after = team(llm, "e2e-red")
    assert (after["max_budget"], after["models"]) == (drifted["max_budget"], drifted["models"]), "--check has written"
    return f"--check --diff: {', '.join(sorted(entry['changes']))} of the team and {len(keys['extra'])} extra key"


def repaired(gateway: Environment, llm: LiteLLM, before: Object, extra: str) -> str:
    run = bring(gateway)
    assert run.changed, "nothing was repaired"
    after = team(llm, "e2e-red")
    assert (after["max_budget"], after["models"]) == (before["max_budget"], before["models"])
    seconds = seconds_until_refused(llm, extra)
    assert ask(llm, key_of(gateway, "e2e-red")) == 200, "the tenant's own key suffered"
    again = bring(gateway)
    assert not again.changed, f"changed: {again.changed}"
    return f"repaired, the extra key refused after {seconds:.1f} s; the next run changes nothing"


def blocked(gateway: Environment, llm: LiteLLM) -> str:
    key = key_of(gateway, "e2e-blue")
    assert ask(llm, key) == 200
    run = bring(gateway)
    seconds = seconds_until_refused(llm, key)
    assert team(llm, "e2e-blue")["blocked"] is True
    bounds = [
        Ref("", "v1", "Namespace", "", "tenant-e2e-blue"),
        Ref("networking.k8s.io", "v1", "NetworkPolicy", "tenant-e2e-blue", "tenant-boundary"),
        Ref("", "v1", "ResourceQuota", "tenant-e2e-blue", "tenant-quota"),
    ]
    assert all(gateway.client.get(ref) for ref in bounds), "what bounds the namespace went with the tenant"
    assert {ref.text for ref in bounds} <= run.refs("kept")
    return f"removed tenant refused after {seconds:.1f} s, its namespace kept with policy and quota"


def deleted(gateway: Environment, llm: LiteLLM) -> str:
    run = bring(gateway)
    assert "Namespace tenant-e2e-blue" in run.refs("pruned")
    assert gateway.client.get(Ref("", "v1", "Namespace", "", "tenant-e2e-blue")) is None
    teams = {entry["team_alias"]: entry["team_id"] for entry in llm.teams()}
    assert "e2e-blue" not in teams
    assert "e2e-red" in teams
    all_keys = llm.keys()
    left = [entry for entry in all_keys if entry.get("team_id") not in set(teams.values())]
    assert not [entry for entry in left if "e2e-blue" in str(entry)], "a key outlived its team"
    again = bring(gateway)
    assert not again.changed, f"changed: {again.changed}"
    return "named for deletion, namespace, team and keys are gone and the next run changes nothing"
