# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A guarded gateway and its models as small HTTP servers, and the ways in which a guard may fail."""

from __future__ import annotations

import http.server
import json
import threading
import time
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_attempts import ALLOWED
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import Model, ModelPod
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_stage import (
    FAIRNESS,
    OBJECTIVE,
    PRIORITY,
    SALT,
    Replica,
    Stage,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLM
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import Attempt, Verdict

MASTER: t.Final = "sk-master"
TOKENS: t.Final = 640
Answer = tuple[int, dict[str, str], t.Any]
Handle = t.Callable[[str, str, dict[str, str], t.Any], Answer]


@dataclass
class Defects:
    """What is wrong with this guard; nothing by default."""

    opened: str = ""
    """A path that a tenant may ask for."""
    handed_on: str = ""
    """A path that the guard lets through and LiteLLM refuses by itself."""
    silent: str = ""
    """A path that gives no answer at all."""
    refuses_all: bool = False
    few_routes: bool = False
    passes_header: str = ""
    passes_field: str = ""
    echoes: bool = False
    asks_twice: bool = False
    obeys_timeout: bool = False
    team_from_client: bool = False
    no_priority: bool = False
    no_salt: bool = False
    shared_salt: bool = False
    no_cache: bool = False
    no_fallback: bool = False
    fallback_forgets: bool = False


@contextmanager
def serve(handle: Handle) -> t.Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Or each answer waits 40 ms for an acknowledgement.
        disable_nagle_algorithm = True
        wbufsize = -1

        def answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, body = handle(self.command, self.path, headers, json.loads(raw) if raw else None)
            if not status:
                self.close_connection = True
                return
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(data)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *_args: t.Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class FakeModel:
    """Speaks the simulator's debug paths and metrics."""

    caches: bool = True
    entries: list[dict[str, t.Any]] = field(default_factory=list)
    faults: dict[str, t.Any] = field(default_factory=lambda: {"error_rate": 0.0, "only_with": "", "delay_seconds": 0})
    seen: set[tuple[str, str]] = field(default_factory=set)
    hits: int = 0

    def handle(self, method: str, path: str, _headers: dict[str, str], body: t.Any) -> Answer:
        if path == "/simulator/requests":
            return 200, {}, {"requests": self.entries}
        if path == "/simulator/faults":
            self.faults |= body or {}
            return 200, {}, self.faults
        assert (method, path) == ("GET", "/metrics")
        return 200, {}, f"vllm:prefix_cache_hits_total {self.hits}\n"

    def work(self, path: str, headers: dict[str, str], body: dict[str, t.Any]) -> int | None:
        """How many tokens were in the cache; None for a failure."""
        self.entries.append({"time": time.time(), "path": path, "headers": list(headers.items()), "body": body})
        text = json.dumps(body.get("messages") or body.get("prompt") or body.get("input"))
        if self.faults["error_rate"] and self.faults["only_with"] in text:
            return None
        known = (str(body.get(SALT)), text)
        cached = TOKENS if self.caches and known in self.seen else 0
        self.seen.add(known)
        self.hits += cached
        return cached


class FakeGuarded:
    """LiteLLM behind a guard, and two models."""

    def __init__(self, **defects: t.Any) -> None:
        self.defects = Defects(**defects)
        self.models = {name: FakeModel(caches=not self.defects.no_cache) for name in ("chat", "spare")}
        self.teams: dict[str, dict[str, t.Any]] = {}
        self.keys: dict[str, str] = {}
        self.lock = threading.RLock()

    @contextmanager
    def stage(self, *, inside: bool = True, fallbacks: bool = True, simulated: bool = True) -> t.Iterator[Stage]:
        with ExitStack() as stack:
            url = stack.enter_context(serve(self.handle))
            replicas = [Replica(name, LiteLLM(url, MASTER, sleep=lambda _s: None)) for name in ("one", "two")]
            models = [
                Model(name, (ModelPod(name, stack.enter_context(serve(model.handle)), "key"),), simulated, name)
                for name, model in self.models.items()
            ]
            pairs = (("chat", ("spare",)),) if fallbacks else ()
            pod = t.cast("t.Any", _Pod(replicas[0])) if inside else None
            yield Stage(replicas, models, Guests(t.cast("t.Any", replicas[0].gateway)), pod, pairs)

    def handle(self, method: str, path: str, headers: dict[str, str], body: t.Any) -> Answer:
        with self.lock:
            key = headers.get("authorization", "").removeprefix("Bearer ")
            return self._admin(path, body) if key == MASTER else self._tenant(method, path, headers, body)

    def _admin(self, path: str, body: t.Any) -> Answer:
        path = path.partition("?")[0]
        if path == "/openapi.json":
            count = 3 if self.defects.few_routes else 110
            described = {f"/route/{number}/{{id}}": {"delete" if number % 2 else "get": {}} for number in range(count)}
            return 200, {}, {"paths": {**described, "/v1/chat/completions": {"post": {}}}}
        if path == "/team/new":
            self.teams[body["team_id"]] = body
        elif path == "/key/generate":
            value = f"sk-{len(self.keys)}-0123456789"
            self.keys[value] = body["team_id"]
            return 200, {}, {"key": value, "token_id": "hash"}
        elif path == "/v2/team/list":
            return 200, {}, {"teams": [{"team_id": name} for name in self.teams], "total_pages": 1}
        elif path == "/team/delete":
            for name in body["team_ids"]:
                del self.teams[name]
        return 200, {}, {}

    def _tenant(self, method: str, path: str, headers: dict[str, str], body: t.Any) -> Answer:
        wrong = self.defects
        if path == wrong.silent:
            return 0, {}, {}
        if path == wrong.opened:
            return 200, {}, {}
        if path == wrong.handed_on:
            return 404, {}, {"detail": "Not Found"}
        if (method, path) not in ALLOWED:
            listed = any(path == one for _method, one in ALLOWED)
            status, code = (405, "method_not_allowed") if listed else (404, "unknown_url")
            return status, {}, {"error": {"code": code}}
        if wrong.refuses_all:
            return 401, {}, {"error": {"code": "invalid_api_key"}}
        if method == "GET":
            return 200, {}, {}
        if wrong.obeys_timeout and headers.get("x-litellm-timeout"):
            return 504, {}, {}
        return self._generate(path, headers, body)

    def _generate(self, path: str, headers: dict[str, str], body: dict[str, t.Any]) -> Answer:
        wrong = self.defects
        team = self.keys[headers["authorization"].removeprefix("Bearer ")]
        priority = "0" if wrong.no_priority else str(PRIORITY)
        sent_headers = {FAIRNESS: team, OBJECTIVE: f"{body['model']}-{priority}"}
        if wrong.team_from_client:
            sent_headers[FAIRNESS] = headers.get(FAIRNESS, team)
        if wrong.passes_header in headers:
            sent_headers[wrong.passes_header] = headers[wrong.passes_header]
        known = ("model", "messages", "prompt", "input", "max_tokens", "stream", wrong.passes_field)
        sent = {name: value for name, value in body.items() if name in known}
        if not wrong.no_salt:
            sent[SALT] = "everybody" if wrong.shared_salt else team
        fallen, cached = 0, self.models[body["model"]].work(path, sent_headers, sent)
        if wrong.asks_twice:
            self.models[body["model"]].work(path, sent_headers, sent)
        if cached is None and not wrong.no_fallback:
            kept = {} if wrong.fallback_forgets else {**sent_headers, OBJECTIVE: f"spare-{priority}"}
            fallen, cached = 1, self.models["spare"].work(path, kept, sent)
        if cached is None:
            return 500, {}, {"error": {"code": "500"}}
        more = {"x-litellm-attempted-fallbacks": str(fallen), "x-llm-platform-left-out": "spoofed"}
        answer = {"usage": {"prompt_tokens_details": {"cached_tokens": cached}}}
        return 200, more, {**answer, "echo": body} if wrong.echoes else answer


class _Pod:
    """A pod that asks through the first replica, with the very code that a pod runs."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def ask(self, key: str, attempts: t.Sequence[Attempt]) -> list[Verdict]:
        return self._replica.sweep(key, attempts)
