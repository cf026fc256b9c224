# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Against a small HTTP server that answers as the hub of models does, and as it should not."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import ModelName, parse_model_name
from ansible_collections.wmx.llm_platform.plugins.module_utils._hub import resolve_model
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint, RegistryError
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import Answer, Registry, serve

COMMIT = "0123456789" * 4
MODEL = ModelName("org/weights", "refs/pr/1")
TOKEN = "hf_invented"


def answer(**fields: t.Any) -> bytes:
    return json.dumps({"id": "org/weights", "sha": COMMIT, **fields}).encode()


@pytest.fixture
def hub() -> Registry:
    return Registry()


@pytest.fixture
def host(hub: Registry) -> t.Iterator[str]:
    with serve(hub) as address:
        yield address


def access(host: str, **options: t.Any) -> Access:
    endpoint = Endpoint(host, insecure=True, prefix=options.pop("prefix", ""))
    return Access(endpoints={"huggingface.co": endpoint}, timeout=3.0, retries=options.pop("retries", 2))


def test_a_revision_is_asked_for_as_one_part_of_the_path_below_the_mirrors_prefix(hub: Registry, host: str) -> None:
    hub.before = lambda _path, _headers: (200, {}, answer())
    assert resolve_model(MODEL, access(host, prefix="hub/")) == Resolved(COMMIT, "commit")
    assert list(hub.asked) == ["/hub/api/models/org/weights/revision/refs%2Fpr%2F1"]


def test_a_model_that_not_everyone_may_read_is_told_to_who_has_the_token(hub: Registry, host: str) -> None:
    def gated(_path: str, headers: dict[str, str]) -> Answer:
        return (200, {}, answer()) if headers.get("authorization") == f"Bearer {TOKEN}" else (401, {}, b"{}")

    hub.before = gated
    assert resolve_model(MODEL, access(host), TOKEN).digest == COMMIT
    with pytest.raises(RegistryError, match=r"give a token in secrets_values\.hf-token") as caught:
        resolve_model(MODEL, access(host), "hf_wrong")
    assert "hf_wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (404, b"{}", "has no such model or revision"),
        (403, b"{}", "refuses to tell"),
        (418, b"", "answered 418"),
        (200, b"<html>", "sent no description of a model"),
        (200, b"[]", "sent no description of a model"),
        (200, b"{}", "sent no description of a model"),
        (200, answer(sha="main"), "sent 'main', which is no commit"),
        (200, answer(id="other/weights"), "under the name other/weights now"),
    ],
)
def test_every_other_answer_is_one_clear_error(
    hub: Registry, host: str, status: int, body: bytes, problem: str
) -> None:
    hub.before = lambda _path, _headers: (status, {}, body)
    with pytest.raises(RegistryError, match=problem) as caught:
        resolve_model(MODEL, access(host))
    assert str(caught.value).startswith("hf://org/weights@refs/pr/1: ")


def test_another_commit_than_the_one_that_was_asked_for_is_refused(hub: Registry, host: str) -> None:
    hub.before = lambda _path, _headers: (200, {}, answer())
    assert resolve_model(ModelName("org/weights", COMMIT), access(host)).digest == COMMIT
    with pytest.raises(RegistryError, match="something tampers with it"):
        resolve_model(ModelName("org/weights", "f" * 40), access(host))


def test_a_busy_hub_is_asked_again_after_the_time_it_names_and_given_up_in_the_end(hub: Registry, host: str) -> None:
    def busy_once(path: str, _headers: dict[str, str]) -> Answer:
        return (429, {"Retry-After": "0"}, b"") if hub.asked[path] == 1 else (200, {}, answer())

    hub.before = busy_once
    assert resolve_model(MODEL, access(host)).digest == COMMIT
    hub.before = lambda _path, _headers: (429, {"Retry-After": "0"}, b"")
    with pytest.raises(RegistryError, match="stays busy"):
        resolve_model(MODEL, access(host))


def test_a_hub_that_is_not_there_or_speaks_no_tls_is_an_error(host: str) -> None:
    with pytest.raises(RegistryError, match="cannot be reached"):
        resolve_model(MODEL, access("127.0.0.1:1", retries=0))
    with pytest.raises(RegistryError, match=r"certificate|cannot be reached"):
        resolve_model(MODEL, Access(endpoints={"huggingface.co": Endpoint(host)}, timeout=3.0, retries=0))


@pytest.mark.parametrize(
    "text", ["", "org/weights", "hf://weights@main", "hf://org/weights", "hf://org/weights@", "hf://a/b@c d"]
)
def test_what_is_no_model_is_not_read_as_one(text: str) -> None:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import ArtifactError

    with pytest.raises(ArtifactError, match="is no model"):
        parse_model_name(text)
