# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests end as the server ended them, and clients leave when they mean to."""

from __future__ import annotations

import http.server
import threading
import time
import typing as t
from functools import partial

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_load import (
    Client,
    Load,
    at_once,
    verdict,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_table import AFTER, BEFORE, WHOLE


class Slow(http.server.BaseHTTPRequestHandler):
    """Streams three pieces, slowly; refuses the key `spent`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.headers["authorization"] == "Bearer spent":
            body = b'{"error": {"type": "budget_exceeded", "message": "Budget has been exceeded! key=spent"}}'
            self.send_response(422)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        try:
            time.sleep(1)
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for _piece in range(3):
                self.wfile.write(b"5\r\ndata:\r\n")
                self.wfile.flush()
                time.sleep(0.1)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_an_answer_and_a_refusal_are_told_apart(url: str) -> None:
    client = Client("a", url)
    assert client.post("/", {}, "good") == "200"
    assert client.post("/", {}, "spent") == "422 budget_exceeded"


@pytest.mark.parametrize(("leave", "patience"), [(BEFORE, 0.1), (WHOLE, 0.1), (AFTER, None)])
def test_a_client_leaves(url: str, leave: str, patience: float | None) -> None:
    assert Client("a", url).post("/", {}, "good", leave=leave, patience=patience) == "left"


def test_who_would_have_left_is_told_when_he_was_refused(url: str) -> None:
    assert Client("a", url).post("/", {}, "spent", leave=BEFORE, patience=5.0) == "422 budget_exceeded"


def test_a_silent_and_a_missing_server_are_no_refusals(url: str) -> None:
    assert Client("a", url, timeout=0.1).post("/", {}, "good") == "no answer in time"
    assert Client("a", "http://127.0.0.1:9").post("/", {}, "good") == "connection broke"


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (200, '{"choices": []}', "200"),
        (200, 'data: {"error": {"message": "x"}}', "200 with an error"),
        (422, '{"error": {"type": "budget_exceeded", "message": "key=sk-1"}}', "422 budget_exceeded"),
        (400, '{"error": {"type": "x", "message": "Budget has been exceeded"}}', "400 budget x"),
        (503, '{"detail": {"error": "Budget enforcement unavailable"}}', "503"),
        (503, '{"error": {"code": "no_db", "message": "Budget enforcement unavailable"}}', "503 no_db"),
        (500, "Internal Server Error", "500"),
        (401, '["odd"]', "401"),
    ],
)
def test_a_verdict_is_status_and_type_and_never_the_sentence(status: int, text: str, expected: str) -> None:
    assert verdict(status, text) == expected


def test_all_at_once_gives_results_in_order() -> None:
    assert at_once([partial(int, number) for number in range(9)], 3) == list(range(9))


def test_load_goes_on_until_its_block_ends() -> None:
    with Load() as load:
        load.add("tenant", "a", lambda: "200", pause=0.01, workers=2)
        until = time.monotonic() + 10
        while len(load.shots()) <= 2:
            assert time.monotonic() < until, "no load"
            time.sleep(0.01)
    after = load.shots()
    time.sleep(0.05)
    assert len(load.shots()) == len(after)
    assert all(shot.began <= shot.ended and shot.good for shot in after)
