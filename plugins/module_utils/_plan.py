# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Turns checked variables and the catalog into the plan of one environment. Private to the collection."""

from __future__ import annotations

import copy
import dataclasses
import os
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils import (
    _catalog,
    _plan_canary,
    _plan_dns,
    _plan_edge,
    _plan_providers,
    _plan_routing,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import RoleOptions, check_inventory
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_flows import Inputs, read_table
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_gateway import (
    Around,
    check_gateway,
    gateway_options,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_images import plan_images
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_models import check_models
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_network import plan_flows
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_rules import check_pruned, check_rules
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_secrets import check_secrets
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_tenants import Surroundings, check_tenants
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Problem, Validator

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Plan = dict[str, t.Any]

# Of the exceptions that come with a component.
OWNER: t.Final = "wmx.llm_platform"


class PlanError(Exception):
    """The inventory cannot be planned; the message has one line per problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        listed = list(dict.fromkeys(str(problem) for problem in problems))
        count = "1 problem" if len(listed) == 1 else f"{len(listed)} problems"
        super().__init__("\n".join([f"The inventory has {count}; nothing was touched.", *listed]))


@dataclasses.dataclass(frozen=True)
class Request:
    """All that a plan depends on."""

    variables: Mapping[str, object]
    roles: list[RoleOptions]
    catalog: Mapping[str, Mapping[str, t.Any]]
    run_tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    # Releases that must not run: {denied: [...], floors: [...]}, each {image, versions, advisory}.
    advisories: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    # Who may open a connection to whom: {ends: {...}, flows: [...]}.
    flows: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    # Problems found while the variables were read, such as templates that do not work.
    problems: tuple[Problem, ...] = ()
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)


def make_plan(request: Request) -> Plan:
    """The plan, or a PlanError that lists everything that is wrong."""
    validator = Validator()
    validator.problems.extend(request.problems)
    values = check_inventory(request.variables, request.roles, validator)
    catalog = _catalog.read_catalog(request.catalog)
    # A later rule needs a value of the right type: where it was refused, the rule is not asked.
    profile, tier = values.get("llm_profile"), values.get("llm_tier") or "dev"
    substrate = values.get("llm_substrate") or ""
    features = _features(values, catalog)
    sources = values.get("llm_sources") or {}
    components: list[_catalog.Component] = []
    selected: list[str] = []
    if profile:
        components, problems = _catalog.resolve(catalog, profile, features)
        validator.problems.extend(problems)
        validator.problems.extend(_catalog.check_sources(catalog, components, sources))
        selected, problems = _catalog.narrow(components, request.run_tags, request.skip_tags)
        validator.problems.extend(problems)
    check_pruned(values, {component.name for component in components}, validator)
    kubeconfig = _kubeconfig(values, request.environ)
    namespaces = _namespaces(components, values, sources)
    check_rules(values, kubeconfig, namespaces, validator)
    check_secrets(values, features, validator)
    cache, lock_file = _path(values, "llm_cache_dir"), _path(values, "llm_lock_file")
    images = plan_images(values, request.advisories, cache, lock_file, validator)
    scene = _Scene(values, request.roles, tier, substrate, features, frozenset(item.role for item in components))
    models, canaries = _models(scene, request.variables.get("llm_models"), profile or "", validator)
    if profile == "platform" and models:
        fix = "set llm_profile: serving or llm_gateway"
        validator.add("llm_profile", profile, "serves no models, and llm_models names some", fix)
    around = _surroundings(values, models, components, namespaces)
    given, former = values.get("llm_tenants") or [], values.get("llm_tenants_delete") or []
    tenants, deleted = check_tenants(given, former, around, validator)
    parts = _parts(scene, models, validator)
    providers = [model for model in models if model.get("engine") == _plan_providers.PROVIDER]
    served = [model for model in models if model.get("engine") != _plan_providers.PROVIDER]
    view = {
        "substrate": substrate,
        "namespaces": namespaces,
        "components": [_brief(component, sources) for component in components],
        "models": served,
        "canaries": canaries,
        "tenants": tenants,
        **parts,
    }
    table = read_table(request.flows, catalog)
    flows = plan_flows(table, Inputs(view, values, request.roles), validator)
    if validator.problems:
        raise PlanError(validator.problems)
    entries = [_entry(component, sources, values) for component in components]
    environment = values["llm_environment"]
    installed = {entry["name"] for entry in entries if entry["source"] != "existing"}
    return {
        "environment": environment,
        "profile": profile,
        "tier": tier,
        "features": features,
        "substrate": substrate,
        "kubeconfig": kubeconfig,
        "context": values["llm_context"] if substrate == "existing" else "",
        "home_namespace": values["llm_home_namespace"],
        "storage_class": values["llm_storage_class"],
        "tree": str(_absolute(values["llm_build_dir"]) / environment),
        "evidence_dir": str(_absolute(values["llm_evidence_dir"]) / environment),
        "cache_dir": str(cache),
        "images": images,
        "policy_exceptions": [*values["llm_policy_exceptions"], *_exceptions(components, sources)],
        "namespaces": namespaces,
        "components": entries,
        "selected": [name for name in selected if name in installed],
        "models": served,
        "canaries": canaries,
        "providers": providers,
        **parts,
        "tenants": tenants,
        "tenants_delete": deleted,
        "flows": flows,
        "prune": {
            "components": values["llm_prune_components"],
            "data": _prunable(values["llm_prune_data"], deleted),
            "max": values["llm_prune_max"],
        },
        "disposable": values["llm_disposable"],
        "verify_destructive": values["llm_verify_destructive"],
        # The substrate fills in the folder of upstream files it was built from.
        "sources": "",
        "kubernetes": {"version": values["llm_kubernetes_version"], "api_versions": []},
    }


@dataclasses.dataclass(frozen=True)
class _Scene:
    """What the rules of the roles need to know."""

    values: Mapping[str, t.Any]
    roles: list[RoleOptions]
    tier: str
    substrate: str
    features: Mapping[str, bool]
    planned: frozenset[str]


def _models(scene: _Scene, said: object, profile: str, validator: Validator) -> tuple[list[Plan], list[Plan]]:
    """The models and the canaries of some of them."""
    _plan_providers.check_given(said, validator)
    listed, around = scene.values.get("llm_models") or [], {"tier": scene.tier, "substrate": scene.substrate}
    given = copy.deepcopy(listed)
    models = check_models(listed, around, validator)
    around_canaries = _plan_canary.Around(profile, "gateway" in scene.planned, around)
    canaries = _plan_canary.check_canaries(given, listed, around_canaries, validator)
    _plan_providers.check_keys(scene.values, models, validator)
    return models, canaries


def _parts(scene: _Scene, models: list[Plan], validator: Validator) -> Plan:
    """What roles around the models must agree on; empty for those that are not planned."""
    values, roles, tier, features = scene.values, scene.roles, scene.tier, scene.features
    parts: Plan = {"datastores": {}, "gateway": {}, "routing": {}, "edge": {}}
    if "llm_gateway" in scene.planned:
        around = Around(tier, scene.substrate, models, features)
        parts |= check_gateway(gateway_options(values, roles), around, validator)
    if "gateway" in scene.planned:
        around_routing = _plan_routing.Around(tier, scene.substrate, features, models)
        options = _plan_routing.routing_options(values, roles)
        parts["routing"] = _plan_routing.check_routing(options, around_routing, validator)
    if "edge" in scene.planned:
        around_edge = _plan_edge.Around(tier, features)
        parts["edge"] = _plan_edge.check_edge(_plan_edge.edge_options(values, roles), around_edge, validator)
    around_dns = _plan_dns.Around(scene.substrate, parts["edge"], wanted="external_dns" in scene.planned)
    parts["external_dns"] = _plan_dns.check_dns(_plan_dns.dns_options(values, roles), around_dns, validator)
    around_egress = _plan_providers.Around(tier, "egress" in scene.planned)
    options = _plan_providers.egress_options(values, roles)
    parts["egress"] = _plan_providers.check_egress(options, models, around_egress, validator)
    return parts


def _features(values: Mapping[str, t.Any], catalog: Mapping[str, _catalog.Component]) -> dict[str, bool]:
    given = values.get("llm_features") or {}
    return {name: bool(given.get(name)) for name in _catalog.features_of(catalog)}


def _kubeconfig(values: Mapping[str, t.Any], environ: Mapping[str, str]) -> str:
    if values.get("llm_substrate") == "local":
        name = values.get("local_cluster_name") or "llm-platform"
        cache = values.get("local_cluster_cache_dir") or values.get("llm_cache_dir") or ""
        return str(_absolute(cache) / "clusters" / name / "kubeconfig")
    given = values.get("llm_kubeconfig") or environ.get("K8S_AUTH_KUBECONFIG") or ""
    return str(_absolute(given)) if given else ""


def _exceptions(components: list[_catalog.Component], sources: Mapping[str, str]) -> list[dict[str, str]]:
    installed = [item for item in components if sources.get(item.name, item.sources[0]) != "existing"]
    return [{**exception, "owner": OWNER} for component in installed for exception in component.exceptions]


def _namespaces(
    components: list[_catalog.Component], values: Mapping[str, t.Any], sources: Mapping[str, str]
) -> list[dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    home = values.get("llm_home_namespace")
    if home:
        found[home] = {"name": home, "pod_security": "restricted"}
    for component in components:
        # What is there already has a namespace that somebody else looks after.
        if not component.namespace or sources.get(component.name) == "existing":
            continue
        entry = found.setdefault(component.namespace, {"name": component.namespace, "pod_security": "restricted"})
        if component.pod_security != "restricted":
            entry.update(pod_security=component.pod_security, reason=component.pod_security_reason)
    return list(found.values())


def _surroundings(
    values: Mapping[str, t.Any],
    models: list[dict[str, t.Any]],
    components: list[_catalog.Component],
    namespaces: list[dict[str, str]],
) -> Surroundings:
    listed = values.get("llm_models")
    return Surroundings(
        models={model["name"]: model["served_name"] for model in models if model.get("name")},
        namespaces=frozenset(namespace["name"] for namespace in namespaces),
        models_known=listed is not None and all(listed) and all(model.get("name") for model in models),
        # Without a valid profile nothing is known of the components.
        gateway=not components or any(component.role == "tenants" for component in components),
        profile=values.get("llm_profile") or "",
    )


def _prunable(named: list[str], deleted: list[dict[str, t.Any]]) -> list[str]:
    return list(dict.fromkeys([*named, *(f"Namespace {entry['namespace']}" for entry in deleted)]))


def _brief(component: _catalog.Component, sources: Mapping[str, str]) -> dict[str, str]:
    source = sources.get(component.name, component.sources[0])
    return {"name": component.name, "source": source, "namespace": component.namespace}


def _entry(component: _catalog.Component, sources: Mapping[str, str], values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        **_brief(component, sources),
        "role": component.role,
        "layer": component.layer,
        "requires": list(component.requires),
        "claims": [_claim(claim) for claim in component.claims if _is_claimed(claim, values)],
        "kinds": list(component.kinds),
        "prepare": component.prepare,
        "state": component.state,
        "existing": dict(component.existing),
    }


def _is_claimed(claim: Mapping[str, t.Any], values: Mapping[str, t.Any]) -> bool:
    """What nobody allowed to be broken on purpose is not claimed, nor what the inventory does not want."""
    allowed = bool(values["llm_verify_destructive"]) or claim["class"] != "destructive"
    return allowed and ("option" not in claim or bool(values.get(claim["option"])))


def _claim(claim: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in claim.items() if key != "option"}


def _path(values: Mapping[str, t.Any], name: str) -> Path:
    return _absolute(values.get(name) or "")


def _absolute(path: str) -> Path:
    # Path.resolve would follow links, and a link into another place may be just what the user set up.
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100
