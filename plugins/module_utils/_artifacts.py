# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Charts and models in the lock: what it says of them, and how it learns it. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from functools import partial

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import (
    ArtifactError,
    ChartName,
    ModelName,
    chart_name,
    parse_model_name,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._chart_source import resolve_chart
from ansible_collections.wmx.llm_platform.plugins.module_utils._hub import resolve_model
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import CHARTS, MODELS, Lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._pin import Move, refresh
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved, resolve_all
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Endpoint, RegistryError

if t.TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access


@dataclass(frozen=True, slots=True, order=True)
class ChartUse:
    """A chart that is rendered, and where it lies if it is no remote one."""

    name: ChartName
    path: str = ""
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class Artifacts:
    charts: tuple[ChartUse, ...] = ()
    models: tuple[ModelName, ...] = ()
    hub_token: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """New entries by section, what moved, and what could not be asked."""

    entries: Mapping[str, Mapping[str, t.Any]]
    moves: list[Move]
    failures: list[str]


def read_artifacts(charts: Iterable[Mapping[str, t.Any]], models: Iterable[str], hub_token: str) -> Artifacts:
    """Charts and models as options write them; ArtifactError names the one that is none."""
    return Artifacts(
        tuple(ChartUse(_named(chart), chart["path"] or chart["name"], bool(chart["plain_http"])) for chart in charts),
        tuple(parse_model_name(model) for model in models),
        hub_token,
    )


def _named(chart: Mapping[str, t.Any]) -> ChartName:
    name = chart_name(chart["name"], chart["version"] or "")
    if name.is_remote and not name.version:
        raise ArtifactError(f"chart {name} names no version; a remote chart needs an exact one")
    return name


def access_to(chart: ChartName, access: Access, *, plain_http: bool) -> Access:
    """How the chart's registry is reached: without TLS when the chart says so and the inventory says nothing."""
    if not (plain_http and chart.is_oci) or access.mirror or chart.image.registry in access.endpoints:
        return access
    registry = chart.image.registry
    return replace(access, endpoints={**access.endpoints, registry: Endpoint(registry, insecure=True)})


def learn(artifacts: Artifacts, lock: Lock, access: Access, today: dt.date) -> Learned:
    """Asks registries, repositories, folders and the hub what they have under the names now."""
    charts, failed_charts = resolve_all(artifacts.charts, access, _ask_chart)
    models, failed_models = resolve_all(artifacts.models, access, partial(_ask_model, token=artifacts.hub_token))
    _lock, chart_moves = refresh(lock, {str(use.name): it for use, it in charts.items()}, "its origin", today, CHARTS)
    _lock, model_moves = refresh(lock, {str(name): it for name, it in models.items()}, "the hub", today, MODELS)
    return Learned(
        {
            CHARTS: {move.image: move.after for move in chart_moves},
            MODELS: {move.image: move.after for move in model_moves},
        },
        [*chart_moves, *model_moves],
        sorted(str(error) for error in (*failed_charts.values(), *failed_models.values())),
    )


def _ask_chart(use: ChartUse, access: Access) -> Resolved:
    try:
        return resolve_chart(use.name, use.path, access_to(use.name, access, plain_http=use.plain_http))
    except ArtifactError as exc:
        raise RegistryError(str(exc)) from exc


def _ask_model(model: ModelName, access: Access, token: str) -> Resolved:
    return resolve_model(model, access, token)
