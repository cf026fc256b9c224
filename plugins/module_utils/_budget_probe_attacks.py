# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Carries out the attack table, and the turn of a budget's period. Private to the collection."""

from __future__ import annotations

import itertools
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_judge import (
    COLUMNS,
    GOOD,
    Row,
    refused,
    row_faults,
    table_row,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_load import at_once
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_scene import Scene, counted
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_table import (
    ATTACKS,
    Attack,
    body_of,
    plain_body,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe_turn import cross, turn
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe_stage import Team

HOLDS: t.Final = Claim(
    "budget-holds",
    "destructive",
    "No attack overdraws a budget by more than one request.",
    "per attack: ordinary requests are answered first, then refusals are seen, and what the model really did for the"
    " team costs at most the budget and one request more, and is in the ledger",
)
CANCEL: t.Final = Claim(
    "cancel-abuse-bounded",
    "destructive",
    "Cancelling early does not buy unlimited use.",
    "of 200 requests whose clients leave before or after the first token, the model finishes those let in, the ledger"
    " holds all that it did for them, and the budget ends them",
)
# Rows that only wait overlap; more would only queue at the gateway's processors.
_SIDE_BY_SIDE: t.Final = 2
_MOST_ROUNDS: t.Final = 5
# How long a client waits before it leaves: some hang up before their request has come through, some in the queue,
# some just before the first token.
_PATIENCE: t.Final = (0.3, 0.6, 1.0, 1.5, 2.2, 3.0)


@dataclass(frozen=True, slots=True)
class Fired:
    """An attack that was carried out; it is judged when the model has finished and the ledger is written."""

    attack: Attack
    team: Team
    budget: float
    control: t.Sequence[str]
    verdicts: t.Sequence[str]
    by_leave: t.Mapping[str, t.Sequence[str]]


def observe_attacks(scene: Scene) -> tuple[Observation, Observation]:
    """For budget-holds and for cancel-abuse-bounded."""
    with ThreadPoolExecutor(_SIDE_BY_SIDE + 2) as pool:
        turned, crossed = pool.submit(turn, scene), pool.submit(cross, scene)
        # What only waits for its turn is begun first.
        running = [pool.submit(fire, scene, attack) for attack in ATTACKS]
        fired = [future.result() for future in running]
        turns = turned.result(), crossed.result()
    work = {one.team: scene.log.settled(one.team.id) for one in fired}
    ledgers = scene.ledgers({team: scene.real(items) for team, items in work.items()})
    rows = [
        Row(
            attack=one.attack.name,
            budget=one.budget,
            one=scene.one(one.attack, work[one.team]),
            control=one.control,
            verdicts=counted(one.verdicts),
            admitted=len(work[one.team]),
            real=scene.real(work[one.team]),
            worst=scene.worst(work[one.team]),
            billed=ledgers[one.team],
            unfinished=sum(not item.done for item in work[one.team]),
        )
        for one in fired
    ]
    seen = Observation(simulated=scene.model.witness.simulated)
    for row in rows:
        seen.faults += [f"{row.attack}: {fault}" for fault in row_faults(row)]
    _tell(seen, rows)
    for result in turns:
        result.tell(seen)
    return seen, _cancelled(scene, fired, rows)


def fire(scene: Scene, attack: Attack) -> Fired:
    budget = attack.affordable * scene.reserved(attack)
    team = scene.team(budget)
    keys = [scene.guests.key(team) for _number in range(attack.keys)]
    values = scene.values(team)
    control = [client.post(attack.path, plain_body(attack, values), keys[0].value) for client in scene.clients]
    shots = []
    leaves = []
    turns = zip(
        range(attack.requests),
        itertools.cycle(attack.bodies),
        itertools.cycle(attack.leave or ("",)),
        itertools.cycle(_PATIENCE),
    )
    for number, change, leave, patience in turns:
        # Neither the number of bodies nor that of keys may decide which replica sees which.
        client = scene.clients[(number // max(len(attack.bodies), len(keys))) % len(scene.clients)]
        body = body_of(attack, change, values)
        if leave == "without streaming":
            body.pop("stream", None)
        key = keys[number % len(keys)].value
        shots.append(partial(client.post, attack.path, body, key, leave=leave, patience=patience))
        leaves.append(leave)
    verdicts = at_once(shots, attack.parallel)
    by_leave = {
        leave: [one for one, how in zip(verdicts, leaves, strict=True) if how == leave] for leave in set(leaves)
    }
    # A reservation is larger than what it is settled with: what was given back is attacked, too, until nothing is left.
    lately = verdicts
    for _round in range(_MOST_ROUNDS):
        if attack.leave or GOOD not in lately:
            break
        lately = at_once(shots[: len(shots) // 2], attack.parallel)
        verdicts = verdicts + lately
    return Fired(attack, team, budget, control, verdicts, by_leave)


def _tell(seen: Observation, rows: t.Sequence[Row]) -> None:
    worst = max(rows, key=lambda row: row.overshoot_requests)
    seen.facts.append(
        f"{len(rows)} attacks with {sum(sum(row.verdicts.values()) for row in rows)} requests on all replicas:"
        f" {sum(row.answered for row in rows)} answered, {sum(row.refused for row in rows)} refused;"
        + (
            f" most went over by {worst.attack}: ${worst.overshoot:.8f}, {worst.overshoot_requests:.2f} of one request"
            if worst.overshoot
            else " none got more than its budget"
        )
    )
    seen.table = {"columns": COLUMNS, "rows": [table_row(row) for row in rows]}
    seen.series["budget_use"] = {row.attack: [round(row.real / row.budget, 4)] for row in rows}


def _cancelled(scene: Scene, fired: t.Sequence[Fired], rows: t.Sequence[Row]) -> Observation:
    seen = Observation(simulated=scene.model.witness.simulated)
    for one, row in zip(fired, rows, strict=True):
        if not one.attack.leave:
            continue
        work = scene.log.of(one.team.id)
        aborted = sum(item.aborted for item in work)
        left = sum(verdict == "left" for verdict in one.verdicts)
        seen.faults += row_faults(row)
        if not left:
            seen.faults.append("no client left early, so nothing was tried")
        if aborted:
            seen.faults.append(f"the model stopped {aborted} requests because their clients left")
        for how, verdicts in one.by_leave.items():
            seen.facts.append(
                f"{len(verdicts)} leave {how}: {sum(verdict == 'left' for verdict in verdicts)} left,"
                f" {sum(refused(verdict) for verdict in verdicts)} were refused"
            )
        seen.facts.append(
            f"the model worked on {len(work)} of them for ${row.real:.8f}, the ledger holds ${row.billed or 0.0:.8f},"
            f" the budget was ${row.budget:.8f}"
        )
    return seen
