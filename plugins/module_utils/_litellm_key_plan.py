# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is to be done for one key, from what LiteLLM and its Secret hold. Pure. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import LiteLLMError
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import changes, moment, text
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import GENERATION, token_of

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import Row
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import Changes
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_input import Key
    from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import Held

RETIRES: t.Final = "retires"
# Clocks of the gateway and its database differ, and a request takes a while.
_TOLERANCE: t.Final = timedelta(seconds=30)


@dataclass(slots=True)
class Plan:
    """Steps for one key. `replace` makes a new value; `staged` keeps the old one in use until the new one works."""

    key: Key
    action: str = "none"
    reason: str = ""
    current: Row | None = None
    changes: Changes = field(default_factory=dict)
    replace: bool = False
    staged: bool = False
    promote: bool = False
    update: dict[str, Changes] = field(default_factory=dict)
    retire: list[Row] = field(default_factory=list)
    revoke: list[Row] = field(default_factory=list)
    expires: datetime | None = None

    @property
    def spent(self) -> float:
        """What the value that is replaced has spent: a new value is no new budget, whoever made it necessary."""
        rows = [row for row in (*self.retire, *self.revoke) if not (row.get("metadata") or {}).get(RETIRES)]
        return max((float(row.get("spend") or 0.0) for row in rows), default=0.0)

    @property
    def touched(self) -> set[str]:
        """Tokens that this key accounts for."""
        rows = (*self.retire, *self.revoke, *((self.current,) if self.current else ()))
        return {str(row["token"]) for row in rows} | self.update.keys()


def alias_of(key: Key, token: str) -> str:
    """LiteLLM wants aliases unique over all keys, also while two values of one key overlap."""
    return f"{key.team}/{key.name}/{token[:8]}"


class Terms(t.NamedTuple):
    """The gateway's time, and the longest life that a key may have."""

    now: datetime
    longest: timedelta | None = None


def plan_key(
    key: Key, held: Held | None, by_token: t.Mapping[str, Row], siblings: t.Sequence[Row], terms: Terms
) -> Plan:
    """`siblings` are all rows of the key's team that carry its name in our mark."""
    plan = Plan(key)
    pending = by_token.get(token_of(held.pending)) if held and held.pending else None
    found = pending or (by_token.get(held.token) if held and held.value else None)
    # A value that was replaced is not taken back: somebody had a reason, and a restored Secret is none.
    plan.current = None if found and (found.get("metadata") or {}).get(RETIRES) else found
    plan.promote = plan.current is not None and pending is not None
    others = [row for row in siblings if row is not plan.current]
    if not key.lives:
        _plan_end(plan, held, others)
    elif plan.current is None:
        _plan_first(plan, held, others, terms)
    else:
        _plan_living(plan, plan.current, held, others, terms)
    return plan


def _plan_end(plan: Plan, held: Held | None, others: t.Sequence[Row]) -> None:
    plan.revoke = [*others, *((plan.current,) if plan.current else ())]
    leftover = held is not None and held.ours and (plan.key.state == "absent" or bool(held.value))
    if plan.revoke or leftover:
        plan.action = "deleted" if plan.key.state == "absent" else "revoked"
    plan.current, plan.promote = None, False


def _plan_first(plan: Plan, held: Held | None, others: t.Sequence[Row], terms: Terms) -> None:
    """No value works: a new one, at once. What others may still hold of it ends after the overlap."""
    now = terms.now
    _set_expiry(plan, now, terms)
    if plan.expires and plan.expires <= now:
        plan.reason = f"its date {text(plan.expires)} has passed: no key was made"
        return
    plan.replace = True
    if held and held.value:
        plan.action, plan.reason = "healed", "the value in its Secret does not work"
    elif others:
        plan.action, plan.reason = "healed", "its Secret is gone" if held is None else "its Secret holds no value"
    else:
        plan.action, plan.reason = "created", "there was none"
        plan.changes = {**changes({}, plan.key.wanted), **_expiry_change({}, plan.expires, now)}
    _plan_others(plan, others, None, now)


