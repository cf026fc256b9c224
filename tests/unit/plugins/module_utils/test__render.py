# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._render import (
    Rendered,
    RenderError,
    parse,
    prepare,
    refuse_duplicates,
    same_objects,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._render_scope import Scopes
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import write_component

if t.TYPE_CHECKING:
    import pathlib

Object = dict[str, t.Any]


@pytest.fixture
def scopes(tmp_path: pathlib.Path) -> Scopes:
    return Scopes(tmp_path)


def obj(kind: str = "ConfigMap", api_version: str = "v1", name: str = "a", **metadata: t.Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}}


def crd(scope: str, kind: str = "Widget", group: str = "example.com") -> Object:
    plural = f"{kind.lower()}s"
    spec = {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural}}
    return obj("CustomResourceDefinition", "apiextensions.k8s.io/v1", f"{plural}.{group}") | {"spec": spec}


def prepared(
    scopes: Scopes, *objects: Object, namespace: str = "ns", chart: str = "", public: tuple[str, ...] = ()
) -> list[Object]:
    rendered = [
        Rendered(f"here {number}", copy.deepcopy(each), namespace, chart) for number, each in enumerate(objects)
    ]
    return prepare("demo", rendered, scopes, public).objects


def test_our_labels_are_added_where_missing_and_nowhere_else(scopes: Scopes) -> None:
    deployment = obj("Deployment", "apps/v1", labels={"app.kubernetes.io/component": "controller"})
    deployment["spec"] = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}}
    (result,) = prepared(scopes, deployment)
    assert result["metadata"]["labels"] == {
        "app.kubernetes.io/component": "controller",
        "app.kubernetes.io/managed-by": "llm-platform",
        "app.kubernetes.io/part-of": "llm-platform",
    }
    assert result["spec"] == deployment["spec"]


def test_what_only_a_server_writes_is_stripped(scopes: Scopes) -> None:
    service = obj("Service", creationTimestamp=None) | {"status": {"loadBalancer": {}}, "spec": {"clusterIP": None}}
    custom = obj("Widget", "example.com/v1", annotations=None)
    custom |= {"spec": {"keep": None, "template": {"metadata": {"creationTimestamp": None}}}, "status": {}}
    first, second = prepared(scopes, service, custom)
    assert first["spec"] == {}
    assert "status" not in first
    assert "creationTimestamp" not in first["metadata"]
    assert second["spec"] == {"keep": None, "template": {"metadata": {}}}
    assert "annotations" not in second["metadata"]


def test_what_others_own_is_not_rendered(scopes: Scopes) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
    scaler = obj("HorizontalPodAutoscaler", "autoscaling/v2") | {"spec": {"scaleTargetRef": target}}
    scaled, fixed = (obj("Deployment", "apps/v1", name) | {"spec": {"replicas": 2}} for name in "ab")
    results = prepared(scopes, scaler, scaled, fixed)
    assert [result["spec"].get("replicas") for result in results[1:]] == [None, 2]
    with pytest.raises(RenderError, match=r"metadata.generateName belongs to nobody"):
        prepared(scopes, obj(generateName="x-"))


def test_a_namespaced_object_gets_the_default_namespace(scopes: Scopes) -> None:
    results = prepared(
        scopes,
        obj(),
        obj(name="b", namespace="own"),
        obj("Namespace"),
        obj("ClusterRole", "rbac.authorization.k8s.io/v1"),
    )
    assert [result["metadata"].get("namespace") for result in results] == ["ns", "own", None, None]


def test_a_namespaced_object_without_any_namespace_is_refused(scopes: Scopes) -> None:
    with pytest.raises(RenderError, match="here 0: ConfigMap a: ConfigMap needs a namespace"):
        prepared(scopes, obj(), namespace="")


