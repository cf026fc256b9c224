# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._foreign_fields import (
    ForeignFieldError,
    autoscaled,
    prepare,
)

Object = dict[str, t.Any]


def obj(api_version: str, kind: str, **rest: t.Any) -> Object:
    metadata = {"name": "n", "namespace": "ns", **rest.pop("metadata", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def scaler(api_version: str, scaler_kind: str, /, **target: t.Any) -> Object:
    return obj(api_version, scaler_kind, spec={"scaleTargetRef": {"name": "n", **target}})


HPA = scaler("autoscaling/v2", "HorizontalPodAutoscaler", apiVersion="apps/v1", kind="Deployment")


@pytest.mark.parametrize("scaler_object", [HPA, scaler("keda.sh/v1alpha1", "ScaledObject")])
def test_replicas_of_an_autoscaled_workload_are_left_to_the_autoscaler(scaler_object: Object) -> None:
    workload = obj("apps/v1", "Deployment", spec={"replicas": 3, "paused": False})
    prepared, removed = prepare(workload, autoscaled([scaler_object, workload]))
    assert prepared["spec"] == {"paused": False}
    assert removed == ["spec.replicas"]
    assert prepare(workload, frozenset()) == (workload, [])


def test_an_autoscaler_in_another_namespace_does_not_count() -> None:
    workload = obj("apps/v1", "Deployment", spec={"replicas": 3}, metadata={"namespace": "other"})
    assert prepare(workload, autoscaled([HPA]))[1] == []


def test_what_the_server_writes_is_never_applied_and_the_input_stays_as_it_was() -> None:
    given = obj("v1", "ConfigMap", metadata={"uid": "1", "resourceVersion": "2", "creationTimestamp": None}, status={})
    before = copy.deepcopy(given)
    assert prepare(given)[0] == obj("v1", "ConfigMap")
    assert given == before


@pytest.mark.parametrize(
    ("bundle", "annotated", "stays"), [("Cg==", False, False), ("QUJD", False, True), ("QUJD", True, False)]
)
def test_a_ca_bundle_is_left_to_its_injector(bundle: str, annotated: bool, stays: bool) -> None:
    annotations = {"annotations": {"cert-manager.io/inject-ca-from": "a/b"}} if annotated else {}
    webhooks = [{"name": "a", "clientConfig": {"caBundle": bundle, "url": "u"}}, {"name": "b", "clientConfig": {}}]
    given = obj(
        "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", webhooks=webhooks, metadata=annotations
    )
    prepared, removed = prepare(given)
    assert ("caBundle" in prepared["webhooks"][0]["clientConfig"]) is stays
    assert removed == ([] if stays else ["webhooks[0].clientConfig.caBundle"])


def test_a_generated_name_is_refused() -> None:
    with pytest.raises(ForeignFieldError, match=r"metadata\.generateName belongs to nobody"):
        prepare(obj("v1", "ConfigMap", metadata={"generateName": "x-"}))


def test_string_data_of_a_secret_becomes_data() -> None:
    given = obj("v1", "Secret", data={"a": "QQ==", "b": "Qg=="}, stringData={"b": "new", "c": "ü"})
    prepared, _removed = prepare(given)
    assert prepared["data"] == {"a": "QQ==", "b": "bmV3", "c": "w7w="}
    assert "stringData" not in prepared
    assert "stringData" in given
