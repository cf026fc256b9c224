# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Against a small HTTP server that answers as registries do, and as they should not."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef, parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved, resolve, resolve_all
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import (
    Access,
    Endpoint,
    RegistryError,
    endpoint_of,
    pull_secret_credentials,
)
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import (
    INDEX,
    MANIFEST,
    Answer,
    Registry,
    digest_of,
    manifest,
    serve,
)

BASIC = base64.b64encode(b"user:secret").decode()


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def host(registry: Registry) -> t.Iterator[str]:
    with serve(registry) as address:
        yield address


@pytest.fixture(autouse=True)
def no_docker_login(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def access(host: str, **options: t.Any) -> Access:
    return Access(**{"endpoints": {"ghcr.io": Endpoint(host, insecure=True)}, "timeout": 3.0, "retries": 2, **options})


APP = parse_image("ghcr.io/org/app:v1")


def test_the_digest_of_a_tag_is_that_of_the_bytes_and_its_kind_is_told(registry: Registry, host: str) -> None:
    index, single = registry.put("org/app:v1", manifest()), registry.put("org/one:v1", manifest(MANIFEST), MANIFEST)
    assert resolve(APP, access(host)) == Resolved(index, "index")
    assert resolve(parse_image("ghcr.io/org/one:v1"), access(host)) == Resolved(single, "manifest")


def test_a_mirror_may_keep_registries_apart_by_a_prefix(registry: Registry, host: str) -> None:
    digest = registry.put("mirror/ghcr/org/app:v1", manifest())
    endpoint = Endpoint(host, insecure=True, prefix="mirror/ghcr/")
    assert resolve(APP, access(host, endpoints={"ghcr.io": endpoint})).digest == digest


def test_bytes_that_do_not_hash_to_the_promised_digest_are_refused(registry: Registry, host: str) -> None:
    registry.put("org/app:v1", manifest())
    registry.promise = "sha256:" + "0" * 64
    with pytest.raises(RegistryError, match="something tampers with it"):
        resolve(APP, access(host))


def test_a_digest_that_serves_other_bytes_is_refused(registry: Registry, host: str) -> None:
    wanted = registry.put("org/app:v1", manifest())
    registry.manifests[f"org/app:{wanted}"] = (INDEX, manifest(more=1))
    registry.promise = wanted
    with pytest.raises(RegistryError, match="something tampers with it"):
        resolve(APP.pinned(wanted), access(host))


def test_a_digest_that_the_name_does_not_serve_is_refused(registry: Registry, host: str) -> None:
    registry.put("org/other:v1", manifest())
    with pytest.raises(RegistryError, match="has no sha256:"):
        resolve(APP.pinned(digest_of(manifest())), access(host))


@pytest.mark.parametrize(
    ("status", "headers", "body", "problem"),
    [
        (404, {}, b"", "has no v1 of it"),
        (403, {"Www-Authenticate": 'Basic realm="x"'}, b"", "refuses the credentials"),
        (401, {}, b"", "refuses the credentials"),
        (418, {}, b"", "answered 418"),
        (200, {"Content-Type": "text/html"}, b"<html>", "sent no manifest but '<html>'"),
        (200, {"Content-Type": "text/html"}, b"{}", "which is no image"),
        (200, {}, b"x" * 5_000_000, "which is no manifest"),
    ],
)
def test_every_other_answer_is_one_clear_error(
    registry: Registry, host: str, status: int, headers: dict[str, str], body: bytes, problem: str
) -> None:
    registry.before = lambda _path, _headers: (status, headers, body)
    with pytest.raises(RegistryError, match=problem) as caught:
        resolve(APP, access(host))
    assert str(caught.value).startswith("ghcr.io/org/app:v1: ")


def test_a_busy_registry_is_asked_again_after_the_time_it_names(registry: Registry, host: str) -> None:
    digest = registry.put("org/app:v1", manifest())

    def busy_once(path: str, _headers: dict[str, str]) -> Answer | None:
        return (429, {"Retry-After": "1"}, b"") if registry.asked[path] == 1 else None

    registry.before = busy_once
    assert resolve(APP, access(host)).digest == digest


def test_a_registry_that_stays_busy_is_given_up(registry: Registry, host: str) -> None:
    registry.before = lambda _path, _headers: (429, {"Retry-After": "0"}, b"")
    with pytest.raises(RegistryError, match="stays busy"):
        resolve(APP, access(host))


def test_a_host_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(RegistryError, match="cannot be reached"):
        resolve(APP, access("127.0.0.1:1"))


def test_a_server_without_tls_is_no_secure_registry(host: str) -> None:
    with pytest.raises(RegistryError, match=r"certificate|cannot be reached"):
        resolve(APP, access(host, endpoints={"ghcr.io": Endpoint(host)}, retries=0))


def test_a_token_is_fetched_with_the_credentials_of_the_pull_secret(registry: Registry, host: str) -> None:
    digest = registry.put("org/app:v1", manifest())

    def guarded(path: str, headers: dict[str, str]) -> Answer | None:
        if path.startswith("/token"):
            right = headers.get("authorization") == f"Basic {BASIC}"
            return (200, {}, b'{"token": "abc"}') if right else (401, {}, b"")
        challenge = f'Bearer realm="http://{host}/token",service="s",scope="repository:org/app:pull"'
        right = headers.get("authorization") == "Bearer abc"
        return None if right else (401, {"Www-Authenticate": challenge}, b"")

    registry.before = guarded
    config = json.dumps({"auths": {"https://ghcr.io/v1/": {"username": "user", "password": "secret"}}})
    assert resolve(APP, access(host, credentials=pull_secret_credentials(config))).digest == digest
    with pytest.raises(RegistryError, match="refuses the credentials"):
        resolve(APP, access(host, credentials={"ghcr.io": base64.b64encode(b"user:wrong").decode()}))


def test_a_password_goes_to_a_registry_that_asks_for_one(registry: Registry, host: str) -> None:
    digest = registry.put("org/app:v1", manifest())

    def guarded(_path: str, headers: dict[str, str]) -> Answer | None:
        right = headers.get("authorization") == f"Basic {BASIC}"
        return None if right else (401, {"Www-Authenticate": 'Basic realm="Registry"'}, b"")

    registry.before = guarded
    assert resolve(APP, access(host, credentials={"ghcr.io": BASIC})).digest == digest
    for wrong in ({}, {"ghcr.io": base64.b64encode(b"user:wrong").decode()}):
        with pytest.raises(RegistryError, match="refuses the credentials"):
            resolve(APP, access(host, credentials=wrong))


@pytest.mark.parametrize("moved", [False, True])
def test_dockers_own_configuration_is_read_where_docker_reads_it(
    registry: Registry, host: str, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    digest = registry.put("org/app:v1", manifest())

    def guarded(_path: str, headers: dict[str, str]) -> Answer | None:
        right = headers.get("authorization") == f"Basic {BASIC}"
        return None if right else (401, {"Www-Authenticate": 'Basic realm="Registry"'}, b"")

    registry.before = guarded
    wrong = base64.b64encode(b"user:wrong").decode()
    for folder, auth in ((".docker", wrong if moved else BASIC), ("elsewhere", BASIC)):
        (tmp_path / folder).mkdir()
        config = json.dumps({"auths": {host: {"auth": auth}}})
        (tmp_path / folder / "config.json").write_text(config, encoding="utf-8")
    if moved:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "elsewhere"))
    else:
        monkeypatch.delenv("DOCKER_CONFIG")
    assert resolve(APP, access(host)).digest == digest


