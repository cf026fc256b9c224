# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks a gateway as an OpenAI client does, and reads its errors. Private to the collection."""

from __future__ import annotations

import json
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import retries_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError

try:
    import urllib3
except ImportError:  # said by Asker, so that the rest of the collection can be imported without it
    urllib3 = None  # type: ignore[assignment]

CHAT: t.Final = "/v1/chat/completions"
SHOWN: t.Final = 200
"""Characters of an answer that a fault shows."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the gateway or of what is behind it."""

    status: int
    headers: t.Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def json(self) -> dict[str, t.Any]:
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def error_faults(self, status: int, code: str, *, retry: bool = False) -> list[str]:
        """What keeps this from being the error that an OpenAI client understands."""
        if self.status != status:
            return [f"status {self.status} instead of {status}: {self.text[:SHOWN]}"]
        faults = []
        error = self.json.get("error")
        if not isinstance(error, dict) or not error.get("message") or not error.get("type"):
            faults.append(f"no error in OpenAI's form: {self.text[:SHOWN]!r}")
        elif error.get("code") != code:
            faults.append(f"code {error.get('code')!r} instead of {code!r}")
        if not self.headers.get("content-type", "").startswith("application/json"):
            faults.append(f"content type {self.headers.get('content-type')!r}")
        if retry and not self.headers.get("retry-after", "").isdigit():
            faults.append(f"Retry-After is {self.headers.get('retry-after')!r}")
        return faults


def chat_body(model: str, prompt: str, *, marker: str = "", max_tokens: int = 1, **extra: t.Any) -> dict[str, t.Any]:
    """A request for a completion; the marker stands where no server makes anything of it but its log."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": max_tokens, **extra}
    return {**body, "user": marker} if marker else body


class Asker:
    """One server behind a URL; what is posted goes out once, for a probe must see what a client sees."""

    def __init__(self, url: str, key: str | None = None, timeout: float = 30.0, connections: int = 8) -> None:
        if urllib3 is None:
            raise ProbeError("the Python package urllib3 is needed; install it for the interpreter of this host")
        self.url = url.rstrip("/")
        # A closure, so that no repr of this object can show it.
        self._headers: t.Callable[[], dict[str, str]] = lambda: {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = urllib3.Timeout(connect=10.0, read=timeout)
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False)

    def ask(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        patience: float | None = None,
        more: t.Mapping[str, str] | None = None,
    ) -> Reply:
        """One answer; status 0 where none came within `patience` seconds, if there is such a bound."""
        headers = {**self._headers(), **(more or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            found = self._pool.request(
                method,
                self.url + path,
                body=None if body is None else json.dumps(body),
                headers=headers,
                retries=retries_of(method),
                timeout=patience or self._timeout,
            )
        except urllib3.exceptions.ReadTimeoutError as exc:
            if patience is None:
                raise ProbeError(f"{method} {path}: {exc}") from exc
            return Reply(0)
        except urllib3.exceptions.HTTPError as exc:
            raise ProbeError(f"{method} {path}: {exc}") from exc
        headers = {name.lower(): value for name, value in found.headers.items()}
        return Reply(found.status, headers, found.data.decode("utf-8", "replace"))

    def chat(
        self,
        path: str,
        body: t.Mapping[str, t.Any],
        patience: float | None = None,
        more: t.Mapping[str, str] | None = None,
    ) -> Reply:
        return self.ask("POST", path + CHAT, body, patience, more)

    def first_token(
        self, path: str, body: t.Mapping[str, t.Any], headers: t.Mapping[str, str]
    ) -> tuple[Reply, float | None]:
        """A streamed answer to its end, and after how many seconds its first token came; none for a refusal."""
        sent = {**self._headers(), **headers, "Content-Type": "application/json"}
        first: float | None = None
        began = time.monotonic()
        try:
            found = self._pool.request(
                "POST",
                self.url + path + CHAT,
                body=json.dumps({**body, "stream": True}),
                headers=sent,
                timeout=self._timeout,
                preload_content=False,
            )
            text = b""
            for piece in found.stream(65536):
                text += piece
                if first is None and found.status == 200 and b'"content":"' in text.replace(b": ", b":"):
                    first = time.monotonic() - began
            found.release_conn()
        except urllib3.exceptions.HTTPError as exc:
            raise ProbeError(f"POST {path + CHAT}: {exc}") from exc
        heard = {name.lower(): value for name, value in found.headers.items()}
        return Reply(found.status, heard, text.decode("utf-8", "replace")), first

    @contextmanager
    def held(self, bodies: t.Sequence[t.Mapping[str, t.Any]], path: str = "") -> t.Iterator[None]:
        """Requests that are sent, one connection each, and left alone until the block ends; then they are given up."""
        place = urlsplit(self.url)
        connections: list[HTTPConnection] = []
        try:
            for body in bodies:
                connection = HTTPConnection(place.hostname or "", place.port or 80, timeout=10.0)
                connections.append(connection)
                headers = {**self._headers(), "Content-Type": "application/json"}
                connection.request("POST", place.path + path + CHAT, json.dumps(body), headers)
            yield
        except OSError as exc:
            raise ProbeError(f"POST {path + CHAT}: {exc}") from exc
        finally:
            for connection in connections:
                connection.close()
