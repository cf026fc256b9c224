# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Hands the host's pip settings and certificates to image builds, never to images. Private to the collection."""

from __future__ import annotations

import configparser
import os
import shutil
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping

# Where packages come from; where they go and how they are shown is the build's own affair.
TAKEN = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def pip_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    """List pip's configuration files in the order in which later ones win."""
    configuration = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
    files.append(configuration / "pip" / "pip.conf")
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    return [*files, Path(chosen)] if chosen else files


def pip_settings(environment: Mapping[str, str], files: list[Path]) -> dict[str, str]:
    """Merge files and PIP_* variables into the settings that say where packages come from."""
    found: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except configparser.Error:
            continue
        for section in ("global", "download", "install"):
            if parser.has_section(section):
                found |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    for name, value in environment.items():
        if name.startswith("PIP_"):
            found[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    if "timeout" not in found and "default-timeout" in found:
        found["timeout"] = found["default-timeout"]
    return {name: found[name] for name in TAKEN if name in found}


def export(target: Path) -> None:
    """Write pip.conf and the certificates of this host into a folder that a build sees as /mnt."""
    settings = pip_settings(os.environ, pip_files(os.environ, Path.home()))
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    path = target / "pip.conf"
    path.touch(mode=0o600)
    path.write_text("".join(["[global]\n", "cert = /mnt/ca-certificates.crt\n", *lines]))
    bundle = Path(os.environ.get("SSL_CERT_FILE") or CERTIFICATES)
    shutil.copyfile(bundle if bundle.is_file() else CERTIFICATES, target / "ca-certificates.crt")
