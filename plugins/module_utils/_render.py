# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""From rendered text to the objects of a component: parsed, checked, cleaned, labelled. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._foreign_fields import (
    ForeignFieldError,
    autoscaled,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._foreign_fields import prepare as without_foreign_fields
from ansible_collections.wmx.llm_platform.plugins.module_utils._hooks import (
    HookError,
    is_hook,
    name_by_content,
    resolve_hook,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    ANNOTATION_PHASE,
    BUILT_IN_GROUPS,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
    ObjectError,
    annotations_of,
    ref_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._render_check import problems_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import component_folders, key_of_file
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, load_documents

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object
    from ansible_collections.wmx.llm_platform.plugins.module_utils._render_scope import Scopes

_SHOWN_PROBLEMS = 20


class RenderError(Exception):
    """What was rendered cannot be delivered; the message lists every place and what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        shown = list(problems[:_SHOWN_PROBLEMS])
        if len(problems) > _SHOWN_PROBLEMS:
            shown.append(f"… and {len(problems) - _SHOWN_PROBLEMS} more")
        super().__init__(shown[0] if len(shown) == 1 else "\n".join(f"- {problem}" for problem in shown))
        self.problems = list(problems)


@dataclass(slots=True)
class Rendered:
    """One object on its way into the tree. `namespace` is what it gets when it names none."""

    origin: str
    object: Object
    namespace: str = ""
    chart: str = ""


@dataclass(slots=True)
class Prepared:
    objects: list[Object] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def parse(text: str, origin: str, where: Callable[[int], str] | None = None) -> list[tuple[str, Object]]:
    """(place, object) of every document; `where` names a place by its line when that says more than the line."""
    place = where or (lambda line: f"{origin}, line {line}")
    try:
        documents = load_documents(text)
    except YamlError as exc:
        raise RenderError([f"{place(exc.line) if exc.line else origin}: the rendered text is no YAML: {exc}"]) from exc
    found: list[tuple[str, Object]] = []
    for line, value in documents:
        found += flatten(value, place(line))
    return found


def flatten(value: t.Any, origin: str) -> list[tuple[str, Object]]:
    """The objects in one document: none when it is empty, several when it is a List."""
    if value is None or value == {}:
        return []
    if isinstance(value, list):
        return [item for element in value for item in flatten(element, origin)]
    if not isinstance(value, dict):
        raise RenderError([f"{origin}: expected an object, found {type(value).__name__} {str(value)[:80]!r}"])
    if value.get("kind") == "List" and isinstance(value.get("items"), list):
        return flatten(value["items"], origin)
    return [(origin, value)]


def same_objects(name: str, first: Sequence[Object], second: Sequence[Object]) -> None:
    """Refuses what came out differently when it was rendered twice; such a tree would change in every run."""

    def by_key(objects: Sequence[Object]) -> dict[str, Object]:
        return {_title(obj): obj for obj in objects}

    before, after = by_key(first), by_key(second)
    differing = [title for title in {**before, **after} if before.get(title) != after.get(title)]
    if differing or len(first) != len(second):
        raise RenderError(
            [
                f"{name}: {title} has another content each time it is rendered; set the value that is random or"
                " taken from the clock explicitly (for a Secret: name one that exists)"
                for title in differing or ["the list of objects"]
            ]
        )


def _title(obj: Object) -> str:
    try:
        return ref_of(obj).text
    except ObjectError:
        metadata = obj.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        return f"{obj.get('kind')} {metadata.get('name') or metadata.get('generateName')}"


def _without_nulls(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _without_null_timestamps(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {
            key: _without_null_timestamps(item)
            for key, item in value.items()
            if not (key == "creationTimestamp" and item is None)
        }
    return [_without_null_timestamps(item) for item in value] if isinstance(value, list) else value


def clean(obj: Object) -> Object:
    """Drops the nulls that built-in kinds read as absent, and the time stamps that generators leave empty."""
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    # In custom resources a null may mean something else than an absent field.
    strip = _without_nulls if group in BUILT_IN_GROUPS - {"apiextensions.k8s.io"} else _without_null_timestamps
    return {**t.cast("Object", strip(obj)), "metadata": _without_nulls(obj["metadata"])}


def label(obj: Object, component: str) -> Object:
    """Our labels where the object has none of that name; only on the object itself."""
    ours = {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: PLATFORM, LABEL_COMPONENT: component}
    metadata = {**obj["metadata"], "labels": {**ours, **(obj["metadata"].get("labels") or {})}}
    return {**obj, "metadata": metadata}


def prepare(
    component: str, rendered: Iterable[Rendered], scopes: Scopes, public_secrets: Collection[str] = ()
) -> Prepared:
    """The component's objects as they go into the tree; RenderError tells everything that stands against it."""
    items = list(rendered)
    scopes.learn(item.object for item in items)
    result = Prepared()
    problems: list[str] = []
    seen: dict[tuple[str, str, str, str], str] = {}
    for item in items:
        try:
            obj = _prepare_one(component, item, scopes, public_secrets)
        except (RenderError, ObjectError, HookError) as exc:
            problems += exc.problems if isinstance(exc, RenderError) else [f"{item.origin}: {exc}"]
            continue
        if obj is None:
            result.dropped.append(_title(item.object))
            continue
        ref = ref_of(obj)
        if ref.key in seen:
            problems.append(f"{item.origin}: {ref} is rendered twice, first by {seen[ref.key]}")
        seen[ref.key] = item.origin
        result.objects.append(obj)
    if problems:
        raise RenderError(problems)
    scaled = autoscaled(result.objects)
    try:
        result.objects = [without_foreign_fields(obj, scaled)[0] for obj in result.objects]
    except ForeignFieldError as exc:
        raise RenderError([str(exc)]) from exc
    return result


def _prepare_one(component: str, item: Rendered, scopes: Scopes, public_secrets: Collection[str]) -> Object | None:
    obj = item.object
    if problems := problems_of(obj):
        raise RenderError([f"{item.origin}: {_title(obj)}: {problem}" for problem in problems])
    resolved = resolve_hook(obj) if item.chart else obj
    if resolved is None:
        return None
    is_job = (obj["apiVersion"], obj["kind"]) == ("batch/v1", "Job")
    by_content = is_job and ((item.chart and is_hook(obj)) or ANNOTATION_PHASE in annotations_of(obj))
    result = _place(clean(resolved), item, scopes)
    result = label(result, component)
    result = name_by_content(result) if by_content else result
    ref = ref_of(result)
    if ref.group_kind == ("", "Secret") and (values := _secret_values(result)):
        name = f"{ref.namespace}/{ref.name}"
        if name not in public_secrets:
            problem = (
                f"{item.origin}: {ref} carries values ({', '.join(values)}), and the tree never holds secrets; refer to"
                f" a Secret that exists, or list {name} under public_secrets if nothing in it is secret"
            )
            raise RenderError([problem])
    return result


def _secret_values(secret: Object) -> list[str]:
    blocks = {block: secret.get(block) or {} for block in ("data", "stringData")}
    return [f"{block}.{key}" for block, values in blocks.items() for key, value in values.items() if value]


def _place(obj: Object, item: Rendered, scopes: Scopes) -> Object:
    """Gives the object its namespace, or takes away the one that a chart put where none belongs."""
    metadata = dict(obj["metadata"])
    group = obj["apiVersion"].rpartition("/")[0]
    namespace = metadata.get("namespace") or ""
    if scopes.is_cluster_scoped((group, obj["kind"])):
        if namespace and not item.chart:
            problem = f"{obj['kind']} is cluster-scoped; remove metadata.namespace {namespace}"
            raise RenderError([f"{item.origin}: {_title(obj)}: {problem}"])
        metadata.pop("namespace", None)
    elif not namespace:
        if not item.namespace:
            problem = (
                f"{obj['kind']} needs a namespace; set metadata.namespace or the option namespace, or list"
                f" {group}/{obj['kind']} under cluster_scoped if the kind has none"
            )
            raise RenderError([f"{item.origin}: {_title(obj)}: {problem}"])
        metadata["namespace"] = item.namespace
    return {**obj, "metadata": metadata}


def refuse_duplicates(tree: Path, component: str, objects: Iterable[Object], known: Collection[str] | None) -> None:
    """Refuses an object that another component of the plan has in the tree already."""
    owners = {
        key_of_file(path.name): name
        for _layer, name, folder in component_folders(tree)
        if name != component and (known is None or name in known)
        for path in folder.iterdir()
    }
    problems = [
        f"{ref} is rendered by component {owners[ref.key]} too; only one component may own an object"
        for ref in map(ref_of, objects)
        if ref.key in owners
    ]
    if problems:
        raise RenderError(problems)
