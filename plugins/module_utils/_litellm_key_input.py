# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The option `keys` of litellm_key, checked as a whole, as LiteLLM's fields. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import Problems, mark, moment, seconds

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import Row

NEVER: t.Final = "never"
_LIMITS: t.Final = ("rpm", "tpm", "parallel")
# Ways to spend or reach more that are none of the options: nobody else may set them on a key of ours. Each can be
# undone by /key/update.
_NOTHING: t.Final[Row] = {
    "budget_id": None,
    "user_id": None,
    "agent_id": None,
    "tpd_limit": None,
    "budget_limits": [],
    "budget_fallbacks": {},
    "model_max_budget": {},
    "access_group_ids": [],
    "aliases": {},
    "config": {},
    "permissions": {},
    "router_settings": {},
    "allowed_cache_controls": [],
    "auto_rotate": False,
    "object_permission": {},
}


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a key ends: a while after it was made, at a date, or (both None) never."""

    after: timedelta | None = None
    at: datetime | None = None

    def of(self, created: datetime) -> datetime | None:
        return created + self.after if self.after is not None else self.at


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of `keys`. `wanted` are LiteLLM's fields but for alias and expiry, which depend on the single value."""

    path: str
    team: str
    name: str
    namespace: str
    secret: str
    state: str
    wanted: Row = field(default_factory=dict)
    expiry: Expiry = Expiry()
    generation: int = 1
    rotate_after: timedelta | None = None
    overlap: timedelta = timedelta(0)

    @property
    def place(self) -> tuple[str, str]:
        return self.namespace, self.secret

    @property
    def lives(self) -> bool:
        return self.state in ("present", "blocked")


def read_keys(params: t.Mapping[str, t.Any]) -> tuple[list[Key], timedelta | None]:
    """All entries and the longest life that is allowed; everything that is wrong is said at once."""
    problems, keys = Problems(), []
    longest = _duration(problems, "max_lifetime", params["max_lifetime"])
    for number, entry in enumerate(params["keys"]):
        path = f"keys[{number}]"
        problems.name(f"{path}.name", entry["name"])
        place = entry["secret"]
        key = Key(
            path,
            entry["team"],
            entry["name"],
            place["namespace"],
            place["name"] or f"llm-key-{entry['name']}",
            entry["state"],
        )
        keys.append(_complete(key, entry, params, longest, problems) if key.lives else key)
    _refuse_twins(keys, problems)
    problems.stop()
    return keys, longest


def _complete(
    key: Key, entry: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any], longest: timedelta | None, problems: Problems
) -> Key:
    path, rotation = key.path, entry["rotation"]
    expiry = _expiry(problems, f"{path}.expires", entry["expires"], longest)
    overlap = rotation["overlap_seconds"]
    if overlap < 0:
        problems.add(f"{path}.rotation.overlap_seconds", overlap, "is negative", "give 0 or more")
    rotate_after = _duration(problems, f"{path}.rotation.after", rotation["after"])
    if rotate_after and expiry.after and rotate_after >= expiry.after:
        what = f"is not before the key expires ({entry['expires']})"
        problems.add(f"{path}.rotation.after", rotation["after"], what, "rotate earlier")
    return Key(
        path,
        key.team,
        key.name,
        key.namespace,
        key.secret,
        key.state,
        _wanted(key, entry, params, problems),
        expiry,
        rotation["generation"],
        rotate_after,
        timedelta(seconds=max(0, overlap)),
    )


def _wanted(key: Key, entry: t.Mapping[str, t.Any], params: t.Mapping[str, t.Any], problems: Problems) -> Row:
    path = key.path
    problems.budget(path, entry["budget_usd"], entry["budget_period"])
    if (entry["budget_usd"] is None) != (entry["budget_period"] is None):
        problems.add(f"{path}.budget_period", entry["budget_period"], "goes with budget_usd", "give both or neither")
    problems.models(f"{path}.models", entry["models"])
    for name in _LIMITS:
        problems.limit(f"{path}.{name}", entry[name])
    # Unlike dollars, requests and tokens, LiteLLM counts parallel requests by key alone: no team's limit holds them.
    if (entry["parallel"] is None) != ("parallel" in entry["unlimited"]):
        what = "is missing, which LiteLLM takes for unlimited" if entry["parallel"] is None else "is also unlimited"
        problems.add(f"{path}.parallel", entry["parallel"], what, "give a number, or name parallel in `unlimited`")
    return {
        "team_id": key.team,
        # Without a team, an empty list would mean every model; this word then means none.
        "models": sorted(entry["models"]) or ["all-team-models"],
        "max_budget": entry["budget_usd"],
        "budget_duration": entry["budget_period"],
        "rpm_limit": entry["rpm"],
        "tpm_limit": entry["tpm"],
        "max_parallel_requests": entry["parallel"],
        "allowed_routes": sorted(params["allowed_routes"]),
        "blocked": key.state == "blocked",
        "metadata": {**mark(params["environment"]), "key": key.name, "generation": entry["rotation"]["generation"]},
        **_NOTHING,
    }


def _duration(problems: Problems, path: str, value: str | None) -> timedelta | None:
    try:
        return timedelta(seconds=seconds(value)) if value else None
    except (ValueError, OverflowError) as exc:
        problems.add(path, value, str(exc), "correct it")
        return None


def _expiry(problems: Problems, path: str, value: str | None, longest: timedelta | None) -> Expiry:
    if not value:
        problems.add(path, value, "is missing", "give a duration like 30d, a date, or `never`")
    elif value == NEVER:
        if longest:
            problems.add(path, value, f"outlives max_lifetime ({longest})", "give a duration or date within it")
    elif value[0].isdigit() and value[-1] in "smhdw":
        after = _duration(problems, path, value)
        if after and longest and after > longest:
            problems.add(path, value, f"outlives max_lifetime ({longest})", "give a shorter one")
        return Expiry(after=after)
    else:
        try:
            return Expiry(at=moment(value))
        except ValueError:
            problems.add(path, value, "is neither duration nor date", "write 30d or 2027-01-31 or 2027-01-31T12:00:00Z")
    return Expiry()


def _refuse_twins(keys: t.Sequence[Key], problems: Problems) -> None:
    names: dict[tuple[str, str], str] = {}
    places: dict[tuple[str, str], str] = {}
    for key in keys:
        identity = (key.team, key.name)
        if identity in names:
            problems.add(f"{key.path}.name", key.name, f"is also {names[identity]}", "name each key of a team once")
        elif key.place in places:
            place = "/".join(key.place)
            problems.add(f"{key.path}.secret", place, f"is also that of {places[key.place]}", "give each its own")
        names[identity] = places[key.place] = key.path
