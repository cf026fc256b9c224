# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""An inference gateway, models with queues and caches, and the cluster's API around them, over real sockets."""

from __future__ import annotations

import itertools
import json
import threading
import time
import typing as t
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Object = dict[str, t.Any]
Answer = tuple[int, dict[str, str], t.Any]
JSON: t.Final = {"content-type": "application/json"}
SLOTS: t.Final = 4
BLOCK: t.Final = 100
# Long beside what a loaded machine adds to them.
URGENT_SECONDS: t.Final = 0.4
BATCH_SECONDS: t.Final = 0.04
SHED_SECONDS: t.Final = 0.1
LONGEST_QUEUE: t.Final = 6
QUEUE_SECONDS: t.Final = 0.2


def error(status: int, code: t.Any, **headers: str) -> Answer:
    return status, {**JSON, **headers}, {"error": {"message": "no", "type": "some_error", "code": code}}


class Pod:
    """A model's server: it answers short requests at once and holds long ones until their client is gone."""

    def __init__(self, model: str, name: str) -> None:
        self.model, self.name = model, name
        self.log: list[Object] = []
        self.held = 0
        self.hits = 0
        self.known: set[str] = set()
        self.slow = False
        self.lock = threading.Lock()

    def accept(self, body: Object) -> None:
        prompt = body["messages"][0]["content"]
        with self.lock:
            self.log.append({"headers": [], "path": "/v1/chat/completions", "body": body})
            blocks = {prompt[:end] for end in range(BLOCK, len(prompt), BLOCK)}
            self.hits += len(blocks & self.known)
            self.known |= blocks

    @property
    def waiting(self) -> int:
        return max(0, self.held - SLOTS)

    def answer(self, method: str, path: str, body: t.Any) -> Answer:
        if path == "/simulator/requests":
            return 200, JSON, {"requests": self.log}
        if path == "/metrics":
            lines = f"vllm:num_requests_waiting {self.waiting}\nvllm:prefix_cache_hits_total {self.hits}\n"
            return 200, {"content-type": "text/plain"}, lines
        if body["model"] != self.model:
            return error(404, 404)
        self.accept(body)
        if self.slow and self.waiting:
            time.sleep(QUEUE_SECONDS)
        return 200, JSON, {"model": self.model, "choices": []}


class Picker:
    """How a gateway chooses a pod."""

    def __init__(self, mode: str = "right") -> None:
        self.mode = mode
        self.turn = 0

    def pick(self, pods: list[Pod], prompt: str) -> Pod:
        self.turn += 1
        if self.mode == "blind":
            return pods[self.turn % len(pods)]
        if self.mode == "stuck":
            return pods[0]
        start = prompt[:BLOCK]
        knows = [pod for pod in pods if start in pod.known] if self.mode != "forgetful" else []
        least = min(pod.waiting for pod in pods)
        free = [pod for pod in knows or pods if pod.waiting == least or knows]
        return free[self.turn % len(free)]


