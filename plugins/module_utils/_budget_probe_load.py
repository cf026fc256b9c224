# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests as a client sends them, many at once or on and on, and how each ended. Private to the collection."""

from __future__ import annotations

import json
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

try:
    import urllib3
except ImportError:  # said by Client, so that the rest of the collection can be imported without it
    urllib3 = None  # type: ignore[assignment]

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_judge import BUDGET, LEFT, Shot
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_table import AFTER
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError

_BROKEN: t.Final = "connection broke"
_TYPE_LENGTH: t.Final = 40


class Client:
    """One replica. Thread-safe. Nothing is tried twice: a probe sees what a client sees."""

    def __init__(self, name: str, url: str, *, timeout: float = 60.0, connections: int = 64) -> None:
        if urllib3 is None:
            raise ProbeError("the Python package urllib3 is needed; install it for the interpreter of this host")
        self.name = name
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False)

    def post(
        self, path: str, body: t.Mapping[str, t.Any], key: str, *, leave: str = "", patience: float | None = None
    ) -> str:
        """How it ended: a status with the error's type, or that the client went away as it meant to.

        Who leaves does so after the first piece of a stream, or after `patience` seconds of waiting for an answer.
        """
        waits = patience if leave and leave != AFTER and patience else self._timeout
        try:
            response = self._pool.request(
                "POST",
                self._url + path,
                body=json.dumps(body),
                headers={"content-type": "application/json", "authorization": f"Bearer {key}"},
                preload_content=False,
                timeout=urllib3.Timeout(connect=10.0, read=waits),
            )
        except urllib3.exceptions.ReadTimeoutError:
            return LEFT if leave else "no answer in time"
        except urllib3.exceptions.HTTPError:
            return _BROKEN
        try:
            if response.status == 200 and leave == AFTER:
                response.read1()
                response.close()
                return LEFT
            text = response.read().decode("utf-8", "replace")
        except urllib3.exceptions.ReadTimeoutError:
            return LEFT if leave else "no answer in time"
        except urllib3.exceptions.HTTPError:
            return _BROKEN
        finally:
            response.release_conn()
        return verdict(response.status, text)


def verdict(status: int, text: str) -> str:
    """Status and type of an error. The sentence beside them may quote the key, so it is only looked into."""
    if status == 200:
        # An error after the first piece of a stream can no longer change the status.
        return "200" if '"error"' not in text[:200] or '"choices"' in text else "200 with an error"
    try:
        error = json.loads(text)
        error = error.get("error", error.get("detail", error)) if isinstance(error, dict) else {}
        kind = str(error.get("type") or error.get("code") or "") if isinstance(error, dict) else ""
    except ValueError:
        kind = ""
    if BUDGET in text.lower() and BUDGET not in kind and "enforcement unavailable" not in text.lower():
        kind = f"{BUDGET} {kind}".strip()
    return f"{status} {kind[:_TYPE_LENGTH]}".strip()


T = t.TypeVar("T")


def at_once(shots: t.Sequence[t.Callable[[], T]], parallel: int) -> list[T]:  # noqa: UP047
    """All of them, as many at a time as wanted; their results in the order given."""
    with ThreadPoolExecutor(min(parallel, len(shots))) as pool:
        return [future.result() for future in [pool.submit(shot) for shot in shots]]


class Load:
    """Requests of several kinds to every replica, on and on until the block ends."""

    def __init__(self, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._shots: list[Shot] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_args: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def now(self) -> float:
        return self._clock() - self._began

    def add(self, kind: str, replica: str, send: t.Callable[[], str], *, pause: float, workers: int = 1) -> None:
        for _worker in range(workers):
            thread = threading.Thread(target=self._run, args=(kind, replica, send, pause), daemon=True)
            self._threads.append(thread)
            thread.start()

    def shots(self) -> list[Shot]:
        with self._lock:
            return list(self._shots)

    def _run(self, kind: str, replica: str, send: t.Callable[[], str], pause: float) -> None:
        while not self._stop.is_set():
            began = self.now()
            ended = send()
            with self._lock:
                self._shots.append(Shot(kind, replica, began, self.now(), ended))
            self._stop.wait(pause)
