# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The guard is called as a server would call it, in front of an application that notes what it was asked."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sys
import typing as t
from dataclasses import dataclass, field

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "roles/llm_gateway/files/guard"
MASTER = "sk-master-0123456789abcdef"
KEY = "sk-tenant"

sys.dont_write_bytecode = True
sys.path.insert(0, str(PACKAGE))

Headers = list[tuple[bytes, bytes]]
ANSWER: t.Final[Headers] = [(b"content-type", b"application/json")]


@dataclass
class Reply:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    closed: bool = False

    @property
    def error(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(self.body)["error"])


@dataclass
class Application:
    """What stands behind the guard: it answers 200 and keeps what it was given."""

    headers: Headers = field(default_factory=lambda: list(ANSWER))
    status: int = 200
    scopes: list[t.Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    saw_disconnect: bool = False
    finished: int = 0
    chunks: int = 1
    listens: bool = False

    async def __call__(self, scope: t.Any, receive: t.Any, send: t.Any) -> None:
        self.scopes.append(scope)
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        listener = asyncio.create_task(self._listen(receive)) if self.listens else None
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for number in range(self.chunks):
            await send({"type": "http.response.body", "body": b"{}", "more_body": number + 1 < self.chunks})
            if self.chunks > 1:
                await asyncio.sleep(0.001)
        self.finished += 1
        if listener:
            listener.cancel()

    async def _listen(self, receive: t.Any) -> None:
        self.saw_disconnect = (await receive())["type"] == "http.disconnect"

    @property
    def body(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(self.bodies[-1]))

    @property
    def header(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.scopes[-1]["headers"]}


SETTINGS: t.Final[dict[str, t.Any]] = {
    "models": {
        "chat": {"max_output_tokens": 100},
        "org/chat": {"max_output_tokens": 8},
        "seeing": {"max_output_tokens": 100, "media": True},
        "embed": {"max_output_tokens": None},
    },
    "limits": {},
}


class Gateway:
    """An application with the guard in front, and a client that speaks ASGI."""

    def __init__(self, application: Application | None = None, *, gate: t.Any = None, **limits: t.Any) -> None:
        from llm_platform_guard.asgi import Guard
        from llm_platform_guard.settings import parse

        self.application = application or Application()
        self.guard = Guard(self.application, parse({**SETTINGS, "limits": limits}), MASTER.encode(), gate)

    def ask(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        *,
        key: str | None = KEY,
        headers: t.Mapping[str, str] | None = None,
        **more: t.Any,
    ) -> Reply:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        fields = {"host": "gateway", **({"authorization": f"Bearer {key}"} if key else {})}
        if body is not None:
            fields |= {"content-type": "application/json", "content-length": str(len(raw))}
        fields |= headers or {}
        pairs = [(name.lower().encode(), value.encode()) for name, value in fields.items() if value != ""]
        return self.call(method, path, pairs, [raw], **more)

    def call(self, method: str, path: str, pairs: Headers, chunks: t.Sequence[bytes], **more: t.Any) -> Reply:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": pairs,
            "state": {},
            **more,
        }
        reply = Reply()
        waiting = [
            {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
            for index, chunk in enumerate(chunks)
        ]

        async def receive() -> t.Any:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: t.Any) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            elif message["type"] == "http.response.body":
                reply.body += message.get("body", b"")
            else:
                reply.closed = message["type"] == "websocket.close"

        asyncio.run(self.guard(scope, receive, send))
        return reply

    def chat(self, **fields: t.Any) -> Reply:
        return self.ask("POST", "/v1/chat/completions", {"model": "chat", "messages": SAID, **fields})


SAID: t.Final = [{"role": "user", "content": "hi"}]


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def make() -> type[Gateway]:
    return Gateway


@pytest.fixture
def application() -> type[Application]:
    return Application
