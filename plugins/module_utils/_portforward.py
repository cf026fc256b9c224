# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A local address for a Service or pod, through the API server's port-forward. Private to the collection.

The API server's service proxy drops the Authorization header, so it cannot carry requests to keyed APIs. Each local
connection is one port-forward websocket of the kubernetes package; they are independent of each other.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

_CHUNK = 65536


class PortForwardError(Exception):
    """No pod to forward to, or the API server refused."""


class Reader(t.Protocol):
    """What is needed of the transport."""

    def get_json(self, path: str, query: t.Any = None) -> dict[str, t.Any]: ...


@dataclass(frozen=True, slots=True)
class Target:
    namespace: str
    pod: str
    port: int


class _Stream(t.Protocol):
    def socket(self, port: int) -> socket.socket: ...

    def error(self, port: int) -> str | None: ...

    def close(self) -> None: ...


Dial = t.Callable[[Target], _Stream]


def choose_target(slices: t.Sequence[t.Mapping[str, t.Any]], namespace: str, service: str, port_name: str) -> Target:
    """The first ready pod behind a Service, by name, so that the same cluster gives the same pod."""
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
    return min(ready, key=lambda target: target.pod)


def service_target(client: Reader, namespace: str, service: str, port: int) -> Target:
    """The pod and container port behind a port of a Service."""
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
    return choose_target(slices.get("items") or [], namespace, service, names[0])


def kubernetes_dial(options: t.Mapping[str, t.Any]) -> Dial:
    """How to open one forwarded connection with the connection options of our modules."""
    try:
        from kubernetes import config as k8s_config
        from kubernetes.client.configuration import Configuration
        from kubernetes.client.exceptions import ApiException
        from kubernetes.stream.ws_client import portforward_call
    except ImportError as exc:
        raise PortForwardError(f"the Python package kubernetes is needed for port-forward: {exc}") from exc

    settings = Configuration()
    if options.get("host"):
        settings.host = options["host"]
        if options.get("api_key"):
            settings.api_key = {"authorization": f"Bearer {options['api_key']}"}
        settings.username = options.get("username")
        settings.password = options.get("password")
        settings.ssl_ca_cert = options.get("ca_cert")
        settings.cert_file = options.get("client_cert")
        settings.key_file = options.get("client_key")
    else:
        wanted = {"config_file": options.get("kubeconfig") or None, "context": options.get("context") or None}
        try:
            if any(wanted.values()):
                k8s_config.load_kube_config(client_configuration=settings, persist_config=False, **wanted)
            else:
                # KUBECONFIG, ~/.kube/config, then the service account of the pod this runs in.
                k8s_config.load_config(client_configuration=settings)
        except k8s_config.ConfigException as exc:
            raise PortForwardError(f"kubeconfig {options.get('kubeconfig') or 'of the environment'}: {exc}") from exc
    if options.get("validate_certs") is not None:
        settings.verify_ssl = bool(options["validate_certs"])
    if options.get("proxy"):
        settings.proxy = options["proxy"]

    def dial(target: Target) -> _Stream:
        # kubernetes.stream.portforward needs CoreV1Api: seconds of imports, and a method swapped while it connects.
        path = f"/api/v1/namespaces/{target.namespace}/pods/{target.pod}/portforward"
        credentials = t.cast("dict[str, dict[str, str]]", settings.auth_settings())
        headers = {item["key"]: item["value"] for item in credentials.values() if item["in"] == "header"}
        query = [("ports", str(target.port))]
        try:
            stream = portforward_call(settings, "GET", settings.host + path, query_params=query, headers=headers)
        except ApiException as exc:
            raise PortForwardError(f"port-forward to pod {target.namespace}/{target.pod}: {exc.reason}") from exc
        return t.cast("_Stream", stream)

    return dial


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
            self._copy(self.request, stream.socket(target.port))
        except OSError as exc:
            if not self.server.closing.is_set():
                self.server.errors.append(f"connection to pod {target.namespace}/{target.pod}: {exc}")
        finally:
            if message := stream.error(target.port):
                self.server.errors.append(f"pod {target.namespace}/{target.pod}: {message.strip()}")
            stream.close()

    def _copy(self, near: socket.socket, far: socket.socket) -> None:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = {near.fileno(): (near, far), far.fileno(): (far, near)}
        poll = select.poll()
        for number in peer:
            poll.register(number, select.POLLIN)
        while not self.server.closing.is_set():
            for number, _event in poll.poll(500):
                source, sink = peer[number]
                data = source.recv(_CHUNK)
                if not data:
                    return
                sink.sendall(data)


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
