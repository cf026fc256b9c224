# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A rotation replaces one value everywhere, rolls who reads it, and can be finished after it was killed."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import ExecError, ready_pod
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import Pods, SecretError
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_rollout import ANNOTATION_PREFIX, reads
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_rotate import Asked, rotate
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_servers import scram_verifier
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cluster import status
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.secret_cluster import (
    CACHE,
    DATABASE,
    GATEWAY,
    HOME,
    MASTER,
    MODELS,
    SALT,
    SHARED,
    TOKEN,
    Object,
    SecretCluster,
    Servers,
    contract,
    entry,
    environment_of,
    proves,
)

OLD = "old-0123456789abcdef"
NEW = "sk-new-0123456789abcdef"
ALL = (MASTER, SHARED, SALT, DATABASE, CACHE)


@pytest.fixture
def servers() -> Servers:
    return Servers(postgresql={OLD}, redis={OLD})


@pytest.fixture
def cluster() -> SecretCluster:
    """All values are OLD; two models, the gateway and its stores read them."""
    made = SecretCluster()
    made.secret(MODELS, "api", key=OLD)
    made.secret(GATEWAY, "litellm", MASTER=OLD, UPSTREAM=OLD, SALT=OLD)
    made.secret(GATEWAY, "pg", username="litellm", password=OLD)
    made.secret(GATEWAY, "redis", password=OLD)
    for name in ("chat", "embed"):
        made.workload(MODELS, name, environment_of("api", "key"), component="serving")
    refs = [("litellm", "MASTER"), ("litellm", "UPSTREAM"), ("pg", "password"), ("redis", "password")]
    env = [variable for secret, key in refs for variable in environment_of(secret, key)["containers"][0]["env"]]
    made.workload(GATEWAY, "proxy", {"containers": [{"name": "main", "env": env}]}, component="llm_gateway")
    for name, secret in (("postgresql", "pg"), ("redis", "redis")):
        volume = {"name": "password", "secret": {"secretName": secret, "items": [{"key": "password", "path": "p"}]}}
        spec = {"containers": [{"name": name}], "volumes": [volume]}
        made.workload(GATEWAY, name, spec, component="datastores", kind="StatefulSet")
    made.workload(GATEWAY, "stranger", environment_of("other", "MASTER"), component="llm_gateway")
    return made


def asked(name: str, *entries: Object, **rest: t.Any) -> Asked:
    return Asked(contract(*(entries or ALL)), name, HOME, seconds=5.0, **rest)


def values(cluster: SecretCluster) -> list[str | None]:
    return [cluster.value(place) for place in ("gateway/litellm:MASTER", "models/api:key", "gateway/litellm:UPSTREAM")]


def test_a_master_key_is_replaced_and_only_its_readers_roll(cluster: SecretCluster, servers: Servers) -> None:
    result = rotate(cluster.client, servers, asked("master"))
    master, *others = values(cluster)
    assert master
    assert master.startswith("sk-")
    assert others == [OLD, OLD]
    assert cluster.rolled() == ["proxy"]
    assert result.rolled == [["apps/Deployment gateway/proxy"]]
    assert servers.seen == []


def test_pods_roll_by_an_annotation_that_the_tree_does_not_own(cluster: SecretCluster, servers: Servers) -> None:
    rotate(cluster.client, servers, asked("master"))
    (patch,) = [entry for entry in cluster.requests if entry[0] == "PATCH" and "/apps/" in entry[1]]
    assert patch[2]["fieldManager"] == "llm-platform-secrets"
    assert list(patch[3]["spec"]["template"]["metadata"]["annotations"]) == [f"{ANNOTATION_PREFIX}master"]
    assert patch[3].keys() == {"spec"}


def test_a_shared_value_is_replaced_everywhere_and_models_roll_before_the_gateway(
    cluster: SecretCluster, servers: Servers
) -> None:
    rotate(cluster.client, servers, asked("shared"))
    _master, first, second = values(cluster)
    assert first == second != OLD
    assert cluster.rolled() == ["chat", "embed", "proxy"]


def test_a_given_value_is_taken(cluster: SecretCluster, servers: Servers) -> None:
    rotate(cluster.client, servers, asked("master", given=NEW.encode()))
    assert values(cluster)[0] == NEW


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("nothing", {}, "is no secret of this plan"),
        ("mastr", {}, "did you mean master"),
        ("salt", {}, "rows are encrypted with it"),
        ("master", {"given": b"short"}, "does not begin with sk-"),
        ("master", {"external": True}, "the store of external-secrets has the value"),
    ],
)
def test_what_cannot_rotate_is_refused_before_the_cluster_is_asked(
    cluster: SecretCluster, servers: Servers, name: str, options: dict[str, t.Any], said: str
) -> None:
    with pytest.raises(SecretError, match=said):
        rotate(cluster.client, servers, asked(name, **options))
    assert cluster.requests == []


