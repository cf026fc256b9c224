# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A forward carries every connection to the chosen pod, and says what went wrong."""

from __future__ import annotations

import socket
import typing as t
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import (
    PortForwardError,
    Target,
    forward,
    kubernetes_dial,
    ready_targets,
    service_target,
)

if t.TYPE_CHECKING:
    import threading
    from pathlib import Path

TARGET = Target("ns", "pod-a", 8000)


def endpoint(pod: str, *, ready: bool = True) -> dict[str, t.Any]:
    return {"targetRef": {"kind": "Pod", "name": pod}, "conditions": {"ready": ready}}


def piece(*endpoints: dict[str, t.Any], name: str = "http", port: int = 8000) -> dict[str, t.Any]:
    return {"ports": [{"name": name, "port": port}], "endpoints": list(endpoints)}


def test_ready_pods_come_by_name_over_all_slices() -> None:
    slices = [piece(endpoint("pod-c"), endpoint("pod-a", ready=False)), piece(endpoint("pod-b"))]
    assert [target.pod for target in ready_targets(slices, "ns", "chat", "http")] == ["pod-b", "pod-c"]


def test_the_port_is_found_by_its_name() -> None:
    slices = [
        {"ports": [{"name": "metrics", "port": 9000}, {"name": "http", "port": 8000}], "endpoints": [endpoint("pod-a")]}
    ]
    assert ready_targets(slices, "ns", "chat", "http") == [TARGET]


@pytest.mark.parametrize(
    "slices",
    [[], [piece(endpoint("pod-a", ready=False))], [piece(endpoint("pod-a"), name="other")], [{"endpoints": None}]],
)
def test_no_ready_pod_is_an_error_that_names_the_service(slices: list[dict[str, t.Any]]) -> None:
    with pytest.raises(PortForwardError, match="Service ns/chat has no ready pod"):
        ready_targets(slices, "ns", "chat", "http")


class Cluster:
    def get_json(self, path: str, query: t.Any = None) -> dict[str, t.Any]:
        if path.endswith("/services/chat"):
            return {"spec": {"ports": [{"port": 80}, {"port": 8000, "name": "http", "targetPort": 9999}]}}
        assert query == {"labelSelector": "kubernetes.io/service-name=chat"}
        return {"items": [piece(endpoint("pod-a"), port=9999)]}


def test_a_port_of_a_service_leads_to_the_container_port() -> None:
    assert service_target(Cluster(), "ns", "chat", 8000) == Target("ns", "pod-a", 9999)


def test_a_port_that_the_service_does_not_have_is_named_with_those_it_has() -> None:
    with pytest.raises(PortForwardError, match="has no port 1234; it offers 80, 8000"):
        service_target(Cluster(), "ns", "chat", 1234)


class Echo:
    """A pod that answers what it is told, upper case; it hangs up when the client does."""

    def carry(self, near: socket.socket, closing: threading.Event) -> None:
        while data := near.recv(1000):
            near.sendall(data.upper())

    def close(self) -> None: ...


def say(url: str, text: bytes) -> bytes:
    address = urlsplit(url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5) as connection:
        connection.sendall(text)
        return connection.recv(1000)


def test_connections_at_once_do_not_get_in_each_others_way() -> None:
    with forward(lambda _target: Echo(), TARGET) as running, ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda number: say(running.url, b"hello %d" % number), range(64)))
    assert answers == [b"HELLO %d" % number for number in range(64)]
    assert running.errors == []


def test_nothing_listens_when_the_block_has_ended() -> None:
    with forward(lambda _target: Echo(), TARGET) as running:
        assert say(running.url, b"hello") == b"HELLO"
    with pytest.raises(OSError, match="refused"):
        say(running.url, b"hello")


def test_a_refused_forward_closes_the_connection_and_is_noted() -> None:
    def dial(target: Target) -> t.Any:
        raise PortForwardError("pods is forbidden")

    with forward(dial, TARGET) as running:
        assert say(running.url, b"hello") == b""
        assert running.errors == ["pods is forbidden"]


def test_what_a_pod_complains_about_is_noted() -> None:
    class Complains(Echo):
        def carry(self, near: socket.socket, closing: threading.Event) -> None:
            raise PortForwardError("pod ns/pod-a: connection refused")

    with forward(lambda _target: Complains(), TARGET) as running:
        assert say(running.url, b"hello") == b""
        assert running.errors == ["pod ns/pod-a: connection refused"]


def test_a_kubeconfig_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortForwardError, match=f"cannot read the kubeconfig {tmp_path / 'none'}"):
        kubernetes_dial({"kubeconfig": str(tmp_path / "none")})
