# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Models of providers are asked behind the same budgets, by one way out, and learn of no tenant.

Private to the collection.
"""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_provider import (
    FIELDS,
    PORT,
    PROMPT_TOKENS,
    RIGHT,
    WRONG,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_budget import EXCEEDED
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_ledger import same
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    ask,
    good,
    marked,
    spent_by,
    verdict,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import new_marker

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer
    from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe_scene import StandIn
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
        Guests,
        Key,
        Model,
        Replica,
    )

BUDGETED: t.Final = Claim(
    "provider-egress-budgeted",
    "live",
    "Models of providers are asked by one way out, behind the same budgets, and learn of no tenant",
    "answers, streamed and plain, cost their tokens x price in the ledger; the provider saw its key and neither tenant"
    " nor header of ours; a spent budget, a strange authority and a connection past the gateway are refused before it"
    " is asked",
)
TOKENS: t.Final = 8
_AFFORDABLE: t.Final = 3.5
_MOST: t.Final = 20
PAUSE_SECONDS: t.Final = 0.2
# What no provider may learn the name of; what stands behind it is compared besides.
_OURS: t.Final = ("x-gateway-", "x-envoy-", "x-forwarded-", "x-litellm-", "cache_salt", "user_api_key", "llm-platform")
CONNECT: t.Final = """
import json, socket, sys
said = []
for host, port in json.loads(sys.stdin.readline()):
    try:
        socket.create_connection((host, port), 3).close()
        said.append("")
    except OSError as exc:
        said.append(str(exc) or type(exc).__name__)
print(json.dumps(said))
"""


@dataclass(frozen=True, slots=True)
class Provider:
    """A model whose provider is played, and a hash of the key that it must be asked with."""

    model: Model
    host: str
    credential: str


@dataclass(frozen=True, slots=True)
class Stage:
    """`direct` tells, of each host and port, why LiteLLM's own pod cannot connect to it; "" where it can."""

    replicas: t.Sequence[Replica]
    providers: t.Sequence[Provider]
    guests: Guests
    stand_in: t.Callable[[], AbstractContextManager[StandIn]]
    direct: t.Callable[[t.Sequence[tuple[str, int]]], list[str]]
    service_address: t.Callable[[], str]
    seconds: float = 30.0


@dataclass(slots=True)
class _Bought:
    """What was answered to one key, and what that must have cost."""

    key: Key
    dollars: float = 0.0
    answers: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, name: str, model: Model, answer: Answer) -> None:
        if not good(answer):
            self.faults.append(f"{name} was not answered: {verdict(answer)}")
            return
        told = (answer.prompt_tokens, answer.completion_tokens)
        if told != (PROMPT_TOKENS, TOKENS):
            self.faults.append(
                f"{name}: its client was told {told} tokens, the provider counted {(PROMPT_TOKENS, TOKENS)}"
            )
        self.answers += 1
        self.dollars += model.cost(PROMPT_TOKENS, TOKENS)


def observe(stage: Stage) -> Observation:
    """One stand-in for all, for as long as it takes."""
    seen = Observation(simulated=True)
    names = [provider.model.name for provider in stage.providers]
    buyer = stage.guests.guest(names)
    with stage.stand_in() as stand_in:
        _wait(stage, buyer)
        bought = _buy(stage, stage.guests.key(buyer.team))
        asked = stand_in.seen()
        seen.faults += bought.faults + _identity_faults(stage, asked, [buyer, bought.key])
        seen.table = _table(stage, asked)
        _spend(stage, stand_in, seen)
        _authority(stage, stand_in, buyer, seen)
        _past(stage, stand_in, seen)
    _ledger(stage, bought, seen)
    return seen


def _wait(stage: Stage, key: Key) -> None:
    """Until policies, addresses and the gateway know the stand-in. What that costs is another key's affair."""
    until = time.monotonic() + stage.seconds
    for provider in stage.providers:
        while True:
            answer = ask(stage.replicas[0], provider.model.name, key.value, marked(), 1)
            if good(answer):
                break
            if time.monotonic() > until:
                said = f"{verdict(answer)} {answer.error}".strip()
                raise ProbeError(f"{provider.model.name} is not answered by way of the egress gateway: {said}")
            time.sleep(PAUSE_SECONDS)


def _buy(stage: Stage, key: Key) -> _Bought:
    found = _Bought(key)
    for replica in stage.replicas:
        for provider in stage.providers:
            for stream in (False, True):
                # A client's own field, which is the tenant's affair and not the provider's.
                extra = {"user": f"user-of-{key.team.id}"}
                answer = ask(replica, provider.model.name, key.value, marked(), TOKENS, stream=stream, extra=extra)
                found.note(f"{replica.name}, {provider.model.name}", provider.model, answer)
    return found


def _identity_faults(stage: Stage, asked: t.Mapping[str, t.Any], keys: t.Sequence[Key]) -> list[str]:
    """What a provider must not learn, and whether it was asked with its own key."""
    known = {provider.credential: provider for provider in stage.providers}
    secret = [word for key in keys for word in (key.team.id, key.value, key.hash)]
    faults = []
    for entry in asked["requests"]:
        whole = json.dumps({"headers": entry["headers"], "body": entry["body"]})
        faults += [f"a provider was told {word}" for word in _OURS if word in whole.lower()]
        faults += ["a provider was told of a team or its key" for word in secret if word in whole]
        known_fields = next((names for path, names in FIELDS.items() if entry["path"].endswith(path)), frozenset())
        unknown = sorted(json.loads(entry["body"] or "{}").keys() - known_fields)
        faults += [f"a provider was sent the field {name}, which it would refuse" for name in unknown]
        provider = next((item for item in stage.providers if item.host == entry["headers"].get("host")), None)
        given = list(entry["credentials"].values())
        if provider is None:
            faults.append(f"a request came for host {entry['headers'].get('host')!r}, which is no provider's")
        elif len(given) != 1 or given[0] not in known or known[given[0]].host != provider.host:
            faults.append(f"{provider.host} was not asked with the one key that is its own")
    return list(dict.fromkeys(faults))


