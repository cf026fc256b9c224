# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Fields that belong to others: one table, and how to take them out of an apply. Private to the collection."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    Ref,
    annotations_of,
    ref_of,
    split_api_version,
)

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

Key = tuple[str, str, str, str]


class ForeignFieldError(Exception):
    """An object holds a field that no tree may hold."""


@dataclass(frozen=True)
class Rule:
    """`path` uses `*` for every item of a list; `when` decides with the object and the set of autoscaled workloads."""

    group: str
    kind: str
    path: tuple[str, ...]
    owner: str
    refuse: bool = False
    when: str = "always"


ANY = "*"
RULES: t.Final[tuple[Rule, ...]] = (
    Rule(ANY, ANY, ("status",), "the kind's controller"),
    Rule(ANY, ANY, ("metadata", "creationTimestamp"), "the API server"),
    Rule(ANY, ANY, ("metadata", "generation"), "the API server"),
    Rule(ANY, ANY, ("metadata", "managedFields"), "the API server"),
    Rule(ANY, ANY, ("metadata", "resourceVersion"), "the API server"),
    Rule(ANY, ANY, ("metadata", "selfLink"), "the API server"),
    Rule(ANY, ANY, ("metadata", "uid"), "the API server"),
    Rule(ANY, ANY, ("metadata", "generateName"), "nobody: an object of the tree has a fixed name", refuse=True),
    Rule("apps", "Deployment", ("spec", "replicas"), "the autoscaler that targets it", when="autoscaled"),
    Rule("apps", "StatefulSet", ("spec", "replicas"), "the autoscaler that targets it", when="autoscaled"),
    Rule(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        ("webhooks", ANY, "clientConfig", "caBundle"),
        "the CA injector",
        when="injected",
    ),
    Rule(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        ("webhooks", ANY, "clientConfig", "caBundle"),
        "the CA injector",
        when="injected",
    ),
    Rule(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        ("spec", "conversion", "webhook", "clientConfig", "caBundle"),
        "the CA injector",
        when="injected",
    ),
    Rule("apiregistration.k8s.io", "APIService", ("spec", "caBundle"), "the CA injector", when="injected"),
)
_INJECTORS: t.Final = (
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
)
_PLACEHOLDERS: t.Final = ("", "Cg==", "Ci0=", None)  # what charts write where an injector will write


def autoscaled(objects: t.Iterable[Object]) -> frozenset[Key]:
    """The workloads whose replicas an autoscaler among `objects` sets, as Ref.key."""
    found: set[Key] = set()
    for obj in objects:
        group, kind = split_api_version(obj["apiVersion"])[0], obj["kind"]
        if (group, kind) not in {("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")}:
            continue
        target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
        target_group = split_api_version(str(target.get("apiVersion") or "apps/v1"))[0]
        found.add(
            (
                target_group,
                str(target.get("kind") or "Deployment"),
                obj["metadata"].get("namespace", ""),
                str(target.get("name")),
            )
        )
    return frozenset(found)


def prepare(obj: Object, scaled: frozenset[Key] = frozenset()) -> tuple[Object, list[str]]:
    """The object as it is applied (a copy where it differs), and the paths that were taken out.

    A Secret's stringData becomes data: the server never gives stringData back, so it could not be compared.
    """
    ref = ref_of(obj)
    removed: list[str] = []
    for rule in RULES:
        if (
            rule.group in (ANY, ref.group)
            and rule.kind in (ANY, ref.kind)
            and (rule.when != "autoscaled" or ref.key in scaled)
        ):
            obj = _strip(obj, rule, ref, removed)
    if (ref.group, ref.kind) == ("", "Secret") and obj.get("stringData"):
        encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in obj["stringData"].items()}
        obj = {**obj, "data": {**(obj.get("data") or {}), **encoded}}
        del obj["stringData"]
    return obj, removed


def _strip(obj: Object, rule: Rule, ref: Ref, removed: list[str]) -> Object:
    injected = rule.when == "injected" and any(name in annotations_of(obj) for name in _INJECTORS)

    def walk(value: t.Any, path: tuple[str, ...], where: str) -> t.Any:
        step, rest = path[0], path[1:]
        if step == ANY:
            return (
                [walk(item, rest, f"{where}[{index}]") for index, item in enumerate(value)]
                if isinstance(value, list)
                else value
            )
        if not isinstance(value, dict) or step not in value:
            return value
        here = f"{where}.{step}".lstrip(".")
        if rest:
            return {**value, step: walk(value[step], rest, here)}
        if rule.when == "injected" and not injected and value[step] not in _PLACEHOLDERS:
            return value
        if rule.refuse:
            raise ForeignFieldError(f"{ref}: {here} belongs to {rule.owner}; leave it out")
        removed.append(here)
        return {name: item for name, item in value.items() if name != step}

    return t.cast("Object", walk(obj, rule.path, "")) if _reaches(obj, rule.path) else obj


def _reaches(obj: t.Any, path: tuple[str, ...]) -> bool:
    return (
        isinstance(obj, dict)
        and path[0] in obj
        and (len(path) == 1 or path[1] == ANY or _reaches(obj[path[0]], path[1:]))
    )
