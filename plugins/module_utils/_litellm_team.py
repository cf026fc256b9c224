# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's teams as declared: made, compared field by field, repaired, blocked. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import (
    LiteLLM,
    LiteLLMError,
    RefusedError,
    Row,
    maybe_done,
    parallel,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import (
    ENVIRONMENT,
    MANAGED_BY,
    Changes,
    Problems,
    changes,
    is_ours,
    mark,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import PLATFORM

# Ways to spend or reach more that are none of the options: nobody else may set them on a team of ours. Each can be
# undone by /team/update.
_NOTHING: t.Final[Row] = {
    "soft_budget": None,
    "budget_limits": [],
    "tpd_limit": None,
    "model_max_budget": {},
    "model_aliases": {},
    "access_group_ids": [],
    "router_settings": {},
    "organization_id": "",
    "default_team_member_models": [],
}
_LIMITS: t.Final = ("rpm", "tpm")
_ATTEMPTS: t.Final = 3


@dataclass(frozen=True, slots=True)
class Team:
    """One entry of `teams`; `wanted` are LiteLLM's fields, empty when the team shall not be."""

    team_id: str
    alias: str
    state: str
    wanted: Row = field(default_factory=dict)


@dataclass(slots=True)
class TeamOutcome:
    """What was done to one team, or would be."""

    team_id: str
    alias: str
    state: str
    action: str = "none"
    changes: Changes = field(default_factory=dict)
    spend: float = 0.0
    error: str = ""

    def result(self) -> Row:
        return {name: getattr(self, name) for name in ("team_id", "alias", "state", "action", "changes", "spend")}


def read_teams(entries: t.Sequence[t.Mapping[str, t.Any]], environment: str) -> list[Team]:
    """The module's option as teams; everything that is wrong is said at once."""
    problems, teams, seen = Problems(), [], dict[str, int]()
    for number, entry in enumerate(entries):
        path = f"teams[{number}]"
        team_id = entry["team_id"] or entry["alias"]
        if team_id in seen:
            problems.add(f"{path}.alias", team_id, f"is also teams[{seen[team_id]}]", "name each team once")
        seen[team_id] = number
        problems.name(f"{path}.alias", entry["alias"])
        wanted = {} if entry["state"] == "absent" else _wanted(path, entry, environment, problems)
        teams.append(Team(team_id, entry["alias"], entry["state"], wanted))
    problems.stop()
    return teams


def _wanted(path: str, entry: t.Mapping[str, t.Any], environment: str, problems: Problems) -> Row:
    problems.budget(path, entry["budget_usd"], entry["budget_period"])
    for name in ("budget_usd", "budget_period", "models"):
        if not entry[name]:
            problems.add(f"{path}.{name}", entry[name], "is missing, which LiteLLM takes for unlimited", "give it")
    problems.models(f"{path}.models", entry["models"] or ())
    for name in _LIMITS:
        problems.limit(f"{path}.{name}", entry[name])
        if (entry[name] is None) != (name in entry["unlimited"]):
            what = "is missing, which LiteLLM takes for unlimited" if entry[name] is None else "is also unlimited"
            problems.add(f"{path}.{name}", entry[name], what, f"give a number, or name {name} in `unlimited`")
    for name in entry["metadata"]:
        if name in (MANAGED_BY, ENVIRONMENT, "priority"):
            problems.add(f"{path}.metadata", name, "is written by this module", "leave it out")
    return {
        "team_alias": entry["alias"],
        "models": sorted(entry["models"] or ()),
        "max_budget": entry["budget_usd"],
        "budget_duration": entry["budget_period"],
        "rpm_limit": entry["rpm"],
        "tpm_limit": entry["tpm"],
        "blocked": entry["state"] == "blocked",
        "metadata": {**mark(environment), "priority": entry["priority"], **entry["metadata"]},
        **_NOTHING,
    }


def reconcile_teams(
    llm: LiteLLM | None, environment: str, teams: t.Sequence[Team], *, block_others: bool, check_mode: bool
) -> list[TeamOutcome]:
    """Read all once, then write what differs, many at a time. A team that fails does not stop the others.

    Without a gateway (check mode before the first run) nothing is there yet.
    """
    live = {str(row["team_id"]): _with_aliases(row) for row in (llm.teams() if llm else ())}
    _refuse_foreign(live, teams, environment)
    listed = {team.team_id for team in teams}
    if block_others:
        teams = [
            *teams,
            *(
                Team(team_id, str(row.get("team_alias") or team_id), "blocked", {"blocked": True})
                for team_id, row in live.items()
                if team_id not in listed and is_ours(row, environment)
            ),
        ]
    outcomes = [_plan(team, live.get(team.team_id)) for team in teams]
    if llm and not check_mode:
        todo = [pair for pair in zip(teams, outcomes, strict=True) if pair[1].action != "none"]
        parallel(partial(_carry_out, llm), todo)
    return outcomes


def _with_aliases(row: Row) -> Row:
    """Model aliases lie in a table of their own."""
    return {**row, "model_aliases": (row.get("litellm_model_table") or {}).get("model_aliases") or {}}


def _refuse_foreign(live: t.Mapping[str, Row], teams: t.Sequence[Team], environment: str) -> None:
    problems = Problems()
    for number, team in enumerate(teams):
        metadata = (live.get(team.team_id) or {}).get("metadata") or {}
        owner = metadata.get(ENVIRONMENT)
        if metadata.get(MANAGED_BY) == PLATFORM and owner != environment:
            problems.add(f"teams[{number}].alias", team.alias, f"belongs to environment {owner!r}", "name it otherwise")
        elif team.state == "absent" and team.team_id in live and metadata.get(MANAGED_BY) != PLATFORM:
            what = "is not marked as made by this module"
            problems.add(f"teams[{number}].alias", team.alias, what, "delete it in LiteLLM if you mean it")
    problems.stop()


def _plan(team: Team, row: Row | None) -> TeamOutcome:
    outcome = TeamOutcome(team.team_id, team.alias, team.state, spend=float((row or {}).get("spend") or 0.0))
    if team.state == "absent":
        outcome.action = "deleted" if row else "none"
    elif row is None:
        outcome.action, outcome.changes = "created", changes({}, team.wanted)
    elif outcome_changes := changes(row, team.wanted):
        outcome.changes = outcome_changes
        outcome.action = "blocked" if outcome_changes.keys() == {"blocked"} and team.wanted["blocked"] else "updated"
    return outcome


def _carry_out(llm: LiteLLM, pair: tuple[Team, TeamOutcome]) -> None:
    team, outcome = pair
    try:
        if outcome.action == "deleted":
            _delete(llm, team)
        elif outcome.action == "created":
            _create(llm, team)
        else:
            _update(llm, team, outcome.changes)
    except LiteLLMError as exc:
        outcome.error = f"team {team.team_id!r}: {exc}"


def _create(llm: LiteLLM, team: Team) -> None:
    body = {"team_id": team.team_id, **{name: value for name, value in team.wanted.items() if value not in ("", None)}}
    for left in reversed(range(_ATTEMPTS)):
        try:
            llm.checked("POST", "/team/new", body)
        except LiteLLMError as exc:
            if left + 1 < _ATTEMPTS and "already exists" in str(exc):
                return  # by an attempt whose answer was lost
            if not left or not maybe_done(exc):
                raise
        else:
            return


def _delete(llm: LiteLLM, team: Team) -> None:
    """With its keys; LiteLLM tells its other replicas."""
    try:
        llm.checked("POST", "/team/delete", {"team_ids": [team.team_id]}, repeatable=True)
    except RefusedError as exc:
        if exc.status != 404:  # an attempt whose answer was lost, or somebody else, has done it
            raise


def _update(llm: LiteLLM, team: Team, found: Changes) -> None:
    """Only what differs: to send budget_duration anew would begin a new period."""
    path, identity = "/team/update", {"team_id": team.team_id}
    if "soft_budget" in found:
        # LiteLLM compares a new budget with the old soft budget, also when both are in one request.
        llm.checked("POST", path, {**identity, "soft_budget": None}, repeatable=True)
    body = {**identity, **{name: team.wanted[name] for name in found if name != "soft_budget"}}
    answer = llm.checked("POST", path, body, repeatable=True)
    row = dict((answer or {}).get("data") or {})
    row.pop("litellm_model_table", None)
    left = changes(row, {name: team.wanted[name] for name in found if name in row})
    if left:
        raise LiteLLMError(f"LiteLLM answered as if it had taken {', '.join(left)}, and did not: {left}")
