# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A gateway with replicas, a ledger and a model in memory, and the ways in which one may fail its tenants."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    Effort,
    Guests,
    Model,
    Replica,
    Stage,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import Witness

PROMPT = 20
IN, OUT = 0.001, 0.004
QUICK = Effort(
    requests=24,
    cache_ttl=0.4,
    ledger_seconds=0.6,
    parallel=4,
    key_seconds=0.4,
    grace=0.2,
    confirm=0.02,
    pause=0.01,
)


@dataclass
class Defects:
    """What is wrong with this gateway; nothing by default."""

    limits_per_replica: bool = False
    no_limits: bool = False
    open_to_all: bool = False
    any_model: bool = False
    keeps_expired: bool = False
    keeps_revoked: frozenset[str] = frozenset()
    forgets_revocation_after: float = 1e9
    refuses_everybody: bool = False
    asks_model_when_over_budget: bool = False
    budget_per_key: bool = False
    budget_ignored: bool = False
    price_factor: float = 1.0
    cancels_free: bool = False
    books_twice: bool = False
    loses_rows: int = 0
    key_spend_lags: bool = False
    failed_cost: float = 0.0
    ledger_delay: float = 0.0
    model_log: bool = True
    broken: str = ""
    team_collisions: int = 0


@dataclass
class _Key:
    hash: str
    team: str
    limits: dict[str, t.Any]
    expires: float
    spend: float = 0.0
    used: list[tuple[float, str, int]] = field(default_factory=list)
    open: int = 0


class FakeGateway:
    """`stage()` is what probes are given."""

    def __init__(self, *, replicas: int = 2, models: t.Sequence[str] = ("chat",), **defects: t.Any) -> None:
        self.defects = Defects(**defects)
        self.names = [f"litellm-{letter}" for letter in "abcdefg"[:replicas]]
        self.models = {name: FakeModel(log=self.defects.model_log) for name in models}
        self.teams: dict[str, dict[str, t.Any]] = {}
        self.keys: dict[str, _Key] = {}
        self.revoked: dict[str, float] = {}
        self.rows: list[tuple[float, dict[str, t.Any]]] = []
        self.token_seconds = 0.0
        self.calls: list[str] = []
        self._numbers = itertools.count(1)
        self.lock = threading.RLock()

    def stage(self, effort: Effort = QUICK) -> Stage:
        replicas = [Replica(name, t.cast("t.Any", _Client(self, name)), _Admin(self, name)) for name in self.names]
        models = [
            Model(name, IN, OUT, 4096, Witness(name, [t.cast("t.Any", model)], "key", simulated=model.log))
            for name, model in self.models.items()
        ]
        return Stage(replicas, models, Guests(replicas[0].admin), effort)

    def number(self) -> int:
        return next(self._numbers)

    def why_not(self, replica: str, key: _Key | None, model: str, now: float) -> tuple[int, str] | None:
        wrong = self.defects
        if wrong.open_to_all:
            return None
        if wrong.refuses_everybody or key is None:
            return 401, "auth_error"
        if now > key.expires and not wrong.keeps_expired:
            return 401, "expired_key"
        for taken in (self.revoked.get(key.hash), self.revoked.get(key.team)):
            if taken is None or replica in wrong.keeps_revoked:
                continue
            if now - taken <= wrong.forgets_revocation_after:
                return 401, "auth_error"
        allowed = key.limits.get("models") or self.teams[key.team]["models"]
        if not wrong.any_model and (model not in allowed or model not in self.teams[key.team]["models"]):
            return 403, "key_model_access_denied"
        return (400, "invalid_request_error") if model not in self.models else None

    def over(self, replica: str, key: _Key, now: float, tokens: int) -> tuple[int, str] | None:
        """Rate limits, then budgets; `tokens` is the most that the request may use."""
        wrong, team = self.defects, self.teams[key.team]
        mates = [one for one in self.keys.values() if one.team == key.team]
        for limits, users in ((key.limits, [key]), (team, mates)):
            used = [
                item
                for one in users
                for item in one.used
                if now - item[0] < 60 and (not wrong.limits_per_replica or item[1] == replica)
            ]
            rpm, tpm, parallel = (limits.get(name) for name in ("rpm_limit", "tpm_limit", "max_parallel_requests"))
            if wrong.no_limits:
                continue
            if rpm is not None and len(used) >= rpm:
                return 429, "throttling_error"
            if tpm is not None and sum(item[2] for item in used) + tokens > tpm:
                return 429, "throttling_error"
            if parallel is not None and key.open >= parallel:
                return 429, "throttling_error"
            budget = limits.get("max_budget")
            spent = key.spend if wrong.budget_per_key else sum(one.spend for one in users)
            worst = PROMPT * IN + (tokens - PROMPT) * OUT
            if budget is not None and spent + worst > budget and not wrong.budget_ignored:
                return 422, "budget_exceeded"
        return None

    def book(self, key: _Key, model: str, answer: Answer, *, failed: bool = False, billed: bool = True) -> None:
        wrong = self.defects
        spend = (answer.prompt_tokens * IN + answer.completion_tokens * OUT) * wrong.price_factor if billed else 0.0
        if failed:
            spend = wrong.failed_cost
        row = {
            "request_id": answer.id,
            "api_key": key.hash,
            "model_group": model,
            "prompt_tokens": answer.prompt_tokens if billed else 0,
            "completion_tokens": answer.completion_tokens if billed else 0,
            "spend": spend,
            "status": "failure" if failed else "success",
        }
        if not wrong.key_spend_lags:
            key.spend += spend
        if wrong.loses_rows:
            wrong.loses_rows -= 1
            return
        for _turn in range(2 if wrong.books_twice else 1):
            self.rows.append((time.monotonic() + wrong.ledger_delay, row))


