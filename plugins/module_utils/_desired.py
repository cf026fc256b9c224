# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What an apply must bring: the tree's objects, prepared, labelled, in stages. Private to the collection."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._foreign_fields import (
    ForeignFieldError,
    autoscaled,
    prepare,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import LABEL_APPLYSET, Ref, order_of, ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import (
    TreeError,
    component_folders,
    read_components,
)

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import ApplySet
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

STAGE_FOUNDATION, STAGE_BEFORE, STAGE_MAIN, STAGE_AFTER = 0, 1, 2, 3


class DesiredError(KubeError):
    """The tree asks for something that cannot be applied."""


@dataclass(frozen=True)
class Source:
    """One object as the tree has it."""

    component: str
    file: str
    object: Object


@dataclass(frozen=True)
class Desired:
    """One object as it is sent."""

    ref: Ref
    applyset: ApplySet
    file: str
    object: Object
    order: tuple[int, int, int]


@dataclass(frozen=True)
class Stage:
    """Objects without an order among them."""

    order: tuple[int, int, int]
    objects: tuple[Desired, ...]

    @property
    def is_hook(self) -> bool:
        return self.order[0] in (STAGE_BEFORE, STAGE_AFTER)


def sources_of(tree: Path, components: t.Sequence[str]) -> list[Source]:
    """The objects of the named components; a component without a folder has none, so that it can be pruned."""
    if not tree.is_dir():
        raise DesiredError(f"there is no tree at {tree}; render first")
    rendered = {name for _layer, name, _folder in component_folders(tree)}
    try:
        found = read_components(tree, [name for name in components if name in rendered])
    except TreeError as exc:
        raise DesiredError(str(exc)) from exc
    return [
        Source(name, str(entry.path.relative_to(tree)), entry.object)
        for name, entries in found.items()
        for entry in entries
    ]


def desired_of(sources: t.Sequence[Source], sets: t.Mapping[str, ApplySet]) -> list[Desired]:
    """Prepared and labelled; all that is wrong is reported at once."""
    scaled = autoscaled(source.object for source in sources)
    seen: dict[tuple[str, str, str, str], str] = {}
    parents = {applyset.parent.key for applyset in sets.values()}
    desired: list[Desired] = []
    problems: list[str] = []
    for source in sources:
        ref = ref_of(source.object)
        first = seen.setdefault(ref.key, source.file)
        if first != source.file:
            problems.append(f"{ref} is in two components: {first} and {source.file}; let one of them render it")
            continue
        if ref.key in parents:
            problems.append(f"{source.file}: {ref} is what remembers a component's objects; give it another name")
            continue
        try:
            obj, _removed = prepare(source.object, scaled)
        except ForeignFieldError as exc:
            problems.append(f"{source.file}: {exc}")
            continue
        applyset = sets[source.component]
        metadata = obj["metadata"]
        labels = {**(metadata.get("labels") or {}), LABEL_APPLYSET: applyset.id}
        obj = {**obj, "metadata": {**metadata, "labels": labels}}
        desired.append(Desired(ref, applyset, source.file, obj, order_of(obj)))
    if problems:
        raise DesiredError("\n".join(problems))
    return desired


def stages_of(desired: t.Iterable[Desired]) -> list[Stage]:
    """In the order of an apply; objects of one stage go out together."""
    ordered = sorted(desired, key=lambda item: (item.order, item.ref))
    return [Stage(order, tuple(items)) for order, items in itertools.groupby(ordered, key=lambda item: item.order)]


def kinds_of_crds(objects: t.Iterable[Object]) -> frozenset[tuple[str, str]]:
    """(group, kind) of every CustomResourceDefinition among the objects."""
    crds = (obj["spec"] for obj in objects if obj["kind"] == "CustomResourceDefinition")
    return frozenset((spec["group"], spec["names"]["kind"]) for spec in crds)
