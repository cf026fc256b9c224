# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong inside is told without what is inside, and whoever cannot be let in is told when to come again."""

from __future__ import annotations

import json
import types
import typing as t

import pytest

from .conftest import ANSWER, MASTER, Application, Gateway

INSIDE: t.Final = b'{"error": {"message": "Cannot connect to host chat.llm-serving:8000 ssl:default"}}'


class Failing(Application):
    async def __call__(self, scope: t.Any, receive: t.Any, send: t.Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": INSIDE[:10], "more_body": True})
        await send({"type": "http.response.body", "body": INSIDE[10:], "more_body": False})
        self.finished += 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
def test_an_error_inside_keeps_its_status_and_loses_its_words(status: int) -> None:
    gateway = Gateway(Failing(status=status, headers=[*ANSWER, (b"content-length", b"82"), (b"x-inside", b"1")]))
    reply = gateway.chat()
    assert reply.status == status
    assert b"llm-serving" not in reply.body
    assert reply.error["type"] == "server_error"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.headers.get("retry-after") == ("1" if status == 503 else None)
    assert "x-inside" not in reply.headers
    assert t.cast("Failing", gateway.application).finished == 1


def test_an_error_of_the_client_is_handed_on() -> None:
    reply = Gateway(Failing(status=429)).chat()
    assert (reply.status, reply.body) == (429, INSIDE)


def test_the_operator_reads_it_all() -> None:
    reply = Gateway(Failing(status=500)).ask("POST", "/v1/chat/completions", {"model": "chat"}, key=MASTER)
    assert (reply.status, reply.body) == (500, INSIDE)


def closed(began: bool) -> Gateway:
    return Gateway(gate=types.SimpleNamespace(admits=False, began=began))


def test_nothing_that_costs_is_let_in_while_the_gate_is_closed() -> None:
    gateway = closed(began=True)
    reply = gateway.chat()
    assert (reply.status, reply.headers["retry-after"], gateway.application.finished) == (503, "1", 0)
    assert reply.error == {
        "message": "The gateway cannot let requests in at the moment, try again",
        "type": "server_error",
        "param": None,
        "code": "unavailable",
    }
    assert gateway.ask("GET", "/v1/models").status == 200


@pytest.mark.parametrize(("began", "status"), [(False, 503), (True, 200)])
def test_a_replica_that_could_never_let_anybody_in_is_not_ready(began: bool, status: int) -> None:
    gateway = closed(began)
    ready = gateway.ask("GET", "/health/readiness", key=None)
    assert (ready.status, json.loads(ready.body)["status"] == "ok") == (status, status == 200)
    assert gateway.ask("GET", "/health/liveliness", key=None).status == 200
