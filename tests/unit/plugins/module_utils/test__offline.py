# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _offline
from ansible_collections.wmx.llm_platform.plugins.module_utils._offline import OfflineValidator, json_schema
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import write_component

if t.TYPE_CHECKING:
    from pathlib import Path

Object = dict[str, t.Any]


@pytest.fixture
def validate(tmp_path: Path) -> t.Callable[[Object], _offline.Verdict]:
    spec = {
        "type": "object",
        "properties": {
            "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "note": {"type": "string", "nullable": True, "enum": ["a"]},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        },
    }
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec}}
    names = {"kind": "Thing", "plural": "things"}
    versions = [{"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}, {"name": "v0", "served": False}]
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.x.example"},
        "spec": {"group": "x.example", "names": names, "scope": "Namespaced", "versions": versions},
    }
    write_component(tmp_path, "foundation", "other", [crd])
    return OfflineValidator(tmp_path, "v1.36.3+k3s1").validate


def thing(version: str = "v1", **spec: t.Any) -> Object:
    return {
        "apiVersion": f"x.example/{version}",
        "kind": "Thing",
        "metadata": {"name": "n", "labels": {}},
        "spec": spec,
    }


@pytest.mark.parametrize(
    "spec",
    [
        {"port": 80},
        {"port": "http"},
        {"note": None},
        {"free": {"any": [1]}},
        {"size": 1},
        {"map": {"x": "y"}},
        {"list": [{"a": 1}]},
    ],
)
def test_what_the_server_would_accept_passes(validate: t.Any, spec: Object) -> None:
    assert validate(thing(**spec)) == _offline.Verdict()


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"port": 1.5}, "spec.port"),
        ({"note": "b"}, "spec.note"),
        ({"size": 0}, "spec.size"),
        ({"map": {"x": 1}}, "spec.map.x"),
        ({"list": [{"b": 1}]}, "spec.list.0"),
        ({"unknown": 1}, "'unknown' was unexpected"),
    ],
)
def test_what_the_server_would_refuse_is_named(validate: t.Any, spec: Object, place: str) -> None:
    assert place in validate(thing(**spec)).error


def test_a_version_that_is_not_served_is_an_error(validate: t.Any) -> None:
    assert "serves v1, not v0" in validate(thing("v0")).error


def test_a_kind_that_nothing_brings_is_an_error(validate: t.Any) -> None:
    assert "neither server nor tree has" in validate({**thing(), "kind": "Thingy"}).error


def test_built_in_kinds_are_checked_at_the_servers_version(validate: t.Any) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "n"}, "spec": {"ports": [{"port": "x"}]}}
    assert validate(service).error.startswith("spec.ports.0.port: ")
    service["spec"]["ports"] = [{"port": 1, "prot": "TCP"}]
    assert "prot" in validate(service).error
    service["spec"]["ports"] = [{"port": 1}]
    assert validate(service) == _offline.Verdict()


def test_what_cannot_be_checked_is_said_and_not_passed(validate: t.Any) -> None:
    unknown = {"apiVersion": "apps/v9", "kind": "Deployment", "metadata": {"name": "n"}}
    assert "Couldn't find schema" in validate(unknown).skipped


def test_an_embedded_resource_may_have_metadata() -> None:
    schema = json_schema({"type": "object", "properties": {}, "x-kubernetes-embedded-resource": True})
    assert schema["properties"].keys() == {"apiVersion", "kind", "metadata"}


def test_a_server_newer_than_the_schemas_is_said(tmp_path: Path) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}}
    assert "does not support version 9.0" in OfflineValidator(tmp_path, "v9.0.0").validate(config).skipped
