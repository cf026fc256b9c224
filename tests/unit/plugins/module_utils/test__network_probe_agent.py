# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The agent tells open from closed, for real connections, in a process of its own as in a pod."""

from __future__ import annotations

import inspect
import json
import socket
import subprocess
import sys
import threading
import time
import typing as t
import urllib.request

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _network_probe_agent as agent
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_pods import _ONCE

if t.TYPE_CHECKING:
    import pathlib

LOOPBACK = "127.0.0.1"


@pytest.fixture
def listener() -> t.Iterator[int]:
    """Accepts, and answers whoever says something."""
    server = socket.create_server((LOOPBACK, 0))

    def answer() -> None:
        while True:
            try:
                near, _peer = server.accept()
            except OSError:
                return
            near.sendall(b"hello")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.fixture
def closed() -> int:
    """A port where nothing listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def mute() -> t.Iterator[int]:
    """A port that drops what comes: its queue of connections is full."""
    server = socket.socket()
    server.bind((LOOPBACK, 0))
    server.listen(0)
    clients = []
    for _number in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(server.getsockname())
        clients.append(client)
    yield server.getsockname()[1]
    for client in (*clients, server):
        client.close()


def test_open_refused_and_silent_are_told_apart(listener: int, closed: int, mute: int) -> None:
    wanted = [(LOOPBACK, listener, "TCP", False), (LOOPBACK, closed, "TCP", False), (LOOPBACK, mute, "TCP", False)]
    assert agent.attempt(wanted) == ["", "Connection refused", "no answer"]


def test_nobody_waits_for_one_after_the_other(mute: int) -> None:
    began = time.monotonic()
    assert set(agent.attempt([(LOOPBACK, mute, "TCP", False)] * 50)) == {"no answer"}
    # Two rounds of a second each, whatever the number of targets; one after the other they would take 50.
    assert time.monotonic() - began < 10 * agent.PATIENCE


def test_what_is_wanted_is_tried_until_it_opens(closed: int) -> None:
    tried = threading.Event()

    def come_late() -> None:
        time.sleep(0.8)
        with socket.create_server((LOOPBACK, closed)):
            tried.wait(20)

    thread = threading.Thread(target=come_late)
    thread.start()
    assert agent.attempt([(LOOPBACK, closed, "TCP", True), (LOOPBACK, 1, "TCP", False)]) == ["", "Connection refused"]
    tried.set()
    thread.join()


def test_a_datagram_is_through_when_it_is_answered(closed: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as deaf:
        for sock in (server, deaf):
            sock.bind((LOOPBACK, 0))

        def answer() -> None:
            query, peer = server.recvfrom(512)
            assert b"kubernetes" in query
            server.sendto(query, peer)

        thread = threading.Thread(target=answer)
        thread.start()
        wanted = [(LOOPBACK, sock.getsockname()[1], "UDP", True) for sock in (server,)]
        wanted += [(LOOPBACK, deaf.getsockname()[1], "UDP", False), (LOOPBACK, closed, "UDP", False)]
        assert agent.attempt(wanted) == ["", "no answer", "Connection refused"]
        thread.join()


def test_in_a_real_pod_it_runs_from_standard_input(listener: int, closed: int) -> None:
    wanted = [[LOOPBACK, listener, "TCP", True], [LOOPBACK, closed, "TCP", False]]
    text = f"{json.dumps(inspect.getsource(agent))}\n{json.dumps(wanted)}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ONCE, "once"], input=text, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {"tried": ["", "Connection refused"]}


def test_as_a_pods_command_it_tries_from_its_first_instant_and_then_answers(
    listener: int, closed: int, tmp_path: pathlib.Path
) -> None:
    """On a port of its own: that of pods may be taken here."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
    source = inspect.getsource(agent).replace(f"\nPORT = {agent.PORT}\n", f"\nPORT = {port}\n")
    born = json.dumps([[LOOPBACK, closed, "TCP"], [LOOPBACK, listener, "TCP"]])
    with subprocess.Popen([sys.executable, "-I", "-c", source], env={"BIRTH": born}, cwd=tmp_path) as process:
        try:
            answer = _ask(port, [[LOOPBACK, listener, "TCP", True], [LOOPBACK, closed, "TCP", False]])
        finally:
            process.kill()
    assert answer["tried"] == ["", "Connection refused"]
    (opened,) = answer["birth"]["opened"]
    assert (opened["target"], opened["lives"]) == (1, True)
    assert opened["times"] == answer["birth"]["rounds"] > 5
    assert opened["last_ms"] <= agent.BIRTH_SECONDS * 1000 + 500


def _ask(port: int, wanted: list[t.Any]) -> t.Any:
    until = time.monotonic() + 20
    while True:
        try:
            url = f"http://{LOOPBACK}:{port}/"
            with urllib.request.urlopen(url, json.dumps(wanted).encode(), timeout=20) as answer:
                return json.loads(answer.read())
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
