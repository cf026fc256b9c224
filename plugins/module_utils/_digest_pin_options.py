# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The options of digest_pin as its logic takes them. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._lock_rules import (
    RULES,
    Policy,
    Release,
    RulesError,
    read_waivers,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import HOWS, REWRITE, mirror_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import (
    Access,
    endpoint_of,
    pull_secret_credentials,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._signature_rules import KEY_DIGESTS, read_signature_rules
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import DEMANDS

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TEXT: t.Final = {"type": "str", "required": True}
_RELEASE: t.Final[dict[str, t.Any]] = {
    "image": _TEXT,
    "versions": {"type": "list", "elements": "str", "required": True},
    "advisory": _TEXT,
}
_SIGNATURE: t.Final[dict[str, t.Any]] = {
    "images": _TEXT,
    "demand": {**_TEXT, "choices": list(DEMANDS)},
    "identity": {"type": "str"},
    "identity_regexp": {"type": "str"},
    "issuer": {"type": "str"},
    "issuer_regexp": {"type": "str"},
    "public_key": {"type": "str", "no_log": False},
    "key_digest": {"type": "str", "choices": list(KEY_DIGESTS), "no_log": False},
    "trusted_root": {"type": "path"},
    "transparency_log": {"type": "bool", "default": True},
    "first_releases": {"type": "list", "elements": "str", "default": []},
    "source": {"type": "str"},
}
_RULES: t.Final[dict[str, t.Any]] = {
    "registries": {"type": "list", "elements": "str", "default": []},
    "quarantine_days": {"type": "int", "default": 3},
    "demand_verified": {"type": "bool", "default": True},
    "denied": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": _RELEASE,
    },
    "floors": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": _RELEASE,
    },
    "signatures": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": _SIGNATURE,
    },
    "exceptions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"rule": {**_TEXT, "choices": list(RULES)}, "image": _TEXT, "owner": _TEXT, "reason": _TEXT},
    },
}
MIRROR: t.Final[dict[str, t.Any]] = {
    "host": _TEXT,
    "prefix": {"type": "str", "default": ""},
    "how": {"type": "str", "choices": list(HOWS), "default": REWRITE},
    "ca_file": {"type": "path"},
    "insecure": {"type": "bool", "default": False},
    "pull_secret": {"type": "str", "default": "", "no_log": False},
}
_CHART: t.Final[dict[str, t.Any]] = {
    "name": _TEXT,
    "version": {"type": "str"},
    "path": {"type": "path"},
    "plain_http": {"type": "bool", "default": False},
}
OPTIONS: t.Final[dict[str, t.Any]] = {
    "state": {"type": "str", "choices": ["pinned", "resolved"], "default": "pinned"},
    "folder": {"type": "path"},
    "images": {"type": "list", "elements": "str", "default": []},
    "charts": {"type": "list", "elements": "dict", "default": [], "options": _CHART},
    "models": {"type": "list", "elements": "str", "default": []},
    "lock_file": {"type": "path", "required": True},
    "locks": {"type": "list", "elements": "path", "default": []},
    "paths": {"type": "list", "elements": "str", "default": []},
    "rules": {"type": "dict", "default": {}, "options": _RULES, "apply_defaults": True},
    "endpoints": {"type": "dict", "default": {}},
    "mirror": {"type": "dict", "options": MIRROR},
    "pull_secret": {"type": "str", "no_log": True},
    "hub_token": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 15.0},
    "cosign": {"type": "path", "default": "cosign"},
}


def policy_of(rules: Mapping[str, t.Any]) -> Policy:
    """The rules as the judge takes them, what is left out by default; RulesError names an incomplete exception."""
    given = {**{name: option["default"] for name, option in _RULES.items()}, **rules}
    if given["quarantine_days"] < 0:
        raise RulesError(f"rules.quarantine_days = {given['quarantine_days']}: is below 0; use 0 for no quarantine")
    return Policy(
        registries=tuple(given["registries"]),
        quarantine_days=given["quarantine_days"],
        demand_verified=given["demand_verified"],
        denied=_releases(given["denied"]),
        floors=_releases(given["floors"]),
        signatures=read_signature_rules(given["signatures"], "rules.signatures", RulesError),
        waivers=read_waivers(given["exceptions"], "rules.exceptions"),
    )


def _releases(data: Iterable[Mapping[str, t.Any]]) -> tuple[Release, ...]:
    return tuple(Release(item["image"], item["advisory"], tuple(item["versions"])) for item in data)


def access_of(options: Mapping[str, t.Any]) -> Access:
    """How registries are reached; RegistryError names an endpoint that is not written as it must be."""
    secret = options["pull_secret"]
    return Access(
        endpoints={name: endpoint_of(name, value) for name, value in options["endpoints"].items()},
        credentials=pull_secret_credentials(secret) if secret else {},
        timeout=options["timeout"],
        mirror=mirror_of(options["mirror"]),
    )
