# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What probes of the guard work with: replicas, guests, models, a place inside. Private to the collection."""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import ask_all

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_ask import Attempt, Verdict
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_inside import Inside
    from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import Model, Received
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Guests, Key

FAIRNESS: t.Final = "x-gateway-inference-fairness-id"
OBJECTIVE: t.Final = "x-gateway-inference-objective"
SALT: t.Final = "cache_salt"
PRIORITY: t.Final = 7
"""Of the probes' teams: unlike the one that a team without priority has."""


class Reply(t.Protocol):
    @property
    def status(self) -> int: ...
    @property
    def json(self) -> t.Any: ...
    @property
    def headers(self) -> t.Mapping[str, str]: ...


class Gateway(t.Protocol):
    """What is needed of the client of LiteLLM; without a key it is the administrator."""

    url: str

    def checked(
        self, method: str, path: str, body: t.Any = None, *, query: t.Mapping[str, t.Any] | None = None
    ) -> t.Any: ...

    def send(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        *,
        key: str | None = None,
        headers: t.Mapping[str, str] | None = None,
        retry: bool = True,
    ) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Replica:
    """One pod of the gateway."""

    name: str
    gateway: Gateway

    def sweep(self, key: str, attempts: t.Sequence[Attempt]) -> list[Verdict]:
        place = urlsplit(self.gateway.url)
        return ask_all(place.hostname or "", place.port or 80, key, attempts)

    def ask(self, key: Key, path: str, body: t.Any, headers: t.Mapping[str, str] | None = None) -> Reply:
        """As a tenant, once."""
        return self.gateway.send("POST", path, body, key=key.value, headers=headers, retry=False)


@dataclass(frozen=True, slots=True)
class Stage:
    replicas: t.Sequence[Replica]
    models: t.Sequence[Model]
    guests: Guests
    inside: Inside | None = None
    fallbacks: t.Sequence[tuple[str, t.Sequence[str]]] = ()
    entrance: bool = False
    """Whether those inside come by an entrance, which has no probes and refuses by itself."""

    @property
    def replica(self) -> Replica:
        return self.replicas[0]

    def observation(self) -> Observation:
        return Observation(simulated=any(model.simulated for model in self.models))

    def model(self, name: str) -> Model:
        for model in self.models:
            if model.name == name:
                return model
        raise ProbeError(f"model {name!r} does not run; there is {', '.join(model.name for model in self.models)}")

    def logged(self) -> Model:
        """A model that tells what it received."""
        for model in self.models:
            if model.simulated and model.pods:
                return model
        raise ProbeError("no model keeps a log of what it received; only a simulator does")

    def guest(self, models: t.Sequence[str]) -> Key:
        """A key of a team of its own that has a priority."""
        return self.guests.key(self.guests.team(models, metadata={"priority": PRIORITY}))


def new_marker() -> str:
    return f"probe-{secrets.token_hex(8)}"


def routing_faults(place: str, model: Model, request: Received, team: str) -> list[str]:
    """What is wrong with who a model was told that asks. An objective belongs to one model's pool."""
    headers, body = request.headers, request.body
    found = {FAIRNESS: headers.get(FAIRNESS), OBJECTIVE: headers.get(OBJECTIVE), SALT: body.get(SALT)}
    wanted = {FAIRNESS: team, OBJECTIVE: f"{model.path}-{PRIORITY}", SALT: team}
    return [
        f"{place}: {name} is {found[name]!r}, not {value!r}" for name, value in wanted.items() if found[name] != value
    ]
