# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The wrapper around LiteLLM's application. It knows ASGI and nothing of LiteLLM."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
import typing as t

from . import bodies, document, headers, routes
from .refusal import INTERNAL, RefusalError, broken, unavailable
from .routes import READINESS, Kind

if t.TYPE_CHECKING:
    from .settings import Settings

Scope = t.MutableMapping[str, t.Any]
Message = t.MutableMapping[str, t.Any]
Receive = t.Callable[[], t.Awaitable[Message]]
Send = t.Callable[[Message], t.Awaitable[None]]
App = t.Callable[[Scope, Receive, Send], t.Awaitable[None]]

LEFT_OUT: t.Final = b"x-llm-platform-left-out"
LOG: t.Final = logging.getLogger("llm_platform_guard")


class Gate(t.Protocol):
    """Whether a request that may cost something can be let in, and whether one ever could."""

    @property
    def admits(self) -> bool: ...

    @property
    def began(self) -> bool: ...


class Open:
    """For a gateway that counts in its own memory."""

    admits = began = True


class Guard:
    def __init__(self, app: App, settings: Settings, master_key: bytes, gate: Gate | None = None) -> None:
        self._app = app
        self._gate = gate or Open()
        self._settings = settings
        self._master_key = master_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_master(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            try:
                await self._check(scope, receive, send)
            except RefusalError as refusal:
                await _refuse(send, refusal)
        elif scope["type"] == "websocket":
            # Closed before it was accepted, a server answers 403.
            await send({"type": "websocket.close", "code": 1008})

    def _is_master(self, scope: Scope) -> bool:
        if scope["type"] not in ("http", "websocket"):
            return False
        try:
            key = headers.bearer(scope["headers"])
        except RefusalError:
            return False
        return key is not None and hmac.compare_digest(key, self._master_key)

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = routes.find(scope["method"], scope["path"])
        if route.kind is Kind.PROBE:
            if route.path == READINESS and not self._gate.began:
                await _StatusOnly(send).send({"type": "http.response.start", "status": 503})
                return
            await self._app(_rewritten(scope, route.path, []), _Body(b"").receive, _StatusOnly(send).send)
            return
        key = headers.bearer(scope["headers"])
        if key is None:
            raise RefusalError(
                401, "You didn't provide an API key: Authorization: Bearer <key>", code="invalid_api_key"
            )
        body, length = b"", None
        left_out: tuple[str, ...] = ()
        if route.method == "POST":
            if not self._gate.admits:
                raise unavailable()
            reduced = bodies.reduce(route.kind, await self._read(scope, receive), self._settings)
            body, left_out = document.write(reduced.body), reduced.left_out
            length = len(body)
        inner = _rewritten(scope, route.path, headers.request(scope["headers"], key, length))
        limits = self._settings.limits
        answer = _Answer(send, left_out, limits.stall_seconds, time.monotonic() + limits.request_seconds)
        await self._app(inner, _Body(body).receive, answer.send)

    async def _read(self, scope: Scope, receive: Receive) -> bodies.Body:
        limits = self._settings.limits
        headers.demand_json(scope["headers"])
        if headers.declared_length(scope["headers"]) > limits.body_bytes:
            raise _too_large(limits.body_bytes)
        try:
            async with asyncio.timeout(limits.body_seconds):
                raw = await _collect(receive, limits.body_bytes)
        except TimeoutError as error:
            raise RefusalError(408, f"The body did not arrive within {limits.body_seconds:g} seconds") from error
        return document.read(raw, depth=limits.depth)


class _Body:
    """The body as it was written anew. That the client goes away is never said.

    LiteLLM would stop the request and bill what it had seen: a client could read an answer and not pay for its end.
    """

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Answer:
    """Hands the answer on for as long as somebody reads it. What comes later is thrown away, not waited for."""

    def __init__(self, send: Send, left_out: t.Sequence[str], stall_seconds: float, deadline: float) -> None:
        self._send = send
        self._left_out = left_out
        self._stall_seconds = stall_seconds
        self._deadline = deadline
        self._gone = False

    async def send(self, message: Message) -> None:
        if self._gone:
            return
        if message["type"] == "http.response.start":
            if message["status"] >= INTERNAL:
                # What stands in it is for who runs this: LiteLLM quotes addresses and texts of the models' servers.
                self._gone = True
                await _refuse(self._send, broken(message["status"]))
                return
            message = {**message, "headers": self._headers(message)}
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._gone = True
            return
        try:
            async with asyncio.timeout(min(self._stall_seconds, left)):
                await self._send(message)
        except (TimeoutError, OSError):
            self._gone = True

    def _headers(self, message: Message) -> list[tuple[bytes, bytes]]:
        kept = headers.response(message.get("headers", ()))
        if self._left_out:
            kept.append((LEFT_OUT, ", ".join(self._left_out).encode()))
        return kept


class _StatusOnly:
    """Whoever has no key learns whether the gateway is well, not what it runs on."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            await _answer(self._send, status, b'{"status":"ok"}' if status < 400 else b'{"status":"unavailable"}', {})


def _rewritten(scope: Scope, path: str, kept: list[tuple[bytes, bytes]]) -> Scope:
    return {**scope, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": kept}


async def _collect(receive: Receive, most: int) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise RefusalError(400, "The connection ended before the body did", code="invalid_json")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _too_large(most: int) -> RefusalError:
    # The rest of the body is not read, so the connection cannot be used again.
    return RefusalError(
        413, f"The body is larger than {most} bytes", code="request_too_large", headers={"connection": "close"}
    )


async def _refuse(send: Send, refusal: RefusalError) -> None:
    LOG.info("refused with %d: %s", refusal.status, refusal.code or refusal.param or "timeout")
    await _answer(send, refusal.status, refusal.body(), refusal.headers)


async def _answer(send: Send, status: int, body: bytes, more: t.Mapping[str, str]) -> None:
    fields = {"content-type": "application/json", "content-length": str(len(body)), **more}
    encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})
