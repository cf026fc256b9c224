# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Plays a provider in a pod, and tells what it was asked. Imports Python's own library alone.

A probe sends this file's text; it is no part of a controller's process. Private to the collection.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

PORT: t.Final = 8443
CONTROL_PORT: t.Final = 8080
PROMPT_TOKENS: t.Final = 64
RIGHT, WRONG = "right", "wrong"
CHAT, MESSAGES = "/chat/completions", "/v1/messages"
_CREDENTIALS: t.Final = ("authorization", "x-api-key")
_LARGEST: t.Final = 1 << 20
# Providers refuse fields that they do not know. The stand-in answers, so that the probe can name them.
_SHARED: t.Final = frozenset(
    {"model", "messages", "max_tokens", "stream", "temperature", "tools", "tool_choice", "top_p"}
)
FIELDS: t.Final = {
    CHAT: _SHARED | {"max_completion_tokens", "n", "response_format", "seed", "stop", "stream_options"},
    MESSAGES: _SHARED | {"stop_sequences", "system", "thinking", "top_k"},
}

if t.TYPE_CHECKING:
    import socket

Object = dict[str, t.Any]


class Log:
    """What came, and whose handshakes broke off. Of a credential it keeps a hash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: list[Object] = []
        self.handshakes: list[str] = []
        self.certificate = RIGHT

    def request(self, path: str, headers: t.Mapping[str, str], body: str) -> None:
        named = {name.lower(): value for name, value in headers.items()}
        credentials = {
            name: hashlib.sha256(named.pop(name).removeprefix("Bearer ").encode()).hexdigest()
            for name in _CREDENTIALS
            if name in named
        }
        with self._lock:
            self.requests.append({"path": path, "headers": named, "credentials": credentials, "body": body})

    def handshake(self, why: str) -> None:
        with self._lock:
            self.handshakes.append(why)

    def told(self) -> bytes:
        with self._lock:
            return json.dumps({"requests": self.requests, "handshakes": self.handshakes}).encode()


class Provider(ThreadingHTTPServer):
    """Shows the certificate that it was told to show, connection by connection."""

    def __init__(self, address: tuple[str, int], contexts: t.Mapping[str, ssl.SSLContext], log: Log) -> None:
        super().__init__(address, _Answers)
        self._contexts = contexts
        self.log = log

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        context = self._contexts[self.log.certificate]
        plain = t.cast("socket.socket", request)
        plain.settimeout(30)
        try:
            with context.wrap_socket(plain, server_side=True) as secure:
                _Answers(secure, client_address, self)
        except OSError as exc:
            self.log.handshake(str(exc))


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _LARGEST)
        raw = self.rfile.read(length).decode("utf-8", "replace")
        self.server.log.request(self.path, dict(self.headers.items()), raw)
        try:
            asked = json.loads(raw)
        except ValueError:
            asked = {}
        kind = MESSAGES if self.path.endswith(MESSAGES) else CHAT if self.path.endswith(CHAT) else ""
        if not kind or not isinstance(asked, dict):
            self._send(404, "application/json", b'{"error": {"message": "unknown"}}')
        elif asked.get("stream"):
            self._send(200, "text/event-stream", b"".join(_events(kind, asked)))
        else:
            self._send(200, "application/json", json.dumps(whole(kind, asked)).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # Each request makes a handshake of its own, so that a change of the certificate is seen at once.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_args: t.Any) -> None:
        """Nothing: what came is asked for."""


def whole(kind: str, asked: Object) -> Object:
    """As many tokens as were allowed, so that everybody can tell what an answer costs."""
    model, length = str(asked.get("model")), int(asked.get("max_tokens") or asked.get("max_completion_tokens") or 1)
    words = " ".join(["word"] * length)
    if kind == MESSAGES:
        return {
            "id": "msg_stand_in",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": words}],
            "stop_reason": "max_tokens",
            "stop_sequence": None,
            "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": length},
        }
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": length,
        "total_tokens": PROMPT_TOKENS + length,
    }
    message = {"role": "assistant", "content": words}
    choices = [{"index": 0, "message": message, "finish_reason": "length"}]
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": choices,
        "usage": usage,
    }


def _events(kind: str, asked: Object) -> t.Iterator[bytes]:
    answer = whole(kind, asked)
    if kind == MESSAGES:
        text = answer["content"][0]["text"]
        begun = {**answer, "content": [], "stop_reason": None, "usage": {**answer["usage"], "output_tokens": 1}}
        stop = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
        for event in (
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": {"output_tokens": answer["usage"]["output_tokens"]}},
            {"type": "message_stop"},
        ):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        return
    shared = {key: answer[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    delta = answer["choices"][0]["message"]
    for part in (
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
        {"choices": [], "usage": answer["usage"]},
    ):
        yield f"data: {json.dumps(shared | part)}\n\n".encode()
    yield b"data: [DONE]\n\n"


class _Control(BaseHTTPRequestHandler):
    """For the probe, by way of the API server."""

    log: Log

    def do_GET(self) -> None:
        self._send(200, self.log.told())

    def do_POST(self) -> None:
        wanted = self.path.removeprefix("/certificate/")
        if wanted in (RIGHT, WRONG):
            self.log.certificate = wanted
        self._send(200 if wanted in (RIGHT, WRONG) else 404, b"{}")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: t.Any) -> None:
        """Nothing."""


def file_of(certificate: str, number: int) -> str:
    """The name, without its end, of the certificate of a host by the host's number."""
    return f"{certificate}-{number}"


def _context(folder: Path, hosts: t.Sequence[str], certificate: str) -> ssl.SSLContext:
    """Shows each host's own certificate to whoever asks for that host."""
    made: dict[str, ssl.SSLContext] = {}
    for number, host in enumerate(hosts):
        name = file_of(certificate, number)
        made[host] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made[host].minimum_version = ssl.TLSVersion.TLSv1_2
        made[host].load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")

    def choose(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        if name not in made:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = made[name]
        return None

    first = made[hosts[0]]
    first.sni_callback = choose
    return first


def servers(
    folder: Path, hosts: t.Sequence[str], address: str, port: int, control_port: int
) -> tuple[Provider, HTTPServer]:
    """The provider and its control, bound but not yet serving."""
    log = Log()
    contexts = {certificate: _context(folder, hosts, certificate) for certificate in (RIGHT, WRONG)}
    control = ThreadingHTTPServer((address, control_port), type("Control", (_Control,), {"log": log}))
    return Provider((address, port), contexts, log), control


def main() -> None:
    folder, hosts = Path(os.environ["CERTIFICATES"]), json.loads(os.environ["HOSTS"])
    provider, control = servers(folder, hosts, "0.0.0.0", PORT, CONTROL_PORT)  # noqa: S104 - a pod
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    control.serve_forever()


if __name__ == "__main__":
    main()
