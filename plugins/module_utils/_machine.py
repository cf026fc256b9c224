# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Finds what a machine lacks to carry a local cluster. Private to the collection."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import typing as t
from pathlib import Path

MINIMUM_PYTHON = (3, 12)
COMMANDS = ("awk", "find", "ip", "mount", "nsenter", "pivot_root", "setsid", "unshare")
CONTROLLERS_V1 = ("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")
CONTROLLERS_V2 = ("cpu", "cpuset", "memory", "pids")
FEATURES = {
    "overlay": "CONFIG_OVERLAY_FS",
    "veth": "CONFIG_VETH",
    "nf_tables": "CONFIG_NF_TABLES",
    "ip_set": "CONFIG_IP_SET",
}


class Machine:
    """The facts of one machine; `root` stands for `/`, so that tests can bring a machine of their own."""

    def __init__(self, root: Path = Path("/"), uid: int | None = None) -> None:
        self.root = root
        self.uid = os.geteuid() if uid is None else uid
        self.python: tuple[int, ...] = tuple(sys.version_info[:2])

    def text(self, path: str) -> str:
        """Text of a file, empty where it is missing."""
        try:
            return (self.root / path).read_text(errors="replace")
        except OSError:
            return ""

    def has_feature(self, module: str, option: str) -> bool:
        """Whether the kernel has it built in, loaded or ready to load; true where the kernel does not tell."""
        release = self.text("proc/sys/kernel/osrelease").strip()
        listed = [self.text(f"lib/modules/{release}/{name}") for name in ("modules.builtin", "modules.dep")]
        if (self.root / "sys/module" / module).exists() or any(f"/{module}.ko" in text for text in listed):
            return True
        try:
            with gzip.open(self.root / "proc/config.gz", "rt") as stream:
                return any(line.startswith((f"{option}=y", f"{option}=m")) for line in stream)
        except OSError:
            return not any(listed)

    def cgroup_problem(self) -> str:
        """One sentence on what is wrong with control groups, empty when nothing is."""
        mounts = [line.split() for line in self.text("proc/mounts").splitlines()]
        unified = [m for m in mounts if len(m) > 3 and m[1] == "/sys/fs/cgroup" and m[2] == "cgroup2"]
        if unified:
            have = self.text("sys/fs/cgroup/cgroup.controllers").split()
            missing = [name for name in CONTROLLERS_V2 if name not in have]
            read_only = "ro" in unified[0][3].split(",")
        else:
            version_one = [m for m in mounts if len(m) > 3 and m[2] == "cgroup"]
            options = [m[3].split(",") for m in version_one]
            missing = [name for name in CONTROLLERS_V1 if not any(name in o for o in options)]
            read_only = any("ro" in o for o in options)
        if missing:
            return f"no usable cgroups: controllers {', '.join(missing)} are missing; start the kernel with them"
        return (
            "no usable cgroups: they are mounted read-only; run on the machine itself or in a privileged container"
            if read_only
            else ""
        )


def _free_gb(folder: Path) -> float:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e9


def problems(
    machine: Machine, cache: Path, minimum_gb: float, which: t.Callable[[str], str | None] = shutil.which
) -> list[str]:
    """Everything that keeps a local cluster from running here, one sentence each."""
    found = []
    if machine.uid != 0:
        found.append(f"not root: effective user id is {machine.uid}; run it as root, for example with sudo")
    if machine.python < MINIMUM_PYTHON:
        version = ".".join(map(str, machine.python))
        found.append(f"Python {version} is too old; use {'.'.join(map(str, MINIMUM_PYTHON))} or newer")
    release = dict(line.split("=", 1) for line in machine.text("etc/os-release").splitlines() if "=" in line)
    family = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".replace('"', "").split()
    if "debian" not in family:
        found.append(
            f"not Debian-like: /etc/os-release says ID={release.get('ID', '?')}; use Debian, Ubuntu or a relative"
        )
    found += [
        f"command {name} is missing; install util-linux, iproute2, mawk and findutils"
        for name in COMMANDS
        if not which(name)
    ]
    if cgroup := machine.cgroup_problem():
        found.append(cgroup)
    found += [
        f"the kernel lacks {module} ({option}); use a kernel that has it"
        for module, option in FEATURES.items()
        if not machine.has_feature(module, option)
    ]
    # Loading it changes how the machine's own bridges behave, so that is left to its owner.
    if not (machine.root / "proc/sys/net/bridge/bridge-nf-call-iptables").exists():
        found.append("the kernel module br_netfilter is not loaded; run: modprobe br_netfilter")
    if not (machine.root / "dev/kmsg").exists():
        found.append("/dev/kmsg is missing, the kubelet reads it; in a container, pass that device in")
    free = _free_gb(cache)
    if free < minimum_gb:
        found.append(
            f"{free:.1f} GB free under {cache}, {minimum_gb:g} GB are needed; free some or set llm_cache_dir elsewhere"
        )
    return found
