# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's management API on one connection pool: errors, retries, lists. Private to the collection.

Lists come in pages of 100, LiteLLM's largest: 1,000 teams are 10 calls, 3,000 keys 30. `/team/list` has teams and keys
in one answer, but asks the database once a team and takes three times as long.
"""

from __future__ import annotations

import json
import re
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Query, encode_query

try:
    import urllib3
except ImportError:  # said by LiteLLM, so that the rest of the collection can be imported without it
    urllib3 = None  # type: ignore[assignment]

CONNECTIONS: t.Final = 8
PAGE: t.Final = 100
_ATTEMPTS: t.Final = 4
_PAUSE: t.Final = 0.25
_READINGS: t.Final = 5
# Refused before anything was done. A gateway in between says 502 and 504 also when it lost the answer.
_BUSY: t.Final = frozenset({429, 503})
_TRANSIENT: t.Final = frozenset({429, 502, 503, 504})
# Under load LiteLLM's transactions run out of time. A read that fails with 500 fails again.
_TRANSIENT_WRITE: t.Final = _TRANSIENT | {500}

Json = t.Any
Row = dict[str, t.Any]
T = t.TypeVar("T")
R = t.TypeVar("R")


class LiteLLMError(Exception):
    """The gateway could not be reached, or refused; the text says what was asked, what came back and what to do."""


class UnreachableError(LiteLLMError):
    """No answer came. What was asked may have been done all the same."""


class RefusedError(LiteLLMError):
    """An answer came, and it is an error."""

    def __init__(self, method: str, path: str, status: int, message: str, where: str) -> None:
        self.status = status
        self.message = message
        hint = ""
        if status == 401:
            hint = "; the master key was refused: does its Secret hold the key the gateway started with?"
        elif status == 503:
            hint = "; is the gateway's database up?"
        super().__init__(f"{method} {path} at {where} was refused with {status}: {message}{hint}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status. A body that is no JSON is its text."""

    status: int
    json: Json
    headers: t.Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 0.0


