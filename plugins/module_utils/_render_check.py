# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What every object must satisfy before any server sees it. Private to the collection."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_DNS_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z")
_API_VERSION = re.compile(r"([a-z0-9.-]+/)?v[a-z0-9]+\Z")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
_FREE_NAMES = "rbac.authorization.k8s.io"


def _shown(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _key_problem(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return not _QUALIFIED.match(name) or (bool(slash) and not _DNS_SUBDOMAIN.match(prefix))


def _map_problems(metadata: dict[str, t.Any], field: str) -> Iterator[str]:
    values = metadata.get(field)
    if values is None:
        return
    if not isinstance(values, dict):
        yield f"metadata.{field} must be a mapping, not {_shown(values)}"
        return
    for key, value in values.items():
        if not isinstance(key, str) or _key_problem(key):
            yield f"metadata.{field} has {_shown(key)}, which is no valid key"
        if not isinstance(value, str):
            yield f"metadata.{field}.{key} must be a text, not {_shown(value)}; quote it"
        elif field == "labels" and not _LABEL_VALUE.match(value):
            yield f"metadata.labels.{key}: {_shown(value)} is no label value (63 letters, digits, -, _ or . at most)"


def _name_problems(obj: Object, metadata: dict[str, t.Any]) -> Iterator[str]:
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        generated = isinstance(metadata.get("generateName"), str) and obj.get("kind") == "Job"
        # A hook Job gets its name from its content; any other object must say what it is called.
        if not (generated and "helm.sh/hook" in (metadata.get("annotations") or {})):
            yield f"metadata.name must be a non-empty text, not {_shown(name)}"
        return
    if str(obj.get("apiVersion")).startswith(f"{_FREE_NAMES}/"):
        if name in (".", "..") or "/" in name or "%" in name:
            yield f"metadata.name {_shown(name)} may not hold / or %"
    elif not _DNS_SUBDOMAIN.match(name):
        yield f"metadata.name {_shown(name)} is no DNS name (lower-case letters, digits, - and ., 253 at most)"


def _text_map_problems(obj: Object) -> Iterator[str]:
    """Fields whose values the server takes as text only; YAML makes numbers and nulls of unquoted ones."""
    if obj.get("apiVersion") == "v1" and obj.get("kind") in ("ConfigMap", "Secret"):
        for field in ("data", "stringData", "binaryData"):
            values = obj.get(field)
            if values is not None and not isinstance(values, dict):
                yield f"{field} must be a mapping"
            for key, value in (values or {}).items() if isinstance(values, dict) else ():
                if not isinstance(value, str):
                    kind = type(value).__name__ if obj["kind"] == "Secret" else _shown(value)
                    yield f"{field}.{key} must be a text, not {kind}; quote it"


def _non_text_keys(value: t.Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                yield f"{path or 'the object'} has the key {key!r}, which is no text; quote it"
            yield from _non_text_keys(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _non_text_keys(item, f"{path}[{number}]")


def problems_of(obj: Object) -> list[str]:
    """Every reason why this is no object a server could take; empty when there is none."""
    problems: list[str] = []
    for field, pattern in (("apiVersion", _API_VERSION), ("kind", _KIND)):
        value = obj.get(field)
        if not isinstance(value, str) or not pattern.match(value):
            problems.append(f"{field} is missing" if value is None else f"{field} {_shown(value)} is not valid")
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        return [*problems, "metadata is missing"]
    problems += _name_problems(obj, metadata)
    namespace = metadata.get("namespace")
    if namespace is not None and not (isinstance(namespace, str) and (not namespace or _DNS_LABEL.match(namespace))):
        problems.append(
            f"metadata.namespace {_shown(namespace)} is no DNS label (lower-case letters, digits, -, 63 at most)"
        )
    for field in ("labels", "annotations"):
        problems += _map_problems(metadata, field)
    problems += _text_map_problems(obj)
    problems += _non_text_keys(obj, "")
    return problems
