# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Random values that are made once."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._generated_secret import FORMATS, Key, ensure
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError, Response

Object = dict[str, t.Any]
PATH = "/api/v1/namespaces/models/secrets"
KEYS = [Key("api-key", "hex32"), Key("salt", "hex16")]


class Server:
    """One namespace with at most one Secret; `rival` is what somebody else writes just before our first write."""

    def __init__(self, secret: Object | None = None, *, rival: Object | None = None, namespace: bool = True) -> None:
        self.secret = secret
        self.rival = rival
        self.namespace = namespace
        self.writes: list[tuple[str, Object]] = []

    def request(self, method: str, path: str, *, body: t.Any = None, **_options: t.Any) -> Response:
        if path == "/api/v1":
            kind = {"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["get", "create", "patch"]}
            return self._answer(200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": [kind]})
        if method == "GET":
            return self._answer(200, self.secret) if self.secret else self._answer(404, {"reason": "NotFound"})
        if not self.namespace:
            return self._answer(404, {"reason": "NotFound", "message": 'namespaces "models" not found'})
        self.writes.append((method, body))
        if self.rival is not None:
            self.secret, self.rival = self.rival, None
            return self._answer(409, {"reason": "Conflict"})
        if method == "POST":
            assert path == PATH
            self.secret = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
        else:
            assert path == f"{PATH}/keys"
            assert self.secret is not None
            assert body["metadata"]["resourceVersion"] == self.secret["metadata"]["resourceVersion"]
            self.secret["data"] = {**(self.secret.get("data") or {}), **body["data"]}
        return self._answer(200, self.secret)

    def stream(self, path: str, **_options: t.Any) -> t.Iterator[bytes]:
        raise AssertionError(f"nobody watches {path} here")

    def values(self) -> dict[str, str]:
        assert self.secret is not None
        return {name: base64.b64decode(value).decode() for name, value in self.secret["data"].items()}

    @staticmethod
    def _answer(status: int, body: object) -> Response:
        return Response(status, json.dumps(body).encode())


def secret(**data: str) -> Object:
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    return {"metadata": {"name": "keys", "namespace": "models", "resourceVersion": "7"}, "data": encoded}


def test_an_absent_secret_is_created_with_values_of_the_right_form() -> None:
    server = Server()
    outcome = ensure(KubeClient(server), "models", "keys", KEYS)
    assert (outcome.created, outcome.added, outcome.kept) == (True, ("api-key", "salt"), ())
    values = server.values()
    assert {name: len(bytes.fromhex(value)) for name, value in values.items()} == {"api-key": 32, "salt": 16}


def test_two_secrets_never_have_the_same_value() -> None:
    assert all(make() != make() for make in FORMATS.values())


def test_a_value_that_is_there_is_never_touched() -> None:
    server = Server(secret(**{"api-key": "old", "salt": "older"}))
    outcome = ensure(KubeClient(server), "models", "keys", KEYS)
    assert not outcome.changed
    assert server.writes == []


@pytest.mark.parametrize("live", [secret(salt="old"), secret(**{"salt": "old", "api-key": ""})])
def test_a_missing_or_empty_key_is_added_beside_the_others(live: Object) -> None:
    server = Server(live)
    outcome = ensure(KubeClient(server), "models", "keys", KEYS)
    assert (outcome.created, outcome.added, outcome.kept) == (False, ("api-key",), ("salt",))
    assert server.values()["salt"] == "old"
    assert len(server.values()["api-key"]) == 64


@pytest.mark.parametrize("live", [None, secret(salt="old")])
def test_a_dry_run_writes_nothing(live: Object | None) -> None:
    server = Server(live, namespace=False)
    assert ensure(KubeClient(server), "models", "keys", KEYS, dry_run=True).changed
    assert server.writes == []


def test_what_somebody_else_made_in_the_meantime_is_kept() -> None:
    server = Server(rival=secret(**{"api-key": "theirs", "salt": "theirs"}))
    outcome = ensure(KubeClient(server), "models", "keys", KEYS)
    assert not outcome.changed
    assert server.values() == {"api-key": "theirs", "salt": "theirs"}


def test_a_missing_namespace_is_an_error_that_names_it() -> None:
    with pytest.raises(KubeError, match='namespaces "models" not found'):
        ensure(KubeClient(Server(namespace=False)), "models", "keys", KEYS)
