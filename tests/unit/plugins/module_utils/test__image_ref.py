# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import (
    DIGEST_TEXT,
    REGISTRY_TEXT,
    REPOSITORY_TEXT,
    TAG_TEXT,
    ImageRef,
    ImageRefError,
    parse_image,
)

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("index.docker.io/busybox:1.36", "docker.io/library/busybox:1.36"),
        ("vllm/vllm-openai:v0.31.0", "docker.io/vllm/vllm-openai:v0.31.0"),
        ("localhost/x", "localhost/x"),
        ("registry:5000/a/b__c:1", "registry:5000/a/b__c:1"),
        (f"ghcr.io/a/b@{DIGEST}", f"ghcr.io/a/b@{DIGEST}"),
        (f"ghcr.io/a/b:v1@{DIGEST}", f"ghcr.io/a/b:v1@{DIGEST}"),
    ],
)
def test_short_names_are_written_out_as_the_runtime_does(text: str, full: str) -> None:
    assert str(parse_image(text)) == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Busybox",
        "a b",
        "https://ghcr.io/a/b:1",
        "ghcr.io/",
        "ghcr.io/a//b",
        "ghcr.io/a/b:",
        "ghcr.io/a/b:1:2",
        "ghcr.io/a/b@sha256:abc",
        f"ghcr.io/a/b@{DIGEST}0",
        f"ghcr.io/a/b@{DIGEST.upper()}",
        f"ghcr.io/{'a' * 250}:1",
        "{{ image }}",
        "ghcr.io/a/b:1\n",
    ],
)
def test_what_is_no_image_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(ImageRefError, match="is no image"):
        parse_image(text)


def test_no_tag_means_latest_for_a_lock() -> None:
    assert parse_image("busybox").tagged == "docker.io/library/busybox:latest"


@given(
    st.builds(
        ImageRef,
        st.from_regex(REGISTRY_TEXT, fullmatch=True).filter(
            lambda name: len(name) < 60 and name not in {"index.docker.io", "registry-1.docker.io", "docker.io"}
        ),
        st.from_regex(REPOSITORY_TEXT, fullmatch=True).filter(lambda name: len(name) < 60),
        st.one_of(st.just(""), st.from_regex(TAG_TEXT, fullmatch=True)),
        st.one_of(st.just(""), st.from_regex(DIGEST_TEXT, fullmatch=True)),
    )
)
def test_an_image_survives_being_written_and_read(image: ImageRef) -> None:
    assert parse_image(str(image)) == image
