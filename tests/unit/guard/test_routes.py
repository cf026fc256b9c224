# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .conftest import Gateway

MASTER = "sk-master-0123456789abcdef"
GOOD = {
    "/v1/chat/completions": {"model": "chat", "messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"model": "chat", "prompt": "hi"},
    "/v1/embeddings": {"model": "embed", "input": "hi"},
    "/v1/responses": {"model": "chat", "input": "hi"},
}


@pytest.mark.parametrize("path", GOOD)
def test_a_good_request_on_the_allow_list_passes(gateway: Gateway, path: str) -> None:
    assert gateway.ask("POST", path, GOOD[path]).status == 200
    assert gateway.application.scopes[0]["path"] == path


def test_models_can_be_listed(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/v1/models").status == 200
    assert gateway.application.bodies == [b""]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/key/generate",
        "/key/info",
        "/team/new",
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/responses",
        "/models",
        "/engines/chat/chat/completions",
        "/openai/deployments/chat/chat/completions",
        "/openai/v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat//completions",
        "//v1/chat/completions",
        "/v1/Chat/completions",
        "/v1/chat/completions/../../key/info",
        "/v1/chat/completions%00",
        "/v1/chat/completions;/key/info",
        "/v1/messages",
        "/v1/models/chat",
        "/v1/models/",
        "/v1/models/chat:generateContent",
        "/v1/audio/speech",
        "/v1/files",
        "/v1/batches",
        "/v1/responses/abc",
        "/vllm/v1/chat/completions",
        "/metrics",
        "/health",
        "/health/liveness",
        "/health/services",
        "/openapi.json",
        "/docs",
        "/ui",
        "/sso/key/generate",
        "/mcp",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_else_is_there_for_a_tenant(gateway: Gateway, path: str, method: str) -> None:
    reply = gateway.ask(method, path, {} if method == "POST" else None)
    assert (reply.status, reply.error["code"]) == (404, "unknown_url")
    assert gateway.application.scopes == []


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "post", "PROPFIND"])
def test_other_methods_are_refused(gateway: Gateway, path: str, method: str) -> None:
    reply = gateway.ask(method, path, GOOD[path])
    assert reply.status == 405
    assert reply.headers["allow"] == "POST"
    assert gateway.application.scopes == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/key/generate"), ("DELETE", "/anything"), ("GET", "/metrics")])
def test_the_master_key_opens_everything_unchanged(gateway: Gateway, method: str, path: str) -> None:
    reply = gateway.ask(method, path, b"not json", key=MASTER, headers={"x-litellm-tags": "a"}, query_string=b"a=b")
    assert reply.status == 200
    assert gateway.application.bodies == [b"not json"]
    assert gateway.application.scopes[0]["query_string"] == b"a=b"
    assert gateway.application.header["x-litellm-tags"] == "a"


@pytest.mark.parametrize("key", [MASTER + "0", MASTER[:-1], MASTER.upper(), "", None])
def test_a_key_that_only_resembles_the_master_key_opens_nothing(gateway: Gateway, key: str | None) -> None:
    assert gateway.ask("GET", "/key/info", key=key).status == 404


@pytest.mark.parametrize(
    "header", ["x-litellm-api-key", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key", "cookie"]
)
def test_the_master_key_in_another_header_opens_nothing(gateway: Gateway, header: str) -> None:
    assert gateway.ask("GET", "/key/info", headers={header: f"Bearer {MASTER}"}).status == 404


def test_a_query_cannot_carry_a_key_or_choose_a_model(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/key/info", key=None, query_string=f"key={MASTER}".encode()).status == 404
    gateway.ask("GET", "/v1/models", query_string=b"team_id=other&return_wildcard_routes=true")
    assert gateway.application.scopes[-1]["query_string"] == b""


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/readiness"])
def test_probes_need_no_key_and_learn_a_status_only(make: t.Any, application: t.Any, path: str) -> None:
    for status, word in ((200, b"ok"), (503, b"unavailable")):
        app = application(status=status, headers=[(b"x-litellm-version", b"1")])
        reply = make(app).ask("GET", path, key=None, headers={"x-litellm-tags": "a"})
        assert (reply.status, reply.body) == (status, b'{"status":"%s"}' % word)
        assert "x-litellm-version" not in reply.headers
        assert app.scopes[0]["headers"] == []


def test_a_websocket_is_closed_before_it_is_accepted(gateway: Gateway) -> None:
    reply = gateway.call("GET", "/v1/realtime", [(b"authorization", b"Bearer sk-tenant")], [b""], type="websocket")
    assert reply.closed
    assert gateway.application.scopes == []


def test_the_lifespan_passes(gateway: Gateway) -> None:
    gateway.call("GET", "/", [], [b""], type="lifespan")
    assert gateway.application.scopes[0]["type"] == "lifespan"


def test_an_encoded_path_is_handed_on_in_its_plain_form(gateway: Gateway) -> None:
    # Servers decode the path and keep the raw form beside it.
    gateway.ask("POST", "/v1/completions", GOOD["/v1/completions"], raw_path=b"/v1/%63ompletions?x")
    assert gateway.application.scopes[0]["raw_path"] == b"/v1/completions"


def test_what_is_open_is_what_the_probe_of_a_running_gateway_allows() -> None:
    from llm_platform_guard.routes import ROUTES

    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_attempts import ALLOWED

    assert {(route.method, route.path) for route in ROUTES} == ALLOWED
