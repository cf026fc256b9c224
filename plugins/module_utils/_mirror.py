# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A private registry that has everything of all others, each below its own name. Private to the collection.

`docker.io/library/redis:7.0` is `mirror.example.com/prefix/docker.io/library/redis:7.0` there. Locks and rules keep the
first name; who writes objects takes the second one where names are rewritten.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import template_keys
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import (
    REGISTRY_TEXT,
    REPOSITORY_TEXT,
    ImageRef,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

REWRITE, CONTAINERD = "rewrite", "containerd"
HOWS: t.Final = (REWRITE, CONTAINERD)
_REGISTRY = re.compile(REGISTRY_TEXT)
_REPOSITORY = re.compile(REPOSITORY_TEXT)


@dataclass(frozen=True, slots=True)
class Mirror:
    host: str
    # With a slash at its end, or empty.
    prefix: str = ""
    how: str = REWRITE
    ca_file: str = ""
    insecure: bool = False
    # Name of the Secret that pods of rewritten images need.
    pull_secret: str = ""

    @property
    def rewrites(self) -> bool:
        return self.how == REWRITE

    @property
    def name(self) -> str:
        return f"{self.host}/{self.prefix}".rstrip("/")

    def folder(self, registry: str) -> str:
        """Where a registry's images lie; a port is written so that it can be part of a path."""
        return f"{self.prefix}{registry.lower().replace(':', '_')}/"

    def of(self, image: ImageRef) -> ImageRef:
        """The image's name in the mirror; what comes from there anyway keeps its own."""
        if image.registry == self.host:
            return image
        return replace(image, registry=self.host, repository=f"{self.folder(image.registry)}{image.repository}")

    def origin(self, image: ImageRef) -> ImageRef:
        """The image's first name, if this is one of the mirror."""
        if image.registry != self.host or not image.repository.startswith(self.prefix):
            return image
        folder, _slash, repository = image.repository.removeprefix(self.prefix).partition("/")
        registry = folder.replace("_", ":")
        return replace(image, registry=registry, repository=repository) if _is_registry(registry, repository) else image


def _is_registry(name: str, repository: str) -> bool:
    return bool(repository) and _REGISTRY.fullmatch(name) is not None


def mirror_of(value: Mapping[str, t.Any] | None) -> Mirror | None:
    """A mirror as the plan writes it; what the inventory says was checked there."""
    if not value:
        return None
    prefix = (value.get("prefix") or "").strip("/")
    return Mirror(
        host=value["host"],
        prefix=f"{prefix}/" if prefix else "",
        how=value.get("how") or REWRITE,
        ca_file=value.get("ca_file") or "",
        insecure=bool(value.get("insecure")),
        pull_secret=value.get("pull_secret") or "",
    )


def mirror_problem(value: Mapping[str, t.Any]) -> tuple[str, str, str] | None:
    """(key, what is wrong, fix) of a mirror as the inventory writes it; None when it can be used."""
    host, prefix = value.get("host") or "", (value.get("prefix") or "").strip("/")
    if not _REGISTRY.fullmatch(host):
        return "host", "is no registry", "write its name and port, such as registry.example.com:5000"
    if prefix and not _REPOSITORY.fullmatch(prefix):
        return "prefix", "is no path of a registry", "use lower-case letters, digits and . _ - between slashes"
    if value.get("pull_secret") and value.get("how") == CONTAINERD:
        return "pull_secret", "is not used with how: containerd", "give the nodes' containerd the credentials"
    return None


def with_pull_secret(obj: Object, name: str) -> Object:
    """The object with the pull Secret in its pods; one that is no workload, or has it already, stays as it is."""
    # Not every object has a name already: a chart's hook may leave that to the server.
    keys = template_keys((str(obj.get("apiVersion") or "").rpartition("/")[0], str(obj.get("kind"))))
    return obj if keys is None else t.cast("Object", _with_secret(obj, (*keys, "spec"), name))


def _with_secret(value: t.Any, keys: tuple[str, ...], name: str) -> t.Any:
    if not isinstance(value, dict):
        return value
    if keys:
        return {**value, keys[0]: _with_secret(value.get(keys[0]), keys[1:], name)} if keys[0] in value else value
    known = value.get("imagePullSecrets") or []
    return value if {"name": name} in known else {**value, "imagePullSecrets": [*known, {"name": name}]}