def test_a_namespace_on_a_cluster_scoped_kind_is_refused_but_forgiven_in_a_chart(scopes: Scopes) -> None:
    role = obj("ClusterRole", "rbac.authorization.k8s.io/v1", namespace="x")
    with pytest.raises(RenderError, match=r"ClusterRole is cluster-scoped; remove metadata.namespace x"):
        prepared(scopes, role)
    (result,) = prepared(scopes, role, chart="upstream")
    assert "namespace" not in result["metadata"]


def test_a_definition_in_the_same_call_or_in_the_tree_tells_the_scope(tmp_path: pathlib.Path) -> None:
    widget = obj("Widget", "example.com/v1")
    assert prepared(Scopes(tmp_path), widget)[0]["metadata"]["namespace"] == "ns"
    assert "namespace" not in prepared(Scopes(tmp_path), widget, crd("Cluster"))[0]["metadata"]
    write_component(tmp_path, "platform", "other", [crd("Cluster"), crd("Namespaced", "Gadget")])
    assert "namespace" not in prepared(Scopes(tmp_path), widget)[0]["metadata"]
    assert prepared(Scopes(tmp_path), obj("Gadget", "example.com/v1"))[0]["metadata"]["namespace"] == "ns"
    assert "namespace" not in prepared(Scopes(tmp_path, [("x.io", "Listed")]), obj("Listed", "x.io/v1"))[0]["metadata"]


def test_a_definition_of_a_subgroup_says_nothing_of_the_group(tmp_path: pathlib.Path) -> None:
    write_component(tmp_path, "platform", "other", [crd("Cluster", group="sub.example.com")])
    assert prepared(Scopes(tmp_path), obj("Widget", "example.com/v1"))[0]["metadata"]["namespace"] == "ns"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"kind": "Pod", "metadata": {"name": "a"}}, "apiVersion is missing"),
        ({"apiVersion": "v1", "metadata": {"name": "a"}}, "kind is missing"),
        ({"apiVersion": "v1", "kind": "Pod"}, "metadata is missing"),
        ({"apiVersion": "apps/v1/x", "kind": "Pod", "metadata": {"name": "a"}}, "apiVersion 'apps/v1/x' is not valid"),
        ({"apiVersion": "v1", "kind": "pod/x", "metadata": {"name": "a"}}, "kind 'pod/x' is not valid"),
        (obj(name=""), "metadata.name must be a non-empty text"),
        (obj(name=7), "metadata.name must be a non-empty text, not 7"),  # type: ignore[arg-type]
        (obj(name="Upper_case"), "is no DNS name"),
        (obj(name="x" * 300), "is no DNS name"),
        (obj("Role", "rbac.authorization.k8s.io/v1", "a/b"), "may not hold / or %"),
        (obj(namespace="a.b"), "metadata.namespace 'a.b' is no DNS label"),
        (obj(namespace=1), "metadata.namespace 1 is no DNS label"),
        (obj(labels={"a": True}), "metadata.labels.a must be a text, not True; quote it"),
        (obj(labels={"a": "b c"}), "metadata.labels.a: 'b c' is no label value"),
        (obj(labels={"a": "x" * 64}), "is no label value"),
        (obj(labels={"a b": "c"}), "'a b', which is no valid key"),
        (obj(labels=["a"]), "metadata.labels must be a mapping"),
        (obj(annotations={"a": 1}), "metadata.annotations.a must be a text, not 1; quote it"),
        (obj(annotations={"a": None}), "metadata.annotations.a must be a text, not None"),
        (obj() | {"data": {"PORT": 8080}}, "data.PORT must be a text, not 8080; quote it"),
        (obj() | {"spec": {"list": [{1: "x"}]}}, r"spec.list\[0\] has the key 1, which is no text"),
    ],
)
def test_an_object_no_server_would_take_is_refused_with_the_reason(scopes: Scopes, broken: Object, reason: str) -> None:
    with pytest.raises(RenderError, match=f"^here 0: .*{reason}"):
        prepared(scopes, broken)


