# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of the options that bring secrets. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_providers import KEYS
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import DNS_LABEL, HIDDEN

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")
_DURATION = re.compile(r"(\d+(\.\d+)?(h|m|s|ms))+")
_PATTERNS = {"namespace": DNS_LABEL, "name": _NAME, "key": _KEY}
_TOKEN = "hf-token"  # noqa: S105 - the name of an option


def check_secrets(values: Mapping[str, t.Any], features: Mapping[str, bool], validator: Validator) -> None:
    """Adds what is wrong with values whose types are right; never shows one that is secret."""
    given = {name: value for name, value in (values.get("secrets_values") or {}).items() if value is not None}
    sources = {
        name: source
        for name, source in (values.get("secrets_from") or {}).items()
        if source and any(part is not None for part in source.values())
    }
    # Those of providers have names of their own, which the models say.
    for name, value in given.items():
        if name != KEYS:
            _given(name, value, sources, validator)
    for name, source in sources.items():
        if name != KEYS:
            _source(name, source, validator)
    token = values.get("serving_hub_token_secret") or {}
    if (_TOKEN in given or _TOKEN in sources) and not token.get("name"):
        option = f"secrets_values.{_TOKEN}" if _TOKEN in given else f"secrets_from.{_TOKEN}"
        shown = HIDDEN if _TOKEN in given else sources[_TOKEN]
        fix = "set serving_hub_token_secret.name, such as hf-token, or remove it"
        validator.add(option, shown, "is given, and no Secret is named to hold it", fix)
    if values.get("secrets_backend") == "external_secrets":
        _external(values, {*given, *sources}, features, validator)
    elif (store := values.get("secrets_store") or {}).get("name"):
        fix = "set secrets_backend: external_secrets or remove it"
        validator.add("secrets_store.name", store["name"], "is impossible with secrets_backend: kubernetes", fix)


def _given(name: str, value: str, sources: Mapping[str, object], validator: Validator) -> None:
    path = f"secrets_values.{name}"
    if name in sources:
        fix = f"remove it there or secrets_from.{name}"
        validator.add(path, HIDDEN, "is given by secrets_from too", fix)
    if not value:
        validator.add(path, HIDDEN, "is empty", "fill it in or remove it")


def _source(name: str, source: Mapping[str, t.Any], validator: Validator) -> None:
    for part, pattern in _PATTERNS.items():
        value = source.get(part)
        if value is None or not pattern.fullmatch(value):
            what = "is required" if value is None else "is no name of Kubernetes"
            validator.add(f"secrets_from.{name}.{part}", value, what, "name an existing Secret and its key")


def _external(values: Mapping[str, t.Any], given: set[str], features: Mapping[str, bool], validator: Validator) -> None:
    store = values.get("secrets_store") or {}
    if not features.get("external_secrets"):
        fix = "set llm_features.external_secrets: true, or secrets_backend: kubernetes"
        validator.add("secrets_backend", "external_secrets", "needs the feature external_secrets", fix)
    if not _NAME.fullmatch(store.get("name") or ""):
        validator.add("secrets_store.name", store.get("name") or "", "names no store", "name the store to read from")
    if (interval := store.get("refresh_interval")) is not None and not _DURATION.fullmatch(interval):
        validator.add("secrets_store.refresh_interval", interval, "is no duration", "write one such as 1h or 15m")
    if given:
        what = f"{', '.join(sorted(given))} cannot be given where the store has all values"
        validator.add("secrets_backend", "external_secrets", what, "put them into the store, and remove them here")
