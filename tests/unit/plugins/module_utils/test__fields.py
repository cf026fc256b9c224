# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._compare import is_current, overruled, same
from ansible_collections.wmx.llm_platform.plugins.module_utils._fields import (
    ABSENT,
    UnreadableFieldsError,
    extract,
    without_absent,
)

Object = dict[str, t.Any]
NAMES = st.sampled_from(["a", "b", "c.d/e", "f:g", "k:", ".", "", "ü"])
SCALARS = st.one_of(st.text(max_size=4), st.integers(-3, 3), st.booleans())
ATOMIC = st.lists(st.one_of(SCALARS, st.dictionaries(NAMES, SCALARS, max_size=2)), max_size=3)
SETS = st.lists(st.text(max_size=3), max_size=3, unique=True)


def keyed(values: st.SearchStrategy[t.Any]) -> st.SearchStrategy[list[Object]]:
    item = st.fixed_dictionaries({"name": st.sampled_from(["x", "y", "z"])}, optional={"v": values, "env": env()})
    return st.lists(item, max_size=3, unique_by=lambda entry: entry["name"])


def env() -> st.SearchStrategy[list[Object]]:
    item = st.fixed_dictionaries({"name": st.sampled_from(["A", "B"]), "value": st.text(max_size=2)})
    return st.lists(item, max_size=2, unique_by=lambda entry: entry["name"])


VALUES = st.recursive(st.one_of(SCALARS, ATOMIC), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=5)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES,
        "b": VALUES,
        "containers": keyed(VALUES),
        "tags": SETS,
        "ports": st.lists(
            st.fixed_dictionaries({"containerPort": st.integers(1, 4)}, optional={"name": st.text(max_size=2)}),
            max_size=3,
            unique_by=lambda entry: entry["containerPort"],
        ),
    },
)


def thing(spec: t.Any, **metadata: t.Any) -> Object:
    head = {"apiVersion": "x.example/v1", "kind": "Thing", "metadata": {"name": "n", "namespace": "ns", **metadata}}
    return {**head, "spec": spec}


@pytest.fixture
def apply(stored: t.Any) -> t.Callable[..., t.Any]:
    def run(*objects: Object) -> t.Any:
        item = stored({key: value for key, value in objects[0].items() if key != "spec"})
        for obj in objects:
            item.apply("llm-platform", obj)
        return item

    return run


PROPERTY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PROPERTY
@given(spec=SPECS)
def test_what_was_applied_is_read_back(apply: t.Any, spec: Object) -> None:
    obj = thing(spec, labels={"a": "b"})
    live = apply(obj).live()
    assert extract(live) == obj
    assert is_current(obj, live)


@PROPERTY
@given(spec=SPECS, other=SPECS)
def test_fields_that_others_added_do_not_count(apply: t.Any, spec: Object, other: Object) -> None:
    obj = thing(spec, labels={"a": "b"})
    item = apply(obj)
    item.edit("other", {"metadata": {"labels": {"theirs": "1"}}, "added": other}, "2026-01-01T00:00:00Z")
    assert is_current(obj, item.live())


@PROPERTY
@given(first=SPECS, second=SPECS)
def test_current_means_that_applying_again_changes_nothing(apply: t.Any, first: Object, second: Object) -> None:
    old, new = thing(first), thing(second)
    item = apply(old)
    before = item.live()
    after = copy.deepcopy(item)
    after.apply("llm-platform", new)
    if is_current(new, before):
        assert after.live() == before


@PROPERTY
@given(spec=SPECS, value=st.text(min_size=1, max_size=3))
def test_a_field_that_another_changed_is_never_current_and_its_writer_is_named(
    apply: t.Any, spec: Object, value: str
) -> None:
    obj = thing({**spec, "mine": "as applied"})
    item = apply(obj)
    item.edit("intruder", {"spec": {"mine": value}}, "2026-02-02T00:00:00Z")
    assert not is_current(obj, item.live())
    assert [(entry.path, entry.manager, entry.time) for entry in overruled(obj, item.live())] == [
        ("spec.mine", "intruder", "2026-02-02T00:00:00Z")
    ]


def test_an_object_that_we_never_applied_has_nothing_of_ours(stored: t.Any) -> None:
    item = stored(thing({}))
    item.edit("somebody", {"spec": {"a": 1}}, "2026-01-01T00:00:00Z")
    assert extract(item.live()) is None
    assert not is_current(thing({"a": 1}), item.live())


def test_a_removed_field_is_a_change(apply: t.Any) -> None:
    assert not is_current(thing({"a": 1}), apply(thing({"a": 1, "b": 2})).live())


