# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run has shown, as one document: every claim with its answer or none. Private to the collection."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import (
    Check,
    CheckError,
    not_run,
    validate_check,
)

SHORT_OBSERVED: t.Final = 200
# Shorter values occur in ordinary words, so finding them would prove nothing.
SECRET_MIN_LENGTH: t.Final = 8

Document = dict[str, t.Any]


class EvidenceError(Exception):
    """The evidence is malformed, or it would publish a secret."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the evidence is about."""

    environment: str
    commit: str
    tree: str
    started: str
    seconds: float
    versions: t.Mapping[str, t.Any]


def build(run: Run, checks: t.Iterable[object], claims: t.Sequence[t.Mapping[str, t.Any]]) -> Document:
    """The evidence of a run; a claim without a check is there too, as not ok."""
    answered: dict[str, Check] = {}
    for value in checks:
        try:
            check = validate_check(value)
        except CheckError as exc:
            raise EvidenceError(str(exc)) from exc
        known = answered.get(check["id"])
        # Two answers for one claim: the worse one counts, whatever the order.
        if known is None or known["ok"]:
            answered[check["id"]] = check
    try:
        ordered = [
            answered.pop(claim["id"]) if claim.get("id") in answered else not_run(claim, "no probe brought a result")
            for claim in claims
        ]
    except CheckError as exc:
        raise EvidenceError(str(exc)) from exc
    ordered += answered.values()
    failed = sum(not check["ok"] for check in ordered)
    return {
        "environment": run.environment,
        "commit": run.commit,
        "tree": run.tree,
        "started": run.started,
        "seconds": round(run.seconds, 1),
        "versions": dict(run.versions),
        "summary": {
            "total": len(ordered),
            "ok": len(ordered) - failed,
            "failed": failed,
            "simulated": sum(bool(check.get("simulated")) for check in ordered),
        },
        "checks": ordered,
    }


def short(document: Document) -> Document:
    """What fits into a ConfigMap: no series, short observations."""
    keep = ("environment", "commit", "tree", "started", "seconds", "versions", "summary")
    checks = [
        {
            "id": check["id"],
            "ok": check["ok"],
            "seconds": check["seconds"],
            "observed": _cut(check.get("reason") or check["observed"]),
            **({"simulated": True} if check.get("simulated") else {}),
        }
        for check in document["checks"]
    ]
    return {**{key: document[key] for key in keep}, "checks": checks}


def table(document: Document) -> list[str]:
    """Lines for a terminal: failed checks first, then a sentence."""
    checks = sorted(document["checks"], key=lambda check: check["ok"])
    width = max((len(check["id"]) for check in checks), default=0)
    lines = []
    for check in checks:
        state = "ok    " if check["ok"] else "FAILED"
        note = " (simulated)" if check.get("simulated") else ""
        lines.append(f"{state} {check['id']:<{width}} {check['seconds']:7.1f} s  {_cut(check['observed'], 110)}{note}")
        if not check["ok"] and check.get("reason") and check["reason"] != check["observed"]:
            lines.append(f"       {check['reason']}")
    summary = document["summary"]
    lines.append(f"{summary['ok']} of {summary['total']} checks ok, {summary['simulated']} of them on simulated parts")
    return lines


def refuse_secrets(text: str, values: t.Mapping[str, str]) -> None:
    """EvidenceError when a secret's value, plain or in base64, is in the text. It names the place, never the value."""
    for place, value in values.items():
        if len(value) < SECRET_MIN_LENGTH:
            continue
        if value in text or base64.b64encode(value.encode()).decode() in text:
            raise EvidenceError(
                f"the evidence would contain the value of {place}; the probe that observed it must not quote it"
            )


def _cut(text: str, length: int = SHORT_OBSERVED) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"
