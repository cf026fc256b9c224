# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks the local cluster's registry what it has. Private to the collection."""

from __future__ import annotations

import typing as t
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import read_record
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_lock import built_lock

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import BuildPlan, Inputs
    from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import Lock

MANIFEST_TYPES = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
REGISTRY_TIMEOUT = 10


def registry_digest(registry: str, name: str) -> str:
    """Ask a registry which digest it has under a name; empty when it has none."""
    repository, _colon, tag = name.rpartition(":")
    # No proxy of the environment comes between: the registry is on this machine.
    connection = HTTPConnection(registry, timeout=REGISTRY_TIMEOUT)
    try:
        connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFEST_TYPES})
        reply = connection.getresponse()
    except (OSError, HTTPException) as error:
        msg = f"the registry at {registry} does not answer: {error}; start the cluster before pushing images"
        raise BuildError(msg) from error
    finally:
        connection.close()
    if reply.status == 404:
        return ""
    if reply.status >= 400:
        msg = f"the registry at {registry} answered {reply.status} when asked for {name}"
        raise BuildError(msg)
    return reply.headers.get("Docker-Content-Digest") or ""


def unpushed(inputs: Inputs, plan: BuildPlan, registry: str | None) -> list[str]:
    """The images that registry or lock lack, or have with another digest than the build; all without an answer."""
    named = [image for image in inputs.images if image["name"]]
    lock = built_lock(inputs.cache)
    try:
        return [
            image["name"]
            for image in named
            if not registry or _lacks(plan, image["context"], registry, image["name"], lock)
        ]
    except BuildError:
        return [image["name"] for image in named]


def _lacks(plan: BuildPlan, context: str, registry: str, name: str, lock: Lock) -> bool:
    known = str((read_record(Path(plan.one("image", context).path)) or {}).get("digest", ""))
    return not known or lock.digest_of(name) != known or registry_digest(registry, name) != known
