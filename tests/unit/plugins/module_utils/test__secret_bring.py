# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Values are made once, copied where they are shared, and never replaced in passing."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_bring import adopt, bring
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_check import findings
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import FORMATS, Place, SecretError
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_fingerprint import NAME
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_judge import Request
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cluster import status
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.secret_cluster import (
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
    contract,
    environment_of,
)

OTHER = "sk-" + "b" * 64
FIRST = "sk-" + "a" * 64


@pytest.fixture
def cluster() -> SecretCluster:
    return SecretCluster()


def request(*entries: Object, **rest: t.Any) -> Request:
    return Request(contract(*entries), HOME, **rest)


def secret_writes(cluster: SecretCluster) -> list[str]:
    return [path for _method, path, _query, _body in cluster.writes if "/secrets" in path]


def test_absent_secrets_are_made_with_values_of_the_right_form(cluster: SecretCluster) -> None:
    outcome = bring(cluster.client, request(MASTER, SHARED, DATABASE))
    assert outcome.changed
    assert len(outcome.created) == 3
    master, shared = cluster.value("gateway/litellm:MASTER"), cluster.value("models/api:key")
    assert master
    assert master.startswith("sk-")
    assert len(bytes.fromhex(master[3:])) == 32
    assert shared
    assert len(bytes.fromhex(shared)) == 32
    assert cluster.value("gateway/litellm:UPSTREAM") == shared
    live = cluster.get(("", "Secret", GATEWAY, "pg"))
    assert live
    assert live["type"] == "kubernetes.io/basic-auth"
    assert live["metadata"]["labels"]["app.kubernetes.io/part-of"] == "llm-platform"
    assert cluster.value("gateway/pg:username") == "litellm"


def test_all_secrets_of_a_namespace_are_read_by_one_list(cluster: SecretCluster) -> None:
    bring(cluster.client, request(MASTER, SHARED, DATABASE))
    cluster.requests.clear()
    assert not bring(cluster.client, request(MASTER, SHARED, DATABASE)).changed
    asked = [path for _method, path, _query, _body in cluster.requests if path.endswith("/secrets")]
    assert sorted(asked) == [f"/api/v1/namespaces/{name}/secrets" for name in sorted((HOME, MODELS, GATEWAY))]
    assert not cluster.writes


def test_two_values_are_never_the_same() -> None:
    assert all(make() != make() for make in FORMATS.values())


def test_a_value_that_is_there_is_copied_to_the_places_that_lack_it(cluster: SecretCluster) -> None:
    cluster.secret(GATEWAY, "litellm", UPSTREAM="there-before", ELSE="kept")
    outcome = bring(cluster.client, request(SHARED))
    assert cluster.value("models/api:key") == "there-before"
    assert cluster.value("gateway/litellm:ELSE") == "kept"
    assert outcome.kept == ["gateway/litellm:UPSTREAM"]
    assert outcome.added == ["models/api:key"]


def test_two_different_values_of_one_secret_are_refused_and_both_places_named(cluster: SecretCluster) -> None:
    cluster.secret(MODELS, "api", key="one-value-1234567")
    cluster.secret(GATEWAY, "litellm", UPSTREAM="other-value-12345")
    with pytest.raises(SecretError) as caught:
        bring(cluster.client, request(SHARED, MASTER))
    text = str(caught.value)
    assert "models/api:key and gateway/litellm:UPSTREAM must hold the same shared" in text
    assert "secrets_rotate=shared" in text
    assert "value-1" not in text
    assert not cluster.writes


def test_an_empty_key_counts_as_missing(cluster: SecretCluster) -> None:
    cluster.secret(GATEWAY, "litellm", MASTER="")
    bring(cluster.client, request(MASTER))
    assert (cluster.value("gateway/litellm:MASTER") or "").startswith("sk-")


def test_a_dry_run_says_the_same_and_writes_nothing(cluster: SecretCluster) -> None:
    cluster.secret(MODELS, "api", key="there-before")
    wanted = request(MASTER, SHARED, DATABASE, SALT)
    predicted = bring(cluster.client, wanted, dry_run=True)
    assert not cluster.writes
    done = bring(cluster.client, wanted)
    for name in ("created", "added", "updated", "kept", "recorded"):
        assert sorted(getattr(predicted, name)) == sorted(getattr(done, name)), name


