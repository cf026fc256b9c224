# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is secret shows nowhere, what must never change does not, and what can be replaced is replaced."""

from __future__ import annotations

import base64
import pathlib
import typing as t

import pytest
from platform_run import APPLY, Environment, Run, snapshot
from prober import Tenant
from secret_search import PIECE, Value, cluster_texts, search, search_folder, values_of

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref

pytestmark = pytest.mark.timeout(1500)

if t.TYPE_CHECKING:
    from conftest import Raised, Record

SECRET = Ref("", "v1", "Secret", "llm-gateway", "litellm-secrets")
SALT, MASTER = "LITELLM_SALT_KEY", "PROXY_MASTER_KEY"
OTHER = f"sk-{'0123456789abcdef' * 4}"
RENDER = "wmx.llm_platform.render"
ROLLOUT_SECONDS = 60


def test_the_search_finds_a_value_in_every_form(tmp_path: pathlib.Path) -> None:
    raw = b"sk-5f0c1d9be7a84c6fb2d3e4f5a6978869"
    value = Value("ns/secret:key", raw)
    for name, form in value.forms().items():
        (tmp_path / "log").write_bytes(b"before " + form + b" after")
        found, _size = search_folder(tmp_path, [value])
        assert any(f"({name})" in line for line in found), f"{name} is not found"
        assert raw.decode() not in str(found)
    for prefix in (b"", b"u:", b"user:"):
        header = base64.b64encode(prefix + raw + b"@host")
        assert search(header, [value], "header"), f"not found in base64 behind {len(prefix)} characters"
    assert search(b"..." + raw[:PIECE], [value], "piece")
    assert not search(b"nothing " + raw[:8], [value], "text")


def test_secrets_are_shown_nowhere(raised: Raised, record: Record) -> None:
    """The run made all values; who can read its log and its files, list processes and read pods' logs learns none."""
    expected = (
        "no value of any Secret in the log at -vvv with --diff, in tree, evidence, results, arguments or the cluster"
    )
    with record("secrets-never-shown", expected) as observed:
        environment = raised.environment
        values = values_of(environment.client)
        names = {value.place for value in values}
        assert {f"llm-gateway/litellm-secrets:{key}" for key in (SALT, MASTER, "UPSTREAM_API_KEY")} <= names
        assert "tenant-e2e/llm-key-app:OPENAI_API_KEY" in names
        log = raised.run.output.encode()
        assert b"litellm-salt-key" in log, "the log does not tell what the run did, so it could not show a value either"
        found = search(log, values, "the log")
        in_files, size = search_folder(environment.inventory.parent, values)
        assert size > 100_000, "there are no files to search"
        found += in_files
        lines = sorted(raised.arguments.seen)
        assert any(b"ansible-playbook" in line for line in lines), "the processes of the run were not seen"
        assert any(b"postgres" in line for line in lines), "the processes of the cluster were not seen"
        for line in lines:
            program = line.split(b"\0")[0].decode(errors="replace")
            found += search(line, values, f"the arguments of {pathlib.PurePath(program).name}")
        texts = dict(cluster_texts(environment.client))
        assert any(name.startswith("log of llm-gateway/litellm") for name in texts)
        found += [line for where, text in texts.items() for line in search(text, values, where)]
        assert not found, found
        observed.append(
            f"{len(values)} values in {len(values[0].forms())} forms each: none in {len(log)} bytes of log, "
            f"{size} of files, {len(lines)} command lines, {len(texts)} objects and logs of the cluster"
        )


def test_the_salt_key_never_changes(gateway: Environment, record: Record) -> None:
    expected = "a changed, a given and a lost salt key are refused in check mode and without, and nothing is touched"
    with record("salt-key-protected", expected) as observed:
        client = gateway.client
        first = data_of(gateway)[SALT]
        given = {"litellm-salt-key": OTHER}
        other = base64.b64encode(OTHER.encode()).decode()
        # What is in the Secret, what is given, and how often it is tried: in check mode and without.
        ways: dict[str, tuple[str | None, dict[str, str], list[list[str]]]] = {
            "changed": (other, {}, [[], ["--check"]]),
            "lost": (None, {}, [["--check", "--diff"]]),
            "given": (first, given, [["-vvv"]]),
        }
        for way, (held, values, runs) in ways.items():
            path = client.resource_path(SECRET)
            body = {"data": {SALT: held}}
            client.checked("PATCH", path, body=body, content_type="application/merge-patch+json")
            gateway.set(secrets_values=values)
            try:
                before = objects(gateway)
                for arguments in runs:
                    refused(gateway.run("site", *arguments), way)
                assert objects(gateway) == before, f"{way}: the cluster was touched"
            finally:
                back = {"data": {SALT: first}}
                client.checked("PATCH", path, body=back, content_type="application/merge-patch+json")
                gateway.set(secrets_values={})
            observed.append(f"{way}: refused {len(runs)} of {len(runs)} times")
        run = gateway.run("preflight")
        assert run.code == 0, str(run)
        rotation = gateway.run("rotate_secret", secrets_rotate="litellm-salt-key", secrets_rotate_confirm="local")
        assert rotation.code != 0
        assert "cannot encrypt them again" in rotation.output
        assert data_of(gateway)[SALT] == first
        observed.append("its rotation: refused; with the first one back, preflight passes")


def refused(run: Run, way: str) -> None:
    assert run.code != 0, f"{way}: the run went through"
    assert "nothing was touched" in run.output, str(run)
    assert "bring the first one back from a backup" in run.output, str(run)
    assert OTHER not in run.output, f"{way}: the value is shown"
    assert not run.of(RENDER), f"{way}: something was rendered"
    assert not run.of(APPLY), f"{way}: something was applied"


def objects(environment: Environment) -> dict[str, str]:
    """Pods report on themselves all the time."""
    return {place: version for place, version in snapshot(environment.client).items() if "v1/Pod " not in place}


def data_of(environment: Environment) -> dict[str, str]:
    found = environment.client.get(SECRET)
    assert found
    return t.cast("dict[str, str]", found["data"])


def test_a_password_and_the_master_key_are_replaced_while_a_tenant_asks(gateway: Environment) -> None:
    """Both kinds of rotation: with a server that must be told, and by rolling alone."""
    tenant = Tenant(gateway.kubeconfig, "tenant-e2e", "llm-key-app", "qwen2.5-0.5b-instruct")
    assert tenant.settled() == 200
    before = data_of(gateway)[MASTER]
    unconfirmed = gateway.run("rotate_secret", secrets_rotate="litellm-master-key")
    assert unconfirmed.code != 0
    assert "secrets_rotate_confirm=local" in unconfirmed.output
    assert data_of(gateway)[MASTER] == before
    with tenant.asking() as answers:
        for name in ("litellm-db-password", "litellm-master-key"):
            run = gateway.run("rotate_secret", secrets_rotate=name, secrets_rotate_confirm="local")
            assert run.code == 0, str(run)
    assert tenant.settled() == 200
    assert data_of(gateway)[MASTER] != before
    assert len(answers.seen) > 10
    # A replica that rolls last may have to log in anew with the password before; then it is not the key that is wrong.
    assert {status for _when, status in answers.refused} <= {503}, str(answers)
    assert answers.outage < ROLLOUT_SECONDS, str(answers)
