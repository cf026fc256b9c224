# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster in memory, a tree to fill, and a delivery of it that does not pause."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply import ApplyOptions, deliver
from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_one import Patience
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import write_component
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_cluster import (
    FakeCluster,
    Stored,
    status,
)

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response
    from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.wanted import Object


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def refuse() -> t.Callable[..., Response]:
    """Makes the API server's error answers: refuse(409, "Conflict", "…")."""
    return status


@pytest.fixture
def stored() -> type[Stored]:
    """One object of the cluster in memory, to apply to and to edit."""
    return Stored


@pytest.fixture
def tree(tmp_path: Path) -> t.Callable[..., Path]:
    def write(*objects: Object, component: str = "serving", layer: str = "serving") -> Path:
        write_component(tmp_path, layer, component, list(objects))
        return tmp_path

    return write


@pytest.fixture
def run(cluster: t.Any, tmp_path: Path) -> t.Callable[..., t.Any]:
    """Delivers without pauses; every look at the clock is a second later."""
    patience = Patience(webhook=6, new_kind=6, sleep=lambda _seconds: None, clock=itertools.count().__next__)

    def go(*components: str, **options: t.Any) -> t.Any:
        given = ApplyOptions(tmp_path, components or ("serving",), wait_timeout=0.2, **options)
        return deliver(cluster.client, given, patience=patience)

    return go