def test_a_dry_run_does_not_need_the_namespaces(cluster: SecretCluster) -> None:
    assert bring(cluster.client, request(MASTER, TOKEN, given={"token": "hf-x"}), dry_run=True).changed
    del cluster.objects[("", "Namespace", "", GATEWAY)]
    assert bring(cluster.client, request(MASTER), dry_run=True).changed
    with pytest.raises(KubeError, match='namespaces "gateway" not found'):
        bring(cluster.client, request(MASTER))


def test_what_somebody_else_made_in_the_meantime_is_kept(cluster: SecretCluster) -> None:
    cluster.rival = lambda: cluster.secret(GATEWAY, "litellm", MASTER=OTHER)
    bring(cluster.client, request(MASTER))
    assert cluster.value("gateway/litellm:MASTER") == OTHER


def test_a_first_write_that_succeeded_counts_when_the_second_is_tried_again(cluster: SecretCluster) -> None:
    # The second of two Secrets appears just before it is written.
    def appear() -> None:
        cluster.rival = lambda: cluster.secret(GATEWAY, "litellm", ELSE="x")

    cluster.rival = appear
    outcome = bring(cluster.client, request(SHARED))
    assert cluster.value("models/api:key") == cluster.value("gateway/litellm:UPSTREAM")
    assert sorted(outcome.added) == ["gateway/litellm:UPSTREAM", "models/api:key"]
    assert outcome.kept == []


def test_what_only_the_operator_knows_is_demanded_all_at_once(cluster: SecretCluster) -> None:
    second = {**TOKEN, "name": "second", "targets": [{"namespace": MODELS, "secret": "hub", "key": "second"}]}
    with pytest.raises(SecretError, match="only the operator can give token, second; set secrets_values"):
        bring(cluster.client, request(TOKEN, MASTER, second))
    assert not cluster.writes


def test_what_the_operator_gives_is_brought_and_changed_when_it_changes(cluster: SecretCluster) -> None:
    assert bring(cluster.client, request(TOKEN, given={"token": "hf-one"})).added == ["models/hub:token"]
    assert not bring(cluster.client, request(TOKEN, given={"token": "hf-one"})).changed
    assert bring(cluster.client, request(TOKEN, given={"token": "hf-two"})).updated == ["models/hub:token"]
    assert cluster.value("models/hub:token") == "hf-two"
    assert not bring(cluster.client, request(TOKEN)).changed, "once it is there, nobody has to give it again"


@pytest.mark.parametrize("dry_run", [False, True])
def test_who_reads_a_value_that_the_operator_changed_begins_anew(cluster: SecretCluster, dry_run: bool) -> None:
    password = {**TOKEN, "rotation": {"verb": "refused", "reason": "not ours", "order": ["llm_gateway"]}}
    bring(cluster.client, request(password, given={"token": "hf-one"}))
    cluster.workload(MODELS, "reader", environment_of("hub", "token"), component="llm_gateway")
    cluster.workload(MODELS, "stranger", environment_of("hub", "other"), component="llm_gateway")
    assert bring(cluster.client, request(password, given={"token": "hf-one"})).rolled == []
    outcome = bring(cluster.client, request(password, given={"token": "hf-two"}), dry_run=dry_run)
    assert outcome.rolled == ["apps/Deployment models/reader"]
    assert cluster.rolled() == ([] if dry_run else ["reader"])


def test_a_value_that_is_read_at_the_next_start_rolls_nobody(cluster: SecretCluster) -> None:
    bring(cluster.client, request(TOKEN, given={"token": "hf-one"}))
    cluster.workload(MODELS, "reader", environment_of("hub", "token"), component="serving")
    assert bring(cluster.client, request(TOKEN, given={"token": "hf-two"})).rolled == []