def test_a_docker_configuration_that_is_none_is_an_error_and_a_missing_one_is_not(
    registry: Registry, host: str, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = registry.put("org/app:v1", manifest())
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert resolve(APP, access(host)).digest == digest
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(RegistryError, match=r"Docker's configuration .*config\.json cannot be read"):
        resolve(APP, access(host))


def test_no_error_shows_a_credential(registry: Registry, host: str) -> None:
    registry.before = lambda _path, _headers: (401, {"Www-Authenticate": 'Basic realm="x"'}, b"")
    given = access(host, credentials={"ghcr.io": BASIC})
    with pytest.raises(RegistryError) as caught:
        resolve(APP, given)
    assert BASIC not in f"{caught.value!r}{given!r}"


@pytest.mark.parametrize("config", ["", "{}", "[]", '{"auths": {"a": {}}}', '{"auths": []}'])
def test_a_pull_secret_that_is_none_is_an_error(config: str) -> None:
    with pytest.raises(RegistryError, match="pull Secret"):
        pull_secret_credentials(config)


def test_one_failure_does_not_hide_the_others(registry: Registry, host: str) -> None:
    digest = registry.put("org/app:v1", manifest())
    gone = ImageRef("ghcr.io", "org/gone", "v1")
    found, failed = resolve_all([APP, gone, APP], access(host), resolve)
    assert found == {APP: Resolved(digest, "index")}
    assert list(failed) == [gone]
    assert registry.asked["/v2/org/app/manifests/v1"] == 1


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("registry.example.com", "names no host"),
        ({"prefix": "a"}, "names no host"),
        ({"host": ""}, "names no host"),
        ({"host": "https://a"}, "host has a scheme"),
        ({"host": "a", "tls": True}, "has the unknown key tls"),
        ({"host": "a", "insecure": "yes"}, "insecure is no bool"),
    ],
)
def test_an_endpoint_that_is_none_is_an_error(value: t.Any, problem: str) -> None:
    with pytest.raises(RegistryError, match=problem):
        endpoint_of("docker.io", value)


def test_a_prefix_is_put_between_slashes() -> None:
    assert endpoint_of("docker.io", {"host": "a", "prefix": "/hub/"}) == Endpoint("a", prefix="hub/")
