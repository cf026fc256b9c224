# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""How a lock calls charts and models. Private to the collection.

- A chart: `oci://registry/path/name:version`, `https://repository/name:version`, `https://host/name-version.tgz`,
  `sources/path` for a folder among the upstream files the plan points to, or the folder as the task names it.
- A model: `hf://organisation/model@revision`.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef, ImageRefError, parse_image

REMOTE: t.Final = ("oci://", "https://", "http://")
HUB: t.Final = "huggingface.co"
_SOURCES = "sources/"
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_MODEL = re.compile(r"hf://(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@(?P<revision>[A-Za-z0-9][\w./-]*)\Z")
_SPACE = re.compile(r"\s")


class ArtifactError(Exception):
    """A chart or model that has no name, or whose origin does not give what the lock needs."""


@dataclass(frozen=True, slots=True, order=True)
class ChartName:
    """One chart: what is asked for, and the version where it is in a registry or a repository."""

    ref: str
    version: str = ""

    @property
    def is_remote(self) -> bool:
        return self.ref.startswith(REMOTE)

    @property
    def is_oci(self) -> bool:
        return self.ref.startswith("oci://")

    @property
    def image(self) -> ImageRef:
        """Its manifest in a registry; there a plus sign is written as an underscore."""
        try:
            return parse_image(f"{self.ref.removeprefix('oci://')}:{self.version.replace('+', '_')}")
        except ImageRefError as exc:
            raise ArtifactError(f"chart {self}: {exc}") from exc

    def __str__(self) -> str:
        # The address of an archive has the version in it already.
        versioned = self.version and self.is_remote and not self.ref.endswith(".tgz")
        return f"{self.ref}:{self.version}" if versioned else self.ref


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """One revision of a repository of the hub."""

    repository: str
    revision: str = "main"

    def __str__(self) -> str:
        return f"hf://{self.repository}@{self.revision}"


def chart_name(ref: str, version: str, sources: str = "") -> ChartName:
    """The chart as a lock knows it; the folder of upstream files is another one on every machine, so it is left out."""
    if ref.startswith(REMOTE):
        return ChartName(ref.rstrip("/"), version)
    folder = f"{sources.rstrip('/')}/"
    return ChartName(f"{_SOURCES}{ref.removeprefix(folder)}" if sources and ref.startswith(folder) else ref)


def parse_chart_name(text: str) -> ChartName:
    if not text or _SPACE.search(text):
        fix = "write oci://registry/path:version, or the folder as the task names it"
        raise ArtifactError(f"{text!r} is no chart; {fix}")
    if not text.startswith(REMOTE) or text.endswith(".tgz"):
        return ChartName(text)
    ref, _colon, version = text.rpartition(":")
    if "/" in version or not version or not ref.startswith(REMOTE):
        raise ArtifactError(f"{text!r} is no chart with a version; write {text}:1.2.3")
    return ChartName(ref, version)


def parse_model_name(text: str) -> ModelName:
    match = _MODEL.match(text)
    if match is None:
        raise ArtifactError(f"{text!r} is no model; write hf://organisation/model@revision")
    return ModelName(match["repository"], match["revision"])


def is_commit(text: str) -> bool:
    return _COMMIT.match(text) is not None
