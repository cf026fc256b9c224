# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Clients that go away, stop reading or take their time: the request ends and is paid for all the same."""

from __future__ import annotations

import asyncio
import json
import time
import typing as t

from .conftest import KEY, Application, Gateway

SCOPE: t.Final[dict[str, t.Any]] = {
    "type": "http",
    "method": "POST",
    "path": "/v1/chat/completions",
    "raw_path": b"/v1/chat/completions",
    "query_string": b"",
    "headers": [(b"authorization", f"Bearer {KEY}".encode()), (b"content-type", b"application/json")],
}
BODY: t.Final = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]}).encode()


def whole() -> t.Callable[[], t.Awaitable[dict[str, t.Any]]]:
    """A client that sends its request and hangs up."""
    messages: list[dict[str, t.Any]] = [{"type": "http.request", "body": BODY, "more_body": False}]

    async def receive() -> dict[str, t.Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive


def test_that_a_client_went_away_is_not_said() -> None:
    gateway = Gateway(Application(chunks=20, listens=True))
    sent: list[t.Any] = []

    async def send(message: t.Any) -> None:
        sent.append(message)

    asyncio.run(gateway.guard(dict(SCOPE), whole(), send))
    assert gateway.application.finished == 1
    assert not gateway.application.saw_disconnect
    assert len(sent) == 21


def test_a_server_that_says_so_while_sending_stops_nothing() -> None:
    gateway = Gateway(Application(chunks=20))
    sent: list[t.Any] = []

    async def send(message: t.Any) -> None:
        sent.append(message)
        if len(sent) == 3:
            raise ConnectionResetError

    asyncio.run(gateway.guard(dict(SCOPE), whole(), send))
    assert gateway.application.finished == 1
    assert len(sent) == 3


def test_a_client_that_stops_reading_holds_nothing_up() -> None:
    gateway = Gateway(Application(chunks=20), stall_seconds=0.05)
    sent: list[t.Any] = []

    async def send(message: t.Any) -> None:
        sent.append(message)
        if len(sent) == 3:
            await asyncio.sleep(60)

    began = time.monotonic()
    asyncio.run(gateway.guard(dict(SCOPE), whole(), send))
    assert time.monotonic() - began < 5
    assert gateway.application.finished == 1
    assert len(sent) == 3


def test_a_slow_reader_is_cut_off_at_the_end_of_its_time() -> None:
    gateway = Gateway(Application(chunks=50), request_seconds=0.1)
    sent: list[t.Any] = []

    async def send(message: t.Any) -> None:
        await asyncio.sleep(0.02)
        sent.append(message)

    asyncio.run(gateway.guard(dict(SCOPE), whole(), send))
    assert gateway.application.finished == 1
    assert 1 <= len(sent) < 20


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    gateway = Gateway(body_seconds=0.05)
    sent: list[t.Any] = []

    async def receive() -> t.Any:
        await asyncio.sleep(60)

    async def send(message: t.Any) -> None:
        sent.append(message)

    asyncio.run(gateway.guard(dict(SCOPE), receive, send))
    assert sent[0]["status"] == 408
    assert gateway.application.scopes == []


def test_a_stream_is_handed_on_piece_by_piece() -> None:
    gateway = Gateway(Application(chunks=3))
    seen_by_application: list[int] = []

    async def send(message: t.Any) -> None:
        if message["type"] == "http.response.body":
            seen_by_application.append(gateway.application.finished)

    asyncio.run(gateway.guard(dict(SCOPE), whole(), send))
    assert seen_by_application == [0, 0, 0]
