# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""One team, its keys and their Secrets, to run litellm_key on; also runs that end in the middle of a write."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLM, Reply
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key import (
    KeyOptions,
    KeyReport,
    reconcile_keys,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_input import read_keys
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import KeySecrets, token_of
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_litellm import (
    MASTER,
    FakeLiteLLM,
    FakeSecrets,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

Row = dict[str, t.Any]
URL = "http://litellm.llm-gateway:4000/v1"
ROUTES = ["/v1/chat/completions", "/v1/models"]


class CrashError(BaseException):
    """The process is gone; nothing in the code under test may catch it."""


class Fuse:
    """Burns at the n-th write, before or after the write has been done."""

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        self.left = at
        self.after = after

    def write(self, work: t.Callable[[], t.Any]) -> t.Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise CrashError
        answer = work()
        if self.left == 0:
            raise CrashError
        return answer


class FusedLiteLLM(LiteLLM):
    """A client whose process may end."""

    fuse = Fuse()

    def send(self, method: str, path: str, body: t.Any = None, **options: t.Any) -> Reply:
        def work() -> Reply:
            return super(FusedLiteLLM, self).send(method, path, body, **options)

        return t.cast("Reply", self.fuse.write(work)) if method == "POST" else work()


class FusedSecrets(FakeSecrets):
    fuse = Fuse()

    def request(self, method: str, path: str, **options: t.Any) -> Response:
        def work() -> Response:
            return super(FusedSecrets, self).request(method, path, **options)

        return t.cast("Response", self.fuse.write(work)) if method != "GET" else work()


def entry(name: str = "app", **given: t.Any) -> Row:
    rotation = {"generation": 1, "after": None, "overlap_seconds": 0, **given.pop("rotation", {})}
    defaults: Row = {
        "team": "acme",
        "name": name,
        "secret": {"namespace": "tenant-acme", "name": None},
        "models": [],
        "budget_usd": 1.0,
        "budget_period": "30d",
        "rpm": 5,
        "tpm": None,
        "parallel": 4,
        "unlimited": [],
        "expires": "30d",
        "state": "present",
    }
    return {**defaults, "rotation": rotation, **given}


class World:
    """A gateway with one team, a cluster with one namespace."""

    def __init__(self, gateway: FakeLiteLLM) -> None:
        self.gateway = gateway
        self.secrets = FusedSecrets("tenant-acme")
        self.calls = 0
        gateway.post_team_new({"team_id": "acme"})

    def run(
        self,
        *entries: Row,
        check: bool = False,
        extra: str = "block",
        longest: str | None = None,
        fuse: Fuse | None = None,
        teams: t.Sequence[str] = ("acme",),
        environment: str = "prod",
    ) -> KeyReport:
        params = {
            "environment": environment,
            "keys": list(entries),
            "max_lifetime": longest,
            "allowed_routes": ROUTES,
        }
        keys, limit = read_keys(params)
        llm = FusedLiteLLM(self.gateway.url, MASTER, sleep=lambda _seconds: None)
        llm.fuse = self.secrets.fuse = fuse or Fuse()
        options = KeyOptions(environment, URL, frozenset(teams), extra, limit, check)
        report = reconcile_keys(llm, KeySecrets(self.secrets.client), keys, options)
        self.calls = llm.calls
        return report

    def make(self, *entries: Row) -> None:
        report = self.run(*entries)
        assert not report.errors

    def data(self, name: str = "llm-key-app") -> dict[str, str]:
        data = self.secrets.secrets[("tenant-acme", name)]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def row(self, name: str = "llm-key-app") -> Row:
        """The key whose value is in the Secret."""
        return self.gateway.keys[token_of(self.data(name)["OPENAI_API_KEY"])]

    def held(self) -> set[str]:
        """Hashes of all values that are in Secrets."""
        return {
            token_of(base64.b64decode(value).decode())
            for secret in self.secrets.secrets.values()
            for name, value in secret["data"].items()
            if name in ("OPENAI_API_KEY", "PENDING_API_KEY")
        }

    def works(self, name: str = "llm-key-app") -> bool:
        place = self.secrets.secrets.get(("tenant-acme", name))
        value = self.data(name).get("OPENAI_API_KEY") if place else None
        return bool(value) and self.gateway.usable(token_of(value or ""))


def done(report: KeyReport) -> list[tuple[str, str]]:
    assert not report.errors
    return [(item["name"], item["action"]) for item in report.keys]