def test_the_value_that_is_there_is_no_new_one(cluster: SecretCluster, servers: Servers) -> None:
    cluster.secret(GATEWAY, "litellm", MASTER=NEW)
    with pytest.raises(SecretError, match="is the value that is there already") as caught:
        rotate(cluster.client, servers, asked("master", given=NEW.encode()))
    assert NEW not in str(caught.value)


def test_what_is_not_there_yet_cannot_rotate(servers: Servers) -> None:
    with pytest.raises(SecretError, match="is not there yet"):
        rotate(SecretCluster().client, servers, asked("master"))


def test_a_dry_run_names_what_would_roll_and_writes_nothing(cluster: SecretCluster, servers: Servers) -> None:
    result = rotate(cluster.client, servers, asked("shared"), dry_run=True)
    assert result.places == ["gateway/litellm:UPSTREAM", "models/api:key"]
    models = ["apps/Deployment models/chat", "apps/Deployment models/embed"]
    assert result.rolled == [models, ["apps/Deployment gateway/proxy"]]
    assert not cluster.writes


def test_postgresql_learns_a_verifier_and_its_own_pods_stay(cluster: SecretCluster, servers: Servers) -> None:
    rotate(cluster.client, servers, asked("database"))
    new = cluster.value("gateway/pg:password")
    assert new
    assert new != OLD
    (statement,) = servers.statements
    assert new not in statement
    assert statement.startswith("ALTER ROLE CURRENT_USER PASSWORD 'SCRAM-SHA-256$4096:")
    assert proves(statement.split("'")[1], new)
    assert not proves(statement.split("'")[1], OLD)
    assert cluster.rolled() == ["proxy"]
    assert cluster.value("gateway/pg:next-password") is None
    assert cluster.value("gateway/pg:username") == "litellm"


def test_no_password_is_in_the_arguments_of_a_command(cluster: SecretCluster, servers: Servers) -> None:
    for name in ("database", "cache"):
        rotate(cluster.client, servers, asked(name))
    made = [cluster.value("gateway/pg:password"), cluster.value("gateway/redis:password"), OLD]
    assert len(servers.seen) == 3
    for script, arguments in servers.seen:
        assert not [value for value in made if value and (value in script or value in " ".join(arguments))]


def test_redis_takes_both_passwords_until_all_have_rolled(cluster: SecretCluster, servers: Servers) -> None:
    taken: list[set[str]] = []

    def note(method: str, path: str, _query: Object, _body: t.Any) -> None:
        if method == "PATCH" and path.endswith("/proxy"):
            taken.append(set(servers.passwords["redis"]))

    cluster.script.append(note)
    rotate(cluster.client, servers, asked("cache"))
    new = cluster.value("gateway/redis:password")
    assert taken == [{OLD, new}]
    assert servers.passwords["redis"] == {new}
    assert cluster.value("gateway/redis:previous-password") is None
    assert cluster.rolled() == ["proxy"]


def test_a_server_that_refuses_leaves_the_readers_their_value_and_no_password_in_the_error(
    cluster: SecretCluster, servers: Servers
) -> None:
    servers.fail = f"ERROR: no, not {OLD}"
    with pytest.raises(ExecError, match="PostgreSQL did not take the new password of litellm: ERROR: no") as caught:
        rotate(cluster.client, servers, asked("database"))
    assert OLD not in str(caught.value)
    assert cluster.value("gateway/pg:password") == OLD
    assert cluster.rolled() == []


def crash(after: int) -> t.Callable[..., t.Any]:
    """Ends the run at its n-th write that is not about the Lease."""
    left = [after]

    def answer(method: str, path: str, _query: Object, _body: t.Any) -> t.Any:
        if method == "GET" or "/leases" in path:
            return None
        left[0] -= 1
        return status(403, "Forbidden", "killed here") if left[0] == 0 else None

    return answer