class Line:
    """Those who wait for the one place that there is: the most urgent first, then whoever came first."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, int]] = []
        self.numbers = itertools.count()
        self.taken = False
        self.moved = threading.Condition()

    def work(self, priority: int, seconds: float, longest: int) -> bool:
        """Whether there was room to wait."""
        mine = (-priority, next(self.numbers))
        with self.moved:
            if len(self.waiting) >= longest:
                return False
            self.waiting.append(mine)
            self.moved.wait_for(lambda: not self.taken and min(self.waiting) == mine)
            self.waiting.remove(mine)
            self.taken = True
        time.sleep(seconds)
        with self.moved:
            self.taken = False
            self.moved.notify_all()
        return True


class Gateway:
    def __init__(self) -> None:
        self.line = Line()
        self.pools: dict[str, list[Pod]] = {}
        self.plain: dict[str, list[Pod]] = {}
        self.pickers: dict[str, Picker] = {}
        # By path, the name of the first of two rules and the pools of both; by that name its percentage.
        self.splits: dict[str, tuple[str, list[str]]] = {}
        self.shares: dict[str, int] = {}
        self.asked = itertools.count()
        self.refused: Answer | None = None
        self.turn = 0
        # What a test may change.
        self.strangers: Callable[[], Answer] = lambda: error(404, "model_not_found")
        self.empty: Callable[[], Answer] = lambda: error(503, "no_ready_endpoint", **{"retry-after": "2"})
        self.crossed: dict[str, str] = {}
        self.open = False
        self.away = False
        self.unpicked: Callable[[], Answer] = lambda: error(503, "no_endpoint_picker", **{"retry-after": "2"})
        self.spread = True
        self.queues = True
        self.shed: Callable[[], Answer] = lambda: error(429, "model_busy", **{"retry-after": "0"})

    def wait(self, objective: str) -> bool:
        """As long as the priority that it names must wait."""
        pool, _hyphen, priority = objective.rpartition("-")
        if pool.endswith("-"):
            pool, priority = pool[:-1], f"-{priority}"
        queued = self.queues and pool.endswith("-busy")
        seconds = URGENT_SECONDS if int(priority) > 0 else BATCH_SECONDS
        longest = LONGEST_QUEUE if queued and int(priority) < 0 else 1000
        return self.line.work(int(priority) if queued else 0, seconds, longest)

    def choose(self, path: str, body: t.Any) -> Pod | Answer:
        parts = path.split("/")
        name = parts[2] if len(parts) > 2 and parts[1] == "m" and parts[3:4] == ["v1"] else ""
        if ".." in path or "%2e" in path.lower() or name not in {*self.pools, *self.plain, *self.splits}:
            return self.strangers()
        if name in self.splits:
            if self.refused:
                return self.refused
            rule, pools = self.splits[name]
            name = pools[0] if next(self.asked) % 100 < self.shares.get(rule, 100) else pools[1]
        name = self.crossed.get(name, name)
        if name in self.plain:
            self.turn += 1
            return self.plain[name][self.turn % len(self.plain[name])] if self.plain[name] else self.empty()
        pods = self.pools[name]
        if not pods:
            return self.empty()
        if self.away:
            self.turn += 1
            return pods[self.turn % len(pods) if self.spread else 0] if self.open else self.unpicked()
        prompt = body["messages"][0]["content"] if body else ""
        return self.pickers.setdefault(name, Picker()).pick(pods, prompt)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Else the sixth connection at once waits a second.
    request_queue_size = 128


@contextmanager
def served(target: Pod | Gateway) -> Iterator[str]:
    """A URL of it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else each answer waits 40 ms for an acknowledgement.
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._do(None)

        def do_PUT(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            self._do(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _do(self, body: t.Any) -> None:
            pod = target if isinstance(target, Pod) else target.choose(self.path, body)
            objective = self.headers.get("x-gateway-inference-objective")
            if not isinstance(pod, Pod):
                self._send(pod)
            elif objective and isinstance(target, Gateway):
                self._queue(target, objective, body)
            elif body and body.get("stream"):
                self._hold(pod, body)
            else:
                self._send(pod.answer(self.command, self.path, body))

        def _queue(self, gateway: Gateway, objective: str, body: Object) -> None:
            if not gateway.wait(objective):
                # Or those who try again at once would leave nothing of the machine to the others.
                time.sleep(SHED_SECONDS)
                self._send(gateway.shed())
            elif body.get("stream"):
                event = {"choices": [{"delta": {"content": "Red"}}]}
                self._send((200, {"content-type": "text/event-stream"}, f"data: {json.dumps(event)}\n\n"))
            else:
                self._send((200, JSON, {"model": body["model"], "choices": []}))

        def _hold(self, pod: Pod, body: Object) -> None:
            pod.accept(body)
            with pod.lock:
                pod.held += 1
            # Until the client hangs up.
            self.rfile.read(1)
            with pod.lock:
                pod.held -= 1
            self.close_connection = True

        def _send(self, answer: Answer) -> None:
            status, headers, body = answer
            if not status:
                self.close_connection = True
                return
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


PLURALS: t.Final = {
    "v1": {"ConfigMap": "configmaps", "Namespace": "namespaces", "Pod": "pods", "Service": "services"},
    "apps/v1": {"Deployment": "deployments"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
    "gateway.networking.k8s.io/v1": {"HTTPRoute": "httproutes"},
    "inference.networking.k8s.io/v1": {"InferencePool": "inferencepools"},
    "inference.networking.x-k8s.io/v1alpha2": {"InferenceObjective": "inferenceobjectives"},
    "networking.istio.io/v1alpha3": {"EnvoyFilter": "envoyfilters"},
}


class Api:
    """The API server: what is created is there, pods of a Deployment are ready at once, routes are judged."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.objects: dict[str, Object] = {}
        self.pods: dict[str, list[Pod]] = {}
        self.made: list[str] = []
        # What a test may change.
        self.verdict = {"type": "Accepted", "status": "False", "reason": "NotAllowedByListeners"}
        self.ready = True
        self.lets_in = False
        self.splits = True
        self.slow = False

    def request(
        self, method: str, path: str, *, query: t.Any = None, body: t.Any = None, **_options: t.Any
    ) -> Response:
        for version, kinds in PLURALS.items():
            if path == ("/api/v1" if version == "v1" else f"/apis/{version}"):
                entries = [
                    {"kind": kind, "name": plural, "namespaced": kind != "Namespace"} for kind, plural in kinds.items()
                ]
                return reply(200, {"resources": entries})
        if method == "POST":
            return reply(201, self._create(path, body))
        if method == "DELETE":
            return self._delete(path)
        if path.endswith("/scale"):
            self._scale(path.removesuffix("/scale"), body["spec"]["replicas"])
            return reply(200, {})
        if method == "PATCH":
            self.gateway.open = body["spec"]["endpointPickerRef"]["failureMode"] == "FailOpen"
            return reply(200, {})
        if path in self.objects:
            return reply(200, self.objects[path])
        wanted = dict(pair.split("=") for pair in ((query or {}).get("labelSelector") or "").split(",") if pair)
        found = [
            obj
            for place, obj in self.objects.items()
            if place.rpartition("/")[0] == path
            and all((obj["metadata"].get("labels") or {}).get(key) == value for key, value in wanted.items())
        ]
        return reply(200, {"metadata": {}, "items": found}) if found or not wanted_one(path) else reply(404, {})

    def stream(self, path: str, **_options: t.Any) -> Iterator[bytes]:
        raise NotImplementedError

    def put(self, path: str, obj: Object) -> None:
        self.objects[path] = obj

    def _create(self, path: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        kind = body["kind"]
        stored = {**body, "metadata": {**body["metadata"], "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}}
        self.objects[f"{path}/{name}"] = stored
        self.made.append(f"{kind} {name}")
        if kind == "Deployment" and not name.endswith("-picker"):
            arguments = body["spec"]["template"]["spec"]["containers"][0]["args"]
            (model,) = [arg.partition("=")[2] for arg in arguments if arg.startswith("--served-model-name=")]
            self.pods[name] = [Pod(model, f"{name}-{number}") for number in range(body["spec"]["replicas"])]
            for pod in self.pods[name]:
                pod.slow = self.slow
            stored["status"] = {"readyReplicas": len(self.pods[name]) if self.ready else 0}
        if kind == "EnvoyFilter":
            (patch,) = body["spec"]["configPatches"]
            rule = patch["match"]["routeConfiguration"]["vhost"]["route"]["name"]
            fraction = patch["patch"]["value"]["match"]["runtime_fraction"]["default_value"]
            self.gateway.shares[rule] = fraction["numerator"] if self.splits else 100
        elif kind == "HTTPRoute" and "name" in body["spec"]["rules"][0]:
            rules = body["spec"]["rules"]
            assert len({json.dumps(rule["matches"]) for rule in rules}) == 1
            pools = [backend["name"] for rule in rules for backend in rule["backendRefs"]]
            self.gateway.splits[name] = rules[0]["name"], pools
        elif kind == "HTTPRoute":
            own = body["spec"]["rules"][0]["backendRefs"][0]["name"].removesuffix("-unqueued")
            foreign = body["metadata"]["namespace"] != "models"
            verdict = self.verdict if foreign else {"type": "Accepted", "status": "True", "reason": "Accepted"}
            stored["status"] = {"parents": [{"conditions": [verdict]}]}
            if not foreign or self.lets_in:
                self.gateway.pools[name] = self.pods[own]
                self.gateway.plain[f"{name}-plain"] = self.pods[own]
        return stored

    def _delete(self, path: str) -> Response:
        gone = self.objects.pop(path, None)
        if gone is None:
            return reply(404, {})
        self.made.append(f"-{gone['kind']} {gone['metadata']['name']}")
        return reply(200, {})

    def _scale(self, path: str, replicas: int) -> None:
        name = path.rpartition("/")[2]
        if name.endswith("-picker"):
            self.gateway.away = replicas == 0
            self.objects[path]["status"] = {"readyReplicas": replicas}
        else:
            del self.pods[name][replicas:]


def wanted_one(path: str) -> bool:
    """Whether the path ends with the name of an object."""
    last = path.rpartition("/")[2]
    return not any(last in kinds.values() for kinds in PLURALS.values())


def reply(status: int, body: Object) -> Response:
    return Response(status, json.dumps(body).encode())


def forwarder(api: Api) -> Callable[[ExitStack, str, str, int], dict[str, str]]:
    def forward(stack: ExitStack, _namespace: str, service: str, _port: int) -> dict[str, str]:
        return {pod.name: stack.enter_context(served(pod)) for pod in api.pods[service]}

    return forward
