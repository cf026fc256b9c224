# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Entrances with TLS, limits and an allow-list before a guarded gateway, and the ways in which they may fail."""

from __future__ import annotations

import dataclasses
import datetime as dt
import http.client
import http.server
import json
import ssl
import threading
import time
import typing as t
import warnings
from contextlib import ExitStack, contextmanager

from ansible_collections.wmx.llm_platform.plugins.module_utils import _certificates as certificates
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_entrance import Entrance
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe_stage import Limits, Stage
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import ask_over
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_attempts import ALLOWED, PROBES
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_guarded import MASTER, FakeGuarded

if t.TYPE_CHECKING:
    import pathlib

HOST = "api.llm.example.com"
LIMITS = Limits(body_bytes=4096, requests=400, seconds=1, burst=300)
WIDE = dataclasses.replace(LIMITS, requests=100_000, burst=100_000)
# A pod's, while the controller's own is the usual one.
POD_ADDRESS = "127.0.0.2"
Answer = tuple[int, dict[str, str], t.Any]


@dataclasses.dataclass
class Defects:
    """What is wrong with these entrances; nothing by default."""

    old_tls: bool = False
    any_host: bool = False
    other_certificate: bool = False
    no_hsts: bool = False
    serves_without_tls: bool = False
    redirects_elsewhere: bool = False
    opened: str = ""
    """A path that is let through."""
    hands_all_on: bool = False
    closed: str = ""
    no_body_limit: bool = False
    trusts_length: bool = False
    small_body_limit: bool = False
    no_rate_limit: bool = False
    rate_for_all: bool = False
    no_retry_after: bool = False
    plain_errors: bool = False


class FakeEdge:
    def __init__(
        self, folder: pathlib.Path, limits: Limits = WIDE, guarded: dict[str, t.Any] | None = None, **defects: t.Any
    ) -> None:
        self.defects = Defects(**defects)
        self.guarded = FakeGuarded(**(guarded or {}))
        self._folder, self._limits = folder, limits
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, *, public: bool = True) -> t.Iterator[Stage]:
        with ExitStack() as stack:
            inner = stack.enter_context(self.guarded.stage())
            internal = stack.enter_context(self._serve("internal"))
            secure = stack.enter_context(self._serve("public", self._server_context()))
            plain = stack.enter_context(self._serve("plain"))
            place = internal
            trusted = ssl.create_default_context(cadata=self._authority.certificate.decode())
            yield Stage(
                internal=Entrance("the internal entrance", "internal.edge", internal),
                public=Entrance("the public entrance", HOST, secure, trusted) if public else None,
                plain=Entrance("the public entrance", HOST, plain) if public else None,
                admin=inner.replica.gateway,
                master_key=lambda: MASTER,
                models=inner.models,
                guests=inner.guests,
                inside=lambda patience: t.cast("t.Any", _Pod(place, patience)),
                limits=self._limits,
            )

    def _server_context(self) -> ssl.SSLContext:
        now = dt.datetime.now(dt.UTC)
        self._authority = certificates.make_authority("test", now)
        signer = certificates.make_authority("other", now) if self.defects.other_certificate else self._authority
        pair = certificates.make_host(HOST, signer, 1, now)
        path = self._folder / "pair.pem"
        path.write_bytes(pair.certificate + pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if self.defects.old_tls:
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1

        def choose(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
            if name == HOST or self.defects.any_host:
                return None
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)

        context.sni_callback = t.cast("t.Any", choose)
        return context

    @contextmanager
    def _serve(self, entrance: str, context: ssl.SSLContext | None = None) -> t.Iterator[tuple[str, int]]:
        edge = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def answer(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                raw, length = self._body(headers)
                status, more, body = edge.handle(
                    entrance, self.command, self.path, headers, raw, length, self.client_address[0]
                )
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

            def _body(self, headers: dict[str, str]) -> tuple[bytes, int | None]:
                if headers.get("transfer-encoding") == "chunked":
                    raw = b""
                    while size := int(self.rfile.readline(), 16):
                        raw += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return raw, None
                length = int(headers.get("content-length") or 0)
                return self.rfile.read(length), length

            def log_message(self, *_args: t.Any) -> None: ...

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: t.Any) -> None: ...  # a refused handshake is what is tried

        server = Server(("127.0.0.1", 0), Handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield ("127.0.0.1", server.server_address[1])
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def handle(
        self,
        entrance: str,
        method: str,
        path: str,
        headers: dict[str, str],
        raw: bytes,
        length: int | None,
        address: str,
    ) -> Answer:
        wrong = self.defects
        if not self._may(address):
            return self._refusal(429, "rate_limit_exceeded", {} if wrong.no_retry_after else {"retry-after": "1"})
        if entrance == "plain" and not wrong.serves_without_tls:
            if headers.get("host") != HOST:
                return self._refusal(404, "unknown_route")
            place = "http://elsewhere" if wrong.redirects_elsewhere else f"https://{HOST}"
            return 301, {"location": place + path}, ""
        listed = (method, path) in ALLOWED and not path.startswith(PROBES) and path != wrong.closed
        if not listed and path != wrong.opened and not wrong.hands_all_on:
            return self._refusal(404, "unknown_route")
        most = LIMITS.body_bytes // 2 if wrong.small_body_limit else LIMITS.body_bytes
        measured = length or 0 if wrong.trusts_length else len(raw)
        if measured > most and not wrong.no_body_limit:
            return self._refusal(413, "request_too_large")
        status, more, body = self._hand_on(method, path, headers, raw)
        security = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
        if entrance == "public" and not wrong.no_hsts:
            security["strict-transport-security"] = "max-age=31536000"
        return status, {**more, **security}, body

    def _hand_on(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Answer:
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            return 400, {}, {"error": _error("invalid_json")}
        if method == "POST" and not body:
            return 400, {}, {"error": _error("missing_required_parameter")}
        return self.guarded.handle(method, path, headers, body)

    def _refusal(self, status: int, code: str, more: dict[str, str] | None = None) -> Answer:
        return status, more or {}, "refused" if self.defects.plain_errors else {"error": _error(code)}

    def _may(self, address: str) -> bool:
        if self.defects.no_rate_limit:
            return True
        address = "all" if self.defects.rate_for_all else address
        with self._lock:
            now = time.monotonic()
            left, last = self._buckets.get(address, (float(self._limits.burst), now))
            left = min(self._limits.burst, left + (now - last) * self._limits.requests / self._limits.seconds)
            self._buckets[address] = (left - 1 if left >= 1 else left, now)
            return left >= 1


class _Pod:
    """In the place of a pod: it comes from another address."""

    def __init__(self, place: tuple[str, int], patience: int) -> None:
        self._place, self._patience = place, patience

    def ask(self, key: str, attempts: t.Any) -> t.Any:
        def connect() -> http.client.HTTPConnection:
            return http.client.HTTPConnection(*self._place, timeout=10, source_address=(POD_ADDRESS, 0))

        return ask_over(connect, key, attempts, self._patience)


def _error(code: str) -> dict[str, t.Any]:
    return {"message": "", "type": "", "param": None, "code": code}
