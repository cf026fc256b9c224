# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A spent budget is spent for all of a team's keys on all replicas, and the model never hears of what is refused.

Private to the collection.
"""

from __future__ import annotations

import itertools
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import (
    PROMPT_TOKENS,
    Key,
    Model,
    Replica,
    Stage,
    ask,
    control_faults,
    good,
    marked,
    verdict,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_witness import new_marker

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._chat import Answer

OVER_BUDGET: t.Final = Claim(
    "over-budget-refused",
    "live",
    "A key or team whose budget is spent is refused before the model is asked.",
    "answers within the budget of a key, and of a team's two keys, then budget_exceeded on every replica without a"
    " trace in the model's log; a key without that budget 200",
)
EXCEEDED: t.Final = "budget_exceeded"
# As many requests as the budget pays for when each is as dear as it can be.
_AFFORDABLE: t.Final = 3.5
_MOST: t.Final = 40


@dataclass(slots=True)
class _Case:
    """Asking with a budget until it is spent."""

    label: str
    budget: float
    spenders: t.Sequence[Key]
    bystanders: t.Sequence[Key] = ()
    answered: list[Answer] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def observe_over_budget(stage: Stage) -> Observation:
    seen = stage.observation()
    model = stage.priced()
    budget = _AFFORDABLE * model.cost(PROMPT_TOKENS, stage.effort.max_tokens)
    team = stage.guests.team([model.name], max_budget=budget)
    cases = [
        _Case("key", budget, [stage.guests.guest([model.name], max_budget=budget)]),
        _Case("team", budget, [stage.guests.key(team)], [stage.guests.key(team)]),
    ]
    free = stage.guests.guest([model.name])
    with ThreadPoolExecutor(len(cases)) as pool:
        list(pool.map(lambda case: _spend(stage, model, case), cases))
    log_works = new_marker()
    for replica in stage.replicas:
        answer = ask(replica, model.name, free.value, marked(log_works), stage.effort.max_tokens)
        seen.faults += control_faults({f"of a key without budget on {replica.name}": answer})
    markers = {item for case in cases for item in case.refused}
    received = model.witness.outcomes({*markers, log_works})
    for case in cases:
        spent = sum(model.cost(answer.prompt_tokens, answer.completion_tokens) for answer in case.answered)
        seen.faults += [f"{case.label}: {fault}" for fault in case.faults]
        if spent > case.budget:
            seen.faults.append(f"{case.label}: ${spent:.8f} were answered, the budget is ${case.budget:.8f}")
        said = ", ".join(sorted(set(case.refused.values())))
        seen.facts.append(
            f"{case.label}: {len(case.answered)} answered for ${spent:.8f} of ${case.budget:.8f}, then {said} for"
            f" {len(case.refused)} more" + (" (also with the team's other key)" if case.bystanders else "")
        )
    if received is None or log_works not in received:
        seen.facts.append("whether refused requests reached the model could not be seen: it keeps no log of them")
    elif leaked := markers & set(received):
        seen.faults.append(f"{len(leaked)} refused request(s) reached the model")
    else:
        seen.facts.append("the model's log shows none of the refused requests")
    return seen


def _spend(stage: Stage, model: Model, case: _Case) -> None:
    """Spend the budget with its spenders, then go on with all keys until everybody refuses one after the other.

    One refusal is not yet the end: what a request may cost at most is held back until some time after its answer.
    """
    for keys in (case.spenders, (*case.spenders, *case.bystanders)):
        pairs = [(key, replica) for key in keys for replica in stage.replicas]
        refused: set[tuple[str, str]] = set()
        for key, replica in itertools.cycle(pairs):
            if _one(stage, model, case, key, replica):
                refused.add((key.hash, replica.name))
            else:
                refused.clear()
            if len(refused) == len(pairs):
                break
            if case.faults:
                return
            if len(case.answered) >= _MOST:
                case.faults.append(f"{_MOST} requests answered and no end")
                return
    if not case.answered:
        case.faults.append("nothing was answered, not even the first request")


def _one(stage: Stage, model: Model, case: _Case, key: Key, replica: Replica) -> bool:
    """True when the budget was given as the reason of a refusal."""
    found = new_marker()
    answer = ask(replica, model.name, key.value, marked(found), stage.effort.max_tokens)
    if good(answer):
        case.answered.append(answer)
        return False
    if answer.error_type == EXCEEDED and 400 <= answer.status < 500:
        case.refused[found] = verdict(answer)
        return True
    case.faults.append(f"{replica.name}: {verdict(answer)}")
    return False
