# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the attacks on budgets share: replicas, a model with its log, teams with small budgets, the ledger, and the
datastores that are broken on purpose. Private to the collection."""

from __future__ import annotations

import time
import typing as t
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_table import (
    CHAT,
    Attack,
    plain_body,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import LiteLLM, LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._readiness import pod as pod_readiness
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    PROMPT_TOKENS,
    Guests,
    Key,
    Model,
    Replica,
    Team,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_load import Client
    from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_model import ModelLog, Work
    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

_POLL: t.Final = 0.25
# With what the gateway adds for the chat template, the prompts of this probe are shorter.
_PROMPT_BYTES: t.Final = 256
_PLAIN: t.Final = Attack("plain")
_MERGE: t.Final = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Timing:
    """Settings of the gateway that decide how long something may take, in seconds."""

    cache_ttl: float = 10.0
    flush: float = 7.0
    reset: float = 30.0
    back: float = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    clients: t.Sequence[Client]
    admin: LiteLLM
    guests: Guests
    model: Model
    log: ModelLog
    timing: Timing
    replicas: t.Sequence[Replica] = ()
    others: t.Sequence[Model] = ()
    """The models that the model may fall back to."""

    def one(self, attack: Attack = _PLAIN, work: t.Sequence[Work] = ()) -> float:
        """What the dearest single request of an attack can cost; its prompt's length is known from `work`, if any."""
        tokens = self.model.max_output_tokens if attack.tokens is None else attack.tokens
        prompt = max((item.prompt_tokens for item in work), default=PROMPT_TOKENS * attack.prompts)
        return self.model.cost(prompt, tokens * attack.sequences)

    def reserved(self, attack: Attack = _PLAIN) -> float:
        """What the gateway sets aside for such a request: it takes each byte of a prompt for a token."""
        tokens = self.model.max_output_tokens if attack.tokens is None else attack.tokens
        return self.model.cost(_PROMPT_BYTES * attack.prompts, tokens * attack.sequences)

    def team(self, budget: float, **limits: t.Any) -> Team:
        return self.guests.team([self.model.name], max_budget=budget, **limits)

    def values(self, team: Team) -> dict[str, str]:
        """What a request of this team is made of; by its name the model's log is read."""
        return {"{prompt}": f"Name the seven colours of the rainbow. [{team.id}]", "{model}": self.model.name}

    def plain(self, client: Client, key: Key, **change: t.Any) -> str:
        return client.post(CHAT, {**plain_body(_PLAIN, self.values(key.team)), **change}, key.value)

    def exhaust(self, key: Key) -> None:
        """Spend a budget until every replica says that it is spent."""
        for _attempt in range(40):
            if all("budget" in self.plain(client, key) for client in self.clients):
                return
        raise ProbeError("a small budget could not be spent, so that nothing can be shown about a spent one")

    def real(self, work: t.Iterable[Work]) -> float:
        return sum(self.model.cost(item.prompt_tokens, item.generated_tokens) for item in work)

    def worst(self, work: t.Iterable[Work]) -> float:
        """Had every request been as long as it was allowed to be."""
        return sum(
            self.model.cost(
                item.prompt_tokens,
                item.generated_tokens if item.allowed_tokens is None else item.allowed_tokens,
            )
            for item in work
        )

    def spend(self, team: Team) -> float | None:
        """What the ledger holds for a team."""
        try:
            found = self.admin.checked("GET", "/team/info", query={"team_id": team.id})
        except LiteLLMError:
            return None
        return float((found.get("team_info") or {}).get("spend") or 0.0)

    def ledgers(self, expected: t.Mapping[Team, float]) -> dict[Team, float | None]:
        """The ledger of each team once it holds what is expected, or what it holds after some flush intervals."""
        until = time.monotonic() + 3 * self.timing.flush
        found: dict[Team, float | None] = {}
        while True:
            for team, dollars in expected.items():
                held = found.get(team)
                if held is None or held < dollars - max(1e-12, dollars * 1e-6):
                    found[team] = self.spend(team)
            behind = [team for team, dollars in expected.items() if (found[team] or 0.0) < dollars * (1 - 1e-6)]
            if not behind or time.monotonic() >= until:
                return found
            time.sleep(1.0)


def counted(verdicts: t.Iterable[str]) -> dict[str, int]:
    return dict(Counter(verdicts))


class Workload:
    """A StatefulSet or Deployment that can be taken away and brought back."""

    def __init__(self, kube: KubeClient, namespace: str, kind: str, name: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self.name = name
        self._path = f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s/{name}"

    @contextmanager
    def away(self) -> t.Iterator[None]:
        """Killed without a chance to say goodbye; whatever happens, it comes back as it was."""
        before = self._kube.get_json(self._path)
        replicas = int((before.get("spec") or {}).get("replicas") or 0)
        if not replicas:
            raise ProbeError(f"{self.name} has no replicas, so it cannot be taken away; run site.yml first")
        labels = before["spec"]["selector"]["matchLabels"]
        self._selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        try:
            self._scale(0)
            for pod in self._pods():
                self._kube.request(
                    "DELETE",
                    f"/api/v1/namespaces/{self._namespace}/pods/{pod['metadata']['name']}",
                    body={"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0},
                )
            yield
        finally:
            self._scale(replicas)

    @contextmanager
    def at_least(self, replicas: int, seconds: float) -> t.Iterator[None]:
        """So many ready pods, if there are fewer; whatever happens, there are as many as before in the end."""
        before = self._kube.get_json(self._path)
        count = int((before.get("spec") or {}).get("replicas") or 0)
        labels = before["spec"]["selector"]["matchLabels"]
        self._selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        try:
            if count < replicas:
                self._scale(replicas)
            self._until(lambda: self._ready() >= replicas, seconds, f"has fewer than {replicas} ready replicas")
            yield
            self._until(lambda: self._ready() >= replicas, seconds, f"did not come back to {replicas} ready replicas")
        finally:
            if count < replicas:
                self._scale(count)
                self._until(lambda: len(self._pods()) <= count, seconds, f"has more than {count} replicas")

    def _ready(self) -> int:
        return sum(pod_readiness(pod).state == "ready" for pod in self._pods())

    def wait_gone(self, seconds: float = 30.0) -> None:
        self._until(lambda: not self._pods(), seconds, "still runs")

    def wait_ready(self, seconds: float) -> None:
        self._until(
            lambda: any(pod_readiness(pod).state == "ready" for pod in self._pods()), seconds, "is not ready again"
        )

    def _pods(self) -> list[dict[str, t.Any]]:
        return self._kube.list("v1", "Pod", self._namespace, self._selector)

    def _scale(self, replicas: int) -> None:
        self._kube.checked("PATCH", f"{self._path}/scale", body={"spec": {"replicas": replicas}}, content_type=_MERGE)

    def _until(self, done: t.Callable[[], bool], seconds: float, otherwise: str) -> None:
        until = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= until:
                raise ProbeError(f"{self.name} {otherwise} after {seconds:.0f} s")
            time.sleep(_POLL)
