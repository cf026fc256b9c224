# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A local address for a Service or pod, through the API server's port-forward. Private to the collection.

The API server's service proxy drops the Authorization header, so it cannot carry requests to keyed APIs. Each local
connection is one port-forward websocket; they are independent of each other.
"""

from __future__ import annotations

import socket
import socketserver
import threading
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._kubeconfig import ConnectionConfigError, connection_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._kubernetes_settings import (
    credentials_of,
    kubernetes_settings,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward_stream import (
    Dial,
    PortForwardError,
    Target,
    dialler,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import TransportError

__all__ = [
    "Dial",
    "Forward",
    "PortForwardError",
    "Target",
    "credentials_of",
    "forward",
    "forward_service",
    "kubernetes_dial",
    "kubernetes_settings",
    "ready_targets",
    "service_target",
    "service_targets",
]


class Reader(t.Protocol):
    """What is needed of the transport."""

    def get_json(self, path: str, query: t.Any = None) -> dict[str, t.Any]: ...


def ready_targets(
    slices: t.Sequence[t.Mapping[str, t.Any]], namespace: str, service: str, port_name: str
) -> list[Target]:
    """The ready pods behind a Service, by name, so that the same cluster gives the same order."""
    ready: list[Target] = []
    unready = 0
    for item in slices:
        ports = {entry.get("name") or "": entry.get("port") for entry in item.get("ports") or ()}
        number = ports.get(port_name)
        for endpoint in item.get("endpoints") or ():
            reference = endpoint.get("targetRef") or {}
            if reference.get("kind") != "Pod" or not number:
                continue
            if (endpoint.get("conditions") or {}).get("ready"):
                ready.append(Target(namespace, str(reference["name"]), int(number)))
            else:
                unready += 1
    if not ready:
        raise PortForwardError(
            f"Service {namespace}/{service} has no ready pod behind port {port_name or 'without name'!r}"
            f" ({unready} pod(s) not ready); wait for its Deployment or look at the pods' events"
        )
    return sorted(ready, key=lambda target: target.pod)


def service_target(client: Reader, namespace: str, service: str, port: int) -> Target:
    """The first pod, and its container port, behind a port of a Service."""
    return service_targets(client, namespace, service, port)[0]


def service_targets(client: Reader, namespace: str, service: str, port: int) -> list[Target]:
    """All of them."""
    found = client.get_json(f"/api/v1/namespaces/{namespace}/services/{service}")
    ports = (found.get("spec") or {}).get("ports") or []
    names = [entry.get("name") or "" for entry in ports if entry.get("port") == port]
    if not names:
        offered = ", ".join(str(entry.get("port")) for entry in ports) or "none"
        raise PortForwardError(f"Service {namespace}/{service} has no port {port}; it offers {offered}")
    slices = client.get_json(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        {"labelSelector": f"kubernetes.io/service-name={service}"},
    )
    return ready_targets(slices.get("items") or [], namespace, service, names[0])


def kubernetes_dial(options: t.Mapping[str, t.Any]) -> Dial:
    """How to open one forwarded connection with the connection options of our modules."""
    try:
        return dialler(connection_of(options))
    except (ConnectionConfigError, TransportError) as exc:
        raise PortForwardError(str(exc)) from exc


@dataclass(slots=True)
class Forward:
    """A running forward: its address and what went wrong on single connections."""

    url: str
    target: Target
    errors: list[str] = field(default_factory=list)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, dial: Dial, target: Target, errors: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.dial = dial
        self.target = target
        self.errors = errors
        self.closing = threading.Event()


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        target = self.server.target
        try:
            stream = self.server.dial(target)
        except PortForwardError as exc:
            self.server.errors.append(str(exc))
            return
        try:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.carry(self.request, self.server.closing)
        except PortForwardError as exc:
            self.server.errors.append(str(exc))
        except OSError as exc:
            if not self.server.closing.is_set():
                self.server.errors.append(f"connection to pod {target.namespace}/{target.pod}: {exc}")
        finally:
            stream.close()


@contextmanager
def forward(dial: Dial, target: Target) -> t.Iterator[Forward]:
    """Listen on a free loopback port and forward every connection to the pod until the block ends."""
    errors: list[str] = []
    server = _Server(dial, target, errors)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Forward(f"http://127.0.0.1:{server.server_address[1]}", target, errors)
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def forward_service(
    client: Reader, options: t.Mapping[str, t.Any], namespace: str, service: str, port: int
) -> t.Iterator[Forward]:
    """The usual way: a local URL for a port of a Service."""
    with forward(kubernetes_dial(options), service_target(client, namespace, service, port)) as running:
        yield running
