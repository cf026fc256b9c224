# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a probe answers: one check per claim, true only when it was seen. Private to the collection."""

from __future__ import annotations

import re
import time
import typing as t
from dataclasses import dataclass, field

CLASSES: t.Final = ("read", "live", "destructive")
DID_NOT_RUN: t.Final = "did not run"

_ID = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_REQUIRED: t.Final[dict[str, type | tuple[type, ...]]] = {
    "id": str,
    "class": str,
    "claim": str,
    "expected": str,
    "observed": str,
    "ok": bool,
    "seconds": (int, float),
}
_OPTIONAL: t.Final[dict[str, type | tuple[type, ...]]] = {
    "simulated": bool,
    "reason": str,
    "series": dict,
    "table": dict,
}

Check = dict[str, t.Any]


class CheckError(Exception):
    """A check lacks a field, or a field is not what it must be."""


class ProbeError(Exception):
    """A probe could not be carried out; the sentence becomes the reason of a failed check."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed and what a probe must see for it."""

    id: str
    probe_class: str
    claim: str
    expected: str

    def check(
        self,
        *,
        ok: bool,
        observed: str,
        seconds: float,
        reason: str = "",
        simulated: bool | None = None,
        series: t.Mapping[str, t.Any] | None = None,
        table: t.Mapping[str, t.Any] | None = None,
    ) -> Check:
        result: Check = {
            "id": self.id,
            "class": self.probe_class,
            "claim": self.claim,
            "expected": self.expected,
            "observed": observed,
            "ok": ok,
            "seconds": round(seconds, 3),
        }
        if reason:
            result["reason"] = reason
        if simulated is not None:
            result["simulated"] = simulated
        if series:
            result["series"] = dict(series)
        if table:
            result["table"] = dict(table)
        return result

    def not_run(self, reason: str, seconds: float = 0.0) -> Check:
        return self.check(ok=False, observed=DID_NOT_RUN, seconds=seconds, reason=f"{DID_NOT_RUN}: {reason}")


def not_run(claim: t.Mapping[str, t.Any], reason: str) -> Check:
    """The check of a declared claim (id, class, claim, perhaps expected) that no probe settled."""
    try:
        declared = Claim(claim["id"], claim["class"], claim["claim"], claim.get("expected") or "the claim holds")
    except KeyError as exc:
        raise CheckError(f"a declared claim lacks the field {exc}: {dict(claim)!r}") from exc
    return declared.not_run(reason)


@dataclass(slots=True)
class Observation:
    """What a probe saw: facts for the reader and everything that speaks against the claim."""

    facts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    simulated: bool | None = None
    series: dict[str, t.Any] = field(default_factory=dict)
    # {"columns": [names], "rows": [[texts or numbers]]}, for what one sentence cannot hold.
    table: dict[str, t.Any] = field(default_factory=dict)


def run_probe(
    claim: Claim,
    probe: t.Callable[[], Observation],
    ends: tuple[type[Exception], ...] = (),
    clock: t.Callable[[], float] = time.monotonic,
) -> Check:
    """Carry out a probe; a claim holds only when the probe ran, saw something and found no fault.

    What `ends` names means, like a ProbeError, that it could not run.
    """
    stops: tuple[type[Exception], ...] = (ProbeError, *ends)
    began = clock()
    try:
        seen = probe()
    except stops as exc:
        return claim.not_run(str(exc), clock() - began)
    if not seen.facts and not seen.faults:
        return claim.not_run("the probe found nothing to look at", clock() - began)
    return claim.check(
        ok=not seen.faults,
        observed="; ".join(seen.facts or seen.faults),
        seconds=clock() - began,
        reason="; ".join(seen.faults),
        simulated=seen.simulated,
        series=seen.series,
        table=seen.table,
    )


def validate_check(value: object) -> Check:
    """The value itself when it is a well-formed check; CheckError names the field otherwise."""
    if not isinstance(value, dict):
        raise CheckError(f"a check must be a dictionary, got {type(value).__name__}")
    name = value.get("id")
    for key, kind in _REQUIRED.items():
        if key not in value:
            raise CheckError(f"check {name!r} lacks the field {key!r}")
        _demand_type(name, key, value[key], kind)
    for key in set(value) - set(_REQUIRED):
        if key not in _OPTIONAL:
            raise CheckError(f"check {name!r} has the unknown field {key!r}")
        _demand_type(name, key, value[key], _OPTIONAL[key])
    if not _ID.fullmatch(value["id"]):
        raise CheckError(f"check id {name!r} must consist of lower-case letters, digits, dots and dashes")
    if value["class"] not in CLASSES:
        raise CheckError(f"check {name!r} has class {value['class']!r}, must be one of {', '.join(CLASSES)}")
    if "table" in value:
        _demand_table(name, value["table"])
    return t.cast("Check", value)


def _demand_table(name: object, table: dict[str, t.Any]) -> None:
    columns, rows = table.get("columns"), table.get("rows")
    if set(table) != {"columns", "rows"} or not isinstance(columns, list) or not isinstance(rows, list) or not columns:
        raise CheckError(f"check {name!r}: field 'table' must have columns and rows, two lists, and nothing else")
    if not all(isinstance(column, str) for column in columns):
        raise CheckError(f"check {name!r}: the columns of the table must be strings")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            raise CheckError(f"check {name!r}: row {number} of the table must be a list of {len(columns)} cells")
        if not all(isinstance(cell, (str, int, float)) for cell in row):
            raise CheckError(f"check {name!r}: row {number} of the table must hold strings and numbers only")


def _demand_type(name: object, key: str, value: object, kind: type | tuple[type, ...]) -> None:
    # True is an int in Python: seconds must not be a boolean.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = kind.__name__ if isinstance(kind, type) else "number"
        raise CheckError(f"check {name!r}: field {key!r} must be {wanted}, got {type(value).__name__}")