def _table(stage: Stage, asked: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What left, by name: for whoever wants to judge it."""
    rows = []
    for provider in stage.providers:
        mine = [entry for entry in asked["requests"] if entry["headers"].get("host") == provider.host]
        headers = sorted({name for entry in mine for name in (*entry["headers"], *entry["credentials"])})
        fields = sorted({name for entry in mine for name in json.loads(entry["body"] or "{}")})
        paths = sorted({entry["path"] for entry in mine})
        rows.append([provider.model.name, provider.host, ", ".join(paths), ", ".join(headers), ", ".join(fields)])
    return {"columns": ["model", "host", "paths", "headers", "fields of the body"], "rows": rows}


def _spend(stage: Stage, stand_in: StandIn, seen: Observation) -> None:
    """Until the budget is spent; then each provider hears of nothing more."""
    for provider in stage.providers:
        model = provider.model
        budget = _AFFORDABLE * model.cost(PROMPT_TOKENS, TOKENS)
        key = stage.guests.guest([model.name], max_budget=budget)
        answered = 0
        refused: list[str] = []
        # One refusal is not yet the end: what a request may cost at most is held back until it is settled.
        while len(refused) < 2 * len(stage.replicas) and answered <= _MOST:
            marker = new_marker()
            replica = stage.replicas[(answered + len(refused)) % len(stage.replicas)]
            answer = ask(replica, model.name, key.value, marked(marker), TOKENS)
            if good(answer):
                answered += 1
                refused.clear()
            elif answer.error_type == EXCEEDED:
                refused.append(marker)
            else:
                seen.faults.append(f"{model.name} with a budget: {verdict(answer)}")
                return
        came = json.dumps(stand_in.seen()["requests"])
        if not answered or not refused:
            seen.faults.append(f"{model.name}: {answered} answered, {len(refused)} refused for a budget of 3.5")
        if answered * model.cost(PROMPT_TOKENS, TOKENS) > budget:
            seen.faults.append(f"{model.name}: {answered} answers cost more than the budget")
        if any(marker in came for marker in refused):
            seen.faults.append(f"{model.name}: the provider was asked although the budget was spent")
        seen.facts.append(
            f"{model.name}: {answered} answers for a budget of {_AFFORDABLE}, then {EXCEEDED} {len(refused)} times,"
            " unheard outside"
        )


def _authority(stage: Stage, stand_in: StandIn, key: Key, seen: Observation) -> None:
    """The same host with a certificate that a strange authority has signed, then with its own again."""
    before = stand_in.seen()
    stand_in.show(WRONG)
    marker = new_marker()
    answers = [
        ask(stage.replicas[0], provider.model.name, key.value, marked(marker), 1) for provider in stage.providers
    ]
    after = stand_in.seen()
    stand_in.show(RIGHT)
    seen.faults += [
        f"{provider.model.name} was answered with a certificate of a strange authority"
        for provider, answer in zip(stage.providers, answers, strict=True)
        if good(answer)
    ]
    broken = len(after["handshakes"]) - len(before["handshakes"])
    if marker in json.dumps(after["requests"]):
        seen.faults.append("a request was sent over a connection whose certificate a strange authority has signed")
    if broken < len(stage.providers):
        seen.faults.append(f"{broken} handshakes were broken off over the strange authority")
    again = [ask(stage.replicas[0], item.model.name, key.value, marked(), 1) for item in stage.providers]
    seen.faults += [f"control after the strange authority: {verdict(answer)}" for answer in again if not good(answer)]
    statuses = ", ".join(str(answer.status) for answer in answers)
    seen.facts.append(f"strange authority: status {statuses}, {broken} handshakes broken off, nothing sent")


def _past(stage: Stage, stand_in: StandIn, seen: Observation) -> None:
    places = [(stage.service_address(), 443), (stand_in.address, PORT)]
    said = stage.direct(places)
    opened = [f"{host}:{port}" for (host, port), why in zip(places, said, strict=True) if not why]
    seen.faults += [f"LiteLLM's own pod opens {place}, past the gateway" for place in opened]
    seen.facts.append(f"past the gateway, from LiteLLM's own pod: {', '.join(sorted({why for why in said if why}))}")


def _ledger(stage: Stage, bought: _Bought, seen: Observation) -> None:
    until = time.monotonic() + stage.seconds
    admin = stage.replicas[0].admin
    while True:
        spent = spent_by(admin, bought.key)
        if same(spent, bought.dollars):
            seen.facts.insert(
                0, f"{bought.answers} answers by {len(stage.replicas)} replicas, ${spent:.8f} in the ledger"
            )
            return
        if time.monotonic() > until:
            seen.faults.append(f"the ledger has ${spent!r}, {bought.answers} answers cost ${bought.dollars!r}")
            return
        time.sleep(PAUSE_SECONDS)
