# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The port-forward protocol, spoken to a server that speaks it back over real sockets."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from websocket import ABNF

from ansible_collections.wmx.llm_platform.plugins.module_utils._kubeconfig import Connection
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward_stream import (
    PortForwardError,
    Target,
    dialler,
)

TARGET = Target("ns", "pod-a", 8000)
PORT = struct.pack("<H", 8000)
ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class ApiServer:
    """Upgrades one connection and then does what `pod` says with its raw socket."""

    pod: t.Callable[[socket.socket], None]
    status: str = "101 Switching Protocols"
    body: bytes = b""
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def run(self) -> t.Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=self._serve, args=(listening,), daemon=True)
            thread.start()
            yield "http://{}:{}".format(*listening.getsockname())
            thread.join(5)

    def _serve(self, listening: socket.socket) -> None:
        connection, _peer = listening.accept()
        with connection:
            connection.settimeout(5)
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += connection.recv(4096)
            self.asked = request.decode().split("\r\n")
            key = next(line.split(": ")[1] for line in self.asked if line.lower().startswith("sec-websocket-key"))
            accept = base64.b64encode(hashlib.sha1(key.encode() + ACCEPT).digest()).decode()  # noqa: S324
            connection.sendall(
                f"HTTP/1.1 {self.status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
                f"Content-Length: {len(self.body)}\r\n\r\n".encode()
                + self.body
            )
            if self.status.startswith("101"):
                self.pod(connection)


def frame(data: bytes, opcode: int = ABNF.OPCODE_BINARY) -> bytes:
    made = ABNF.create_frame(data, opcode)
    made.mask_value = 0  # a server does not mask
    return t.cast("bytes", made.format())


GREETING = frame(b"\0" + PORT) + frame(b"\1" + PORT)


def unmasked(connection: socket.socket) -> bytes:
    """One short frame of the client."""
    head = connection.recv(2)
    assert head[0] == 0x80 | ABNF.OPCODE_BINARY
    mask = connection.recv(4)
    payload = connection.recv(head[1] & 0x7F)
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def talk(url: str, said: bytes = b"", **connection: t.Any) -> bytes:
    """What comes back through a forward, until the pod's side ends it."""
    stream = dialler(Connection(server=url, **connection))(TARGET)
    near, client = socket.socketpair()
    with near, client:
        client.sendall(said)
        try:
            stream.carry(near, threading.Event())
        finally:
            stream.close()
        client.setblocking(False)
        try:
            return client.recv(1_000_000)
        except BlockingIOError:
            return b""


def test_data_passes_both_ways_without_the_channels_bytes() -> None:
    said: list[bytes] = []

    def pod(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        said.append(unmasked(connection))
        connection.sendall(frame(b"\0HTTP/1.1 ") + frame(b"\0") + frame(b"\0" + b"200") + frame(b"", ABNF.OPCODE_CLOSE))

    with ApiServer(pod).run() as url:
        assert talk(url, b"GET /") == b"HTTP/1.1 200"
    assert said == [b"\0GET /"]


def test_the_pod_and_the_port_are_asked_for_in_the_protocol_of_channels() -> None:
    server = ApiServer(lambda connection: connection.sendall(GREETING))
    with server.run() as url:
        talk(f"{url}/k8s/clusters/c-1", token=lambda: "t0k3n")
    assert server.asked[0] == "GET /k8s/clusters/c-1/api/v1/namespaces/ns/pods/pod-a/portforward?ports=8000 HTTP/1.1"
    headers = {name.lower(): value for name, _colon, value in (line.partition(": ") for line in server.asked[1:])}
    assert headers["sec-websocket-protocol"] == "v4.channel.k8s.io"
    assert headers["authorization"] == "Bearer t0k3n"
    assert "origin" not in headers


def test_a_frame_that_arrives_in_pieces_is_put_together() -> None:
    whole = GREETING + frame(b"\0" + b"x" * 70_000)

    def pod(connection: socket.socket) -> None:
        for start in range(0, len(whole), 9_973):
            connection.sendall(whole[start : start + 9_973])

    with ApiServer(pod).run() as url:
        assert talk(url) == b"x" * 70_000


def test_a_ping_is_answered_and_is_no_data() -> None:
    answered: list[bytes] = []

    def pod(connection: socket.socket) -> None:
        connection.sendall(GREETING + frame(b"are you there", ABNF.OPCODE_PING))
        answered.append(connection.recv(100)[:1])
        connection.sendall(frame(b"\0done"))

    with ApiServer(pod).run() as url:
        assert talk(url) == b"done"
    assert answered == [bytes((0x80 | ABNF.OPCODE_PONG,))]


def test_what_the_pods_side_complains_about_is_an_error_that_names_the_pod() -> None:
    def pod(connection: socket.socket) -> None:
        connection.sendall(GREETING + frame(b"\1connect: connection refused\n"))

    with ApiServer(pod).run() as url, pytest.raises(PortForwardError, match=r"^pod ns/pod-a: .* connection refused$"):
        talk(url)


@pytest.mark.parametrize("first", [b"\0" + struct.pack("<H", 22), b"\2" + PORT, b"\0", b""])
def test_a_channel_that_begins_otherwise_is_refused(first: bytes) -> None:
    with (
        ApiServer(lambda connection: connection.sendall(frame(first))).run() as url,
        pytest.raises(PortForwardError, match="began channel"),
    ):
        talk(url)


def test_a_refusal_carries_the_status_and_the_servers_sentence() -> None:
    body = json.dumps({"message": 'pods "pod-a" is forbidden'}).encode()
    with (
        ApiServer(lambda _connection: None, "403 Forbidden", body).run() as url,
        pytest.raises(PortForwardError, match='was refused with 403: pods "pod-a" is forbidden'),
    ):
        talk(url)


def test_a_server_that_is_not_there_is_an_error_that_names_the_pod() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(PortForwardError, match=r"port-forward to pod ns/pod-a: .*refused"):
        talk(f"http://127.0.0.1:{port}")


def test_a_proxy_of_the_environment_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with ApiServer(lambda connection: connection.sendall(GREETING + frame(b"\0direct"))).run() as url:
        assert talk(url) == b"direct"


def test_the_connections_own_proxy_is_asked_for_the_server() -> None:
    seen: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        connection, _peer = listening.accept()
        with connection:
            seen.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        where = f"http://user:p%40ss@127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(PortForwardError, match="port-forward to pod ns/pod-a"):
            talk("http://api.example:6443", proxy=where)
    assert seen[0].startswith(b"CONNECT api.example:6443 ")
    assert base64.b64encode(b"user:p@ss") in seen[0]
