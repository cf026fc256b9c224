# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Judges a rendered tree by all rules, and says what it found as people read it. Private to the collection."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils import _gate_access, _gate_pods
from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import (
    Finding,
    Item,
    Tree,
    judge,
    read_waivers,
    unused,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import read_tree

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RULES: t.Final = (*_gate_pods.RULES, *_gate_access.RULES)
RULE_NAMES: t.Final = tuple(sorted(rule.name for rule in RULES))


def gate(
    root: Path,
    components: Iterable[str] | None,
    tier: str,
    exceptions: Iterable[Mapping[str, t.Any]],
    *,
    demand_digests: bool = True,
) -> dict[str, t.Any]:
    """What the rules find in the named components, or in all; `refused` has what no exception excuses."""
    waivers = read_waivers(exceptions, RULE_NAMES, "exceptions")
    wanted = None if components is None else set(components)
    # Rules look at objects together, such as budgets and what they protect, so all of them are read.
    entries = read_tree(root)
    items = [Item(str(entry.path.relative_to(root)), entry.object, entry.ref) for entry in entries]
    rules = [rule for rule in RULES if demand_digests or rule.name != "pinned"]
    findings = judge(Tree(items, tier), rules, waivers)
    if wanted is not None:
        findings = [finding for finding in findings if Path(finding.path).parts[1] in wanted]
    refused = [finding for finding in findings if finding.waiver is None]
    return {
        "objects": len(items),
        "refused": [_data(finding) for finding in refused],
        "excused": [_data(finding) for finding in findings if finding.waiver is not None],
        "unused_exceptions": [{"rule": waiver.rule, "object": waiver.pattern} for waiver in unused(findings, waivers)]
        if wanted is None
        else [],
        "report": _report(refused),
    }


def _data(finding: Finding) -> dict[str, str]:
    data = {
        "file": finding.path,
        "object": finding.object,
        "rule": finding.rule,
        "problem": finding.problem,
        "fix": finding.fix,
    }
    if finding.waiver is not None:
        data |= {"owner": finding.waiver.owner, "reason": finding.waiver.reason}
    return data


def _report(refused: list[Finding]) -> str:
    if not refused:
        return ""
    count = "1 finding" if len(refused) == 1 else f"{len(refused)} findings"
    return "\n".join([f"The tree has {count}; nothing was delivered.", *(str(finding) for finding in refused)])
