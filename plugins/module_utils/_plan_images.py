# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Which digests and rules an environment's images are held to. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import REGISTRY_TEXT
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import mirror_of, mirror_problem
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import endpoint_problem
from ansible_collections.wmx.llm_platform.plugins.module_utils._signature_rules import faults

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

SHIPPED: t.Final = Path(__file__).resolve().parents[2] / "roles" / "plan" / "files" / "images.lock.yml"
_REGISTRY = re.compile(REGISTRY_TEXT)
_WORDS: t.Final = ("owner", "reason")


def plan_images(
    values: Mapping[str, t.Any], advisories: Mapping[str, t.Any], cache: Path, lock_file: Path, validator: Validator
) -> dict[str, t.Any]:
    """What render and the lock need: where digests come from, in which order, and what images must fulfil."""
    rules = values.get("llm_image_rules") or {}
    registries = rules.get("registries") or []
    for index, registry in enumerate(registries):
        if registry is not None and not _REGISTRY.fullmatch(registry):
            fix = "write its name as images do, such as ghcr.io or registry.example.com:5000"
            validator.add(f"llm_image_rules.registries[{index}]", registry, "is no registry", fix)
    days = rules.get("quarantine_days")
    if days is not None and not 0 <= days <= 3650:
        validator.add("llm_image_rules.quarantine_days", days, "is out of range", "use at least 0 and at most 3650")
    signatures = _signatures(rules.get("signatures"), validator)
    exceptions = _exceptions(rules.get("exceptions"), "llm_image_rules.exceptions", validator)
    _exceptions(values.get("llm_policy_exceptions"), "llm_policy_exceptions", validator)
    for name, endpoint in (values.get("llm_registry_endpoints") or {}).items():
        if problem := endpoint_problem(endpoint):
            path = f"llm_registry_endpoints.{name}"
            validator.add(
                path, endpoint, problem, "write {host: registry.example.com} with prefix, ca_file or insecure"
            )
    mirror = _mirror(values.get("llm_registry_mirror"), validator)
    rewriting = mirror_of(mirror)
    built = str(cache / "images" / "images.lock.yml") if values.get("llm_substrate") == "local" else ""
    return {
        "pin": True,
        # Until the local cluster was built there is nothing to pin its images with, and nothing to deliver to.
        "built_lock": built,
        "lock_file": str(lock_file),
        "locks": [str(SHIPPED), *([built] if built else [])],
        "paths": values.get("llm_image_paths") or [],
        "endpoints": values.get("llm_registry_endpoints") or {},
        "cosign": values.get("llm_cosign") or "cosign",
        "mirror": mirror,
        # What the cluster lets in: where names are rewritten, nothing comes from anywhere else any more.
        "admitted": [rewriting.name] if rewriting and rewriting.rewrites else registries,
        "rules": {
            "registries": registries,
            "quarantine_days": days or 0,
            # What was built here a minute ago is young; where nothing can be lost that is no harm.
            "demand_verified": not values.get("llm_disposable"),
            "denied": advisories.get("denied") or [],
            "floors": advisories.get("floors") or [],
            # The first one that speaks of an image holds.
            "signatures": [*signatures, *(advisories.get("signatures") or [])],
            "exceptions": exceptions,
        },
    }


def _mirror(given: Mapping[str, t.Any] | None, validator: Validator) -> dict[str, t.Any]:
    """The mirror, empty where there is none; a part that was refused already leaves none too."""
    values = {key: value for key, value in (given or {}).items() if value}
    # `how` has a default, which names no mirror.
    if not set(values) - {"how"}:
        return {}
    problem = mirror_problem(values)
    if problem is None:
        return values
    key, what, fix = problem
    validator.add(f"llm_registry_mirror.{key}", values.get(key), what, fix)
    return {}


def _signatures(given: t.Any, validator: Validator) -> list[dict[str, t.Any]]:
    entries = [{key: value for key, value in (entry or {}).items() if value is not None} for entry in given or []]
    for index, fault in faults(entries):
        validator.add(f"llm_image_rules.signatures[{index}].{fault.field}", fault.value, fault.what, fault.fix)
    return entries


def _exceptions(given: t.Any, path: str, validator: Validator) -> list[dict[str, t.Any]]:
    entries = [entry for entry in given or [] if entry]
    for index, entry in enumerate(entries):
        for word in _WORDS:
            if entry.get(word) is not None and not entry[word].strip():
                validator.add(f"{path}[{index}].{word}", entry[word], "is empty", "say who answers for it, and why")
    return entries
