# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules that collection-wide options obey alone and together. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import DNS_LABEL, Validator

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping


_OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_VERSION = re.compile(r"1\.(\d{1,3})(\.\d{1,3})?")
_REF = re.compile(r"([a-z0-9.-]+/)?[A-Z][A-Za-z0-9]* ([a-z0-9][a-z0-9-]*/)?[A-Za-z0-9][A-Za-z0-9.:-]*")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
_SYSTEM_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_PATHS = ("llm_build_dir", "llm_evidence_dir", "llm_lock_file", "llm_cache_dir")
MINIMUM_MINOR = 34


def check_rules(
    values: Mapping[str, t.Any], kubeconfig: str, namespaces: list[dict[str, str]], validator: Validator
) -> None:
    """Adds what is wrong with values whose types are right."""
    _names(values, namespaces, validator)
    _cluster(values, kubeconfig, validator)
    _limits(values, validator)
    _upstream(values, validator)
    for name in _PATHS:
        value = values.get(name)
        if value is not None and not value.strip():
            validator.add(name, value, "is empty", "write a path or remove the variable")


def _names(values: Mapping[str, t.Any], namespaces: list[dict[str, str]], validator: Validator) -> None:
    environment = values.get("llm_environment")
    if environment is not None and not DNS_LABEL.fullmatch(environment):
        fix = "rename the inventory directory or set it to a-z, 0-9 and -, at most 63 characters"
        validator.add("llm_environment", environment, "is no DNS label", fix)
    storage_class = values.get("llm_storage_class")
    if storage_class and not _OBJECT_NAME.fullmatch(storage_class):
        validator.add("llm_storage_class", storage_class, "is no object name", "use a-z, 0-9, . and -")
    home = values.get("llm_home_namespace")
    options = {name: value for name, value in values.items() if name.endswith("_namespace") and isinstance(value, str)}
    for name, value in options.items():
        if not DNS_LABEL.fullmatch(value):
            validator.add(name, value, "is no namespace's name", "use a-z, 0-9 and -, at most 63 characters")
        elif value in _SYSTEM_NAMESPACES or value.startswith("kube-"):
            validator.add(name, value, "belongs to Kubernetes", "choose a namespace of its own")
        elif name != "llm_home_namespace" and value == home:
            validator.add(name, value, "is llm_home_namespace too", "choose a namespace of its own")
    for namespace in namespaces:
        name = namespace["name"]
        if name not in options.values() and not DNS_LABEL.fullmatch(name):
            validator.add("namespace", name, "is no namespace's name", "use a-z, 0-9 and -, at most 63 characters")


def _cluster(values: Mapping[str, t.Any], kubeconfig: str, validator: Validator) -> None:
    substrate = values.get("llm_substrate")
    given, context = values.get("llm_kubeconfig"), values.get("llm_context")
    if substrate == "existing" and not kubeconfig:
        fix = "name the cluster's kubeconfig file, or set llm_substrate: local"
        validator.add("llm_kubeconfig", given, "is required for llm_substrate: existing", fix)
    if substrate == "local":
        if given and given != kubeconfig:
            fix = "remove it, or set llm_substrate: existing"
            validator.add("llm_kubeconfig", given, "is impossible with llm_substrate: local, which brings its own", fix)
        if context:
            fix = "remove it, or set llm_substrate: existing"
            validator.add("llm_context", context, "is impossible with llm_substrate: local, which brings its own", fix)
    version = values.get("llm_kubernetes_version")
    match = _VERSION.fullmatch(version) if version is not None else None
    if version is not None and (not match or int(match[1]) < MINIMUM_MINOR):
        what = f"is no version of Kubernetes from 1.{MINIMUM_MINOR} on"
        validator.add("llm_kubernetes_version", version, what, f'write a string such as "1.{MINIMUM_MINOR}"')


def check_pruned(values: Mapping[str, t.Any], planned: Collection[str], validator: Validator) -> None:
    """Only what left the plan can be removed as a whole."""
    for index, name in enumerate(values.get("llm_prune_components") or []):
        if name in planned:
            fix = "take it out of the plan first, or out of llm_prune_components"
            validator.add(f"llm_prune_components[{index}]", name, "is a component of this plan", fix)


def _limits(values: Mapping[str, t.Any], validator: Validator) -> None:
    maximum = values.get("llm_prune_max")
    if maximum is not None and not 0 <= maximum <= 100_000:
        validator.add("llm_prune_max", maximum, "is out of range", "use at least 0 and at most 100000")
    for index, ref in enumerate(values.get("llm_prune_data") or []):
        if ref is not None and not _REF.fullmatch(ref):
            fix = "write group/Kind namespace/name, or Kind name for the core group and cluster scope"
            validator.add(f"llm_prune_data[{index}]", ref, "names no object", fix)
    disposable, tier = values.get("llm_disposable"), values.get("llm_tier")
    if values.get("llm_verify_destructive") and disposable is False:
        fix = "set llm_disposable: true, or leave destructive probes off"
        validator.add("llm_verify_destructive", True, "is impossible where llm_disposable is false", fix)
    if disposable and tier == "prod" and values.get("llm_substrate") == "existing":
        fix = "set llm_disposable: false, or another llm_tier"
        validator.add("llm_disposable", True, "is impossible with llm_tier: prod on an existing cluster", fix)


def _upstream(values: Mapping[str, t.Any], validator: Validator) -> None:
    taken = (values.get("llm_sources") or {}).get("gateway_api_crds") == "existing"
    needed = values.get("llm_substrate") == "existing" and not taken
    routed = values.get("llm_profile") in ("llm_gateway", "full")
    _manifest("gateway_api_crds", "a Gateway API release", values, validator, needed=needed)
    name = "gateway_api_crds_inference"
    _manifest(name, "a release of its inference extension", values, validator, needed=needed and routed)


def _manifest(prefix: str, release: str, values: Mapping[str, t.Any], validator: Validator, *, needed: bool) -> None:
    manifest, checksum = values.get(f"{prefix}_manifest") or "", values.get(f"{prefix}_checksum") or ""
    if needed and not manifest:
        what = "is required where the cluster does not bring the CRDs"
        fix = f"name the file or address of {release}, or set llm_sources.gateway_api_crds: existing"
        validator.add(f"{prefix}_manifest", manifest, what, fix)
    if "://" in manifest and not manifest.startswith("https://"):
        validator.add(f"{prefix}_manifest", manifest, "is no https address", "use https or the path of a file")
    if manifest.startswith("https://") and not _CHECKSUM.fullmatch(checksum):
        fix = "set it to sha256: and the 64 digits of the file you have looked at"
        validator.add(f"{prefix}_checksum", checksum, "is required for an address", fix)