class LiteLLM:
    """One gateway, the holder of its master key. Thread-safe."""

    def __init__(
        self,
        url: str,
        master_key: str,
        *,
        where: str = "",
        timeout: float = 60.0,
        causes: t.Sequence[str] = (),
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        if urllib3 is None:
            raise LiteLLMError(missing_required_lib("urllib3"))
        self.url = url.rstrip("/")
        self.where = where or self.url
        self.calls = 0
        self._lock = threading.Lock()
        self._causes = causes
        self._sleep = sleep
        self._skew = 0.0
        # A closure, so that no repr or dump of this object can show it.
        self._master: t.Callable[[], str] = lambda: master_key
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS * 2, retries=False, timeout=urllib3.Timeout(connect=min(10.0, timeout), read=timeout)
        )

    def __repr__(self) -> str:
        return f"LiteLLM({self.where!r})"

    def send(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        query: Query | None = None,
        key: str | None = None,
        headers: t.Mapping[str, str] | None = None,
        retry: bool = True,
        repeatable: bool | None = None,
    ) -> Reply:
        """Ask as the holder of the master key, or of `key` ('' is nobody).

        What surely was not done is tried again, and what may have been if doing it twice is no harm (`repeatable`).
        """
        repeatable = method == "GET" if repeatable is None else repeatable
        transient = _BUSY if not repeatable else _TRANSIENT if method == "GET" else _TRANSIENT_WRITE
        sent = {"accept": "application/json", "user-agent": "llm-platform", **(headers or {})}
        token = self._master() if key is None else key
        if token:
            sent["authorization"] = f"Bearer {token}"
        data: bytes | None = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
            sent.setdefault("content-type", "application/json")
        attempts = _ATTEMPTS if retry else 1
        for attempt in range(1, attempts + 1):
            try:
                reply = self._once(method, path + encode_query(query), data, sent)
            except UnreachableError as exc:
                if attempt == attempts or not (repeatable or isinstance(exc.__cause__, _unsent())):
                    raise
            else:
                if attempt == attempts or reply.status not in transient:
                    return reply
            self._sleep(_PAUSE * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def request(self, method: str, path: str, body: Json = None, **options: t.Any) -> tuple[int, Json]:
        """Like send, but only status and body."""
        reply = self.send(method, path, body, **options)
        return reply.status, reply.json

    def checked(self, method: str, path: str, body: Json = None, **options: t.Any) -> Json:
        """Like send, but an error is raised and the body alone comes back."""
        reply = self.send(method, path, body, **options)
        if reply.status >= 400:
            raise RefusedError(method, path, reply.status, _message(reply.json), self.where)
        return reply.json

    def _once(self, method: str, target: str, data: bytes | None, headers: t.Mapping[str, str]) -> Reply:
        began = time.monotonic()
        with self._lock:
            self.calls += 1
        try:
            answer = self._pool.request(method, self.url + target, body=data, headers=dict(headers), redirect=False)
        except urllib3.exceptions.HTTPError as exc:
            causes = "; ".join(dict.fromkeys(self._causes))
            # urllib3's message begins with its connection object; the cause comes last.
            last = redact(str(exc).rsplit(": ", 1)[-1])
            raise UnreachableError(
                f"{method} {target.partition('?')[0]}: no answer from LiteLLM at {self.where} ({causes or last}); "
                f"are its pods ready?"
            ) from exc
        if date := answer.headers.get("date"):
            self._skew = parsedate_to_datetime(date).timestamp() - time.time()
        try:
            body: Json = json.loads(answer.data) if answer.data else None
        except ValueError:
            body = answer.data.decode("utf-8", "replace")
        return Reply(answer.status, body, answer.headers, time.monotonic() - began)

    def now(self) -> datetime:
        """The time as the gateway knows it: it is what expires its keys."""
        return datetime.fromtimestamp(time.time() + self._skew, UTC)

    def version(self) -> str:
        found = self.checked("GET", "/health/readiness/details")
        version = found.get("litellm_version") if isinstance(found, dict) else None
        if not version:
            raise LiteLLMError(f"{self.where} does not say its version on /health/readiness/details; is it LiteLLM?")
        return str(version)

    def models(self) -> list[Row]:
        return t.cast("list[Row]", self.checked("GET", "/v1/model/info").get("data") or [])

    def teams(self) -> list[Row]:
        return self._pages(
            "/v2/team/list", "team_id", "teams", "total", lambda n: {"page": n, "page_size": PAGE, "sort_by": "team_id"}
        )

    def keys(self, team_id: str | None = None) -> list[Row]:
        """All keys with all their fields. `token` is the SHA-256 of the key's value, which nobody can ask for."""

        def query(number: int) -> dict[str, t.Any]:
            return {"page": number, "size": PAGE, "return_full_object": True, "team_id": team_id}

        try:
            return self._pages("/key/list", "token", "keys", "total_count", query)
        except RefusedError as exc:
            if exc.status != 500:
                raise
            # One key whose metadata was set to null makes this list fail for all (1.108.7); by team they still come.
            found = self.checked("GET", "/team/list")
            return [key for team in found for key in team["keys"] if team_id in (None, key["team_id"])]

    def key(self, token: str) -> Row | None:
        """One key by its hash: a list of many pages may miss a row when others come and go meanwhile."""
        found = self.checked("GET", "/key/list", query={"key_hash": token, "return_full_object": True})
        return t.cast("Row", found["keys"][0]) if found["keys"] else None

    def _pages(
        self, path: str, identity: str, items: str, total: str, query: t.Callable[[int], dict[str, t.Any]]
    ) -> list[Row]:
        """Every page, those after the first in parallel. When rows came or went in between, all is read again.

        Where others never stop making rows, what all readings together have seen must do: a row that was there all the
        time is missed by each of them only if it crossed from page to page in each.
        """
        seen: dict[str, Row] = {}
        for _attempt in range(_READINGS):
            first = self.checked("GET", path, query=query(1))
            if not isinstance(first, dict) or not isinstance(first.get(items), list) or total not in first:
                raise LiteLLMError(f"GET {path} at {self.where} answered without `{items}`; is it LiteLLM 1.108?")
            rest = parallel(
                lambda number: self.checked("GET", path, query=query(number)), range(2, int(first["total_pages"]) + 1)
            )
            rows = {str(row[identity]): row for page in (first, *rest) for row in page[items]}
            if len(rows) == first[total] and all(page[total] == first[total] for page in rest):
                return list(rows.values())
            seen |= rows
        return list(seen.values())


def maybe_done(exc: LiteLLMError) -> bool:
    """Whether a creation that failed so may have been carried out: no answer, or an answer to something else.

    Under load /team/new writes the row, runs out of time after it and says 500, or 404 for its own new team.
    """
    return not isinstance(exc, RefusedError) or exc.status >= 500 or exc.status == 404


def parallel(function: t.Callable[[T], R], items: t.Iterable[T]) -> list[R]:  # noqa: UP047 - as Query of _transport
    """As many at a time as the pool has connections; the first error is raised after all have ended."""
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="litellm") as pool:
        return list(pool.map(function, items))


def redact(text: str) -> str:
    """Without what looks like a key: LiteLLM quotes what it was sent."""
    return re.sub(r"sk-[A-Za-z0-9_\-]{6,}", "sk-***", text)


def _unsent() -> tuple[type[BaseException], ...]:
    """Errors that come before anything was sent."""
    return (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


def _message(body: Json) -> str:
    error = body.get("error", body.get("detail", body)) if isinstance(body, dict) else body
    message = error.get("message", error) if isinstance(error, dict) else error
    return redact(str(message))[:500]
