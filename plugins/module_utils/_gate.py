# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""One pass of all rules over a tree of objects, and the exceptions from them. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._waivers import Waiver, first_excuse, waivers_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

# A workload's kind, and where its pod template lies.
_TEMPLATES: t.Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): (),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "Job"): ("spec", "template"),
}
CONTAINER_LISTS: t.Final = ("initContainers", "containers", "ephemeralContainers")


def template_keys(group_kind: tuple[str, str]) -> tuple[str, ...] | None:
    """Where the pod template of a kind lies; None for kinds that are no workload."""
    return _TEMPLATES.get(group_kind)


class GateError(Exception):
    """An exception that is not written as it must be."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object of the tree with the file it comes from."""

    path: str
    object: Object
    ref: Ref

    @classmethod
    def of(cls, path: str, obj: Object) -> Item:
        return cls(path, obj, ref_of(obj))

    @property
    def template(self) -> Mapping[str, t.Any] | None:
        """The pod or pod template of a workload; None for everything else."""
        keys = _TEMPLATES.get(self.ref.group_kind)
        if keys is None:
            return None
        found: t.Any = self.object
        for key in keys:
            found = found.get(key) or {}
        return t.cast("Mapping[str, t.Any]", found)

    @property
    def pod_spec(self) -> Mapping[str, t.Any]:
        return t.cast("Mapping[str, t.Any]", (self.template or {}).get("spec") or {})

    def containers(self, *lists: str) -> Iterator[tuple[str, Mapping[str, t.Any]]]:
        """(path, container) of the named lists of the pod, of all when none is named."""
        for name in lists or CONTAINER_LISTS:
            for index, container in enumerate(self.pod_spec.get(name) or ()):
                yield f"{name}[{index}] {container.get('name', '')}".rstrip(), container


@dataclass(frozen=True, slots=True)
class Tree:
    """All objects, and what rules ask of the environment."""

    items: Sequence[Item]
    tier: str = "dev"

    def of_kind(self, group: str, *kinds: str) -> Iterator[Item]:
        return (item for item in self.items if item.ref.group == group and item.ref.kind in kinds)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    path: str
    object: str
    rule: str
    problem: str
    fix: str
    waiver: Waiver | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.path}: {self.object}: {self.problem} ({self.rule}); {self.fix}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its name, one sentence, and what it finds as (item, problem, fix)."""

    name: str
    sentence: str
    check: Callable[[Tree], Iterable[tuple[Item, str, str]]]


def judge(tree: Tree, rules: Iterable[Rule], waivers: Sequence[Waiver] = ()) -> list[Finding]:
    """Everything that the rules find, with the exception that excuses it where there is one."""
    findings = []
    for rule in rules:
        for item, problem, fix in rule.check(tree):
            finding = Finding(item.path, item.ref.text, rule.name, problem, fix)
            findings.append(replace(finding, waiver=first_excuse(waivers, finding.rule, finding.object)))
    return sorted(findings)


def unused(findings: Iterable[Finding], waivers: Iterable[Waiver]) -> list[Waiver]:
    """Exceptions that excuse nothing any more."""
    used = {finding.waiver for finding in findings}
    return [waiver for waiver in waivers if waiver not in used]


def read_waivers(data: Iterable[Mapping[str, t.Any]], rules: Iterable[str], path: str) -> list[Waiver]:
    """Exceptions as the inventory writes them; GateError names the one that is incomplete."""
    return waivers_of(data, "object", rules, path, GateError)
