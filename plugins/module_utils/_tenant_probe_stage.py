# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the probes of a gateway work with: its replicas, its models, and guests of their own. Private to the collection.

Guests are teams and keys that exist for one probe. They are removed at the end whatever happened; what a killed probe
left behind is removed by the next one, and no longer works by then because guests' keys expire.
"""

from __future__ import annotations

import itertools
import re
import secrets
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer, ChatClient, ChatError
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import Witness, new_marker

GUEST: t.Final = "llm-platform-probe-"
LIFETIME_SECONDS: t.Final = 600
# The prompts of probes are shorter, however tokens are counted.
PROMPT_TOKENS: t.Final = 64
_ALIAS: t.Final = re.compile(rf"{GUEST}([0-9a-f]+)-.*")
_PAGE: t.Final = 100
_ATTEMPTS: t.Final = 3


class Admin(t.Protocol):
    """What is needed of the client that holds the master key; it raises LiteLLMError."""

    def checked(
        self, method: str, path: str, body: t.Any = None, *, query: t.Mapping[str, t.Any] | None = None
    ) -> t.Any: ...


@dataclass(frozen=True, slots=True)
class Replica:
    """One pod of the gateway: as its clients reach it, and as its administrator does."""

    name: str
    client: ChatClient
    admin: Admin


@dataclass(frozen=True, slots=True)
class Model:
    """A model as tenants know it, with its prices, and the witness of what it really did."""

    name: str
    input_price: float
    output_price: float
    max_output_tokens: int
    witness: Witness

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return prompt_tokens * self.input_price + completion_tokens * self.output_price


@dataclass(frozen=True, slots=True)
class Team:
    id: str


@dataclass(frozen=True, slots=True)
class Key:
    """`hash` is how the ledger calls the key."""

    team: Team
    value: str = field(repr=False)
    hash: str


def spent_by(admin: Admin, key: Key) -> float:
    """Dollars that the ledger has for a key."""
    info = admin.checked("GET", "/key/info", query={"key": key.hash})
    return float(info["info"].get("spend") or 0.0)


class Guests:
    """Makes teams and keys for one run. Thread-safe."""

    def __init__(self, *admins: Admin, clock: t.Callable[[], float] = time.time) -> None:
        self._admins = admins
        self._admin = admins[0]
        self._clock = clock
        self._run = f"{GUEST}{int(clock()):x}-{secrets.token_hex(3)}"
        self._number = itertools.count(1)
        self._teams: list[str] = []
        self._lock = threading.Lock()

    def team(self, models: t.Sequence[str], **limits: t.Any) -> Team:
        for attempt in range(_ATTEMPTS):
            alias = f"{self._run}-{next(self._number)}"
            body = {"team_id": alias, "team_alias": alias, "models": list(models), **limits}
            # One at a time: LiteLLM notes every team at the one user behind the master key, and fails over a collision.
            with self._lock:
                # Known before it exists: an answer that is lost must not leave a team behind.
                self._teams.append(alias)
                try:
                    self._admin.checked("POST", "/team/new", body)
                except LiteLLMError:
                    if attempt == _ATTEMPTS - 1:
                        raise
                else:
                    return Team(alias)
        raise AssertionError("unreachable")

    def key(self, team: Team, **limits: t.Any) -> Key:
        made = self._admin.checked(
            "POST",
            "/key/generate",
            {
                "team_id": team.id,
                "key_alias": f"{team.id}/{next(self._number)}",
                "duration": f"{LIFETIME_SECONDS}s",
                **limits,
            },
        )
        # Older answers call the hash only `token_id`.
        return Key(team, made["key"], str(made.get("token_id") or made.get("token")))

    def guest(self, team_models: t.Sequence[str], **limits: t.Any) -> Key:
        """A key of a team of its own."""
        return self.key(self.team(team_models), **limits)

    def remove(self) -> None:
        """What was made, through whichever replica is still there; the gateway is asked what there is."""
        for admin in self._admins:
            self._admin = admin
            try:
                self._delete([name for name in self._found(self._run) if name in self._teams])
            except LiteLLMError:
                if admin is self._admins[-1]:
                    raise
            else:
                return

    def remove_leftovers(self) -> int:
        """Guests of runs that can no longer be alive, because their keys have expired."""
        dead = []
        for name in self._found(GUEST):
            match = _ALIAS.fullmatch(name)
            if match and self._clock() - int(match[1], 16) > LIFETIME_SECONDS:
                dead.append(name)
        self._delete(dead)
        return len(dead)

    def _found(self, part: str) -> list[str]:
        names: list[str] = []
        for page in itertools.count(1):
            query = {"team_alias": part, "page": page, "page_size": _PAGE}
            found = self._admin.checked("GET", "/v2/team/list", query=query)
            names += [str(team["team_id"]) for team in found["teams"]]
            if page >= int(found.get("total_pages") or 1):
                return [name for name in names if name.startswith(GUEST)]
        raise AssertionError("unreachable")

    def _delete(self, names: t.Sequence[str]) -> None:
        # Keys go with their team.
        if names:
            self._admin.checked("POST", "/team/delete", {"team_ids": list(names)})


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is tried, and how long is waited."""

    requests: int = 200
    cache_ttl: float = 10.0
    ledger_seconds: float = 45.0
    max_tokens: int = 16
    parallel: int = 8
    key_seconds: float = 4.0
    """How long a key lives that is to expire."""
    grace: float = 1.0
    """What a request itself may take beyond a bound, and how long a refusal is watched to last."""
    confirm: float = 6.0
    """How long a ledger that agrees is watched to stay so."""
    pause: float = 0.2


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that a probe needs."""

    replicas: t.Sequence[Replica]
    models: t.Sequence[Model]
    guests: Guests
    effort: Effort = field(default_factory=Effort)

    def observation(self) -> Observation:
        return Observation(simulated=any(model.witness.simulated for model in self.models))

    def demand_replicas(self, count: int = 2) -> None:
        if len(self.replicas) < count:
            raise ProbeError(
                f"the gateway has {len(self.replicas)} ready replica(s); {count} are needed to show that it holds over"
                " all replicas together"
            )

    def priced(self) -> Model:
        for model in self.models:
            if model.input_price > 0 and model.output_price > 0:
                return model
        raise ProbeError("no model has both prices; without them nothing costs anything")


def ask(
    replica: Replica, model: str, key: str | None, prompt: str, max_tokens: int, *, stream: bool = False, **more: t.Any
) -> Answer:
    """One completion through one replica. A refusal is an answer; a connection that breaks ends the probe."""
    try:
        return replica.client.chat(prompt, key=key, model=model, max_tokens=max_tokens, stream=stream, **more)
    except ChatError as exc:
        raise ProbeError(f"{replica.name}: {exc}") from exc


def marked(marker: str = "") -> str:
    """A short prompt that can be found again in a log of requests."""
    return f"Name the seven colours of the rainbow. [{marker or new_marker()}]"


def verdict(answer: Answer) -> str:
    """A status and its type; the sentence beside them may quote the key."""
    return f"{answer.status} {answer.error_type}".strip()


def control_faults(answers: t.Mapping[str, Answer]) -> list[str]:
    """What speaks against the requests that had to be answered, by name."""
    return [
        f"control {name} was not answered: {verdict(answer)}" for name, answer in answers.items() if not good(answer)
    ]


def good(answer: Answer) -> bool:
    return answer.status == 200 and not answer.error and answer.completion_tokens > 0
