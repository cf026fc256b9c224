# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Has cosign look for the signatures of images in their registries. Private to the collection."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import HUB_API, HUB_LOGIN
from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import REQUIRED, SIGNED, UNSIGNED

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import ImageRef
    from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, Endpoint
    from ansible_collections.wmx.llm_platform.plugins.module_utils._signatures import SignatureRule

_AT_ONCE: t.Final = 8
# cosign takes its time for the public roots, the registry's token and several requests.
_TIMEOUTS_OF_ONE_REQUEST: t.Final = 8
_NO_SIGNATURE: t.Final = 10
_OTHER_SIGNER: t.Final = (12, 13)
_NO_BUNDLE_MATCHES: t.Final = "no matching attestations"
# Of the old format, and of bundles; other bundles are attestations, which are no consent to an image.
_SIGNATURE_TYPES: t.Final = ("cosign container image signature", "https://sigstore.dev/cosign/sign/v1")
_OLD_FORMAT: t.Final = "--new-bundle-format=false"


class CosignError(Exception):
    """A signature that is missing, from somebody else or could not be checked; the message names the image."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image by digest, and the rule that its signature must satisfy."""

    image: ImageRef
    rule: SignatureRule


class Cosign:
    """cosign with the registries' addresses and credentials."""

    def __init__(self, command: str, access: Access) -> None:
        found = shutil.which(command)
        if not found:
            fix = "install cosign 3, or name its path in llm_cosign"
            raise CosignError(f"cosign, which checks signatures, is not there as {command}; {fix}")
        self._command, self._access = found, access

    def look_at(self, wanted: Mapping[str, Wanted]) -> tuple[dict[str, str], dict[str, CosignError]]:
        """Of each image whether it is signed or has no signature, and what was wrong with the others."""
        found: dict[str, str] = {}
        failed: dict[str, CosignError] = {}
        # The first one fetches the public roots, which the others find in cosign's cache.
        for names in (sorted(wanted)[:1], sorted(wanted)[1:]):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                futures = {name: pool.submit(self.status, wanted[name]) for name in names}
            for name, future in futures.items():
                try:
                    found[name] = future.result()
                except CosignError as exc:
                    failed[name] = exc
        return found, failed

    def status(self, wanted: Wanted) -> str:
        """Whether the image is signed as the rule says, or has no signature and needs none; else CosignError."""
        image, rule = wanted.image, wanted.rule
        done = self._verify(wanted)
        if _is_signed(done, image.digest):
            return SIGNED
        bundles = done.returncode == 0 or _NO_BUNDLE_MATCHES in done.stderr
        # cosign looks at nothing else where there is any bundle, and every attestation is one.
        older = self._verify(wanted, _OLD_FORMAT) if bundles else done
        if _is_signed(older, image.digest):
            return SIGNED
        if older.returncode in _OTHER_SIGNER or (bundles and done.returncode):
            told = done if bundles and done.returncode else older
            fix = "do not use it before you know who has signed it"
            raise CosignError(f"{image}: has a signature, and none by {rule.signer}; {fix}; cosign says: {_told(told)}")
        if older.returncode != _NO_SIGNATURE:
            fix = "try again, and where Sigstore's public roots cannot be reached name a trusted_root"
            raise CosignError(f"{image}: its signature could not be checked; {fix}; cosign says: {_told(older)}")
        if rule.demand == REQUIRED:
            fix = "choose a signed release, or write an exception from the rule signature"
            raise CosignError(f"{image}: has no signature, and must be signed by {rule.signer}; {fix}")
        return UNSIGNED

    def _verify(self, wanted: Wanted, *more: str) -> subprocess.CompletedProcess[str]:
        endpoint = self._access.endpoint(wanted.image.registry)
        seconds = self._access.timeout * _TIMEOUTS_OF_ONE_REQUEST
        with tempfile.TemporaryDirectory(prefix="cosign-") as name:
            folder = Path(name)
            arguments = [*_trust(wanted.rule, folder), *_registry(endpoint), *more]
            command = [self._command, "verify", "--output=json", *arguments, _address(wanted.image, endpoint)]
            environment = {**os.environ, **self._login(wanted.image, endpoint, folder)}
            try:
                return subprocess.run(  # pylint: disable=ansible-bad-function  # no AnsibleModule here
                    command, env=environment, capture_output=True, text=True, timeout=seconds, check=False
                )
            except subprocess.TimeoutExpired as exc:
                raise CosignError(f"{wanted.image}: cosign had no answer after {seconds:.0f} s") from exc
            except OSError as exc:
                raise CosignError(f"{wanted.image}: {self._command} cannot be run: {exc}") from exc

    def _login(self, image: ImageRef, endpoint: Endpoint, folder: Path) -> dict[str, str]:
        """Credentials by a file, for arguments are seen by everybody; without any, Docker's configuration holds."""
        _login, basic = self._access.login(image.registry)
        if not basic:
            return {}
        name = f"https://{HUB_LOGIN}/v1/" if endpoint.host == HUB_API else endpoint.host
        path = folder / "config.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"auths": {name: {"auth": basic}}}), encoding="utf-8")
        return {"DOCKER_CONFIG": str(folder)}


def _address(image: ImageRef, endpoint: Endpoint) -> str:
    host = HUB_LOGIN if endpoint.host == HUB_API else endpoint.host
    return f"{host}/{endpoint.prefix}{image.repository}@{image.digest}"


def _registry(endpoint: Endpoint) -> list[str]:
    found = ["--allow-http-registry"] if endpoint.insecure else []
    return [*found, f"--registry-cacert={endpoint.ca_file}"] if endpoint.ca_file else found


def _trust(rule: SignatureRule, folder: Path) -> list[str]:
    signer = rule.signer
    found = [f"--trusted-root={rule.trusted_root}"] if rule.trusted_root else []
    if signer.transparency_log:
        found.append("--insecure-ignore-tlog")
    if not rule.public_key:
        if signer.transparency_log:
            found.append("--insecure-ignore-sct")
        for flag, value in (
            ("certificate-identity", signer.identity),
            ("certificate-identity-regexp", signer.identity_regexp),
            ("certificate-oidc-issuer", signer.issuer),
            ("certificate-oidc-issuer-regexp", signer.issuer_regexp),
        ):
            found += [f"--{flag}={value}"] if value else []
        return found
    key = rule.public_key
    if not key.startswith("https://"):
        path = folder / "key.pem"
        path.write_text(f"{key}\n", encoding="utf-8")
        key = str(path)
    return [*found, f"--key={key}", f"--signature-digest-algorithm={rule.key_digest}"]


def _is_signed(done: subprocess.CompletedProcess[str], digest: str) -> bool:
    """Whether one of what cosign has verified is a signature of the digest; attestations count for nothing."""
    if done.returncode != 0:
        return False
    try:
        verified = [item["critical"] for item in json.loads(done.stdout)]
        return any(
            item["type"] in _SIGNATURE_TYPES and item["image"]["docker-manifest-digest"] == digest for item in verified
        )
    except (ValueError, KeyError, TypeError):
        return False


def _told(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    text = next(
        (line for line in reversed(lines) if "error during command execution" in line), (lines or ["nothing"])[-1]
    )
    return text.partition("error during command execution: ")[2] or text
