# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The client against a server on loopback: whole and streamed answers, refusals, and hanging up."""

from __future__ import annotations

import json
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient, ChatError

USAGE = {"prompt_tokens": 3, "completion_tokens": 4}
WORDS = ("Red", ", orange", ", yellow", ", green")


class Server(ThreadingHTTPServer):
    """Answers every chat with four words; what it was asked is kept."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[dict[str, t.Any]] = []
        self.keys: list[str | None] = []
        self.refusal: tuple[int, bytes] | None = None
        self.whole: bytes | None = None
        self.drop_gets = 0
        self.gone = threading.Event()
        self.go_on = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words: t.Any) -> None:
        pass

    def _send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.server.drop_gets:
            self.server.drop_gets -= 1
            self.close_connection = True
            return
        self.server.keys.append(self.headers["Authorization"])
        self._send(200, b"metric 1\n")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        self.server.keys.append(self.headers["Authorization"])
        if self.server.refusal:
            self._send(*self.server.refusal)
        elif body.get("stream"):
            self._stream()
        else:
            message = {"message": {"content": "".join(WORDS)}, "finish_reason": "stop"}
            answer = {"id": "chatcmpl-1", "choices": [message], "usage": USAGE}
            self._send(200, self.server.whole or json.dumps(answer).encode())

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events: list[t.Any] = [{"id": "chatcmpl-2", "choices": [{"delta": {"content": word}}]} for word in WORDS]
        events.append({"id": "chatcmpl-2", "choices": [], "usage": USAGE})
        try:
            for number, event in enumerate(events):
                data = f"data: {json.dumps(event)}\n\n".encode()
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                if number == 1:
                    self.server.go_on.wait(5)
            self.wfile.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            if not self.rfile.peek(1):
                self.server.gone.set()
        except OSError:
            self.server.gone.set()
            self.close_connection = True


@pytest.fixture
def server() -> t.Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> ChatClient:
    return ChatClient(f"http://127.0.0.1:{server.server_address[1]}", "chat", timeout=5)


def test_a_whole_answer_has_text_usage_and_id(server: Server, client: ChatClient) -> None:
    answer = client.chat("x", key="k", max_tokens=4, stream=False, model="other", extra={"stop": ["a"]})
    assert (answer.status, answer.id, answer.text, answer.usage) == (200, "chatcmpl-1", "".join(WORDS), USAGE)
    assert answer.finish_reason == "stop"
    assert answer.gaps == []
    assert server.keys == ["Bearer k"]
    (body,) = server.bodies
    assert body["model"] == "other"
    assert body["stop"] == ["a"]
    assert "stream" not in body


def test_a_stream_has_an_id_pieces_and_usage(server: Server, client: ChatClient) -> None:
    server.go_on.set()
    answer = client.chat("x", key=None, max_tokens=4)
    assert (answer.status, answer.id, answer.text, answer.usage) == (200, "chatcmpl-2", "".join(WORDS), USAGE)
    assert len(answer.gaps) == len(WORDS) - 1
    assert server.keys == [None]
    assert server.bodies[0]["model"] == "chat"


def test_whoever_listens_hears_of_the_first_piece_while_the_stream_goes_on(server: Server, client: ChatClient) -> None:
    # The server waits for what is heard: without it the stream would take five seconds.
    answer = client.chat("x", key=None, max_tokens=4, heard=server.go_on.set)
    assert answer.text == "".join(WORDS)
    assert answer.seconds < 4


def test_a_client_that_leaves_hangs_up_at_once(server: Server, client: ChatClient) -> None:
    answer = client.chat("x", key=None, max_tokens=4, leave_after=2)
    assert answer.id == "chatcmpl-2"
    assert answer.text == "".join(WORDS[:2])
    assert not answer.usage
    server.go_on.set()
    assert server.gone.wait(5), "the server never noticed"
    assert client.get("/metrics")[0] == 200, "the pool still works"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error": {"message": "no", "type": "budget_exceeded"}}', "budget_exceeded"),
        (b'{"error": "no"}', ""),
        (b'{"error": {"type": null}}', ""),
        (b"<html>", ""),
    ],
)
def test_a_refusal_has_its_type_where_there_is_one(server: Server, client: ChatClient, body: bytes, kind: str) -> None:
    server.refusal = (422, body)
    answer = client.chat("x", key="k", max_tokens=4, stream=False)
    assert (answer.status, answer.error_type, answer.error) == (422, kind, body.decode())


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{}]}'])
def test_an_answer_that_is_no_completion_is_an_error(server: Server, client: ChatClient, body: bytes) -> None:
    server.whole = body
    with pytest.raises(ChatError, match="no completion"):
        client.chat("x", key="k", max_tokens=4, stream=False)


def test_a_look_survives_a_connection_that_is_closed_under_it_and_a_key_goes_with_it(
    server: Server, client: ChatClient
) -> None:
    server.drop_gets = 1
    assert client.get("/metrics", key="k") == (200, "metric 1\n")
    assert server.keys == ["Bearer k"]
    server.drop_gets = 2
    with pytest.raises(ChatError, match="GET /metrics"):
        client.get("/metrics")
