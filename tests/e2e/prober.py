# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A tenant that asks a model again and again while something is done to the platform."""

from __future__ import annotations

import base64
import json
import threading
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

import urllib3

from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._portforward import PortForwardError, forward_service

if t.TYPE_CHECKING:
    import pathlib

GATEWAY = "llm-gateway"
PAUSE = 0.5


@dataclass
class Answers:
    """(seconds since the beginning, status); 0 stands for no answer at all. `said` is what came with the others."""

    seen: list[tuple[float, int]] = field(default_factory=list)
    said: set[str] = field(default_factory=set)

    @property
    def refused(self) -> list[tuple[float, int]]:
        return [entry for entry in self.seen if entry[1] != 200]

    @property
    def outage(self) -> float:
        """From the first request that was not answered to the first answer after the last of them."""
        if not self.refused:
            return 0.0
        last = self.refused[-1][0]
        after = [when for when, status in self.seen if status == 200 and when > last]
        return round((after[0] if after else last) - self.refused[0][0], 1)

    def __str__(self) -> str:
        codes = sorted({status for _when, status in self.refused})
        refused = f"{len(self.refused)} not answered ({', '.join(map(str, codes))}) within {self.outage} s"
        summary = f"{len(self.seen)} requests, {refused if self.refused else 'all answered'}"
        return "\n".join([summary, *sorted(self.said)])


@dataclass(frozen=True)
class Tenant:
    """A key as its Secret has it, and the way to the gateway through the API server."""

    kubeconfig: pathlib.Path
    namespace: str
    secret: str
    model: str

    def ask(self) -> tuple[int, str]:
        """The status and, unless it is 200, the text of one small completion, over a connection of its own."""
        options = {"kubeconfig": str(self.kubeconfig)}
        client = KubeClient.from_options(options)
        held = client.get(Ref("", "v1", "Secret", self.namespace, self.secret))
        assert held, f"there is no Secret {self.namespace}/{self.secret}"
        key = base64.b64decode(held["data"]["OPENAI_API_KEY"]).decode()
        body = {"model": self.model, "max_tokens": 4, "messages": [{"role": "user", "content": "ping"}]}
        try:
            with forward_service(client, options, GATEWAY, "litellm", 4000) as running, urllib3.PoolManager() as pool:
                answer = pool.request(
                    "POST",
                    f"{running.url}/v1/chat/completions",
                    body=json.dumps(body),
                    headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
                    timeout=20,
                    retries=False,
                )
        except (PortForwardError, urllib3.exceptions.HTTPError) as error:
            return 0, str(error)
        return answer.status, "" if answer.status == 200 else answer.data.decode(errors="replace")

    def settled(self, seconds: float = 60.0) -> int:
        """The status once it is 200, or the last one in time."""
        until = time.monotonic() + seconds
        while (status := self.ask()[0]) != 200 and time.monotonic() < until:
            time.sleep(PAUSE)
        return status

    @contextmanager
    def asking(self) -> t.Iterator[Answers]:
        """Asks in the background until the block ends."""
        answers, stop, began = Answers(), threading.Event(), time.monotonic()

        def work() -> None:
            while not stop.wait(PAUSE):
                asked = time.monotonic() - began
                status, text = self.ask()
                answers.seen.append((asked, status))
                answers.said |= {text} - {""}

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield answers
        finally:
            stop.set()
            thread.join(timeout=30)