def test_a_value_comes_from_another_secret(cluster: SecretCluster) -> None:
    cluster.put("v1", "Namespace", "", "vault")
    cluster.secret("vault", "mine", hub="hf-three")
    bring(cluster.client, request(TOKEN, sources={"token": Place("vault", "mine", "hub")}))
    assert cluster.value("models/hub:token") == "hf-three"
    with pytest.raises(SecretError, match=r"secrets_from\.token names vault/mine:other, which is not there") as caught:
        bring(cluster.client, request(TOKEN, sources={"token": Place("vault", "mine", "other")}))
    assert "only the operator" not in str(caught.value), "said twice"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("short", "does not begin with sk-"),
        ("sk-short", "is shorter than 16 characters"),
        ("sk-with a space in it", "holds spaces"),
        ("sk-line\nbreak0123456789", "line breaks"),
        ("sk-0123456789abcdef\u00fc", "letters beyond ASCII"),
    ],
)
def test_a_value_that_cannot_be_is_refused_without_showing_it(cluster: SecretCluster, value: str, why: str) -> None:
    with pytest.raises(SecretError, match=why) as caught:
        bring(cluster.client, request(MASTER, given={"master": value}))
    assert value not in str(caught.value)
    assert not cluster.writes


def test_a_made_value_may_be_given_at_first_and_never_in_passing(cluster: SecretCluster) -> None:
    bring(cluster.client, request(MASTER, given={"master": FIRST}))
    assert cluster.value("gateway/litellm:MASTER") == FIRST
    with pytest.raises(SecretError, match=r"run rotate_secret\.yml with secrets_rotate=master") as caught:
        bring(cluster.client, request(MASTER, given={"master": OTHER}))
    assert FIRST not in str(caught.value)
    assert OTHER not in str(caught.value)
    assert cluster.value("gateway/litellm:MASTER") == FIRST


def test_the_salt_is_remembered_without_being_kept(cluster: SecretCluster) -> None:
    outcome = bring(cluster.client, request(SALT))
    salt, remembered = cluster.value("gateway/litellm:SALT"), cluster.value(f"{HOME}/{NAME}:salt")
    assert outcome.recorded == ["salt"]
    assert salt
    assert remembered
    assert salt not in remembered
    again = bring(cluster.client, request(SALT))
    assert not again.changed
    assert cluster.value(f"{HOME}/{NAME}:salt") == remembered


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("how", ["changed", "given", "lost", "emptied"])
def test_another_salt_is_refused_and_nothing_written(cluster: SecretCluster, how: str, dry_run: bool) -> None:
    bring(cluster.client, request(SALT, given={"salt": FIRST}))
    given = {}
    if how == "changed":
        cluster.secret(GATEWAY, "litellm", SALT=OTHER)
    elif how == "given":
        given = {"salt": OTHER}
    elif how == "emptied":
        cluster.secret(GATEWAY, "litellm", SALT="")
    else:
        del cluster.objects[("", "Secret", GATEWAY, "litellm")]
    cluster.requests.clear()
    wanted = request(SALT, MASTER, given=given)
    with pytest.raises(SecretError, match="bring the first one back from a backup") as caught:
        bring(cluster.client, wanted, dry_run=dry_run)
    assert f"delete Secret {HOME}/{NAME}" in str(caught.value)
    assert FIRST not in str(caught.value)
    assert not cluster.writes
    (found,) = findings(cluster.client, wanted, {})
    assert not found["ok"]
    assert found["message"].startswith("salt ")


def test_the_first_salt_may_come_back_after_it_was_lost(cluster: SecretCluster) -> None:
    bring(cluster.client, request(SALT, given={"salt": FIRST}))
    cluster.secret(GATEWAY, "litellm", SALT=OTHER)
    outcome = bring(cluster.client, request(SALT, given={"salt": FIRST}))
    assert outcome.updated == ["gateway/litellm:SALT"]
    assert cluster.value("gateway/litellm:SALT") == FIRST


def test_a_volume_without_its_salt_is_refused_even_when_nothing_is_remembered(cluster: SecretCluster) -> None:
    cluster.put("v1", "PersistentVolumeClaim", GATEWAY, "data-0", metadata={"labels": {"app": "postgresql"}})
    with pytest.raises(SecretError, match="volume gateway/data-0 was written with one"):
        bring(cluster.client, request(SALT))
    bring(cluster.client, request(SALT, given={"salt": FIRST}))
    assert cluster.value("gateway/litellm:SALT") == FIRST


