# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings the Secrets of the contract, and rotates nothing in passing. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils import _secret_fingerprint as fingerprints
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import ApiError
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import SecretError
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_judge import judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_rollout import consumers, groups, mark

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
    from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_judge import Request, Verdict

_ATTEMPTS = 3


@dataclass
class Outcome:
    """Names of Secrets and keys only: values stay in the cluster."""

    created: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    rolled: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.created or self.added or self.updated or self.recorded)

    def take(self, other: Outcome) -> None:
        """Adds what an earlier attempt had done already."""
        for name in ("created", "added", "updated"):
            mine: list[str] = getattr(self, name)
            mine[:0] = [entry for entry in getattr(other, name) if entry not in mine]
        self.kept = [entry for entry in self.kept if entry not in {*self.added, *self.updated}]


@dataclass
class _Change:
    """What one Secret lacks."""

    ref: Ref
    type: str
    values: dict[str, bytes] = field(default_factory=dict)


def bring(client: KubeClient, request: Request, *, dry_run: bool = False) -> Outcome:
    """Makes the cluster hold every value; SecretError, before anything is written, says all that is wrong."""
    done = Outcome()
    for attempt in range(_ATTEMPTS):
        verdict = judge(client, request)
        if verdict.troubles:
            raise SecretError(str(trouble) for trouble in verdict.troubles)
        try:
            outcome = _write(verdict, request, done, dry_run=dry_run)
        except ApiError as exc:
            # Somebody else was faster: what they made is kept.
            if exc.status == 409 and attempt + 1 < _ATTEMPTS:
                continue
            raise
        outcome.take(done)
        outcome.rolled = _roll(client, request, outcome, dry_run=dry_run)
        return outcome
    raise AssertionError("unreachable")


def adopt(client: KubeClient, request: Request, *, dry_run: bool = False) -> Outcome:
    """For Secrets that another controller brings: all are there, and those that never change are remembered."""
    verdict = judge(client, request)
    troubles = [str(trouble) for trouble in verdict.troubles]
    if not dry_run:
        troubles += [
            f"{target.place} has no value, although its ExternalSecret is ready; look at what the store holds"
            for entry in request.entries
            for target in entry.targets
            if verdict.secrets.value(target.place) is None
        ]
    if troubles:
        raise SecretError(troubles)
    outcome = Outcome(kept=sorted(str(target.place) for entry in request.entries for target in entry.targets))
    _record(verdict, request, outcome, dry_run=dry_run)
    return outcome


def _write(verdict: Verdict, request: Request, done: Outcome, *, dry_run: bool) -> Outcome:
    outcome = Outcome()
    for change in _changes(verdict, request, outcome).values():
        if not dry_run:
            verdict.secrets.put(change.ref, change.values, kind=change.type)
            part = Outcome(
                created=[change.ref.text] if change.ref.text in outcome.created else [],
                added=[name for name in outcome.added if name.startswith(f"{change.ref.namespace}/{change.ref.name}:")],
            )
            done.take(part)
    _record(verdict, request, outcome, dry_run=dry_run)
    return outcome


def _changes(verdict: Verdict, request: Request, outcome: Outcome) -> Mapping[Ref, _Change]:
    changes: dict[Ref, _Change] = {}
    for entry in request.entries:
        value = verdict.values[entry.name]
        if value is None:
            value = verdict.values[entry.name] = entry.make()
        for target in entry.targets:
            place, held = target.place, verdict.secrets.value(target.place)
            literals = {
                key: text.encode()
                for key, text in target.literals.items()
                if verdict.secrets.value(place._replace(key=key)) is None
            }
            if held == value and not literals:
                outcome.kept.append(str(place))
                continue
            if verdict.secrets.live(place.ref) is None and place.ref not in changes:
                outcome.created.append(place.ref.text)
            change = changes.setdefault(place.ref, _Change(place.ref, target.type))
            change.values |= literals
            if held != value:
                change.values[place.key] = value
                (outcome.added if held is None else outcome.updated).append(str(place))
    return changes


def _roll(client: KubeClient, request: Request, outcome: Outcome, *, dry_run: bool) -> list[str]:
    """Pods that read a value which the operator has changed begin anew; the layers that follow wait for them."""
    rolled: set[str] = set()
    for entry in request.entries:
        places = [target.place for target in entry.targets if str(target.place) in outcome.updated]
        if not places or not entry.rotation.order:
            continue
        for group in groups(entry, consumers(client, places)):
            if not dry_run:
                mark(client, entry.name, group)
            rolled |= {ref_of(workload).text for workload in group}
    return sorted(rolled)


def _record(verdict: Verdict, request: Request, outcome: Outcome, *, dry_run: bool) -> None:
    """After the value is there: a run that dies in between only forgets to remember, and the next one does."""
    values = {name: value for name in verdict.unrecorded if (value := verdict.values[name]) is not None}
    outcome.recorded = sorted(values)
    if values and not dry_run:
        ref = fingerprints.ref_in(request.home)
        verdict.secrets.put(ref, {name: fingerprints.fingerprint(value) for name, value in values.items()})
