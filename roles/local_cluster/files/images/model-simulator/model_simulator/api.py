# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The HTTP surface."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hmac
import json
import logging
import typing as t

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from . import NAME, __version__, protocol, responses, timing, tokens
from .errors import ApiError

if t.TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from .sequence import Sequence
    from .server import Planned, Server

    Follow = t.Callable[[t.Iterable[Sequence]], None]

LOG = logging.getLogger(__name__)
KEYED = ("/v1", "/simulator")
LARGEST_BODY = 8 * 1024 * 1024
T = t.TypeVar("T")


class KeyGuard:
    """No key configured: /v1 is open, as vLLM's is; the debug paths stay closed."""

    def __init__(self, app: ASGIApp, keys: t.Sequence[str]) -> None:
        self._app = app
        self._keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(KEYED) and not self._allowed(scope, path):
            error = ApiError(401, "a valid API key is required: Authorization: Bearer <key>")
            await JSONResponse(error.body(), 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _allowed(self, scope: Scope, path: str) -> bool:
        if not self._keys:
            return not path.startswith("/simulator")
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _space, token = given.partition(b" ")
        matches = [hmac.compare_digest(token, key) for key in self._keys]
        return scheme.lower() == b"bearer" and any(matches)


class Api:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._engine_task: asyncio.Task[None] | None = None

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", self.health),
                Route("/ping", self.health, methods=["GET", "POST"]),
                Route("/version", self.version),
                Route("/metrics", self.metrics),
                Route("/v1/models", self.models),
                Route("/v1/models/{name:path}", self.model),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/completions", self.completions, methods=["POST"]),
                Route("/v1/embeddings", self.embeddings, methods=["POST"]),
                Route("/simulator/requests", self.request_log, methods=["GET", "DELETE"]),
                Route("/simulator/faults", self.faults, methods=["GET", "PUT"]),
            ],
            middleware=[Middleware(KeyGuard, keys=self._server.options.api_keys)],
            exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _unexpected},
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> t.AsyncIterator[None]:
        self._engine_task = asyncio.create_task(self._server.engine.run())
        yield
        self._engine_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._engine_task

    async def health(self, _request: Request) -> Response:
        alive = self._engine_task is not None and not self._engine_task.done()
        healthy = alive and self._server.ready and not self._server.faults.faults.unhealthy
        return Response(status_code=200 if healthy else 503)

    async def version(self, _request: Request) -> Response:
        profile = timing.PROFILES[self._server.options.profile]
        return JSONResponse(
            {
                "version": __version__,
                "simulator": True,
                "name": NAME,
                "api": "vLLM 0.31",
                "timing": {"profile": profile.name, "described": profile.described},
                "text": self._server.source.described,
                "token_counting": self._server.source.counting + tokens.COUNTING,
            }
        )

    async def metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._server.metrics.registry), media_type=content_type)

    async def models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._card(name) for name in self._names()]})

    async def model(self, request: Request) -> Response:
        self._server.check_model(request.path_params["name"])
        return JSONResponse(self._card(request.path_params["name"]))

    async def chat(self, request: Request) -> Response:
        return await self._generate(request, protocol.chat)

    async def completions(self, request: Request) -> Response:
        return await self._generate(request, protocol.completion)

    async def embeddings(self, request: Request) -> Response:
        body, follow = await self._accept(request)
        prompts = protocol.prompts(body, "input")
        dimensions = body.get("dimensions", self._server.options.embedding_dimensions)
        if not isinstance(dimensions, int) or isinstance(dimensions, bool) or not 1 <= dimensions <= 8192:
            raise ApiError(400, f"dimensions is {dimensions!r}, expected an integer from 1 to 8192", param="dimensions")
        if body.get("encoding_format", "float") != "float":
            raise ApiError(400, "encoding_format must be float: base64 is not simulated", param="encoding_format")
        vectors = await _unless_gone(request, self._server.embed(prompts, dimensions, protocol.salt_of(body), follow))
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = responses.usage(sum(len(prompt.ids) for prompt in prompts), 0, 0)
        return JSONResponse({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def request_log(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._server.log.clear()
        return JSONResponse({"requests": self._server.log.entries()})

    async def faults(self, request: Request) -> Response:
        injector = self._server.faults
        if request.method == "PUT":
            wanted = await _json(request)
            if isinstance(wanted, dict) and wanted.get("crash") is True:
                injector.crash()
            injector.faults.change(wanted)
        return JSONResponse(dataclasses.asdict(injector.faults))

    async def _accept(self, request: Request) -> tuple[protocol.Body, Follow]:
        raw = await _json(request)
        follow = self._server.log.add(request.method, request.url.path, request.headers.items(), raw)
        if not self._server.ready:
            raise ApiError(503, "the model is still loading")
        await _unless_gone(request, self._server.faults.before_request(raw))
        body, model = protocol.model_of(raw)
        self._server.check_model(model)
        return body, follow

    async def _generate(self, request: Request, parse: t.Callable[[protocol.Body], protocol.Generation]) -> Response:
        body, follow = await self._accept(request)
        wanted = parse(body)
        planned = self._server.plan(wanted)
        follow(item.sequence for item in planned)
        shape = responses.Shape.of(wanted)
        if wanted.stream:
            events = self._events(wanted, shape, planned)
            return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})
        await _unless_gone(request, self._finish(planned))
        prompts = [prompt.text if wanted.echo else "" for prompt in wanted.prompts for _choice in range(wanted.n)]
        texts = [prompt + "".join(item.pieces) for prompt, item in zip(prompts, planned, strict=True)]
        return JSONResponse(shape.whole([item.sequence for item in planned], texts))

    async def _finish(self, planned: t.Sequence[Planned]) -> None:
        with self._server.run(planned) as progress:
            async for _item in progress:
                pass

    async def _events(
        self, wanted: protocol.Generation, shape: responses.Shape, planned: t.Sequence[Planned]
    ) -> t.AsyncIterator[bytes]:
        sequences = [item.sequence for item in planned]
        place = {sequence: index for index, sequence in enumerate(sequences)}
        sent = [0] * len(planned)
        with self._server.run(planned) as progress:
            async for item in progress:
                index = place[item.sequence]
                piece = planned[index].pieces[sent[index]]
                if item.first and wanted.chat:
                    yield _event(shape.opening(index))
                elif item.first and wanted.echo:
                    yield _event(shape.piece(index, wanted.prompts[index // wanted.n].text, None))
                sent[index] += 1
                reason = item.sequence.finish.value if item.done else None
                yield _event(shape.piece(index, piece, reason))
        if wanted.include_usage:
            yield _event(shape.closing(sequences))
        yield b"data: [DONE]\n\n"

    def _names(self) -> tuple[str, ...]:
        return self._server.options.served_model_name

    def _card(self, name: str) -> responses.Json:
        options = self._server.options
        return responses.model_card(name, options.model, options.max_model_len, self._server.created)


def _event(data: responses.Json) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


async def _json(request: Request) -> object:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise ApiError(413, f"the body is larger than {LARGEST_BODY} bytes")
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}") from error


async def _unless_gone(request: Request, work: t.Coroutine[t.Any, t.Any, T]) -> T:  # noqa: UP047 - Python 3.11
    """The result, or an early end when the client hangs up: its slot must not be held for nobody."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _api_error(_request: Request, error: Exception) -> Response:
    known = t.cast("ApiError", error)
    return JSONResponse(known.body(), known.status)


async def _http_error(request: Request, error: Exception) -> Response:
    known = t.cast("HTTPException", error)
    message = f"{request.method} {request.url.path}: {known.detail}"
    return JSONResponse(ApiError(known.status_code, message).body(), known.status_code, known.headers)


async def _unexpected(_request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    LOG.error("unexpected error", exc_info=error)
    return JSONResponse(ApiError(500, "internal error").body(), 500)