@pytest.mark.parametrize("name", ["master", "shared", "database", "cache"])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6])
def test_a_run_that_was_killed_is_finished_by_the_same_call(
    cluster: SecretCluster, servers: Servers, name: str, step: int
) -> None:
    cluster.script.append(crash(step))
    try:
        rotate(cluster.client, servers, asked(name))
    except Exception as exc:  # noqa: BLE001  the crash, wherever it comes out
        assert "killed here" in str(exc)  # noqa: PT017  a step beyond the last one does not raise
    cluster.script.clear()
    rotate(cluster.client, servers, asked(name))
    held = {
        place: cluster.value(f"{target.place.namespace}/{target.place.secret}:{target.place.key}")
        for each in contract(*ALL)
        if each.name == name
        for target in each.targets
        for place in [str(target.place)]
    }
    assert len(set(held.values())) == 1
    (value,) = set(held.values())
    assert value
    assert value != OLD
    if name == "cache":
        assert servers.passwords["redis"] == {value}
    if name == "database":
        (verifier,) = servers.passwords["postgresql"]
        assert proves(verifier, value) or servers.passwords["postgresql"] == {OLD}
    left = [key for ref in cluster.objects for key in ((cluster.get(ref) or {}).get("data") or {})]
    assert not [key for key in left if key.startswith(("next-", "previous-"))]
    assert cluster.rolled()[-1] == "proxy"


def test_redis_that_restarted_in_between_has_forgotten_already(cluster: SecretCluster, servers: Servers) -> None:
    def restart(method: str, path: str, _query: Object, _body: t.Any) -> None:
        if method == "PATCH" and path.endswith("/proxy"):
            servers.passwords["redis"] = {cluster.value("gateway/redis:password") or ""}

    cluster.script.append(restart)
    rotate(cluster.client, servers, asked("cache"))
    assert servers.passwords["redis"] == {cluster.value("gateway/redis:password")}


def test_without_a_server_to_tell_its_password_cannot_rotate(cluster: SecretCluster, servers: Servers) -> None:
    lonely = entry("database", "gateway/pg:password", rotation={"verb": "postgresql", "reason": "not ours"})
    with pytest.raises(SecretError, match="not ours"):
        rotate(cluster.client, servers, asked("database", lonely))
    assert cluster.value("gateway/pg:password") == OLD


def test_a_value_of_the_operator_has_no_rotation(cluster: SecretCluster, servers: Servers) -> None:
    refused = {**TOKEN, "rotation": {"verb": "refused", "reason": "the hub gives it"}}
    with pytest.raises(SecretError, match="the hub gives it"):
        rotate(cluster.client, servers, asked("token", refused))


def test_a_verifier_is_the_one_that_postgresql_itself_makes() -> None:
    # From RFC 7677, whose exchange has this salt and whose user's password is "pencil".
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    made = scram_verifier(b"pencil", salt)
    expected = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    assert made == f"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==${expected}"


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (environment_of("s", "k"), True),
        (environment_of("s", "other"), False),
        (environment_of("other", "k"), False),
        ({"initContainers": environment_of("s", "k")["containers"]}, True),
        ({"containers": [{"envFrom": [{"secretRef": {"name": "s"}}]}]}, True),
        ({"containers": [{"envFrom": [{"configMapRef": {"name": "s"}}]}]}, False),
        ({"volumes": [{"secret": {"secretName": "s"}}]}, True),
        ({"volumes": [{"secret": {"secretName": "s", "items": [{"key": "other", "path": "p"}]}}]}, False),
        (
            {
                "volumes": [
                    {"projected": {"sources": [{"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}}]}}
                ]
            },
            True,
        ),
        ({"volumes": [{"projected": {"sources": [{"secret": {"name": "s"}}]}}]}, True),
        ({"volumes": [{"emptyDir": {}}], "containers": [{"env": [{"name": "A", "value": "s"}]}]}, False),
        ({}, False),
    ],
)
def test_who_reads_a_value_is_seen_in_the_pod(spec: Object, found: bool) -> None:
    assert reads(spec, "s", "k") is found


def test_a_command_runs_in_a_ready_pod_or_says_that_there_is_none(cluster: SecretCluster) -> None:
    pods = Pods(GATEWAY, "app=postgresql", "postgresql")
    labels = {"labels": {"app": "postgresql"}}
    cluster.put("v1", "Pod", GATEWAY, "a", metadata=labels, status={"phase": "Pending"})
    with pytest.raises(ExecError, match=r"no pod with labels app=postgresql in namespace gateway is ready \(1 there\)"):
        ready_pod(cluster.client, pods)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.put("v1", "Pod", GATEWAY, "c", metadata=labels, status=ready)
    cluster.put("v1", "Pod", GATEWAY, "b", metadata=labels, status=ready)
    assert ready_pod(cluster.client, pods) == "b"
