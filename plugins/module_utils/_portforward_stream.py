# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""One forwarded connection: the API server's port-forward protocol over a websocket. Private to the collection.

The kubernetes package speaks it too, but importing that package costs more than most of our tasks take.
"""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import ssl
import struct
import typing as t
from urllib.parse import unquote, urlsplit

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import CONNECT_SECONDS, ssl_context

try:
    import websocket
except ImportError:  # said by dialler, so that the rest of the collection can be imported without it
    websocket = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    import threading

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kubeconfig import Connection

_CHUNK: t.Final = 65536
_PROTOCOL: t.Final = "v4.channel.k8s.io"
# The channels of the first and only port. Each begins with a frame that repeats the port's number.
_DATA, _ERROR = b"\0", b"\1"
_POLL_MILLISECONDS: t.Final = 500


class PortForwardError(Exception):
    """No pod to forward to, or the API server refused."""


class Target(t.NamedTuple):
    namespace: str
    pod: str
    port: int


class Stream(t.Protocol):
    """A connection into a pod."""

    def carry(self, near: socket.socket, closing: threading.Event) -> None:
        """Copy both ways until a side ends it. PortForwardError says what the pod's side complained about."""

    def close(self) -> None: ...


Dial = t.Callable[[Target], Stream]


def dialler(connection: Connection) -> Dial:
    """How to open connections into pods behind this API server; TLS is set up once for all of them."""
    if websocket is None:
        raise PortForwardError(missing_required_lib("websocket-client"))
    parts = urlsplit(connection.server)
    context = ssl_context(connection) if parts.scheme == "https" else None

    def dial(target: Target) -> Stream:
        path = f"{parts.path.rstrip('/')}/api/v1/namespaces/{target.namespace}/pods/{target.pod}/portforward"
        url = f"{'wss' if context else 'ws'}://{parts.netloc}{path}?ports={target.port}"
        place = f"port-forward to pod {target.namespace}/{target.pod}"
        tls: dict[str, t.Any] = {"context": context, "server_hostname": connection.tls_server_name}
        opened = websocket.WebSocket(sslopt=tls, skip_utf8_validation=True)
        opened.settimeout(CONNECT_SECONDS)
        with contextlib.ExitStack() as undo:
            undo.callback(opened.shutdown)
            try:
                route = _through(connection.proxy) if connection.proxy else {"socket": _open(connection, context)}
                header = _headers(connection)
                opened.connect(url, subprotocols=[_PROTOCOL], header=header, suppress_origin=True, **route)
            except websocket.WebSocketBadStatusException as exc:
                raise PortForwardError(f"{place} was refused with {exc.status_code}: {_message(exc)}") from exc
            except (websocket.WebSocketException, OSError) as exc:
                raise PortForwardError(f"{place}: {exc}") from exc
            undo.pop_all()
        return WebsocketStream(opened, target)

    return dial


def _open(connection: Connection, context: ssl.SSLContext | None) -> socket.socket:
    """A direct connection: by itself the websocket library would take a proxy from the environment."""
    parts = urlsplit(connection.server)
    host, port = parts.hostname or "", parts.port or (443 if context else 80)
    plain = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=connection.tls_server_name or host) if context else plain
    except BaseException:
        plain.close()
        raise


def _through(proxy: str) -> dict[str, t.Any]:
    parts = urlsplit(proxy)
    route: dict[str, t.Any] = {"http_proxy_host": parts.hostname, "http_proxy_port": parts.port or 3128}
    if parts.username:
        route["http_proxy_auth"] = (unquote(parts.username), unquote(parts.password or ""))
    return route


def _headers(connection: Connection) -> list[str]:
    if connection.token and (token := connection.token()):
        return [f"Authorization: Bearer {token}"]
    if connection.basic:
        return ["Authorization: Basic " + base64.b64encode(":".join(connection.basic).encode()).decode()]
    return []


def _message(refused: websocket.WebSocketBadStatusException) -> str:
    body = refused.resp_body or b""
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body)["message"])
    return body[:200].decode(errors="replace") or "no message"


class WebsocketStream:
    """Frames of one port: the first byte of each is its channel."""

    def __init__(self, opened: websocket.WebSocket, target: Target) -> None:
        self._websocket = opened
        self._place = f"pod {target.namespace}/{target.pod}"
        self._greeting = struct.pack("<H", target.port)
        self._greeted: set[bytes] = set()

    def carry(self, near: socket.socket, closing: threading.Event) -> None:
        # One thread does both directions: OpenSSL forbids to read and to write at once.
        far = t.cast("socket.socket", self._websocket.sock)
        poll = select.poll()
        for side in (near, far):
            poll.register(side, select.POLLIN)
        try:
            while not closing.is_set():
                for number, _event in poll.poll(_POLL_MILLISECONDS):
                    if number == far.fileno():
                        if not self._receive(near):
                            return
                    elif data := near.recv(_CHUNK):
                        self._websocket.send_binary(_DATA + data)
                    else:
                        return
        except websocket.WebSocketConnectionClosedException:
            return
        except websocket.WebSocketException as exc:
            raise PortForwardError(f"connection to {self._place}: {exc}") from exc

    def close(self) -> None:
        self._websocket.shutdown()

    def _receive(self, near: socket.socket) -> bool:
        """All frames that are there; False after the last one."""
        more = True
        while more:
            try:
                opcode, frame = self._websocket.recv_data_frame(True)
            except websocket.WebSocketTimeoutException:
                return True  # half a frame; the library keeps it
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return False
            if opcode == websocket.ABNF.OPCODE_BINARY:
                self._take(near, frame.data[:1], frame.data[1:])
            # What OpenSSL holds already makes no socket readable.
            more = isinstance(self._websocket.sock, ssl.SSLSocket) and self._websocket.sock.pending() > 0
        return True

    def _take(self, near: socket.socket, channel: bytes, data: bytes) -> None:
        if channel not in self._greeted:
            if channel not in (_DATA, _ERROR) or data != self._greeting:
                raise PortForwardError(f"{self._place}: the API server began channel {channel!r} with {data[:20]!r}")
            self._greeted.add(channel)
        elif channel == _ERROR:
            raise PortForwardError(f"{self._place}: {data.decode(errors='replace').strip()}")
        else:
            near.sendall(data)
