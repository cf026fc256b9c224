# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which headers pass, in both directions."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from .conftest import Gateway

BODY = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}
PATH = "/v1/chat/completions"


@pytest.mark.parametrize(
    "name",
    [
        "x-litellm-api-key",
        "x-litellm-tags",
        "x-litellm-timeout",
        "x-litellm-num-retries",
        "x-litellm-call-id",
        "x-litellm-spend-logs-metadata",
        "x-litellm-customer-id",
        "x-gateway-inference-fairness-id",
        "x-gateway-inference-objective",
        "x-gateway-model-name-rewrite",
        "api-key",
        "x-api-key",
        "litellm_user_api_key",
        "user-agent",
        "cookie",
        "traceparent",
        "baggage",
        "x-forwarded-for",
        "openai-organization",
        "langfuse_trace_id",
        "accept-encoding",
    ],
)
def test_a_header_that_is_not_needed_does_not_pass(gateway: Gateway, name: str) -> None:
    assert gateway.ask("POST", PATH, BODY, headers={name: "evil"}).status == 200
    assert "evil" not in gateway.application.header.values()
    assert set(gateway.application.header) == {"host", "authorization", "content-type", "content-length"}


def test_the_key_is_handed_on_as_it_is_read(gateway: Gateway) -> None:
    gateway.ask("POST", PATH, BODY, key=None, headers={"authorization": "bearer   sk-other"})
    assert gateway.application.header["authorization"] == "Bearer sk-other"


@pytest.mark.parametrize("value", ["sk-tenant", "Basic c2s=", "Bearer", "Bearer a b", "Bearer " + "a" * 513])
def test_an_authorization_that_is_no_bearer_key_is_refused(gateway: Gateway, value: str) -> None:
    reply = gateway.ask("POST", PATH, BODY, key=None, headers={"authorization": value})
    assert (reply.status, reply.error["type"]) == (401, "authentication_error")
    assert gateway.application.scopes == []


def test_a_request_without_a_key_is_refused_before_its_body_is_read(gateway: Gateway) -> None:
    assert gateway.ask("POST", PATH, b"{", key=None).status == 401


def test_two_authorization_headers_are_refused(gateway: Gateway) -> None:
    pairs = [(b"authorization", b"Bearer a"), (b"Authorization", b"Bearer b"), (b"content-type", b"application/json")]
    assert gateway.call("POST", PATH, pairs, [b"{}"]).status == 400


@pytest.mark.parametrize(
    "value",
    ["", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/jsonp"],
)
def test_only_json_is_taken(gateway: Gateway, value: str) -> None:
    assert gateway.ask("POST", PATH, BODY, headers={"content-type": value}).status == 415


def test_json_with_a_charset_is_taken_and_a_second_content_type_is_not(gateway: Gateway) -> None:
    assert gateway.ask("POST", PATH, BODY, headers={"content-type": "Application/JSON; charset=utf-8"}).status == 200
    pairs = [(b"authorization", b"Bearer a"), (b"content-type", b"application/json"), (b"content-type", b"text/plain")]
    assert gateway.call("POST", PATH, pairs, [b"{}"]).status == 415


def test_a_compressed_body_is_refused(gateway: Gateway) -> None:
    assert gateway.ask("POST", PATH, BODY, headers={"content-encoding": "gzip"}).status == 415


@pytest.mark.parametrize("value", ["-1", "x", "1e9"])
def test_a_length_that_is_no_number_is_refused(gateway: Gateway, value: str) -> None:
    assert gateway.ask("POST", PATH, BODY, headers={"content-length": value}).status == 400


def test_the_length_is_that_of_the_body_as_it_was_written_anew(gateway: Gateway) -> None:
    gateway.ask("POST", PATH, {**BODY, "user_config": {"much": "x" * 1000}})
    assert int(gateway.application.header["content-length"]) == len(gateway.application.bodies[0]) < 200


def test_an_answer_says_nothing_about_what_is_inside(make: t.Any, application: t.Any) -> None:
    app = application(
        headers=[
            (b"Content-Type", b"application/json"),
            (b"x-litellm-model-api-base", b"http://chat:8000"),
            (b"x-litellm-version", b"1.108.7"),
            (b"llm_provider-server", b"uvicorn"),
            (b"set-cookie", b"a=b"),
            (b"x-ratelimit-remaining-requests", b"3"),
            (b"x-litellm-response-cost", b"0.1"),
        ]
    )
    reply = make(app).ask("POST", PATH, BODY)
    assert reply.headers == {
        "Content-Type": "application/json",
        "x-ratelimit-remaining-requests": "3",
        "x-litellm-response-cost": "0.1",
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([(b"LLM_Provider-Retry-After", b"2")], [b"2"]),
        ([(b"retry-after", b"5"), (b"llm_provider-retry-after", b"2")], [b"5"]),
        ([(b"llm_provider-retry-after", b"soon")], []),
        ([(b"llm_provider-server", b"envoy")], []),
    ],
)
def test_a_client_learns_when_to_come_again_also_from_a_models_gateway(
    given: list[tuple[bytes, bytes]], told: list[bytes]
) -> None:
    from llm_platform_guard import headers

    found = headers.response(given)
    assert [value for name, value in found if name == b"retry-after"] == told
    assert not [name for name, _value in found if name.startswith(b"llm_provider")]