def _plan_living(plan: Plan, row: Row, held: Held | None, others: t.Sequence[Row], terms: Terms) -> None:
    key, now = plan.key, terms.now
    created = moment(row.get("created_at")) or now
    if not plan.promote and (due := _rotation_due(key, row, held, created, now)):
        _set_expiry(plan, now, terms)
        plan.action, plan.reason, plan.replace, plan.staged = "rotated", due, True, True
        _plan_others(plan, [*others, row], row, now)
        return
    _set_expiry(plan, created, terms)
    found = changes(row, {**key.wanted, "key_alias": alias_of(key, str(row["token"]))})
    found |= _expiry_change(row, plan.expires, now)
    if found:
        plan.update[str(row["token"])] = found
    plan.changes |= found
    _plan_others(plan, others, row, now)
    if plan.promote:
        plan.action, plan.reason = "rotated", "an interrupted rotation is completed"
    elif plan.update or plan.retire or plan.revoke:
        only_blocked = found.keys() == {"blocked"} and key.state == "blocked"
        plan.action = "blocked" if only_blocked else "updated"
        plan.reason = "values of it that are not in use" if not found else ""


def _set_expiry(plan: Plan, made: datetime, terms: Terms) -> None:
    plan.expires = plan.key.expiry.of(made)
    if terms.longest and plan.expires and plan.expires - made > terms.longest:
        raise LiteLLMError(
            f"{plan.key.path}.expires = {text(plan.expires)!r}: a key made {text(made)} would outlive max_lifetime "
            f"({terms.longest}); give an earlier date, or rotate it"
        )


def _rotation_due(key: Key, row: Row, held: Held | None, created: datetime, now: datetime) -> str:
    metadata = row.get("metadata") or {}
    generation = (held.annotations.get(GENERATION) if held else None) or metadata.get("generation") or key.generation
    if str(generation) != str(key.generation):
        return f"generation {generation} became {key.generation}"
    if key.rotate_after and created + key.rotate_after <= now:
        return f"it was made {text(created)}, longer ago than {key.rotate_after}"
    return ""


def _expiry_change(row: Row, wanted: datetime | None, now: datetime) -> Changes:
    live = moment(row.get("expires"))
    if live and wanted and (abs(live - wanted) <= _TOLERANCE or max(live, wanted) <= now):
        return {}
    return {} if live == wanted else {"expires": {"before": text(live), "after": text(wanted)}}


def _plan_others(plan: Plan, others: t.Iterable[Row], current: Row | None, now: datetime) -> None:
    """Older values end: at once, or after the overlap if they were in use. A newer one nobody of ours has made."""
    key = plan.key
    for row in others:
        expires = moment(row.get("expires"))
        retires = _retires(row)
        if retires:
            # No later than an overlap of now could end, whatever its metadata says.
            if expires is None or expires > min(retires, now + key.overlap) + _TOLERANCE:
                plan.revoke.append(row)
            elif expires <= now:
                if plan.replace:
                    plan.revoke.append(row)  # the last rotation's; kept until now so that a quiet run stays quiet
            elif found := changes(row, {name: value for name, value in key.wanted.items() if name != "metadata"}):
                plan.update[str(row["token"])] = found
        elif not key.overlap or row.get("blocked") or (current is not None and _newer(row, current)):
            plan.revoke.append(row)
        else:
            plan.retire.append(row)


def _retires(row: Row) -> datetime | None:
    try:
        return moment((row.get("metadata") or {}).get(RETIRES))
    except ValueError:
        return None  # not written by us


def _newer(row: Row, current: Row) -> bool:
    made, mine = moment(row.get("created_at")), moment(current.get("created_at"))
    return bool(row is not current and made and mine and made > mine)
