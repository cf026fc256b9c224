# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Components that the cluster has and the plan has not: what a changed inventory leaves. Private to the collection.

A smaller profile, a feature that is switched off or an older release renders a component no more, and nobody applies
it: what it made stays and runs. That is told in every run; it goes when llm_prune_components names it, never by itself.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import LABEL_ID, ApplySet, read_parents
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

_PARENTS: t.Final = f"{LABEL_ID},{LABEL_PART_OF}={PLATFORM},{LABEL_MANAGED_BY}={PLATFORM}"


@dataclass(frozen=True)
class Leftover:
    """A component of an earlier plan and the kinds of its objects."""

    component: str
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.component} ({', '.join(self.kinds)})"


def leftovers(client: KubeClient, home: str, planned: Iterable[str]) -> list[Leftover]:
    """What the ApplySets of the home namespace remember beyond the plan, by name."""
    known = set(planned)
    labels = [live["metadata"]["labels"] for live in client.list("v1", "ConfigMap", home, label_selector=_PARENTS)]
    sets = [ApplySet(entry.get(LABEL_COMPONENT, ""), home) for entry in labels]
    # A label alone proves nothing: the id is made of the component's name.
    left = [
        applyset
        for applyset, entry in zip(sets, labels, strict=True)
        if applyset.id == entry[LABEL_ID] and applyset.component not in known
    ]
    found = read_parents(client, left)
    return [Leftover(name, tuple(sorted({kind for _group, kind in found[name].kinds}))) for name in sorted(found)]


def report(left: Iterable[Leftover], plan: Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """Sentences and what to do about them; neither stops a run."""
    named = set((plan.get("prune") or {}).get("components") or ())
    lines = []
    for leftover in left:
        if leftover.component in named:
            lines.append((f"{leftover} left the plan and is removed, as llm_prune_components says", ""))
        else:
            fix = f"llm_prune_components: [{leftover.component}] removes it, but data only when llm_prune_data names it"
            lines.append((f"{leftover} is on the cluster and no longer in the plan; it stays as it is", fix))
    return lines or [("every component on the cluster is in the plan", "")]
