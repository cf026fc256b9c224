# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks where charts come from for what a lock holds of them, and fetches them. Private to the collection."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path
from urllib.parse import urljoin

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import ArtifactError, ChartName
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry import Resolved, read_blob, read_manifest
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import RegistryError
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_client import HttpError, get
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, load_documents

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access

_CONTENT: t.Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def resolve_chart(chart: ChartName, path: str, access: Access) -> Resolved:
    """What the lock is to hold of a chart; `path` is where the folder or archive lies if it is no remote one."""
    if chart.is_oci:
        resolved, body = read_manifest(chart.image, access)
        return Resolved(resolved.digest, "oci", _archive_of(chart, body))
    if chart.is_remote:
        return Resolved(digest_of(_download(chart, access)), "archive")
    return Resolved(*digest_of_path(chart, path))


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def digest_of_path(chart: ChartName, path: str) -> tuple[str, str]:
    """(digest, kind) of a folder by the names and contents of all its files, or of an archive by its bytes."""
    root = Path(path)
    try:
        if root.is_file():
            return digest_of(root.read_bytes()), "archive"
        files = sorted(file for file in root.rglob("*") if file.is_file())
        if not files:
            raise ArtifactError(f"chart {chart}: there is no folder or archive {path}")
        lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(root)}\n" for file in files]
    except OSError as exc:
        raise ArtifactError(f"chart {chart}: {path} cannot be read: {exc.strerror}") from exc
    return digest_of("".join(lines).encode()), "folder"


def fetch_oci(chart: ChartName, digest: str, access: Access) -> bytes:
    """The archive of a chart in a registry, by the lock's digest where there is one; the bytes hash to the digests."""
    image = chart.image
    _resolved, body = read_manifest(image.pinned(digest) if digest else image, access)
    return read_blob(image, _archive_of(chart, body), access)


def _archive_of(chart: ChartName, manifest: bytes) -> str:
    layers = json.loads(manifest).get("layers") or []
    digests = [layer["digest"] for layer in layers if layer.get("mediaType") == _CONTENT]
    if len(digests) != 1:
        raise RegistryError(f"{chart}: the registry has something under this name that is no Helm chart")
    return str(digests[0])


def _download(chart: ChartName, access: Access) -> bytes:
    if chart.ref.endswith(".tgz"):
        return _get(chart, chart.ref, access)
    repository, _slash, name = chart.ref.rpartition("/")
    where = f"{repository}/index.yaml"
    try:
        index: dict[str, t.Any] = load_documents(_get(chart, where, access).decode())[0][1]
        releases = index["entries"].get(name) or []
        release = next((entry for entry in releases if str(entry.get("version")) == chart.version), None)
        if release is None:
            raise RegistryError(f"{chart}: {where} has no version {chart.version} of {name}")
        address, promised = urljoin(f"{repository}/", release["urls"][0]), str(release.get("digest") or "")
    except (YamlError, UnicodeDecodeError, KeyError, IndexError, TypeError, AttributeError) as exc:
        raise RegistryError(f"{chart}: {where} is no index of charts") from exc
    body = _get(chart, address, access)
    found = digest_of(body)
    if promised and promised.removeprefix("sha256:") != found.removeprefix("sha256:"):
        what = f"promises {promised} and {address} is {found}"
        raise RegistryError(f"{chart}: {where} {what}; something tampers with it")
    return body


def _get(chart: ChartName, address: str, access: Access) -> bytes:
    try:
        response = get(address, timeout=access.timeout, retries=access.retries)
    except HttpError as exc:
        raise RegistryError(f"{chart}: {exc}") from exc
    if response.status_code != 200:
        raise RegistryError(f"{chart}: {address} answered {response.status_code}")
    return t.cast("bytes", response.content)
