# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Validates objects whose namespace or kind comes with the same tree. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import BUILT_IN_GROUPS, Ref, split_api_version
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import file_name
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import load_documents

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

Schema = dict[str, t.Any]


@dataclass(frozen=True)
class Verdict:
    """`error` when the object is wrong; `skipped` says why it could not be judged."""

    error: str = ""
    skipped: str = ""


class OfflineValidator:
    """Schemas of built-in kinds from kubernetes-validate, of others from the CRDs in the tree."""

    def __init__(self, tree: Path, server_version: str) -> None:
        self._tree = tree
        self._known: dict[str, dict[str, dict[str, Schema]]] = {}
        self._version = server_version.removeprefix("v").partition("-")[0].partition("+")[0]

    def brings_namespace(self, name: str) -> bool:
        """Whether some component of the tree makes this namespace."""
        return any(self._tree.glob(f"*/[!.]*/{file_name(Ref('', 'v1', 'Namespace', '', name))}"))

    def validate(self, obj: Object) -> Verdict:
        group, version = split_api_version(obj["apiVersion"])
        if group in BUILT_IN_GROUPS or group in ("apiextensions.k8s.io", "apiregistration.k8s.io"):
            return self._built_in(obj)
        return self._custom(obj, group, version)

    def _built_in(self, obj: Object) -> Verdict:
        try:
            # Only a check of a cluster that is not there yet needs these.
            import jsonschema
            from kubernetes_validate import utils as schemas
        except ImportError:
            return Verdict(skipped="the Python package kubernetes-validate is not installed")
        try:
            schemas.validate(obj, self._version, strict=True)
        except jsonschema.ValidationError as exc:
            return Verdict(error=_sentence(exc.absolute_path, exc.message))
        except (schemas.SchemaNotFoundError, schemas.VersionNotSupportedError) as exc:
            return Verdict(skipped=str(exc.message))
        return Verdict()

    def _custom(self, obj: Object, group: str, version: str) -> Verdict:
        if group not in self._known:
            self._known[group] = self._crds(group)
        served = self._known[group].get(obj["kind"])
        if served is None:
            return Verdict(
                error=f"neither server nor tree has a CustomResourceDefinition for {group}/{version} {obj['kind']}; "
                "enable the component that brings it"
            )
        if version not in served:
            return Verdict(
                error=f"the CustomResourceDefinition of {group} {obj['kind']} serves {', '.join(served)}, not {version}"
            )
        try:
            import jsonschema
        except ImportError:
            return Verdict(skipped="the Python package jsonschema is not installed")
        validator = jsonschema.Draft202012Validator(served[version])
        error = jsonschema.exceptions.best_match(validator.iter_errors(obj))
        return Verdict(error=_sentence(error.absolute_path, error.message)) if error else Verdict()

    def _crds(self, group: str) -> dict[str, dict[str, Schema]]:
        """kind → version → JSON schema, from the CRDs of a group anywhere in the tree."""
        found: dict[str, dict[str, Schema]] = {}
        pattern = f"*/*/apiextensions.k8s.io.CustomResourceDefinition._.*.{group}.yml"
        for path in sorted(self._tree.glob(pattern)):
            for _line, crd in load_documents(path.read_text(encoding="utf-8")):
                spec = crd["spec"]
                if spec["group"] == group:
                    found[spec["names"]["kind"]] = {
                        entry["name"]: json_schema((entry.get("schema") or {}).get("openAPIV3Schema") or {}, root=True)
                        for entry in spec["versions"]
                        if entry.get("served")
                    }
        return found


def _sentence(path: t.Iterable[str | int], message: str) -> str:
    where = ".".join(str(step) for step in path) or "the object"
    return f"{where}: {message[:300]} (checked offline: namespace or kind is not there yet)"


def json_schema(schema: Schema, *, root: bool = False) -> Schema:
    """A CRD's structural schema as JSON schema: unknown fields are refused, as a strict API server does."""
    result: Schema = {
        key: value
        for key, value in schema.items()
        if not key.startswith("x-") and key not in ("nullable", "default", "example", "externalDocs")
    }
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("anyOf", None)
        result["type"] = ["integer", "string"]
    for bound in ("Minimum", "Maximum"):
        # OpenAPI 3.0 writes a flag next to the number, JSON schema a number of its own.
        if (flag := result.pop(f"exclusive{bound}", None)) is True and bound.lower() in result:
            result[f"exclusive{bound}"] = result.pop(bound.lower())
        elif flag is not None and not isinstance(flag, bool):
            result[f"exclusive{bound}"] = flag
    if schema.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
        if "enum" in result:
            result["enum"] = [*result["enum"], None]
    if "properties" in schema:
        result["properties"] = {name: json_schema(below) for name, below in schema["properties"].items()}
        open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
        if not open_ended and schema.get("type") == "object":
            result["additionalProperties"] = False
    if isinstance(schema.get("items"), dict):
        result["items"] = json_schema(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = json_schema(schema["additionalProperties"])
    if root or schema.get("x-kubernetes-embedded-resource"):
        result.setdefault("properties", {}).update(
            {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
        )
    return result