@dataclass
class FakeModel:
    """Speaks the simulator's metrics and log."""

    log: bool = True
    entries: list[dict[str, t.Any]] = field(default_factory=list)
    done: list[tuple[int, int]] = field(default_factory=list)

    def work(self, prompt: str, tokens: int) -> None:
        self.entries.append(
            {
                "body": {"messages": [{"content": prompt}]},
                "outcome": {"prompt_tokens": PROMPT, "generated_tokens": tokens, "finished": ["length"]},
            }
        )
        self.done.append((PROMPT, tokens))

    def refuse(self, prompt: str) -> None:
        empty = {"prompt_tokens": 0, "generated_tokens": 0, "finished": []}
        self.entries.append({"body": {"messages": [{"content": prompt}]}, "outcome": empty})

    def get(self, path: str, *, key: str | None = None) -> tuple[int, str]:
        if path == "/simulator/requests":
            return (200, json.dumps({"requests": self.entries})) if key == "key" else (401, "")
        prompts, tokens = sum(one for one, _two in self.done), sum(two for _one, two in self.done)
        return 200, (
            f"vllm:request_success_total {len(self.done)}\nvllm:prompt_tokens_total {prompts}\n"
            f"vllm:generation_tokens_total {tokens}\nvllm:num_requests_running 0\nvllm:num_requests_waiting 0\n"
        )


class _Client:
    def __init__(self, gateway: FakeGateway, name: str) -> None:
        self._gateway, self._name = gateway, name

    def get(self, path: str, *, key: str | None = None) -> tuple[int, str]:
        assert path == "/v1/models"
        found = self._gateway.keys.get(key or "")
        if found is None:
            return 401, "{}"
        return 200, json.dumps({"data": [{"id": name} for name in self._gateway.teams[found.team]["models"]]})

    def chat(
        self,
        prompt: str,
        *,
        key: str | None,
        max_tokens: int,
        model: str,
        stream: bool = False,
        full_length: bool = False,
        leave_after: int | None = None,
        heard: t.Callable[[], None] = lambda: None,
        extra: t.Mapping[str, t.Any] | None = None,
    ) -> Answer:
        gateway, now = self._gateway, time.monotonic()
        with gateway.lock:
            known = gateway.keys.get(key or "")
            if refusal := gateway.why_not(self._name, known, model, now):
                return Answer(refusal[0], error_type=refusal[1])
            if known is None:
                return self._answer(max_tokens, stream=stream)
            if refusal := gateway.over(self._name, known, now, PROMPT + max_tokens):
                if refusal[0] == 422 and gateway.defects.asks_model_when_over_budget:
                    gateway.models[model].work(prompt, max_tokens)
                return Answer(refusal[0], error_type=refusal[1])
            if extra:
                gateway.models[model].refuse(prompt)
                failed = Answer(400, error_type="invalid_request_error", id="")
                gateway.book(known, model, Answer(400, id=f"failed-{gateway.number()}"), failed=True)
                return failed
            known.open += 1
            known.used.append((now, self._name, PROMPT + max_tokens))
            gateway.models[model].work(prompt, max_tokens)
        heard()
        if gateway.token_seconds and full_length:
            time.sleep(gateway.token_seconds * max_tokens)
        with gateway.lock:
            known.open -= 1
            answer = self._answer(max_tokens, stream=stream)
            gateway.book(known, model, answer, billed=not (leave_after and gateway.defects.cancels_free))
        if leave_after:
            answer.usage = {}
        return answer

    def _answer(self, tokens: int, *, stream: bool) -> Answer:
        usage = {"prompt_tokens": PROMPT, "completion_tokens": tokens}
        gaps = [0.001] * 3 if stream else []
        return Answer(200, id=f"chatcmpl-{self._gateway.number()}", text="Red", usage=usage, gaps=gaps, first_token=0.1)


