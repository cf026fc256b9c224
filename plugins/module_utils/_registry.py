# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks container registries for the digest behind a tag, and checks what they answer. Private to the collection."""

from __future__ import annotations

import hashlib
import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import (
    Access,
    Endpoint,
    RegistryError,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_client import (
    AVAILABLE,
    HttpError,
    make_client,
    reason_of,
)

try:
    import requests
except ImportError:
    requests = None  # type: ignore[assignment]

if t.TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef

_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPTED = ", ".join((*_INDEX_TYPES, *_MANIFEST_TYPES))
_LARGEST_MANIFEST = 4 * 1024 * 1024
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Resolved:
    digest: str
    kind: str
    # Of a chart: the digest of the archive that the manifest names.
    archive: str = ""


# pylint: disable-next=using-generic-type-syntax-in-unsupported-version
def resolve_all[Thing: "Hashable"](
    things: Iterable[Thing], access: Access, ask: Callable[[Thing, Access], Resolved]
) -> tuple[dict[Thing, Resolved], dict[Thing, RegistryError]]:
    """The digests of all images, charts or models, asked in parallel, and what went wrong with the others."""
    found: dict[Thing, Resolved] = {}
    failed: dict[Thing, RegistryError] = {}
    wanted = list(dict.fromkeys(things))
    if not wanted:
        return found, failed
    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as pool:
        futures = {thing: pool.submit(ask, thing, access) for thing in wanted}
        for thing, future in futures.items():
            try:
                found[thing] = future.result()
            except RegistryError as exc:
                failed[thing] = exc
    return found, failed


def resolve(image: ImageRef, access: Access) -> Resolved:
    """The digest of the image's tag, or of its digest when it has one; the manifest's bytes must hash to it."""
    return read_manifest(image, access)[0]


def read_manifest(image: ImageRef, access: Access) -> tuple[Resolved, bytes]:
    """What the image's tag or digest stands for, and the manifest's bytes."""
    response = _ask(image, access, f"manifests/{image.digest or image.tag or 'latest'}", _ACCEPTED)
    resolved = _checked(image, access.endpoint(image.registry), response)
    return resolved, t.cast("bytes", response.content)


def read_blob(image: ImageRef, digest: str, access: Access) -> bytes:
    """Bytes that a manifest of the image names; they must hash to the digest."""
    endpoint = access.endpoint(image.registry)
    response = _ask(image, access, f"blobs/{digest}", "application/octet-stream")
    if response.status_code != 200:
        raise RegistryError(f"{image.tagged}: {endpoint.host} answered {response.status_code} when asked for {digest}")
    body = t.cast("bytes", response.content)
    if digest != (found := f"sha256:{hashlib.sha256(body).hexdigest()}"):
        what = f"sent bytes that are {found} instead of {digest}"
        raise RegistryError(f"{image.tagged}: {endpoint.host} {what}; something tampers with it")
    return body


def _ask(image: ImageRef, access: Access, what: str, accepted: str) -> t.Any:
    if not AVAILABLE or requests is None:
        raise RegistryError(f"{image.tagged}: {missing_required_lib('oras')}")
    endpoint = access.endpoint(image.registry)
    login, basic = access.login(image.registry)
    # A token is for one repository and clients keep theirs, so each image has a client of its own.
    try:
        client = make_client(
            endpoint.host,
            f"{login}/{image.repository}",
            insecure=endpoint.insecure,
            ca_file=endpoint.ca_file,
            basic=basic,
            timeout=access.timeout,
            retries=access.retries,
        )
    except HttpError as exc:
        raise RegistryError(f"{image.tagged}: {exc}") from exc
    url = f"{client.prefix}://{endpoint.host}/v2/{endpoint.prefix}{image.repository}/{what}"
    try:
        return client.do_request(url, "GET", headers={"Accept": accepted})
    except requests.exceptions.SSLError as exc:
        fix = "name its authority as ca_file of the endpoint, or have the certificate renewed"
        problem = f"the certificate of {endpoint.host} is refused: {reason_of(exc)}"
        raise RegistryError(f"{image.tagged}: {problem}; {fix}") from exc
    except requests.exceptions.RetryError as exc:
        raise RegistryError(f"{image.tagged}: {endpoint.host} stays busy (429 or 5xx); try again later") from exc
    except requests.exceptions.RequestException as exc:
        raise RegistryError(f"{image.tagged}: {endpoint.host} cannot be reached: {reason_of(exc)}") from exc
    except ValueError as exc:  # what oras raises when it finds no way to log in
        raise _refused(image, endpoint) from exc
    finally:
        client.session.close()


def _checked(image: ImageRef, endpoint: Endpoint, response: t.Any) -> Resolved:
    status = response.status_code
    if status in (401, 403):
        raise _refused(image, endpoint)
    if status == 404:
        raise RegistryError(f"{image.tagged}: {endpoint.host} has no {image.digest or image.tag or 'latest'} of it")
    if status != 200:
        raise RegistryError(f"{image.tagged}: {endpoint.host} answered {status}")
    body = response.content
    if len(body) > _LARGEST_MANIFEST:
        raise RegistryError(f"{image.tagged}: {endpoint.host} sent {len(body)} bytes, which is no manifest")
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    promised = response.headers.get("Docker-Content-Digest") or digest
    for claim in (promised, image.digest or digest):
        if claim != digest:
            what = f"promised {claim} and sent a manifest that is {digest}"
            raise RegistryError(f"{image.tagged}: {endpoint.host} {what}; something tampers with it")
    return Resolved(digest, _kind(image, endpoint, response, body))


def _kind(image: ImageRef, endpoint: Endpoint, response: t.Any, body: bytes) -> str:
    try:
        data = json.loads(body)
    except ValueError as exc:
        raise RegistryError(f"{image.tagged}: {endpoint.host} sent no manifest but {response.text[:60]!r}") from exc
    declared = data.get("mediaType") if isinstance(data, dict) else None
    media_type = declared or response.headers.get("Content-Type", "").partition(";")[0]
    if media_type in _INDEX_TYPES:
        return "index"
    if media_type in _MANIFEST_TYPES:
        return "manifest"
    raise RegistryError(f"{image.tagged}: {endpoint.host} sent the type {media_type!r}, which is no image")


def _refused(image: ImageRef, endpoint: Endpoint) -> RegistryError:
    fix = "log in with docker login, name a pull Secret, or check that the image exists"
    return RegistryError(f"{image.tagged}: {endpoint.host} refuses the credentials it was given, or wants some; {fix}")
