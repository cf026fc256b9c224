# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    ANNOTATION_PHASE,
    ANNOTATION_PHASE_WEIGHT,
    ObjectError,
    Ref,
    order_of,
    ref_of,
)


def obj(api_version: str, kind: str, annotations: dict[str, str] | None = None) -> dict[str, t.Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "annotations": annotations}}


def test_a_reference_reads_as_people_write_it() -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat", "namespace": "llm-serving"},
    }
    assert ref_of(deployment).text == "apps/Deployment llm-serving/chat"
    assert ref_of(obj("v1", "Namespace")).text == "Namespace x"
    assert ref_of(deployment).api_version == "apps/v1"
    assert ref_of(obj("v1", "Namespace")).api_version == "v1"


def test_two_versions_of_a_kind_name_one_object() -> None:
    assert Ref("apps", "v1", "Deployment", "a", "b").key == Ref("apps", "v1beta1", "Deployment", "a", "b").key


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"kind": "Pod", "metadata": {"name": "x"}}, "apiVersion"),
        ({"apiVersion": "v1", "metadata": {"name": "x"}}, "kind"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {}}, r"metadata\.name"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": None}, r"metadata\.name"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 1}}, r"metadata\.name"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": 1}}, r"metadata\.namespace"),
    ],
)
def test_an_incomplete_object_is_refused_by_the_field_it_lacks(broken: dict[str, t.Any], field: str) -> None:
    with pytest.raises(ObjectError, match=f"^{field} must be a non-empty string"):
        ref_of(broken)


def test_the_order_of_delivery() -> None:
    hook_before = {ANNOTATION_PHASE: "before"}
    expected = [
        obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", {ANNOTATION_PHASE: "after"}),
        obj("v1", "ServiceAccount", hook_before | {ANNOTATION_PHASE_WEIGHT: "-5"}),
        obj("batch/v1", "Job", hook_before),
        obj("v1", "ServiceAccount"),
        obj("rbac.authorization.k8s.io/v1", "RoleBinding"),
        obj("v1", "Service"),
        obj("apps/v1", "Deployment"),
        obj("kueue.x-k8s.io/v1beta2", "ClusterQueue"),
        obj("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        obj("batch/v1", "Job", {ANNOTATION_PHASE: "after"}),
    ]
    backwards = expected[::-1]
    assert sorted(backwards, key=order_of) == expected


def test_a_namespace_comes_with_the_definitions() -> None:
    assert order_of(obj("v1", "Namespace")) == order_of(obj("apiextensions.k8s.io/v1", "CustomResourceDefinition"))
