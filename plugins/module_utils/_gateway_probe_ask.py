# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks one gateway many things and notes how each was answered. Private to the collection.

It needs nothing but the standard library, because its text also runs in pods that have nothing else. It sends paths as
they are: a client library would tidy up just those that are tried here.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import sys
import threading
import time
import typing as t

Attempt = t.Sequence[t.Any]
"""Method, path and body (None for none)."""
Verdict = list[t.Any]
"""Status (0 when nothing answered) and the error's code, or what went wrong."""

Connect = t.Callable[[], http.client.HTTPConnection]

THREADS: t.Final = 8
LONGEST_ANSWER: t.Final = 1 << 20
PATIENCE: t.Final = 60
"""How often a client that was too fast waits and asks again."""


def ask_all(
    host: str, port: int, key: str, attempts: t.Sequence[Attempt], *, timeout: float = 30.0, patience: int = PATIENCE
) -> list[Verdict]:
    """The verdicts in the order of the attempts."""
    return ask_over(lambda: http.client.HTTPConnection(host, port, timeout=timeout), key, attempts, patience)


def ask_over(connect: Connect, key: str, attempts: t.Sequence[Attempt], patience: int = PATIENCE) -> list[Verdict]:
    """The same over connections of the caller's."""
    verdicts: list[Verdict] = [[0, "not asked"]] * len(attempts)
    numbers = iter(range(len(attempts)))
    lock = threading.Lock()

    def work() -> None:
        connection = connect()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                connection.close()
                return
            verdicts[number] = ask(connection, key, attempts[number], patience)

    threads = [threading.Thread(target=work, daemon=True) for _one in range(min(THREADS, len(attempts)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


def ask(connection: http.client.HTTPConnection, key: str, attempt: Attempt, patience: int = PATIENCE) -> Verdict:
    method, path, body = attempt
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": "Bearer " + key} if key else {}
    if data is not None:
        headers["content-type"] = "application/json"
    # A server may close a connection that waited; that says nothing about the attempt.
    broken = 0
    while True:
        try:
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            text, wait = answer.read(LONGEST_ANSWER), answer.headers.get("retry-after", "")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            broken += 1
            if broken == 2:
                return [0, type(error).__name__ + ": " + str(error)[:100]]
            continue
        if answer.status == 429 and wait.isdigit() and patience > 0:
            patience -= 1
            time.sleep(min(int(wait), 5))
            continue
        return [answer.status, code_of(text)]


def code_of(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    error = found.get("error") if isinstance(found, dict) else None
    return str(error.get("code") or "") if isinstance(error, dict) else ""


def main() -> None:
    """In a pod: wait until the gateway can be reached (policies act a moment after a pod's start), then ask all."""
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    attempts = json.loads(pathlib.Path(os.environ["ATTEMPTS"]).read_text(encoding="utf-8"))
    until = time.monotonic() + float(os.environ["SECONDS"])
    patience = int(os.environ.get("PATIENCE") or PATIENCE)
    while True:
        first = ask_all(host, port, os.environ["KEY"], attempts[:1], patience=patience)[0]
        if first[0] or time.monotonic() > until:
            break
        time.sleep(0.2)
    verdicts = ask_all(host, port, os.environ["KEY"], attempts, patience=patience) if first[0] else [first]
    sys.stdout.write(f"{json.dumps(verdicts)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
