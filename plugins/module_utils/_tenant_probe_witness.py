# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model itself says it received and did, over all its pods. Private to the collection.

Every engine has vLLM's counters. Only a simulator keeps a log of requests; without one a witness says that it cannot
tell, it does not guess.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import ChatClient, ChatError, read_gauges
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError

REQUESTS: t.Final = "vllm:request_success_total"
PROMPT: t.Final = "vllm:prompt_tokens_total"
GENERATION: t.Final = "vllm:generation_tokens_total"
RUNNING: t.Final = "vllm:num_requests_running"
WAITING: t.Final = "vllm:num_requests_waiting"
_MARKER: t.Final = re.compile(r"probe-[0-9a-f]{16}")
_NAMES: t.Final = (REQUESTS, PROMPT, GENERATION, RUNNING, WAITING)


def new_marker() -> str:
    return f"probe-{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Finished requests and tokens since the pods started."""

    requests: int
    prompt_tokens: int
    completion_tokens: int

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.requests - other.requests,
            self.prompt_tokens - other.prompt_tokens,
            self.completion_tokens - other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulator did for one request; nothing when it refused."""

    prompt_tokens: int
    completion_tokens: int
    finished: bool

    @classmethod
    def of(cls, outcome: t.Mapping[str, t.Any]) -> Outcome:
        ends = outcome.get("finished") or []
        return cls(
            int(outcome.get("prompt_tokens") or 0),
            int(outcome.get("generated_tokens") or 0),
            finished=None not in ends,
        )


@dataclass(frozen=True, slots=True)
class Witness:
    """One model's pods. The markers are words in prompts by which requests are found again."""

    model: str
    pods: t.Sequence[ChatClient] = ()
    key: str | None = None
    simulated: bool = False

    def counts(self) -> Counts | None:
        """None when there is no pod to ask."""
        if not self.pods:
            return None
        sums = self._sums()
        return Counts(int(sums[REQUESTS]), int(sums[PROMPT]), int(sums[GENERATION]))

    def settled(self, seconds: float = 30.0, pause: float = 0.1) -> Counts | None:
        """The counters once nothing runs or waits."""
        until = time.monotonic() + seconds
        while self.pods:
            sums = self._sums()
            if not sums[RUNNING] and not sums[WAITING]:
                break
            if time.monotonic() >= until:
                raise ProbeError(
                    f"model {self.model!r} was still busy after {seconds:.0f} s; what it counts belongs to others too"
                )
            time.sleep(pause)
        return self.counts()

    def outcomes(self, markers: t.Collection[str]) -> dict[str, list[Outcome]] | None:
        """What became of the requests with these markers; None when the model keeps no log of requests."""
        if not self.simulated or not self.pods:
            return None
        found: dict[str, list[Outcome]] = {}
        for pod in self.pods:
            for entry in self._log(pod):
                for marker in set(_MARKER.findall(json.dumps(entry.get("body")))) & set(markers):
                    found.setdefault(marker, []).append(Outcome.of(entry.get("outcome") or {}))
        return found

    def finished(
        self, markers: t.Collection[str], seconds: float = 30.0, pause: float = 0.1
    ) -> dict[str, list[Outcome]] | None:
        """The outcomes once all of them are final."""
        until = time.monotonic() + seconds
        while True:
            found = self.outcomes(markers)
            if found is None or all(item.finished for items in found.values() for item in items):
                return found
            if time.monotonic() >= until:
                raise ProbeError(f"model {self.model!r} still works on requests of the probe after {seconds:.0f} s")
            time.sleep(pause)

    def _log(self, pod: ChatClient) -> list[dict[str, t.Any]]:
        try:
            status, text = pod.get("/simulator/requests", key=self.key)
        except ChatError as exc:
            raise ProbeError(f"the request log of model {self.model!r}: {exc}") from exc
        if status != 200:
            raise ProbeError(f"the request log of model {self.model!r} gave status {status}")
        return list(json.loads(text)["requests"])

    def _sums(self) -> dict[str, float]:
        sums = dict.fromkeys(_NAMES, 0.0)
        for pod in self.pods:
            try:
                status, text = pod.get("/metrics")
            except ChatError as exc:
                raise ProbeError(f"the metrics of model {self.model!r}: {exc}") from exc
            found = read_gauges(text, _NAMES) if status == 200 else {}
            if missing := [name for name in _NAMES if name not in found]:
                raise ProbeError(f"the metrics of model {self.model!r} (status {status}) lack {', '.join(missing)}")
            for name, value in found.items():
                sums[name] += value
        return sums
