# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The lock that is shipped: every image of our own roles is in it, and what is not known is known to be so."""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import ChartName, chart_name
from ansible_collections.wmx.llm_platform.plugins.module_utils._chart_source import digest_of_path
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_find import find_images
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import (
    CHARTS,
    IMAGES,
    KINDS,
    MODELS,
    STATUSES,
    UNRESOLVED,
    read_lock,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import RULES
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_images import SHIPPED
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULE_NAMES

ROLES = pathlib.Path(__file__).resolve().parents[3] / "roles"
# Built from this repository or from packages and not published, or without a digest in any public file we know.
KNOWN_TO_BE_UNRESOLVED = {
    "docker.io/istio/pilot:1.31.0",
    "docker.io/library/postgres:15",
    "docker.io/library/redis:7.0",
    "ghcr.io/berriai/litellm-non_root:v1.108.7",
    "ghcr.io/wmx/llm-platform/model-simulator-real-text:1.0.0",
    "ghcr.io/wmx/llm-platform/model-simulator:1.0.0",
}
# Where they are served, no text that we know says what their manifests are.
CHARTS_KNOWN_TO_BE_UNRESOLVED = {
    "oci://ghcr.io/istio/release/charts/base:1.31.0",
    "oci://ghcr.io/istio/release/charts/istiod:1.31.0",
}
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "llm-platform"
INVENTORIES = ROLES.parent / "inventories"


class RenderValue(t.Protocol):
    def __call__(self, role: str, value: str, variables: dict[str, t.Any]) -> str: ...


@pytest.fixture
def render_value() -> RenderValue:
    """A value of a role's task with the role's defaults and vars."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar, trust_as_template

    loader = DataLoader()

    def render(role: str, value: str, variables: dict[str, t.Any]) -> str:
        known: dict[str, t.Any] = {}
        for part in ("defaults", "vars"):
            known |= loader.load_from_file(str(ROLES / role / part / "main.yml"), trusted_as_template=True) or {}
        templar = Templar(loader=loader, variables={**known, **variables})
        return str(templar.template(trust_as_template(value)))

    return render


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
    lock = read_lock(SHIPPED)
    for section, known in (
        (IMAGES, KNOWN_TO_BE_UNRESOLVED),
        (CHARTS, CHARTS_KNOWN_TO_BE_UNRESOLVED),
        (MODELS, set[str]()),
    ):
        entries = lock.section(section)
        assert {name for name, entry in entries.items() if entry.status == UNRESOLVED} == known, section


def test_every_chart_that_a_role_renders_is_in_the_shipped_lock(render_value: RenderValue) -> None:
    """With the upstream files of the local cluster, and without."""
    named = set()
    for tasks in sorted(ROLES.glob("*/tasks/*.yml")):
        role = tasks.parent.parent.name
        for task in yaml.safe_load(tasks.read_text(encoding="utf-8")) or []:
            charts = (task.get("wmx.llm_platform.render") or {}).get("charts") or []
            for chart, sources in itertools.product(charts, ("/s", "")):
                plan = {"llm_plan": {"sources": sources, "tier": "dev"}}
                ref = render_value(role, chart["ref"], plan)
                version = render_value(role, chart.get("version") or "", {**plan, "omit": ""})
                named.add(str(chart_name(ref, version, sources)))
    assert {name.partition("/")[0] for name in named} == {"oci:", "sources"}
    assert named == set(read_lock(SHIPPED).charts)


def test_the_folders_of_charts_are_what_their_modules_have() -> None:
    """The lock's digests were made from the sources that the local cluster is built from."""
    folders = [name for name, entry in read_lock(SHIPPED).charts.items() if entry.kind == "folder"]
    for name in folders:
        places = [path for path in CACHE.glob(f"{name.replace('sources/', 'sources/*/', 1)}") if path.is_dir()]
        if not places:
            pytest.skip(f"{name} is not in the cache (make up brings it)")
        newest = max(places, key=lambda path: path.stat().st_ctime)
        assert digest_of_path(ChartName(name), str(newest))[0] == read_lock(SHIPPED).charts[name].digest


def test_every_model_of_the_example_inventories_is_in_the_shipped_lock() -> None:
    sources = set()
    for path in INVENTORIES.glob("*/group_vars/all/models.yml"):
        models = yaml.safe_load(path.read_text(encoding="utf-8"))["llm_models"]
        sources |= {model["source"] for model in models if model["engine"] not in ("simulator", "provider")}
    assert sources
    assert {source if "@" in source else f"{source}@main" for source in sources} <= set(read_lock(SHIPPED).models)


def test_every_digest_says_where_it_comes_from_and_since_when_it_is_known() -> None:
    lock = read_lock(SHIPPED)
    entries = [entry for section in KINDS for entry in lock.section(section).values()]
    assert all(entry.sources and entry.first_seen for entry in entries if entry.digest)
