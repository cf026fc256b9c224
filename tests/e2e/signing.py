# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Signs images as publishers do: with their own keys, or with certificates of an authority in place of Sigstore's."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    import pathlib

    from certificates import Authority, Issued

_PASSWORD = "of keys that live for a test"
_NO_SERVICES = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}


@dataclass(frozen=True)
class Key:
    """A key as cosign keeps it, its public part, and the certificate that an authority gave it, with its root."""

    private: pathlib.Path
    public: str
    certificate: pathlib.Path | None = None
    root: pathlib.Path | None = None


class Publisher:
    """Runs the real cosign; nothing is sent to a public service."""

    def __init__(self, cosign: str, folder: pathlib.Path) -> None:
        self._cosign, self._folder = cosign, folder
        (folder / "none.json").write_text(json.dumps(_NO_SERVICES), encoding="utf-8")

    def _run(self, *arguments: str) -> None:
        home = {"HOME": str(self._folder), "DOCKER_CONFIG": str(self._folder), "COSIGN_PASSWORD": _PASSWORD}
        done = subprocess.run(
            [self._cosign, *arguments],
            env={**os.environ, **home},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"cosign {' '.join(arguments)}: {done.stderr}"

    def trusted_root(self, name: str, authority: Authority) -> pathlib.Path:
        """What verifiers are given of a Sigstore whose authority this is, and which keeps no public logs."""
        path = self._folder / f"{name}.root.json"
        service = f"url=https://fulcio.example,certificate-chain={authority.path}"
        self._run("trusted-root", "create", f"--fulcio={service}", f"--out={path}")
        return path

    def key(self, name: str) -> Key:
        prefix = self._folder / name
        self._run("generate-key-pair", f"--output-key-prefix={prefix}")
        return Key(prefix.with_suffix(".key"), prefix.with_suffix(".pub").read_text(encoding="utf-8"))

    def certified(self, name: str, issued: Issued, root: pathlib.Path) -> Key:
        prefix = self._folder / name
        self._run("import-key-pair", f"--key={issued.key}", f"--output-key-prefix={prefix}", "--yes")
        public = prefix.with_suffix(".pub").read_text(encoding="utf-8")
        return Key(prefix.with_suffix(".key"), public, issued.certificate, root)

    def sign(self, image: str, key: Key, *, old_format: bool = False) -> None:
        certificate = [f"--certificate={key.certificate}"] if key.certificate else []
        services = [f"--signing-config={self._folder / 'none.json'}"]
        if old_format:
            services = ["--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"]
        else:
            # Without a file cosign would ask a public service for the roots that it checks its work with.
            services.append(f"--trusted-root={key.root or self._empty_root()}")
        self._run("sign", f"--key={key.private}", *certificate, *services, "--yes", "--allow-http-registry", image)

    def _empty_root(self) -> pathlib.Path:
        path = self._folder / "empty.root.json"
        if not path.exists():
            self._run("trusted-root", "create", f"--out={path}")
        return path
