# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Where registries are reached and with which credentials. Private to the collection."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import DOCKER_HUB

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._mirror import Mirror

# Docker Hub's API is not where its images' names say, and logins are kept under a third name.
HUB_API: t.Final = "registry-1.docker.io"
HUB_LOGIN: t.Final = "index.docker.io"
_ENDPOINT: t.Final = {"host": str, "insecure": bool, "ca_file": str, "prefix": str}


class RegistryError(Exception):
    """A registry that could not be asked or cannot be trusted; the message names the image and the fix."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where images of one registry's name really come from."""

    host: str
    insecure: bool = False
    ca_file: str = ""
    # Put before the repository, for a mirror that keeps several registries apart.
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """How registries are reached: mirrors by registry name, and credentials besides those of Docker's configuration."""

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    # registry name -> base64 of "user:password"
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 15.0
    retries: int = 4
    # Stands in for every registry without an endpoint of its own.
    mirror: Mirror | None = None

    def endpoint(self, registry: str) -> Endpoint:
        if found := self.endpoints.get(registry):
            return found
        if (mirror := self.mirror) and registry != mirror.host:
            return Endpoint(mirror.host, mirror.insecure, mirror.ca_file, mirror.folder(registry))
        if mirror := self.mirror:
            return Endpoint(mirror.host, mirror.insecure, mirror.ca_file)
        return Endpoint(HUB_API if registry == DOCKER_HUB else registry)

    def login(self, registry: str) -> tuple[str, str]:
        """(name that Docker's configuration keeps the login under, base64 of "user:password" if it is given here)."""
        if self.mirror and registry not in self.endpoints:
            # What was given for another registry is none of the mirror's business.
            return self.mirror.host, self.credentials.get(self.mirror.host, "")
        name = HUB_LOGIN if registry == DOCKER_HUB else self.endpoint(registry).host
        return name, self.credentials.get(registry, "")


def pull_secret_credentials(config: str) -> dict[str, str]:
    """Credentials by registry name from the `.dockerconfigjson` of a pull Secret."""
    try:
        auths = json.loads(config)["auths"]
        return {_registry_name(name): _basic(entry) for name, entry in auths.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise RegistryError("the pull Secret holds no .dockerconfigjson with auths") from exc


def _basic(entry: Mapping[str, str]) -> str:
    if entry.get("auth"):
        return entry["auth"]
    return base64.b64encode(f"{entry['username']}:{entry['password']}".encode()).decode()


def _registry_name(key: str) -> str:
    host = key.partition("://")[2] or key
    host = host.partition("/")[0]
    return DOCKER_HUB if host in {HUB_LOGIN, HUB_API} else host


def endpoint_problem(value: object) -> str:
    """What is wrong with an endpoint as options write it; empty when nothing is."""
    if not isinstance(value, dict) or not isinstance(value.get("host"), str) or not value["host"]:
        return "names no host"
    for key, item in value.items():
        if key not in _ENDPOINT:
            return f"has the unknown key {key}"
        if not isinstance(item, _ENDPOINT[key]):
            return f"{key} is no {_ENDPOINT[key].__name__}"
    return "host has a scheme" if "://" in value["host"] else ""


def endpoint_of(name: str, value: Mapping[str, t.Any]) -> Endpoint:
    """An endpoint as options write it: {host, insecure, ca_file, prefix}."""
    if problem := endpoint_problem(value):
        raise RegistryError(f"endpoints.{name} = {value!r}: {problem}; write {{host: registry.example.com}}")
    prefix = value.get("prefix", "").strip("/")
    return Endpoint(
        value["host"], value.get("insecure", False), value.get("ca_file", ""), f"{prefix}/" if prefix else ""
    )
