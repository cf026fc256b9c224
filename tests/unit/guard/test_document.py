# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""How a body is read: what two parsers could read in two ways is refused."""

from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Gateway

PATH = "/v1/chat/completions"
GOOD = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"{} {}",
        b"{'model': 'chat'}",
        GOOD[:-1] + b',"temperature":NaN}',
        GOOD[:-1] + b',"temperature":-Infinity}',
        GOOD[:-1] + b',"temperature":1e999}',
        GOOD[:-1] + b',"seed":' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        GOOD.decode().encode("utf-32"),
        GOOD.replace(b"hi", b"\xff"),
        GOOD.replace(b"hi", b"\n"),
        b"\x00" + GOOD,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_plain_json_object_is_refused(gateway: Gateway, raw: bytes) -> None:
    reply = gateway.ask("POST", PATH, raw)
    assert (reply.status, reply.error["code"]) == (400, "invalid_json")
    assert gateway.application.scopes == []


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"chat","model":"org/chat","messages":[]}',
        GOOD[:-1] + b',"max_tokens":1,"max_tokens":1}',
        GOOD[:-1] + b',"max_tokens":1,"max\\u005ftokens":9}',
        b'{"model":"chat","messages":[{"role":"user","content":"a","content":"b"}]}',
    ],
)
def test_a_key_that_comes_twice_is_refused_at_every_level(gateway: Gateway, raw: bytes) -> None:
    assert "twice" in gateway.ask("POST", PATH, raw).error["message"]


def test_a_body_of_the_largest_size_passes_and_one_more_byte_does_not(make: t.Any) -> None:
    gateway = make(body_bytes=len(GOOD) + 10)
    assert gateway.ask("POST", PATH, GOOD + b" " * 10).status == 200
    assert gateway.ask("POST", PATH, GOOD + b" " * 11).status == 413


def test_a_body_that_declares_less_than_it_sends_is_counted_while_it_comes(make: t.Any) -> None:
    gateway = make(body_bytes=1000)
    pairs = [(b"authorization", b"Bearer a"), (b"content-type", b"application/json"), (b"content-length", b"10")]
    reply = gateway.call("POST", PATH, pairs, [b" " * 400] * 3 + [GOOD])
    assert reply.status == 413
    assert reply.headers["connection"] == "close"


def test_a_body_in_pieces_is_put_together(gateway: Gateway) -> None:
    pairs = [(b"authorization", b"Bearer a"), (b"content-type", b"application/json")]
    assert gateway.call("POST", PATH, pairs, [GOOD[:7], b"", GOOD[7:]]).status == 200
    assert gateway.application.body["messages"] == [{"role": "user", "content": "hi"}]


def test_a_body_that_ends_too_early_reaches_nobody(gateway: Gateway) -> None:
    pairs = [(b"authorization", b"Bearer a"), (b"content-type", b"application/json")]
    assert gateway.call("POST", PATH, pairs, []).status == 400
    assert gateway.application.scopes == []


@pytest.mark.parametrize(("depth", "status"), [(32, 200), (33, 400)])
def test_nesting_has_a_limit(gateway: Gateway, depth: int, status: int) -> None:
    # messages are at the first level, so that a schema of this depth lies at the limit
    schema: dict[str, t.Any] = {}
    for _level in range(depth - 4):
        schema = {"a": schema}
    format_ = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert gateway.chat(response_format=format_).status == status


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    ["messages", "max_tokens", "max_completion_tokens", "n", "tools", "stop", "stream", "stream_options", "user_config"]
) | st.text(max_size=8)


@given(fields=st.dictionaries(field_names, json_values, max_size=4))
def test_whatever_comes_the_answer_is_an_answer_and_what_passes_is_bounded(fields: dict[str, t.Any]) -> None:
    gateway = Gateway()
    raw = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()
    reply = gateway.ask("POST", PATH, raw)
    assert reply.status in (200, 400, 404)
    if reply.status == 200:
        body = gateway.application.body
        assert 1 <= body["max_tokens"] <= 100
        assert 1 <= body.get("n", 1) <= 8
        assert "max_completion_tokens" not in body
        assert "user_config" not in body