def test_every_problem_is_told_at_once(scopes: Scopes) -> None:
    with pytest.raises(RenderError) as caught:
        prepared(scopes, obj(labels={"a": 1, "b": 2}), obj(name="A"), obj(name="ok"))
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["here 0", "here 0", "here 1"]


def test_a_name_of_rbac_may_hold_what_dns_may_not(scopes: Scopes) -> None:
    assert prepared(scopes, obj("ClusterRole", "rbac.authorization.k8s.io/v1", "system:Node_x"))


def test_an_object_rendered_twice_is_refused_with_both_places(scopes: Scopes) -> None:
    with pytest.raises(RenderError, match="here 1: ConfigMap ns/a is rendered twice, first by here 0"):
        prepared(scopes, obj(), obj(namespace="ns"))


def test_an_object_of_another_component_is_refused_with_its_name(tmp_path: pathlib.Path, scopes: Scopes) -> None:
    write_component(tmp_path, "platform", "other", [obj(namespace="ns")])
    objects = prepared(scopes, obj())
    with pytest.raises(RenderError, match="ConfigMap ns/a is rendered by component other too"):
        refuse_duplicates(tmp_path, "demo", objects, None)
    with pytest.raises(RenderError, match="by component other"):
        refuse_duplicates(tmp_path, "demo", objects, ["demo", "other"])
    refuse_duplicates(tmp_path, "demo", objects, ["demo"])
    refuse_duplicates(tmp_path, "other", objects, None)


def test_a_secret_with_values_is_refused_without_showing_them(scopes: Scopes) -> None:
    secret = obj("Secret") | {"stringData": {"password": "hunter2"}, "data": {"empty": ""}}
    with pytest.raises(RenderError, match=r"Secret ns/a carries values \(stringData.password\)") as caught:
        prepared(scopes, secret)
    assert "hunter2" not in str(caught.value)
    assert prepared(scopes, secret, public=("ns/a",))
    assert prepared(scopes, obj("Secret"))


def test_a_secret_with_a_number_is_refused_without_showing_it(scopes: Scopes) -> None:
    with pytest.raises(RenderError, match=r"data.pin must be a text, not int") as caught:
        prepared(scopes, obj("Secret") | {"data": {"pin": 4711}})
    assert "4711" not in str(caught.value)


def test_hooks_are_resolved_in_charts_only(scopes: Scopes) -> None:
    job = obj("Job", "batch/v1", annotations={"helm.sh/hook": "pre-install"}) | {"spec": {}}
    test = obj("Pod", name="t", annotations={"helm.sh/hook": "test"})
    result = prepare("demo", [Rendered("x", job, "ns", "chart"), Rendered("y", test, "ns", "chart")], scopes)
    assert result.dropped == ["Pod t"]
    (hooked,) = result.objects
    assert hooked["metadata"]["name"].startswith("a-")
    assert hooked["metadata"]["annotations"] == {"llm-platform.wmx.dev/phase": "before"}
    assert prepared(scopes, job)[0]["metadata"]["name"] == "a"


def test_lists_are_opened_and_empty_documents_dropped() -> None:
    text = "---\n---\napiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: B\n---\n{}\n---\n- kind: C\n"
    assert [value["kind"] for _place, value in parse(text, "t")] == ["A", "B", "C"]


def test_a_document_that_is_no_object_is_refused_with_its_place() -> None:
    with pytest.raises(RenderError, match=r"^t, line 3: expected an object, found str 'text'"):
        parse("kind: A\n---\ntext\n", "t")


def test_renderings_that_differ_name_what_differs() -> None:
    one, two = obj("Secret", namespace="ns"), obj("Secret", namespace="ns") | {"data": {"k": "v"}}
    same_objects("chart x", [one], [copy.deepcopy(one)])
    with pytest.raises(RenderError, match=r"^chart x: Secret ns/a has another content each time"):
        same_objects("chart x", [one, obj()], [two, obj()])
    with pytest.raises(RenderError, match="ConfigMap a has another content"):
        same_objects("chart x", [obj()], [])
