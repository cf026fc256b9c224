# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Names of container images: `registry/repository:tag@digest` and its short forms. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

DOCKER_HUB: t.Final = "docker.io"
DIGEST_TEXT: t.Final = r"sha256:[0-9a-f]{64}"
TAG_TEXT: t.Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
REPOSITORY_TEXT: t.Final = rf"{_PART}(?:/{_PART})*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# Only a name with a dot, a port or the name localhost is a registry; all else is a folder of Docker Hub.
REGISTRY_TEXT: t.Final = rf"(?:{_LABEL}(?:\.{_LABEL})+(?::[0-9]{{1,5}})?|{_LABEL}:[0-9]{{1,5}}|localhost)"
_REFERENCE = re.compile(
    rf"(?:(?P<registry>{REGISTRY_TEXT})/)?(?P<repository>{REPOSITORY_TEXT})"
    rf"(?::(?P<tag>{TAG_TEXT}))?(?:@(?P<digest>{DIGEST_TEXT}))?\Z"
)
_DIGEST = re.compile(rf"{DIGEST_TEXT}\Z")
_LONGEST_NAME = 255


class ImageRefError(Exception):
    """A text that names no image."""


@dataclass(frozen=True, slots=True, order=True)
class ImageRef:
    """One image; `tag` or `digest` is empty where the text has none."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The full name without tag and digest: `docker.io/library/busybox`."""
        return f"{self.registry}/{self.repository}"

    @property
    def tagged(self) -> str:
        """Name and tag, by which a lock knows the image; `latest` is what no tag means."""
        return f"{self.name}:{self.tag or 'latest'}"

    def pinned(self, digest: str) -> ImageRef:
        return replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{'@' if self.digest else ''}{self.digest}"


def parse_image(text: str) -> ImageRef:
    """The image a text names, short forms of Docker Hub written out; ImageRefError when it names none."""
    match = _REFERENCE.match(text)
    if match is None or len(match["registry"] or "") + len(match["repository"]) > _LONGEST_NAME:
        raise ImageRefError(
            f"{text!r} is no image; write registry/repository:tag or registry/repository:tag@sha256:..."
        )
    registry, repository = match["registry"] or DOCKER_HUB, match["repository"]
    if registry in {"index.docker.io", "registry-1.docker.io"}:
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return ImageRef(registry, repository, match["tag"] or "", match["digest"] or "")


def is_digest(text: str) -> bool:
    return _DIGEST.match(text) is not None
