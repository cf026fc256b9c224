# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import pathlib
import typing as t

import jmespath
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_find import (
    Place,
    extra_paths,
    find_images,
    rewrite_images,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import Mirror

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef

CORPUS = pathlib.Path(__file__).with_name("image_corpus.yml")
CASES = yaml.safe_load(CORPUS.read_text(encoding="utf-8"))
DIGEST = "sha256:" + "0f" * 32


def names(obj: dict[str, t.Any]) -> list[str]:
    return sorted(str(found.image) for found in find_images(obj))


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_every_image_of_the_corpus_is_found_and_nothing_else(case: dict[str, t.Any]) -> None:
    assert names(case["object"]) == sorted(case["images"])


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_pinned_object_has_the_digest_at_every_place_and_is_else_the_same(case: dict[str, t.Any]) -> None:
    original = copy.deepcopy(case["object"])
    pinned = rewrite_images(case["object"], lambda _place, image: image.pinned(DIGEST))
    assert case["object"] == original
    assert {found.image.digest for found in find_images(pinned)} <= {DIGEST}
    assert len(find_images(pinned)) == len(case["images"])
    assert rewrite_images(pinned, lambda _place, image: image.pinned(DIGEST)) == pinned
    assert rewrite_images(original, lambda _place, _image: None) == original


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_rewritten_object_has_the_new_name_at_every_place(case: dict[str, t.Any]) -> None:
    mirror = Mirror("mirror.example.com:5000", "all/")
    moved = rewrite_images(case["object"], lambda _place, image: mirror.of(image.pinned(DIGEST)))
    found = [item.image for item in find_images(moved)]
    assert {image.registry for image in found} <= {mirror.host}
    assert {image.digest for image in found} <= {DIGEST}
    # Where a digest takes the field of the version, nothing is left of that.
    assert sorted(mirror.origin(image).name for image in found) == sorted(
        parse_image(name).name for name in case["images"]
    )


def test_a_place_is_written_as_people_write_paths() -> None:
    pod = {"kind": "Pod", "spec": {"containers": [{"image": "busybox"}]}, "metadata": {"annotations": {"a.b/c": "d"}}}
    (found,) = find_images(pod)
    assert found.place.text == "spec.containers[0].image"
    assert Place(("metadata", "annotations", "a.b/c")).text == "metadata.annotations['a.b/c']"


def test_an_expression_of_the_user_names_fields_that_nobody_would_take_for_images() -> None:
    obj = {"kind": "Odd", "spec": {"runs": "busybox", "name": "box"}}
    assert names(obj) == []
    extra = extra_paths(["spec.runs"], obj, jmespath.search)
    assert [str(found.image) for found in find_images(obj, extra)] == ["docker.io/library/busybox"]


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=40)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12) | st.just("image"), inner, max_size=4)
        ),
        max_leaves=25,
    ),
    st.sampled_from(["ghcr.io/org/app:v1.2.3", "registry.example.com:5000/a/b/c:1", f"quay.io/x/y@{DIGEST}"]),
)
def test_an_image_is_found_wherever_it_stands_and_any_value_is_survived(value: t.Any, image: str) -> None:
    obj = {"kind": "Any", "before": value, "after": {"deep": [{"args": ["--run", f"x={image}"]}]}}
    found = find_images(obj)
    assert image in {str(item.image) for item in found}

    def other(_place: Place, image: ImageRef) -> ImageRef:
        return image.pinned(DIGEST)

    assert len(find_images(rewrite_images(obj, other))) == len(found)
