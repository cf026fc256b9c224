# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Compares what pods could open with what the flows allow. Private to the collection."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Claim, Observation, ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Place, is_at
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_agent import BIRTH_SECONDS
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe_map import (
    OUTSIDE,
    STRANGER,
    Source,
    Target,
    is_allowed,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._flows import Flow

BYPASS: t.Final = Claim(
    "bypass-blocked",
    "live",
    "Whatever the table of flows does not allow is refused, wherever in the cluster it is tried from",
    "from every kind of pod of the platform, every tenant and a foreign namespace, every Service, pod, node port and"
    " kubelet that the table does not allow is refused, on new connections and on those kept since the pod's first"
    " instant; every flow of the table works; each listener was shown to live",
)
EGRESS: t.Final = Claim(
    "egress-blocked",
    "live",
    "No pod of the platform or of a tenant opens a connection out of the cluster that the table does not allow",
    "an address outside, which a pod without policies reaches, is out of reach for every kind of pod of the platform"
    " and every tenant",
)
BIRTH: t.Final = Claim(
    "birth-race-bounded",
    "live",
    "A pod that tries from its first instant reaches nothing that is protected",
    "no pod opened a forbidden connection to a pod or Service of the platform or a tenant in its first moments, while"
    " the one without policies did reach the address outside",
)
_SHOWN: t.Final = 8


@dataclass(frozen=True, slots=True)
class Opened:
    """What a pod opened in its first moments."""

    target: int
    times: int
    last_ms: int
    lives: bool


@dataclass(slots=True)
class Attempts:
    """What one source saw: of each target why it did not open, "" where it did."""

    source: Source
    address: str
    tried: dict[int, str] = field(default_factory=dict)
    rounds: int = 0
    # What it tried from its first instant.
    born: frozenset[int] = frozenset()
    opened: tuple[Opened, ...] = ()
    trouble: str = ""


@dataclass(slots=True)
class Measured:
    """All attempts, and which listeners were shown to live by somebody else."""

    flows: t.Sequence[Flow]
    # Namespaces of the platform and of tenants.
    own: frozenset[str]
    targets: t.Sequence[Target]
    attempts: t.Sequence[Attempts]
    # Number of a target that did not answer even the API server, and why.
    silent: t.Mapping[int, str] = field(default_factory=dict)
    unreached: str = ""

    def pairs(self) -> t.Iterator[tuple[Attempts, int, Target, bool]]:
        """Every attempt that policies decide, with what the flows say of it."""
        for one in self.attempts:
            for number, target in enumerate(self.targets):
                itself = target.host == one.address or any(
                    place.address == one.address for place, _port in target.behind
                )
                # What is neither from us nor to us is not ours to deny.
                decided = one.source.namespace in self.own or target.is_in(self.own)
                if number not in one.tried or itself or not decided:
                    continue
                allowed = is_allowed(self.flows, one.source.place, target)
                if allowed or not self.is_public(one, target):
                    yield one, number, target, allowed

    def is_public(self, one: Attempts, target: Target) -> bool:
        """Whether a target is open to networks that a pod has its address in: some clusters count it, some not."""
        return is_allowed(self.flows, Place(one.address), target)

    def is_protected(self, one: Attempts, target: Target) -> bool:
        """Whether the target's own policies are to keep this pod away."""
        return target.is_in(self.own) and not self.is_public(one, target)


def judge_bypass(seen: Measured) -> Observation:
    faults: list[str] = [f"{one.source.title}: {one.trouble}" for one in seen.attempts if one.trouble]
    cells: dict[tuple[str, str], Counter[str]] = {}
    counts: Counter[str] = Counter()
    reached = {number for one, number, _target, may in seen.pairs() if may and not one.tried[number]}
    for one, number, target, allowed in seen.pairs():
        if target.group == OUTSIDE or (number in seen.silent and number not in reached and one.tried[number]):
            continue
        said = one.tried[number]
        word = ("open" if not said else "CLOSED") if allowed else ("OPEN" if not said else "refused")
        cells.setdefault((one.source.title, target.group), Counter())[word] += 1
        counts[word] += 1
        if word == "CLOSED":
            faults.append(f"{one.source.title} cannot open {target.text}, which a flow allows ({said})")
        if word == "OPEN":
            faults.append(f"{one.source.title} opens {target.text}, which no flow allows")
    kept = [
        f"{one.source.title} kept a connection to {seen.targets[entry.target].text} since its first instant"
        for one, entry in _born(seen)
        if entry.lives and seen.is_protected(one, seen.targets[entry.target])
    ]
    dead = [
        f"nothing listens at {seen.targets[number].text}, which flows lead to ({why})"
        for number, why in seen.silent.items()
        if number not in reached and _is_named(seen.flows, seen.targets[number])
    ]
    if counts["OPEN"] > counts["refused"]:
        faults.insert(0, "the cluster's network does not enforce NetworkPolicies")
    real = sum(1 for one in seen.attempts if one.source.pod)
    fact = (
        f"{len(seen.attempts)} kinds of pods ({real} by the real pod, the others by one with its labels) tried"
        f" {len(seen.targets) - len(seen.silent)} listeners: {counts['refused']} pairs refused,"
        f" {counts['open']} allowed ones open,"
        f" {counts['OPEN']} open that must not be, {counts['CLOSED']} closed that must not be, {len(kept)} kept since"
        f" birth; {len(seen.silent)} declared ports on which nothing listens were left out"
    )
    return Observation([fact], _some(faults + kept + dead), table=_matrix(seen, cells))


def judge_egress(seen: Measured) -> Observation:
    outside = _outside(seen)
    faults: list[str] = []
    refused = allowed = 0
    for one, number, target, may in seen.pairs():
        if number != outside:
            continue
        if may:
            allowed += 1
        elif one.tried[number]:
            refused += 1
        else:
            faults.append(f"{one.source.title} opens {target.text}")
    faults += [f"{one.source.title}: {one.trouble}" for one in seen.attempts if one.trouble]
    fact = f"{seen.targets[outside].text} answered a pod without policies and refused {refused} kinds of pods of ours"
    return Observation([fact + (f"; flows allow it to {allowed}" if allowed else "")], _some(faults))


def judge_birth(seen: Measured) -> Observation:
    outside = _outside(seen)
    if not any(entry.target == outside for one, entry in _born(seen) if one.source.end == STRANGER):
        raise ProbeError("the pod without policies opened nothing in its first moments, so that others prove nothing")
    faults: list[str] = []
    elsewhere: list[Opened] = []
    tried = sum(seen.is_protected(one, seen.targets[number]) for one in seen.attempts for number in one.born)
    rounds = [one.rounds for one in seen.attempts if one.born]
    for one, entry in _born(seen):
        target = seen.targets[entry.target]
        if seen.is_protected(one, target):
            faults.append(f"{one.source.title} opened {target.text} {entry.times} times, last after {entry.last_ms} ms")
        elif one.source.end != STRANGER and not target.is_in(seen.own):
            elsewhere.append(entry)
    fact = (
        f"{len(rounds)} new pods tried {tried} protected pairs {min(rounds, default=0)} times and more from their first"
        f" instant; {len(faults)} opened"
    )
    last = max((entry.last_ms for entry in elsewhere), default=0)
    more = (
        f"{len(elsewhere)} pairs whose target has no policies of its own (API server, kubelets, outside) opened, the"
        f" last {last} ms after the process began (it tried for {int(BIRTH_SECONDS * 1000)}), and"
        f" {sum(entry.lives for entry in elsewhere)} of them live on"
    )
    return Observation([fact, more], _some(faults))


def _outside(seen: Measured) -> int:
    number = next((index for index, target in enumerate(seen.targets) if target.group == OUTSIDE), None)
    if number is None:
        raise ProbeError(seen.unreached or "no address outside is known")
    control = [one for one in seen.attempts if one.source.end == STRANGER]
    if not any(one.tried.get(number) == "" for one in control):
        why = "; ".join(one.trouble or one.tried.get(number, "not tried") for one in control)
        text = seen.targets[number].text
        raise ProbeError(f"{text} does not answer even a pod without policies ({why}), so that a refusal shows nothing")
    return number


def _is_named(flows: t.Sequence[Flow], target: Target) -> bool:
    """Whether some flow leads there, from whomever."""
    return any(
        is_at(flow["to"], place) and any(entry["port"] == port for entry in flow["ports"])
        for flow in flows
        for place, port in target.behind
    )


def _born(seen: Measured) -> t.Iterator[tuple[Attempts, Opened]]:
    return ((one, entry) for one in seen.attempts for entry in one.opened)


def _some(faults: list[str]) -> list[str]:
    unique = list(dict.fromkeys(faults))
    rest = len(unique) - _SHOWN
    return unique[:_SHOWN] + ([f"and {rest} more"] if rest > 0 else [])


def _matrix(seen: Measured, cells: t.Mapping[tuple[str, str], Counter[str]]) -> dict[str, t.Any]:
    groups = list(dict.fromkeys(target.group for target in seen.targets if target.group != OUTSIDE))
    rows = [
        [
            one.source.title,
            *(
                ", ".join(f"{count} {word}" for word, count in sorted(cells.get((one.source.title, group), {}).items()))
                for group in groups
            ),
        ]
        for one in seen.attempts
    ]
    return {"columns": ["from / to", *groups], "rows": rows}
