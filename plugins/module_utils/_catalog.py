# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Resolves profile, features and sources into the ordered list of components. Private to the collection."""

from __future__ import annotations

import dataclasses
import graphlib
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Problem, nearest

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LAYERS = ("foundation", "platform", "serving", "routing", "llm_gateway", "experience")
# Each profile holds the ones before it.
PROFILES = ("platform", "serving", "llm_gateway")
_ALL_TAGS = frozenset({"all", "always", "tagged", "untagged"})


class CatalogError(Exception):
    """The catalog of components contradicts itself."""


@dataclasses.dataclass(frozen=True)
class Component:
    """One entry of the catalog: the unit that is rendered, delivered, pruned and verified."""

    name: str
    role: str
    layer: str
    profile: str
    sources: tuple[str, ...]
    feature: str = ""
    namespace: str = ""
    requires: tuple[str, ...] = ()
    claims: tuple[Mapping[str, t.Any], ...] = ()
    kinds: tuple[str, ...] = ()
    existing: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    # Whether tasks/prepare.yml makes what the tree never holds, such as a generated key.
    prepare: bool = False
    # Whether tasks/state.yml brings what lives behind the component's API, once its objects are there.
    state: bool = False
    # What the policy gate lets pass because it is somebody else's work: {rule, object, reason}.
    exceptions: tuple[Mapping[str, str], ...] = ()
    pod_security: str = "restricted"
    pod_security_reason: str = ""


def read_catalog(data: Mapping[str, Mapping[str, t.Any]]) -> dict[str, Component]:
    """The catalog as typed entries; a contradiction in it is an error of ours, never of the user."""
    catalog = {}
    for name, entry in data.items():
        values: dict[str, t.Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        try:
            component = Component(name=name, **values)
        except TypeError as exc:
            raise CatalogError(f"catalog entry {name}: {exc}") from exc
        if component.layer not in LAYERS or component.profile not in PROFILES or not component.sources:
            raise CatalogError(f"catalog entry {name}: layer, profile or sources is not valid")
        if component.pod_security != "restricted" and not component.pod_security_reason:
            raise CatalogError(
                f"catalog entry {name}: pod_security {component.pod_security} needs a pod_security_reason"
            )
        catalog[name] = component
    for component in catalog.values():
        for required in component.requires:
            if required not in catalog:
                raise CatalogError(f"catalog entry {component.name} requires {required}, which is not in the catalog")
            if LAYERS.index(catalog[required].layer) > LAYERS.index(component.layer):
                raise CatalogError(f"catalog entry {component.name} requires {required} of a later layer")
    return catalog


def features_of(catalog: Mapping[str, Component]) -> list[str]:
    """The names `llm_features` may hold."""
    return sorted({component.feature for component in catalog.values() if component.feature})


def resolve(
    catalog: Mapping[str, Component], profile: str, features: Mapping[str, bool]
) -> tuple[list[Component], list[Problem]]:
    """The components of a profile with its features, in delivery order, and what stands in their way."""
    reach = PROFILES.index(profile)
    chosen = {
        name: component
        for name, component in catalog.items()
        if (features.get(component.feature, False) if component.feature else True)
        and (PROFILES.index(component.profile) <= reach)
    }
    problems = _out_of_profile(catalog, profile, features)
    for component in chosen.values():
        for required in component.requires:
            if required not in chosen:
                problems.append(_missing(component, catalog[required], profile, features))
    return _ordered(chosen), problems


def check_sources(
    catalog: Mapping[str, Component], components: Iterable[Component], sources: Mapping[str, object]
) -> list[Problem]:
    """What is wrong with `llm_sources`."""
    enabled = {component.name for component in components}
    problems = []
    for name, source in sources.items():
        path = f"llm_sources.{name}"
        if name not in catalog:
            problems.append(Problem(path, source, "names no component", nearest(name, catalog)))
        elif source not in catalog[name].sources:
            what = f"is no source of component {name}"
            problems.append(Problem(path, source, what, f"choose one of: {', '.join(catalog[name].sources)}"))
        elif name not in enabled:
            feature = catalog[name].feature
            fix = f"set llm_features.{feature}: true" if feature else f"set llm_profile: {catalog[name].profile}"
            problems.append(Problem(path, source, f"component {name} is not part of this plan", f"{fix} or remove it"))
    return problems


def narrow(
    components: Iterable[Component], run_tags: Iterable[str], skip_tags: Iterable[str]
) -> tuple[list[str], list[Problem]]:
    """The names that `--tags` and `--skip-tags` leave, and tags nobody answers to."""
    listed = list(components)
    known = {tag for component in listed for tag in _tags(component)}
    wanted, skipped = list(run_tags), list(skip_tags)
    problems = [
        Problem(option, tag, "is neither a component nor a layer of this plan", nearest(tag, known))
        for option, tags in (("--tags", wanted), ("--skip-tags", skipped))
        for tag in tags
        if tag not in known | _ALL_TAGS
    ]
    every = not wanted or any(tag in _ALL_TAGS for tag in wanted)
    names = [
        component.name
        for component in listed
        if (every or _tags(component) & set(wanted)) and not _tags(component) & set(skipped)
    ]
    return names, problems


def _tags(component: Component) -> set[str]:
    return {component.name, component.role, component.layer}


def _out_of_profile(catalog: Mapping[str, Component], profile: str, features: Mapping[str, bool]) -> list[Problem]:
    reach = PROFILES.index(profile)
    return [
        Problem(
            f"llm_features.{component.feature}",
            True,
            f"component {component.name} is not part of llm_profile: {profile}",
            f"set llm_profile: {component.profile} or the feature to false",
        )
        for component in catalog.values()
        if component.feature and features.get(component.feature) and PROFILES.index(component.profile) > reach
    ]


def _missing(component: Component, required: Component, profile: str, features: Mapping[str, bool]) -> Problem:
    if required.feature and not features.get(required.feature, False):
        fix = f"set llm_features.{required.feature}: true"
    else:
        fix = f"set llm_profile: {required.profile}"
    if component.feature:
        return Problem(
            f"llm_features.{component.feature}", True, f"component {component.name} needs {required.name}", fix
        )
    return Problem("llm_profile", profile, f"component {component.name} needs {required.name}", fix)


def _ordered(chosen: Mapping[str, Component]) -> list[Component]:
    graph = {name: [need for need in component.requires if need in chosen] for name, component in chosen.items()}
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as exc:
        raise CatalogError(f"components require each other in a circle: {' -> '.join(exc.args[1])}") from exc
    # A requirement never lies in a later layer, so sorting by layer keeps the topological order.
    return sorted((chosen[name] for name in order), key=lambda component: LAYERS.index(component.layer))
