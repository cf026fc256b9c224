# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Ask an OpenAI-compatible server and measure how the answer arrives. Private to the collection."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass, field

try:
    import urllib3
except ImportError:  # said by ChatClient, so that the rest of the collection can be imported without it
    urllib3 = None  # type: ignore[assignment]

_BODY_IN_ERRORS = 200


class ChatError(Exception):
    """The server could not be reached or broke the protocol."""


@dataclass(slots=True)
class Answer:
    """What came back for one chat completion. Times are seconds from sending the request."""

    status: int
    id: str = ""
    error: str = ""
    error_type: str = ""
    text: str = ""
    finish_reason: str = ""
    usage: dict[str, t.Any] = field(default_factory=dict)
    first_token: float | None = None
    gaps: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def completion_tokens(self) -> int:
        value = self.usage.get("completion_tokens")
        return value if isinstance(value, int) else 0

    @property
    def prompt_tokens(self) -> int:
        value = self.usage.get("prompt_tokens")
        return value if isinstance(value, int) else 0


class EventReader:
    """The `data` of server-sent events out of bytes that may break anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> t.Iterator[str]:
        self._rest += chunk
        *lines, self._rest = self._rest.split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
            if not line and self._data:
                yield "\n".join(self._data)
                self._data = []
            elif line.startswith("data:"):
                self._data.append(line[5:].removeprefix(" "))


class ChatClient:
    """One server, one model. Thread-safe: every request uses a connection of the pool."""

    def __init__(self, url: str, model: str, *, timeout: float = 60.0, connections: int = 64) -> None:
        if urllib3 is None:
            raise ChatError(
                "the Python package urllib3 is needed to ask a model; install it for the interpreter of this host"
            )
        self._url = url.rstrip("/")
        self._model = model
        # No retries: a probe must see what a client sees.
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            retries=False,
            timeout=urllib3.Timeout(connect=min(10.0, timeout), read=timeout),
        )

    def chat(
        self,
        prompt: str,
        *,
        key: str | None,
        max_tokens: int,
        full_length: bool = False,
        model: str | None = None,
        stream: bool = True,
        leave_after: int | None = None,
        heard: t.Callable[[], None] = lambda: None,
        extra: t.Mapping[str, t.Any] | None = None,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> Answer:
        """One completion; a refusal is an Answer with its status, a broken connection a ChatError.

        With full_length the model goes on after its natural end until max_tokens (an extension of vLLM). With
        leave_after the client hangs up after that many pieces of a stream; `heard` is called at the first.
        """
        body: dict[str, t.Any] = {
            "model": model or self._model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "temperature": 0,
            **(extra or {}),
        }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if full_length:
            body["ignore_eos"] = True
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if stream else "application/json",
        }
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        path = "/v1/chat/completions"
        began = clock()
        try:
            response = self._pool.request(
                "POST", self._url + path, body=json.dumps(body), headers=headers, preload_content=False
            )
            try:
                answer = Answer(status=response.status)
                if response.status != 200:
                    _take_error(response.read(), answer)
                elif stream:
                    self._read_stream(response, answer, lambda: clock() - began, (heard, leave_after))
                else:
                    self._read_whole(response, answer)
                answer.seconds = clock() - began
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as exc:
            raise ChatError(f"POST {path} for model {body['model']!r}: {exc}") from exc
        return answer

    def _read_whole(self, response: urllib3.BaseHTTPResponse, answer: Answer) -> None:
        raw = response.read()
        try:
            found = json.loads(raw)
            answer.text = "".join(choice["message"]["content"] or "" for choice in found["choices"])
            answer.finish_reason = found["choices"][0].get("finish_reason") or ""
        except (ValueError, LookupError, TypeError) as exc:
            raise ChatError(f"model {self._model!r} answered something that is no completion: {raw[:80]!r}") from exc
        answer.id = str(found.get("id") or "")
        answer.usage = found.get("usage") or {}

    def _read_stream(
        self,
        response: urllib3.BaseHTTPResponse,
        answer: Answer,
        elapsed: t.Callable[[], float],
        listener: tuple[t.Callable[[], None], int | None],
    ) -> None:
        heard, leave_after = listener
        events = EventReader()
        before: float | None = None
        done = False
        while chunk := response.read1():
            now = elapsed()
            for data in events.feed(chunk):
                if data == "[DONE]":
                    done = True
                    continue
                content = self._take(data, answer)
                if not content:
                    continue
                if before is None:
                    answer.first_token = now
                    heard()
                else:
                    answer.gaps.append(now - before)
                before = now
                if leave_after is not None and len(answer.gaps) + 1 >= leave_after:
                    response.close()
                    return
        if not done:
            answer.error = "the stream ended without [DONE]"

    def _take(self, data: str, answer: Answer) -> str:
        try:
            event = json.loads(data)
        except ValueError as exc:
            raise ChatError(f"model {self._model!r} streamed something that is no JSON: {data[:80]!r}") from exc
        answer.id = answer.id or str(event.get("id") or "")
        if error := event.get("error"):
            answer.error = str(error)[:_BODY_IN_ERRORS]
        if event.get("usage"):
            answer.usage = event["usage"]
        text = ""
        for choice in event.get("choices") or ():
            text += (choice.get("delta") or {}).get("content") or ""
            answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
        answer.text += text
        return text

    def get(self, path: str, *, key: str | None = None) -> tuple[int, str]:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        try:
            response = self._pool.request("GET", self._url + path, headers=headers, retries=retries_of("GET"))
        except urllib3.exceptions.HTTPError as exc:
            raise ChatError(f"GET {path}: {exc}") from exc
        return response.status, response.data.decode("utf-8", "replace")

    def version(self) -> tuple[str, bool]:
        """The server's version and whether it says that it is a simulator."""
        status, text = self.get("/version")
        try:
            found = json.loads(text) if status == 200 else {}
        except ValueError:
            found = {}
        if not isinstance(found, dict):
            found = {}
        return str(found.get("version") or "unknown"), "simulat" in text.lower()

    def gauges(self, names: t.Collection[str]) -> dict[str, float]:
        """Sums of gauges in the server's /metrics; a metric that is not there is missing from the result."""
        status, text = self.get("/metrics")
        if status != 200:
            raise ChatError(f"GET /metrics gave status {status}")
        return read_gauges(text, names)


def retries_of(method: str) -> t.Any:
    """A look may be repeated, for a server may close a pooled connection in the very moment it is used."""
    return urllib3.Retry(None, connect=0, read=1, status=0, redirect=False) if method == "GET" else False


def _take_error(raw: bytes, answer: Answer) -> None:
    answer.error = raw.decode("utf-8", "replace")[:_BODY_IN_ERRORS]
    try:
        error = json.loads(raw)["error"]
        answer.error_type = str(error.get("type") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        answer.error_type = ""


def read_gauges(text: str, names: t.Collection[str]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for line in text.splitlines():
        name, _brace, _labels = line.partition("{")
        name = name.split(" ", 1)[0]
        if name in names:
            # A sample line may end with a timestamp; the value follows the closing brace of the labels.
            value = line.rpartition("}")[2].split() if "{" in line else line.split()[1:]
            sums[name] = sums.get(name, 0.0) + float(value[0])
    return sums