def test_the_order_of_a_keyed_list_is_a_change(apply: t.Any) -> None:
    live = apply(thing({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}]})).live()
    assert not is_current(thing({"env": [{"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}]}), live)


def test_a_key_that_the_server_defaulted_is_not_ours(apply: t.Any) -> None:
    obj = thing({"ports": [{"containerPort": 80}]})
    live = apply(obj).live()
    assert live["spec"]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert extract(live) == obj


@pytest.mark.parametrize("zero", [False, 0, "", [], {}, None])
def test_a_zero_value_that_the_server_does_not_store_is_current(apply: t.Any, zero: t.Any) -> None:
    obj = thing({"a": 1, "hostNetwork": zero})
    live = apply(obj).live()
    del live["spec"]["hostNetwork"]
    assert is_current(obj, live)
    assert extract(live) == thing({"a": 1, "hostNetwork": ABSENT})
    assert without_absent(extract(live)) == thing({"a": 1})
    assert not is_current(thing({"a": 1, "hostNetwork": True}), live)


def test_fields_of_another_version_are_not_read(apply: t.Any) -> None:
    live = apply(thing({"a": 1})).live()
    live["apiVersion"] = "x.example/v2"
    with pytest.raises(UnreadableFieldsError, match="v1"):
        extract(live)
    assert not is_current({**thing({"a": 1}), "apiVersion": "x.example/v2"}, live)


@pytest.mark.parametrize(
    "fields",
    [
        {"f:spec": {"f:a": {"f:b": {}}}},
        {"f:spec": {"f:list": {"i:0": {}}}},
        {"f:spec": {"f:list": {'k:{"name":"gone"}': {}}}},
        {"f:spec": {"f:list": {"v:3": {}}}},
        {"f:spec": {"f:list": {"k:not json": {}}}},
        {"f:spec": {'k:{"name":"x"}': {}}},
    ],
)
def test_a_field_set_that_does_not_fit_leaves_the_answer_to_the_server(apply: t.Any, fields: Object) -> None:
    obj = thing({"a": 1, "list": [1, 2]})
    live = apply(obj).live()
    live["metadata"]["managedFields"][0]["fieldsV1"] = fields
    with pytest.raises(UnreadableFieldsError):
        extract(live)
    assert not is_current(obj, live)


def deployment(cpu: t.Any) -> Object:
    container = {"name": "main", "resources": {"limits": {"cpu": cpu}}}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "n", "namespace": "ns"}, "spec": spec}


@pytest.mark.parametrize(("wanted", "kept"), [("1000m", "1"), (1, "1"), ("1024Mi", "1Gi"), (0.5, "500m")])
def test_quantities_of_built_in_kinds_are_compared_by_amount(apply: t.Any, wanted: t.Any, kept: str) -> None:
    live = apply(deployment(kept)).live()
    assert is_current(deployment(wanted), live)
    assert not is_current(deployment("7"), live)


def test_quantities_of_other_kinds_are_compared_by_text(apply: t.Any) -> None:
    live = apply(thing({"limits": {"cpu": "1"}})).live()
    assert not is_current(thing({"limits": {"cpu": "1000m"}}), live)


@pytest.mark.parametrize(
    ("one", "two"), [(True, 1), (False, 0), ("1", 1), ([1, 2], [2, 1]), ([], [1]), ({}, []), (None, 0)]
)
def test_values_that_python_takes_for_equal_are_not(one: t.Any, two: t.Any) -> None:
    assert not same(one, two)
    assert not same({"a": one}, {"a": two})


def test_a_manager_of_a_subresource_is_named_but_status_writers_are_not(apply: t.Any) -> None:
    obj = thing({"replicas": 2})
    item = apply(obj)
    item.edit("kube-controller-manager", {"spec": {"replicas": 5}}, "2026-03-03T00:00:00Z")
    live = item.live()
    theirs = live["metadata"]["managedFields"][-1]
    theirs["subresource"] = "scale"
    assert [entry.manager for entry in overruled(obj, live)] == ["kube-controller-manager"]
    theirs["subresource"] = "status"
    assert overruled(obj, live) == []


def test_the_path_of_an_overruled_field_can_be_read(apply: t.Any) -> None:
    obj = thing({"containers": [{"name": "main", "image": "a"}]}, annotations={"x.y/z": "1"})
    item = apply(obj)
    patch = {"spec": {"containers": [{"name": "main", "image": "b"}]}, "metadata": {"annotations": {"x.y/z": "2"}}}
    item.edit("kubectl-edit", patch, "2026-03-03T00:00:00Z")
    assert [entry.path for entry in overruled(obj, item.live())] == [
        'metadata.annotations["x.y/z"]',
        "spec.containers[name=main].image",
    ]
