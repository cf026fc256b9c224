# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's management API in memory, behind a real HTTP server, as version 1.108.7 was seen to answer. And Secrets."""

from __future__ import annotations

import copy
import hashlib
import http.server
import itertools
import json
import re
import threading
import typing as t
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

Row = dict[str, t.Any]
MASTER = "sk-the-master-key-of-the-fake"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
TEAM: Row = {
    "organization_id": None,
    "members_with_roles": [{"user_id": "default_user_id", "role": "admin"}],
    "metadata": {},
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "max_budget": None,
    "soft_budget": None,
    "budget_duration": None,
    "budget_limits": None,
    "models": [],
    "blocked": False,
    "router_settings": {},
    "access_group_ids": [],
    "default_team_member_models": [],
    "spend": 0.0,
    "model_max_budget": {},
    "litellm_model_table": None,
}
KEY: Row = {
    "spend": 0.0,
    "max_budget": None,
    "expires": None,
    "models": [],
    "aliases": {},
    "config": {},
    "user_id": None,
    "agent_id": None,
    "max_parallel_requests": None,
    "metadata": {},
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "budget_duration": None,
    "allowed_cache_controls": [],
    "allowed_routes": [],
    "key_type": "default",
    "permissions": {},
    "model_max_budget": {},
    "budget_fallbacks": {},
    "blocked": None,
    "budget_id": None,
    "object_permission": None,
    "access_group_ids": [],
    "auto_rotate": False,
    "router_settings": {},
    "budget_limits": None,
    "created_by": "default_user_id",
}


