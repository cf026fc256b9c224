# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulator's package lies in its image's folder, and its tests speak to a running server."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import sys
import threading
import time
import typing as t

import httpx
import pytest
import uvicorn

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "roles/local_cluster/files/images/model-simulator"
KEY = "key-of-the-tests"

# A byte-compiled file would be one more input of the image.
sys.dont_write_bytecode = True
sys.path.insert(0, str(PACKAGE))


class Running:
    """A server on a port of its own, in a thread."""

    def __init__(self, *arguments: str, key: str | None = KEY, source: t.Any = None) -> None:
        from model_simulator.api import Api
        from model_simulator.options import parse
        from model_simulator.server import MadeUpText, Server

        self.options = parse(["--model", "sim", *arguments], {"VLLM_API_KEY": key} if key else {})
        self.server = Server(self.options, source or MadeUpText())
        config = uvicorn.Config(Api(self.server).app(), log_config=None, access_log=False, timeout_graceful_shutdown=1)
        self._uvicorn = uvicorn.Server(config)
        # with the protocol named, asyncio sends each token at once (TCP_NODELAY)
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def start(self) -> Running:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._uvicorn.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive(), "the server did not stop"
        self._socket.close()

    def client(self, key: str | None = KEY, timeout: float = 20) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of a name that carry these labels; fails when there are none."""
        from prometheus_client.parser import text_string_to_metric_families

        text = httpx.get(f"{self.url}/metrics", trust_env=False).text
        found = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert found, f"no sample of {name} {labels}"
        return sum(found)


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def package() -> pathlib.Path:
    return PACKAGE


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., Running]]:
    """Starts servers that end with the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **options: t.Any) -> Running:
            running = Running(*arguments, **options).start()
            stack.callback(running.stop)
            return running

        yield start


@pytest.fixture(scope="module")
def fast() -> t.Iterator[Running]:
    """One server without hardware's times for tests that leave nothing behind."""
    running = Running("--simulator-profile", "fast").start()
    yield running
    running.stop()
