# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds Debian root filesystems with mmdebstrap, itself only unpacked, never installed. Private to the collection."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_apt import (
    PrivateApt,
    distribution,
    read_sources,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import (
    BuildError,
    new_folder,
    run,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

EPOCH = "1750000000"
HOST_COMMANDS = ("apt-get", "apt-config", "dpkg-deb", "dpkg", "perl", "tar", "setpriv", "unshare", "mount", "chroot")
NO_DOCUMENTATION = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
# What names this machine or its package sources stays out; the day a package made its user would change every build.
FORGET_HOST = (
    'rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*'
    ' "$1"/etc/apt/apt.conf.d/99mmdebstrap; : > "$1"/etc/machine-id;'
    ' rm -rf "$1"/var/cache/debconf/* "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*;'
    ' for f in "$1"/etc/shadow "$1"/etc/shadow-; do'
    ' if [ -e "$f" ]; then sed -i -E \'s/^([^:]*:[^:]*:)[0-9]+:/\\120000:/\' "$f"; fi; done'
)
# Its own mount and process namespace: a killed build leaves neither mounts nor processes on the host.
ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--")


def check_host() -> None:
    """Name at once every command the host lacks."""
    missing = [name for name in HOST_COMMANDS if not shutil.which(name)]
    if missing:
        msg = (
            f"this machine lacks {', '.join(missing)}; they come with the packages apt, dpkg, perl, tar, util-linux "
            "and coreutils of every Debian and Ubuntu machine: install what is missing"
        )
        raise BuildError(msg)


def root_inputs(packages: Sequence[str]) -> dict[str, t.Any]:
    """List what decides a root filesystem; versions are those of the day it is built on."""
    here = distribution()
    return {
        "family": here.family,
        "suite": here.codename,
        "machine": platform.machine(),
        "packages": sorted(packages),
        "epoch": EPOCH,
        "without": NO_DOCUMENTATION,
        "forget": FORGET_HOST,
    }


def host_apt(folder: Path) -> PrivateApt:
    """Give a private apt with the host's own distribution sources."""
    return PrivateApt(folder, read_sources(Path("/etc/apt"), distribution().codename))


def bootstrap(packages: Sequence[str], target: Path, *, log: Path) -> None:
    """Make a root filesystem at `target`: a folder, or an archive when the name ends in .tar."""
    check_host()
    # Beside the target, so that whoever clears away an interrupted build takes this along.
    with tempfile.TemporaryDirectory(prefix=".bootstrap-", dir=target.parent) as name:
        work = Path(name)
        apt = host_apt(work / "apt")
        apt.unpack("mmdebstrap", work / "mmdebstrap")
        tools = work / "mmdebstrap" / "usr" / "bin"
        options = [f"--dpkgopt={option}" for option in NO_DOCUMENTATION]
        argv = [
            *ISOLATED,
            str(tools / "mmdebstrap"),
            "--mode=root",
            f"--format={'tar' if target.suffix == '.tar' else 'directory'}",
            "--variant=minbase",
            # The hook below does it: apt itself would make folders whose owner depends on where this runs.
            "--skip=cleanup/apt",
            f"--include={','.join(packages)}",
            f"--aptopt={apt.options}",
            '--aptopt=Acquire::Languages "none"',
            '--aptopt=APT::Install-Recommends "0"',
            *options,
            f"--customize-hook={FORGET_HOST}",
            distribution().codename,
            str(target),
            str(apt.sources),
        ]
        path = f"{tools}:{os.environ.get('PATH', os.defpath)}"
        run(argv, log=log, env={**apt.environment, "PATH": path, "SOURCE_DATE_EPOCH": EPOCH, "TMPDIR": name})


def build_root(packages: Sequence[str], *, final: Path, log: Path) -> None:
    """Make the node's root filesystem as a folder."""
    with new_folder(final) as fresh:
        bootstrap(packages, fresh / "root", log=log)