class FakeError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FakeLiteLLM:
    """State and routes. `faults` come before the work: 'drop' ends the connection, 'lose' does so after it."""

    def __init__(self) -> None:
        self.teams: dict[str, Row] = {}
        self.keys: dict[str, Row] = {}
        self.requests: list[tuple[str, str, t.Any]] = []
        self.faults: list[str | tuple[int, t.Any]] = []
        self.clock = NOW
        self.lock = threading.RLock()
        self._serial = itertools.count()
        self._server: http.server.ThreadingHTTPServer | None = None

    def __enter__(self) -> t.Self:
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: else each answer waits for an acknowledgement.
            wbufsize = -1

            def log_message(self, *_args: object) -> None: ...

            def date_time_string(self, timestamp: float | None = None) -> str:
                return fake.clock.strftime("%a, %d %b %Y %H:%M:%S GMT")

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fault = fake.next_fault()
                if fault == "drop":
                    self.close_connection = True
                    return
                status, answer = (
                    fault
                    if isinstance(fault, tuple)
                    else fake.answer(self.command, self.path, self.headers.get("authorization"), body)
                )
                if fault == "lose":
                    self.close_connection = True
                    return
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                self.wfile.flush()

            do_GET = do_POST = _serve  # noqa: N815 - names of http.server

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        assert self._server
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def writes(self) -> list[tuple[str, t.Any]]:
        return [(path, body) for method, path, body in self.requests if method == "POST"]

    def next_fault(self) -> str | tuple[int, t.Any] | None:
        with self.lock:
            return self.faults.pop(0) if self.faults else None

    def usable(self, token: str) -> bool:
        """Whether a request with this key would pass."""
        row = self.keys.get(token)
        team = self.teams.get(row["team_id"]) if row else None
        expired = bool(row and row["expires"] and datetime.fromisoformat(row["expires"]) <= self.clock)
        return bool(row and not row["blocked"] and not expired and not (team and team["blocked"]))

    def answer(self, method: str, target: str, authorization: str | None, body: bytes) -> tuple[int, t.Any]:
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        data = json.loads(body) if body else None
        with self.lock:
            self.requests.append((method, parts.path, copy.deepcopy(data)))
            if authorization != f"Bearer {MASTER}":
                sent = (authorization or "").removeprefix("Bearer ")
                return 401, {"error": {"message": f"Authentication Error, Received API Key = {sent}", "code": "401"}}
            route = getattr(self, f"{method.lower()}{parts.path.replace('/', '_')}", None)
            if route is None:
                return 404, {"detail": "Not Found"}
            try:
                return 200, route(query if method == "GET" else data)
            except FakeError as exc:
                return exc.status, {"error": {"message": f"{{'error': '{exc}'}}", "code": str(exc.status)}}

    @staticmethod
    def get_health_readiness_details(_query: Row) -> Row:
        return {"status": "healthy", "litellm_version": "1.108.7"}

    @staticmethod
    def get_v1_model_info(_query: Row) -> Row:
        params = {
            "model": "hosted_vllm/x",
            "api_base": "http://chat.llm-serving:8000/v1",
            "api_key": "sk-of-the-server",
        }
        info = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "max_output_tokens": 512}
        return {"data": [{"model_name": "chat", "litellm_params": params, "model_info": info}]}

    def get_v2_team_list(self, query: Row) -> Row:
        rows = [self.teams[name] for name in sorted(self.teams)]
        page, size, pages = self._page(rows, int(query["page"]), int(query["page_size"]))
        return {"teams": page, "total": len(rows), "page": int(query["page"]), "page_size": size, "total_pages": pages}

    def get_team_list(self, _query: Row) -> list[Row]:
        return [
            {**team, "keys": [key for key in self.keys.values() if key["team_id"] == name]}
            for name, team in self.teams.items()
        ]

    def get_key_list(self, query: Row) -> Row:
        rows = [row for row in self.keys.values() if query.get("team_id") in (None, row["team_id"])]
        rows = [row for row in rows if query.get("key_hash") in (None, row["token"])]
        if any(row["metadata"] is None for row in rows):
            raise FakeError(500, "1 validation error for UserAPIKeyAuth")
        rows.sort(key=lambda row: (row["created_at"], row["token"]), reverse=True)
        page, _size, pages = self._page(rows, int(query.get("page", 1)), int(query.get("size", 10)))
        return {"keys": page, "total_count": len(rows), "current_page": int(query.get("page", 1)), "total_pages": pages}

    @staticmethod
    def _page(rows: list[Row], number: int, size: int) -> tuple[list[Row], int, int]:
        if size > 100:
            raise FakeError(422, "Input should be less than or equal to 100")
        return rows[(number - 1) * size : number * size], size, -(-len(rows) // size)

    def post_team_new(self, data: Row) -> Row:
        if data["team_id"] in self.teams:
            raise FakeError(400, f"Team id = {data['team_id']} already exists. Please use a different team id.")
        aliases = data.pop("model_aliases", None)
        row = {**copy.deepcopy(TEAM), **data}
        row["litellm_model_table"] = {"model_aliases": aliases} if aliases is not None else None
        self.teams[data["team_id"]] = row
        return row

    def post_team_update(self, data: Row) -> Row:
        row = self.teams.get(data["team_id"])
        if row is None:
            raise FakeError(404, f"Team not found, passed team_id={data['team_id']}")
        soft = data.get("soft_budget") or row["soft_budget"]
        if data.get("max_budget") is not None and soft is not None and data["max_budget"] <= soft:
            raise FakeError(400, f"max_budget ({data['max_budget']}) must be strictly greater than soft_budget")
        if "model_aliases" in data:
            row["litellm_model_table"] = {"model_aliases": data.pop("model_aliases")}
        if data.get("organization_id") == "":
            data["organization_id"] = None
        row |= data
        return {"team_id": data["team_id"], "data": row}

    def post_team_delete(self, data: Row) -> Row:
        for name in data["team_ids"]:
            if self.teams.pop(name, None) is None:
                raise FakeError(404, f"Team not found, passed team_id={name}")
            self.keys = {token: row for token, row in self.keys.items() if row["team_id"] != name}
        return {"deleted_teams": data["team_ids"]}

    def post_key_generate(self, data: Row) -> Row:
        self._need_unique_alias(data.get("key_alias"))
        value = data.pop("key", None) or f"sk-made-by-the-server-{next(self._serial)}"
        token = hashlib.sha256(value.encode()).hexdigest()
        expires = self._expires(data.pop("duration", None))
        # A microsecond each, so that the order of making is that of the dates.
        created = (self.clock + timedelta(microseconds=next(self._serial))).isoformat()
        row = {**copy.deepcopy(KEY), "token": token, "created_at": created, **data, "expires": expires}
        self.keys[token] = row
        return {**row, "key": value}

    def post_key_update(self, data: Row) -> Row:
        row = self._key(data.pop("key"))
        self._need_unique_alias(data.get("key_alias"), but=row["token"])
        if "duration" in data:
            row["expires"] = self._expires(data.pop("duration"))
        row |= data
        return {"key": row["token"], **row}

    def post_key_block(self, data: Row) -> Row:
        self._key(data["key"])["blocked"] = True
        return self._key(data["key"])

    def post_key_delete(self, data: Row) -> Row:
        if not [token for token in data["keys"] if self.keys.pop(token, None)]:
            raise FakeError(404, "No keys found")
        return {"deleted_keys": data["keys"]}

    def _key(self, token: str) -> Row:
        if token not in self.keys:
            raise FakeError(404, "Key not found.")
        return self.keys[token]

    def _need_unique_alias(self, alias: str | None, but: str = "") -> None:
        if alias and any(row["key_alias"] == alias and row["token"] != but for row in self.keys.values()):
            raise FakeError(400, f"Key with alias '{alias}' already exists. Unique key aliases are required.")

    def _expires(self, duration: str | None) -> str | None:
        if duration is None:
            return None
        found = re.fullmatch(r"(\d+)([smhd])", duration)
        assert found, duration
        return (self.clock + timedelta(seconds=int(found[1]) * UNITS[found[2]])).isoformat()


class FakeSecrets:
    """A Transport with nothing but Secrets: lists by label, versions, merge patches."""

    def __init__(self, *namespaces: str) -> None:
        self.namespaces = set(namespaces)
        self.secrets: dict[tuple[str, str], Row] = {}
        self.requests: list[tuple[str, str]] = []
        self._version = itertools.count(1)
        self._lock = threading.RLock()

    @property
    def client(self) -> KubeClient:
        return KubeClient(self)

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.requests if method != "GET"]

    def put(self, namespace: str, name: str, **metadata: t.Any) -> Row:
        """A Secret of somebody else."""
        head = {"namespace": namespace, "name": name, "resourceVersion": str(next(self._version)), **metadata}
        self.secrets[(namespace, name)] = {"metadata": head, "data": {}}
        return self.secrets[(namespace, name)]

    def stream(self, path: str, **_options: t.Any) -> t.Iterator[bytes]:
        raise AssertionError(f"nobody watches {path} here")

    def request(self, method: str, path: str, *, body: t.Any = None, query: t.Any = None, **_rest: t.Any) -> Response:
        with self._lock:
            status, answer = self._answer(method, path, copy.deepcopy(body), query or {})
            return Response(status, json.dumps(answer).encode())

    def _answer(self, method: str, path: str, body: Row | None, query: t.Mapping[str, t.Any]) -> tuple[int, Row]:
        if path == "/api/v1":
            kind = {"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["get", "list", "create"]}
            return 200, {"kind": "APIResourceList", "groupVersion": "v1", "resources": [kind]}
        self.requests.append((method, path))
        found = re.fullmatch(r"/api/v1(?:/namespaces/([^/]+))?/secrets(?:/([^/]+))?", path)
        assert found, path
        namespace, name = found[1] or "", found[2] or ""
        secret = self.secrets.get((namespace, name))
        if method == "GET" and not name:
            return 200, {"metadata": {"resourceVersion": "1"}, "items": self._listed(namespace, query)}
        if method == "POST":
            assert body
            place = (namespace, body["metadata"]["name"])
            if namespace not in self.namespaces:
                return 404, {"reason": "NotFound", "message": f'namespaces "{namespace}" not found'}
            if place in self.secrets:
                return 409, {"reason": "AlreadyExists", "message": "exists"}
            body["metadata"]["resourceVersion"] = str(next(self._version))
            self.secrets[place] = body
            return 201, body
        if secret is None:
            return 404, {"reason": "NotFound", "message": f'secrets "{name}" not found'}
        if method == "DELETE":
            del self.secrets[(namespace, name)]
            return 200, {}
        if method == "PATCH":
            assert body
            if body["metadata"].pop("resourceVersion") != secret["metadata"]["resourceVersion"]:
                return 409, {"reason": "Conflict", "message": "the object has been modified"}
            _merge(secret, body)
            secret["metadata"]["resourceVersion"] = str(next(self._version))
        return 200, copy.deepcopy(secret)

    def _listed(self, namespace: str, query: t.Mapping[str, t.Any]) -> list[Row]:
        wanted = dict(item.split("=") for item in str(query["labelSelector"]).split(","))
        return [
            copy.deepcopy(secret)
            for (where, _name), secret in self.secrets.items()
            if namespace in ("", where) and wanted.items() <= (secret["metadata"].get("labels") or {}).items()
        ]


def _merge(target: Row, patch: Row) -> None:
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(name, {}), value)
        else:
            target[name] = value
