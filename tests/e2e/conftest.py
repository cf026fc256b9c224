# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""One cluster for the whole life of an environment, and the evidence that each test leaves."""

from __future__ import annotations

import pathlib
import sys
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_files import FRAGMENTS, write_fragment

# Tests are imported by path, so their helpers are not on it.
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from platform_run import ROOT, SERVING_ONLY, Environment, Run, snapshot
from real_registry import node_root
from secret_search import Arguments

DEMAND = "evidence : Demand that every check is ok"
TENANT: dict[str, t.Any] = {
    "name": "e2e",
    "budget": {"usd": 20, "period": "30d"},
    "models": ["chat"],
    "keys": [{"name": "app"}],
}
EVIDENCE = ROOT / "evidence" / "local"
CLAIMS = yaml.safe_load((ROOT / "roles" / "evidence" / "vars" / "main.yml").read_text(encoding="utf-8"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-text", action="store_true", help="try the small real model, too (1 GB of disk)")


class Record(t.Protocol):
    def __call__(self, check_id: str, expected: str) -> t.ContextManager[list[str]]: ...


@pytest.fixture(scope="session")
def record() -> Record:
    """`with record(id, expected) as observed:` leaves a check; it is not ok, with the reason, when the block raises."""
    claims = {claim["id"]: claim for claim in CLAIMS["__evidence_lifecycle_claims"]}
    for check_id in claims:
        if check_id != "host-untouched":
            (EVIDENCE / FRAGMENTS / f"{check_id}.json").unlink(missing_ok=True)

    @contextmanager
    def recording(check_id: str, expected: str) -> t.Iterator[list[str]]:
        declared = claims[check_id]
        claim = Claim(check_id, declared["class"], declared["claim"], expected)
        observed: list[str] = []
        began = time.monotonic()
        try:
            yield observed
            assert observed, "the test observed nothing"
        except BaseException as exc:
            reason = " ".join(str(exc).split())[:600] or type(exc).__name__
            seen = "; ".join(observed) or "did not get as far as observing anything"
            write_fragment(
                EVIDENCE, claim.check(ok=False, observed=seen, seconds=time.monotonic() - began, reason=reason)
            )
            raise
        write_fragment(EVIDENCE, claim.check(ok=True, observed="; ".join(observed), seconds=time.monotonic() - began))

    return recording


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Environment]:
    """The local example on a new cluster that has nothing of ours yet."""
    environment = Environment.copy("local", tmp_path_factory.mktemp("first"), "llm-e2e", SERVING_ONLY)
    environment.run("local_down", local_cluster_remove_volumes=True)
    up = environment.run("local_up")
    assert up.code == 0, str(up)
    yield environment
    environment.run("local_down", local_cluster_remove_volumes=True)


@pytest.fixture(scope="session")
def registry_root(request: pytest.FixtureRequest) -> pathlib.Path:
    """A root filesystem with a registry in it; only on a new machine a cluster must be built for that."""
    if node_root() is None:
        request.getfixturevalue("empty")
    found = node_root()
    assert found, "the node's root filesystem has no registry"
    return found


@pytest.fixture(scope="session")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tool of its own go.mod; the first time its build takes minutes."""
    environment = Environment.copy("local", tmp_path_factory.mktemp("cosign"), "llm-e2e", SERVING_ONLY)
    run = environment.run("local_cosign")
    assert run.code == 0, str(run)
    return str(run.of("ansible.builtin.set_fact")[-1]["ansible_facts"]["local_cluster_cosign"])


@pytest.fixture(scope="session")
def pristine(empty: Environment) -> dict[str, str]:
    """What a cluster has before anything of ours."""
    return snapshot(empty.client)


@pytest.fixture(scope="session")
def platform(empty: Environment, pristine: dict[str, str]) -> Environment:
    """The environment after its first run."""
    empty.site()
    return empty


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Environment]:
    """A second cluster beside the first, which its environment knows by a kubeconfig alone."""
    folder = tmp_path_factory.mktemp("second")
    owner = Environment.copy("local", folder, "llm-e2e-existing", SERVING_ONLY)
    owner.run("local_down", local_cluster_remove_volumes=True)
    up = owner.run("local_up")
    assert up.code == 0, str(up)
    yield owner
    owner.run("local_down", local_cluster_remove_volumes=True)


@dataclass(frozen=True)
class Raised:
    """An environment with the gateway and a tenant, and all that could be seen of the run that made it."""

    environment: Environment
    run: Run
    arguments: Arguments


@pytest.fixture(scope="session")
def raised(empty: Environment, tmp_path_factory: pytest.TempPathFactory) -> Raised:
    """The first cluster with profile llm_gateway, whatever was on it before."""
    environment = Environment.copy(
        "local", tmp_path_factory.mktemp("gateway"), empty.cluster, {"llm_tenants": [TENANT]}
    )
    arguments = Arguments()
    with arguments.watched():
        run = environment.run("site", "-vvv", "--diff")
    # What a claim amounts to is told where it is proven; here it only has to be delivered.
    failed = [entry for entry in run.results if entry["outcome"] == "failed" and not entry["task"].endswith(DEMAND)]
    assert not failed, str(run)
    assert run.code == 0 or any(entry["task"].endswith(DEMAND) for entry in run.results), str(run)
    return Raised(environment, run, arguments)


@pytest.fixture(scope="session")
def gateway(raised: Raised) -> Environment:
    """The environment with the gateway and a tenant named e2e, whose key is in tenant-e2e/llm-key-app."""
    return raised.environment
