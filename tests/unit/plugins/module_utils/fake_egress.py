# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A gateway with budgets that asks the probe's own stand-in over real TLS, and whatever may be wrong with one."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import itertools
import json
import socket
import ssl
import threading
import typing as t
from contextlib import contextmanager

from ansible_collections.wmx.llm_platform.plugins.module_utils import _certificates as certificates
from ansible_collections.wmx.llm_platform.plugins.module_utils import _egress_probe_provider as stand_in
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_observe import Provider, Stage
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_scene import StandIn
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests, Model, Replica
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import Witness

if t.TYPE_CHECKING:
    import pathlib

Object = dict[str, t.Any]
HOSTS: t.Final = {"gpt": "api.openai.test", "claude": "api.anthropic.test"}
PATHS: t.Final = {"gpt": "/v1/chat/completions", "claude": "/v1/messages"}
KEYS: t.Final = {"gpt": "key-of-openai", "claude": "key-of-anthropic"}
PRICES: t.Final = (1e-6, 5e-6)


def write_certificates(folder: pathlib.Path) -> bytes:
    """Files as the stand-in expects them, and the authority that signed the right ones."""
    now = dt.datetime.now(dt.UTC)
    signers = {name: certificates.make_authority(name, now) for name in (stand_in.RIGHT, stand_in.WRONG)}
    for name, signer in signers.items():
        for number, host in enumerate(HOSTS.values()):
            pair = certificates.make_host(host, signer, 1, now)
            (folder / f"{stand_in.file_of(name, number)}.crt").write_bytes(pair.certificate)
            (folder / f"{stand_in.file_of(name, number)}.key").write_bytes(pair.key)
    return signers[stand_in.RIGHT].certificate


@contextmanager
def running(folder: pathlib.Path) -> t.Iterator[tuple[int, StandIn]]:
    """The port of the provider, and its control as the probe has it."""
    servers = stand_in.servers(folder, list(HOSTS.values()), "127.0.0.1", 0, 0)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        control = f"http://127.0.0.1:{servers[1].server_address[1]}"
        yield int(servers[0].server_address[1]), StandIn(control, "10.0.0.9")
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class FakePlatform:
    """One replica. What is wrong with it is named by `defect`."""

    def __init__(self, folder: pathlib.Path, defect: str = "") -> None:
        self.defect = defect
        self._folder = folder
        self._port = 0
        self._number = itertools.count(1)
        self._context = ssl.create_default_context(cadata=write_certificates(folder).decode())
        if defect == "any authority":
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        self.keys: dict[str, Object] = {}

    def stage(self) -> Stage:
        models = [Model(name, *PRICES, 64, Witness(name)) for name in HOSTS]
        providers = [
            Provider(model, HOSTS[model.name], hashlib.sha256(KEYS[model.name].encode()).hexdigest())
            for model in models
        ]

        @contextmanager
        def play() -> t.Iterator[StandIn]:
            with running(self._folder) as (port, found):
                self._port = port
                yield found

        replica = Replica("litellm-a", t.cast("t.Any", self), self)
        return Stage([replica], providers, Guests(self), play, self.direct, lambda: "10.96.0.9", seconds=0.5)

    def direct(self, places: t.Sequence[tuple[str, int]]) -> list[str]:
        return ["" if self.defect == "another way out" else "refused" for _place in places]

    def checked(self, method: str, path: str, body: t.Any = None, *, query: t.Any = None) -> t.Any:
        if path == "/key/generate":
            value = f"sk-{next(self._number)}-value"
            team = self.keys[body["team_id"]]
            key = {"team": body["team_id"], "spend": 0.0, "hash": f"hash-of-{value}", **team, **body}
            self.keys[value] = key
            return {"key": value, "token_id": key["hash"]}
        if path == "/team/new":
            self.keys[body["team_id"]] = dict(body)
            return {}
        if path == "/key/info":
            key = next(key for key in self.keys.values() if key.get("hash") == query["key"])
            return {"info": {"spend": 0.0 if self.defect == "free" else key["spend"]}}
        raise AssertionError((method, path))

    def chat(
        self, prompt: str, *, key: str, model: str, max_tokens: int, stream: bool, extra: Object | None = None
    ) -> Answer:
        known = self.keys[key]
        cost = stand_in.PROMPT_TOKENS * PRICES[0] + max_tokens * PRICES[1]
        spent = known["spend"] + cost > known.get("max_budget", 1.0)
        if spent and self.defect != "no budget":
            if self.defect == "asks first":
                self._ask(model, prompt, max_tokens, stream=False, known=known, extra={})
            return Answer(400, error="spent", error_type="budget_exceeded")
        try:
            status, told = self._ask(model, prompt, max_tokens, stream=stream, known=known, extra=extra or {})
        except OSError as exc:
            return Answer(503, error=str(exc))
        usage = told.get("usage") or {}
        known["spend"] += cost
        tokens = {
            "prompt_tokens": usage.get("prompt_tokens") or usage.get("input_tokens"),
            "completion_tokens": usage.get("completion_tokens") or usage.get("output_tokens"),
        }
        return Answer(status, usage=tokens)

    def _ask(
        self, model: str, prompt: str, max_tokens: int, *, stream: bool, known: Object, extra: Object
    ) -> tuple[int, Object]:
        body: Object = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "stream": stream,
        }
        headers = {"Host": HOSTS[model]}
        credential = KEYS["gpt"] if self.defect == "the other's key" else KEYS[model]
        headers |= {"Authorization": f"Bearer {credential}"} if model == "gpt" else {"x-api-key": credential}
        headers |= {"x-gateway-inference-fairness-id": "someone"} if self.defect == "tells by header" else {}
        body |= {"cache_salt": "someone"} if self.defect == "tells by salt" else {}
        body |= extra if self.defect == "tells the user" else {}
        plain = socket.create_connection(("127.0.0.1", self._port), 5)
        connection = http.client.HTTPConnection(HOSTS[model])
        connection.sock = self._context.wrap_socket(plain, server_hostname=HOSTS[model])
        try:
            connection.request("POST", PATHS[model], json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, read(answer.read().decode(), stream=stream)
        finally:
            connection.close()


def read(text: str, *, stream: bool) -> Object:
    """The usage, as a client adds it up."""
    if not stream:
        return t.cast("Object", json.loads(text))
    usage: Object = {}
    for line in text.splitlines():
        if line.startswith("data: {"):
            event = json.loads(line.removeprefix("data: "))
            usage |= (event.get("message") or {}).get("usage") or {}
            usage |= event.get("usage") or {}
    return {"usage": usage}