class _Admin:
    def __init__(self, gateway: FakeGateway, name: str) -> None:
        self._gateway, self._name = gateway, name

    def checked(self, method: str, path: str, body: t.Any = None, *, query: t.Any = None) -> t.Any:
        with self._gateway.lock:
            self._gateway.calls.append(path)
            handler = getattr(self, re.sub(r"\W", "_", path.strip("/")), None)
            if handler is None or path == self._gateway.defects.broken:
                raise LiteLLMError(f"{method} {path} was refused with 500")
            return handler(body if body is not None else query)

    def team_new(self, body: dict[str, t.Any]) -> dict[str, t.Any]:
        if self._gateway.defects.team_collisions:
            self._gateway.defects.team_collisions -= 1
            raise LiteLLMError("POST /team/new was refused with 500: Unable to add user")
        self._gateway.teams[body["team_id"]] = body
        return body

    def team_delete(self, body: dict[str, t.Any]) -> None:
        for name in body["team_ids"]:
            del self._gateway.teams[name]
            self._gateway.keys = {value: key for value, key in self._gateway.keys.items() if key.team != name}

    def team_block(self, body: dict[str, t.Any]) -> None:
        self._gateway.revoked[body["team_id"]] = time.monotonic()

    def team_update(self, body: dict[str, t.Any]) -> None:
        assert body["blocked"] is True
        self.team_block(body)

    def team_info(self, query: dict[str, t.Any]) -> dict[str, t.Any]:
        keys = [key for key in self._gateway.keys.values() if key.team == query["team_id"]]
        return {"team_info": {"spend": sum(key.spend for key in keys)}}

    def v2_team_list(self, query: dict[str, t.Any]) -> dict[str, t.Any]:
        found = sorted(name for name in self._gateway.teams if query["team_alias"] in name)
        size = 2
        page = found[(query["page"] - 1) * size : query["page"] * size]
        return {"teams": [{"team_id": name} for name in page], "total_pages": -(-len(found) // size) or 1}

    def key_generate(self, body: dict[str, t.Any]) -> dict[str, t.Any]:
        value = f"sk-{len(self._gateway.keys):032x}"
        digest = hashlib.sha256(value.encode()).hexdigest()
        expires = time.monotonic() + float(body["duration"].removesuffix("s"))
        self._gateway.keys[value] = _Key(digest, body["team_id"], body, expires)
        return {"key": value, "token_id": digest}

    def key_delete(self, body: dict[str, t.Any]) -> None:
        self._gateway.revoked[body["keys"][0]] = time.monotonic()

    def key_block(self, body: dict[str, t.Any]) -> None:
        self._gateway.revoked[body["key"]] = time.monotonic()

    def key_info(self, query: dict[str, t.Any]) -> dict[str, t.Any]:
        return {"info": {"spend": next(k.spend for k in self._gateway.keys.values() if k.hash == query["key"])}}

    def spend_logs(self, query: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        now = time.monotonic()
        return [row for at, row in self._gateway.rows if at <= now and row["api_key"] == query["api_key"]]