def test_a_salt_from_before_is_remembered_at_first_sight(cluster: SecretCluster) -> None:
    cluster.secret(GATEWAY, "litellm", SALT=FIRST)
    assert bring(cluster.client, request(SALT)).recorded == ["salt"]
    with pytest.raises(SecretError, match="can never change"):
        bring(cluster.client, request(SALT, given={"salt": OTHER}))


def test_another_salt_is_refused_at_first_sight_too(cluster: SecretCluster) -> None:
    cluster.secret(GATEWAY, "litellm", SALT=FIRST)
    with pytest.raises(SecretError, match="another salt is given than gateway/litellm:SALT holds"):
        bring(cluster.client, request(SALT, given={"salt": OTHER}))
    assert not cluster.writes


def test_preflight_says_what_would_be_made(cluster: SecretCluster) -> None:
    cluster.secret(MODELS, "api", key="there-before-1234")
    (found,) = findings(cluster.client, request(MASTER, SHARED), {})
    assert found == {
        "id": "secrets",
        "ok": True,
        "message": "there or given: 1; to be made: master",
        "fix": "",
    }


def test_preflight_names_each_trouble(cluster: SecretCluster) -> None:
    cluster.secret(MODELS, "api", key="one-value-1234567")
    cluster.secret(GATEWAY, "litellm", UPSTREAM="other-value-12345")
    found = findings(cluster.client, request(SHARED, TOKEN), {})
    assert [entry["ok"] for entry in found] == [False, False]
    assert all(entry["fix"] for entry in found)


def test_secrets_that_may_not_be_read_are_a_finding(cluster: SecretCluster) -> None:
    cluster.script.append(
        lambda _method, path, _query, _body: status(403, "Forbidden", "no") if "/secrets" in path else None
    )
    (found,) = findings(cluster.client, request(MASTER), {})
    assert not found["ok"]
    assert "could not be checked" in found["message"]


def test_a_fingerprint_that_cannot_be_read_stops_everything(cluster: SecretCluster) -> None:
    cluster.secret(HOME, NAME, salt="something else")
    cluster.secret(GATEWAY, "litellm", SALT=FIRST)
    (found,) = findings(cluster.client, request(SALT), {})
    assert "restore it from a backup" in found["message"]
    with pytest.raises(SecretError, match="restore it from a backup"):
        bring(cluster.client, request(SALT))


STORE = {"kind": "ClusterSecretStore", "name": "vault"}


def test_a_store_that_is_not_there_or_not_ready_is_a_finding(cluster: SecretCluster) -> None:
    wanted = request(MASTER, TOKEN, SALT, external=True)
    (absent,) = findings(cluster.client, wanted, STORE)
    assert "ClusterSecretStore vault, which is not on the cluster" in absent["message"]
    broken = {"conditions": [{"type": "Ready", "status": "False", "message": "denied"}]}
    cluster.put("external-secrets.io/v1", "ClusterSecretStore", "", "vault", status=broken)
    (unready,) = findings(cluster.client, wanted, STORE)
    assert "denied" in unready["message"]
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    cluster.put("external-secrets.io/v1", "ClusterSecretStore", "", "vault", status=ready)
    (found,) = findings(cluster.client, wanted, STORE)
    assert found["ok"]


def test_a_namespaced_store_must_be_in_each_namespace(cluster: SecretCluster) -> None:
    found = findings(cluster.client, request(SHARED, external=True), {"kind": "SecretStore", "name": "vault"})
    assert [entry["message"].split(",")[0] for entry in found] == [
        "secrets_store names SecretStore gateway/vault",
        "secrets_store names SecretStore models/vault",
    ]


def test_secrets_of_another_controller_are_demanded_and_their_salt_remembered(cluster: SecretCluster) -> None:
    wanted = request(MASTER, SALT, external=True)
    with pytest.raises(SecretError, match="gateway/litellm:SALT has no value"):
        adopt(cluster.client, wanted)
    assert not adopt(cluster.client, wanted, dry_run=True).changed
    cluster.secret(GATEWAY, "litellm", MASTER=FIRST, SALT=FIRST)
    assert adopt(cluster.client, wanted).recorded == ["salt"]
    assert not adopt(cluster.client, wanted).changed
    cluster.secret(GATEWAY, "litellm", MASTER=FIRST, SALT=OTHER)
    with pytest.raises(SecretError, match="differs from the one that was there at first"):
        adopt(cluster.client, wanted)
