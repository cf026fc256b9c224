# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The lock that is shipped: every image of our own roles is in it, and what is not known is known to be so."""

from __future__ import annotations

import pathlib
import re

import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_find import find_images
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import STATUSES, UNRESOLVED, read_lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import RULES
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_images import SHIPPED
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULE_NAMES

ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
# Built from this repository or from packages and not published, or without a digest in any public file we know.
KNOWN_TO_BE_UNRESOLVED = {
    "docker.io/library/postgres:15",
    "docker.io/library/redis:7.0",
    "ghcr.io/berriai/litellm-non_root:v1.108.7",
    "ghcr.io/wmx/llm-platform/model-simulator-real-text:1.0.0",
    "ghcr.io/wmx/llm-platform/model-simulator:1.0.0",
}


def table_of(heading: str) -> set[str]:
    page = (ROLES.parent / "docs" / "images.md").read_text(encoding="utf-8")
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))


def test_the_page_about_images_names_every_rule() -> None:
    assert table_of("The lock") == set(STATUSES)
    assert table_of("Rules on images") == set(RULES)
    assert table_of("Rules on objects") == set(RULE_NAMES)


def images_of_roles() -> set[str]:
    files = [
        path
        for folder in ("defaults", "vars")
        for path in ROLES.glob(f"*/{folder}/*.yml")
        # What runs in the local cluster beside the platform is built, and pinned, there.
        if path.parts[-3] != "local_cluster"
    ]
    values = [yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files]
    return {found.image.tagged for value in values for found in find_images(value)}


def test_every_image_that_a_role_names_is_in_the_shipped_lock() -> None:
    named = images_of_roles()
    assert "docker.io/vllm/vllm-openai:v0.31.0" in named
    assert named <= set(read_lock(SHIPPED).images)


def test_the_unresolved_entries_are_exactly_those_that_are_known() -> None:
    entries = read_lock(SHIPPED).images
    assert {name for name, entry in entries.items() if entry.status == UNRESOLVED} == KNOWN_TO_BE_UNRESOLVED


def test_every_digest_says_where_it_comes_from_and_since_when_it_is_known() -> None:
    entries = read_lock(SHIPPED).images
    assert all(entry.sources and entry.first_seen for entry in entries.values() if entry.digest)
