# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""An entrance as a client sees it, and the hello of a client that knows old TLS only. Private to the collection."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import struct
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import PATIENCE, ask_over

if t.TYPE_CHECKING:
    import ssl

    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import Attempt, Verdict

LONGEST_ANSWER: t.Final = 1 << 20
TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303
_ALERT, _HANDSHAKE, _SERVER_HELLO = 21, 22, 2


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: t.Mapping[str, str]
    body: bytes = b""

    @property
    def json(self) -> t.Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def error(self) -> t.Mapping[str, t.Any]:
        """What OpenAI's API calls an error; empty where the body is none."""
        found = self.json
        error = found.get("error") if isinstance(found, dict) else None
        return error if isinstance(error, dict) and {"message", "type", "param", "code"} <= error.keys() else {}


class _SecureConnection(http.client.HTTPSConnection):
    """To an address that is not the host's own, as DNS would lead there."""

    def __init__(self, host: str, address: tuple[str, int], context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(host, 443, timeout=timeout, context=context)
        self._address = address
        self._secure = context

    def connect(self) -> None:
        plain = socket.create_connection(self._address, self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._secure.wrap_socket(plain, server_hostname=self.host)


@dataclass(frozen=True, slots=True)
class Entrance:
    """One way in; `context` where it speaks TLS."""

    name: str
    host: str
    address: tuple[str, int]
    context: ssl.SSLContext | None = None
    timeout: float = 60.0
    # The spoofing probe looks at replicas by the URL of their gateway.
    url: str = field(default="")

    def connect(self) -> http.client.HTTPConnection:
        if self.context:
            return _SecureConnection(self.host, self.address, self.context, self.timeout)
        return http.client.HTTPConnection(*self.address, timeout=self.timeout)

    def sweep(self, key: str, attempts: t.Sequence[Attempt]) -> list[Verdict]:
        return ask_over(self.connect, key, attempts)

    def send(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        *,
        key: str | None = None,
        headers: t.Mapping[str, str] | None = None,
        retry: bool = True,
        patience: int = PATIENCE,
    ) -> Reply:
        """One request on a connection of its own; bytes are sent as they are. Whoever was too fast waits."""
        del retry
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"host": self.host, **({"content-type": "application/json"} if sent is not None else {})}
        fields |= {"authorization": f"Bearer {key}"} if key else {}
        fields |= {name: value for name, value in (headers or {}).items() if name.lower() not in fields}
        while True:
            reply = self._once(method, path, sent, fields)
            wait = reply.headers.get("retry-after", "")
            if reply.status != 429 or not wait.isdigit() or patience <= 0:
                return reply
            patience -= 1
            time.sleep(min(int(wait), 5))

    def _once(self, method: str, path: str, body: bytes | None, fields: t.Mapping[str, str]) -> Reply:
        connection = self.connect()
        try:
            try:
                connection.request(method, path, body=body, headers=dict(fields))
            except (BrokenPipeError, ConnectionResetError):
                # Whoever is refused before the end of a long body has an answer waiting all the same.
                if connection.sock is None:
                    raise
            answer = connection.getresponse()
            return Reply(
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read(LONGEST_ANSWER),
            )
        except (OSError, http.client.HTTPException) as exc:
            raise ProbeError(f"{self.name}: {method} {path} got no answer: {type(exc).__name__}: {exc}") from exc
        finally:
            connection.close()

    def hello(self, version: int, host: str = "") -> str:
        """What a client gets that knows this version of TLS at most: `accepted`, or how it was refused."""
        try:
            with socket.create_connection(self.address, self.timeout) as plain:
                plain.settimeout(10.0)
                plain.sendall(client_hello(version, host or self.host))
                head = _exactly(plain, 5)
                text = _exactly(plain, 2)
        except OSError as exc:
            return f"closed ({type(exc).__name__})"
        if len(head) < 5 or len(text) < 2:
            return "closed"
        if head[0] == _HANDSHAKE and text[0] == _SERVER_HELLO:
            return "accepted"
        return f"alert {text[1]}" if head[0] == _ALERT else f"record {head[0]}"


def client_hello(version: int, host: str) -> bytes:
    """The first message of a client; written by hand because libraries of today no longer know the old versions."""
    suites = [0xC02B, 0xC02F, 0xC02C, 0xC030] if version >= TLS_1_2 else []
    suites += [0xC009, 0xC013, 0xC00A, 0xC014, 0x002F, 0x0035]
    name = host.encode("idna")
    extensions = (
        _extension(0, _sized(2, b"\x00" + _sized(2, name)))
        + _extension(10, _sized(2, struct.pack("!HH", 29, 23)))
        + _extension(11, _sized(1, b"\x00"))
        + (_extension(13, _sized(2, struct.pack("!HHH", 0x0403, 0x0804, 0x0401))) if version >= TLS_1_2 else b"")
    )
    message = (
        struct.pack("!H", version)
        + secrets.token_bytes(32)
        + _sized(1, b"")
        + _sized(2, b"".join(struct.pack("!H", suite) for suite in suites))
        + _sized(1, b"\x00")
        + _sized(2, extensions)
    )
    handshake = b"\x01" + struct.pack("!I", len(message))[1:] + message
    return struct.pack("!BH", _HANDSHAKE, TLS_1_0) + _sized(2, handshake)


def _sized(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack("!H", number) + _sized(2, content)


def _exactly(plain: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = plain.recv(count - len(found))
        if not part:
            break
        found += part
    return found
