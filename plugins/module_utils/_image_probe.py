# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From a module's options to checks about images and the gate. Private to the collection."""

from __future__ import annotations

import datetime as dt
import typing as t
from functools import partial
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils import _probe_images
from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import Check, Observation, ProbeError, run_probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._digest_pin_options import policy_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import Item, Tree, judge
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import Lock, LockError, read_locks
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULES, gate
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import TreeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import load_documents

CLAIMS: t.Final = _probe_images.CLAIMS


def probe(params: t.Mapping[str, t.Any]) -> list[Check]:
    """One check for each kind; what cannot be read makes failed checks, not a failed task."""
    today = dt.datetime.now(dt.UTC).date()

    def lock() -> Lock:
        return read_locks(Path(path) for path in params["locks"])

    def client() -> KubeClient:
        return KubeClient.from_options(params)

    probes: dict[str, t.Callable[[], Observation]] = {
        "pinned": lambda: _probe_images.observe_pinned(
            client(), lock(), None if params["everywhere"] else params["namespaces"]
        ),
        "undigested": lambda: _probe_images.observe_undigested(client(), params["namespaces"], params["image"]),
        "unlocked": lambda: _probe_images.observe_unlocked(lock()),
        "denylisted": lambda: _probe_images.observe_denylisted(policy_of(params["rules"]), lock(), today),
        "young": lambda: _probe_images.observe_young(policy_of(params["rules"]), today),
        "gate": lambda: observe_gate(
            Path(params["faults"]), Path(params["tree"]), params["tier"], params["exceptions"]
        ),
    }

    def carry_out(kind: str) -> Observation:
        try:
            return probes[kind]()
        except (KubeError, LockError, TreeError, OSError) as exc:
            raise ProbeError(str(exc)) from exc

    return [run_probe(CLAIMS[kind], partial(carry_out, kind)) for kind in params["kinds"]]


def observe_gate(faults: Path, tree: Path, tier: str, exceptions: t.Sequence[t.Mapping[str, t.Any]]) -> Observation:
    """`faults` is a list of {rule, object, manifest}; each is judged alone, in the strictest tier."""
    seen = Observation()
    planted = next(document for _line, document in load_documents(faults.read_text(encoding="utf-8")))
    rows: list[list[t.Any]] = []
    for fault in planted:
        findings = judge(Tree([Item.of("planted.yml", fault["manifest"])], "prod"), RULES)
        named = [item for item in findings if item.rule == fault["rule"] and item.object == fault["object"]]
        if not named:
            seen.faults.append(f"the fault of {fault['object']} was not found by rule {fault['rule']}")
        rows.append(
            [fault["rule"], fault["object"], *((named[0].problem, named[0].fix) if named else ("not found", ""))]
        )
    delivered = gate(tree, None, tier, exceptions)
    seen.faults += [f"{item['object']}: {item['problem']}" for item in delivered["refused"]]
    excused = [
        [item["rule"], item["object"], item["problem"], f"excused by {item['owner']}: {item['reason']}"]
        for item in delivered["excused"]
    ]
    seen.table = {"columns": ["rule", "object", "found", "fix, or who excuses it"], "rows": [*rows, *excused]}
    more = f", {len(excused)} excused" if excused else ""
    seen.facts.append(f"{len(rows)} planted faults; {delivered['objects']} delivered objects without finding{more}")
    return seen
