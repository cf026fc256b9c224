# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the model did for each team, read from its log of requests while the attacks run. Private to the collection."""

from __future__ import annotations

import json
import re
import threading
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import GUEST

LOG: t.Final = "/simulator/requests"
_TEAM: t.Final = re.compile(rf"{GUEST}[0-9a-f]+-[0-9a-f]+-[0-9]+")
_LIMITS: t.Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Work:
    """One request as the model received it. `time` is the model's clock."""

    team: str
    time: float
    prompt_tokens: int
    generated_tokens: int
    allowed_tokens: int | None
    finished: t.Sequence[str | None]

    @property
    def done(self) -> bool:
        return None not in self.finished

    @property
    def aborted(self) -> bool:
        return "abort" in self.finished

    @classmethod
    def of(cls, entry: t.Mapping[str, t.Any]) -> Work | None:
        """The request in the log when a team of ours sent it: its name stands in the prompt and in the headers."""
        found = _TEAM.search(json.dumps([entry.get("body"), entry.get("headers")]))
        if not found:
            return None
        raw = entry.get("body")
        body: t.Mapping[str, t.Any] = raw if isinstance(raw, dict) else {}
        outcome = entry["outcome"]
        choices = _whole(body, "n") or 1
        limit = next((value for value in (_whole(body, name) for name in _LIMITS) if value is not None), None)
        sequences = len(outcome["finished"])
        return cls(
            found[0],
            float(entry["time"]),
            # Every choice has the prompt again in the engine, and it is billed once.
            int(outcome["prompt_tokens"]) // choices,
            int(outcome["generated_tokens"]),
            None if limit is None else limit * max(sequences, 1),
            tuple(outcome["finished"]),
        )


def _whole(body: t.Mapping[str, t.Any], name: str) -> int | None:
    value = body.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class ModelLog:
    """Follows the newest entries of every pod's log. It holds only so many, so it is read all the time."""

    def __init__(self, pods: t.Sequence[ChatClient], key: str | None, *, pause: float = 0.4) -> None:
        self._pods = pods
        self._key = key
        self._pause = pause
        self._work: dict[tuple[int, int], Work] = {}
        self._newest: dict[int, int] = {}
        self._lost = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._error = ""

    def __enter__(self) -> t.Self:
        # What is there already belongs to others.
        for number, pod in enumerate(self._pods):
            self._newest[number] = max((int(entry["number"]) for entry in self._entries(pod)), default=0)
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._stop.set()
        self._thread.join()

    def of(self, team: str) -> list[Work]:
        self.look()
        with self._lock:
            return [work for work in self._work.values() if work.team == team]

    def settled(self, team: str, seconds: float = 30.0) -> list[Work]:
        """The team's requests once the model has finished them, or what there is by then."""
        until = time.monotonic() + seconds
        while True:
            found = self.of(team)
            if all(work.done for work in found) or time.monotonic() >= until:
                return found
            time.sleep(self._pause)

    def look(self) -> None:
        for number, pod in enumerate(self._pods):
            entries = self._entries(pod)
            with self._lock:
                self._take(number, entries)
        if self._lost:
            raise ProbeError(
                f"{self._lost} requests left the model's log before they were read; give the simulator a larger"
                " --simulator-request-log-size"
            )
        if self._error:
            raise ProbeError(self._error)

    def _take(self, pod: int, entries: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        newest = self._newest[pod]
        first = min((int(entry["number"]) for entry in entries), default=newest + 1)
        self._lost += max(0, first - newest - 1)
        for entry in entries:
            number = int(entry["number"])
            known = (pod, number) in self._work
            if number > newest or known:
                work = Work.of(entry)
                if work is not None:
                    self._work[pod, number] = work
        self._newest[pod] = max([newest, *(int(entry["number"]) for entry in entries)])

    def _follow(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                for number, pod in enumerate(self._pods):
                    entries = self._entries(pod)
                    with self._lock:
                        self._take(number, entries)
            except ProbeError as exc:
                self._error = str(exc)
                return

    def _entries(self, pod: ChatClient) -> list[dict[str, t.Any]]:
        try:
            status, text = pod.get(LOG, key=self._key)
        except ChatError as exc:
            raise ProbeError(f"the model's log of requests: {exc}") from exc
        if status != 200:
            raise ProbeError(
                f"the model's log of requests gave status {status}; what a budget really bought is proven only with"
                " the simulator, which keeps one"
            )
        entries = t.cast("list[dict[str, t.Any]]", json.loads(text)["requests"])
        if entries and "outcome" not in entries[-1]:
            raise ProbeError("the simulator's log does not tell what became of requests: build its image anew")
        return entries
