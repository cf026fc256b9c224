# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._machine import Machine, problems

if t.TYPE_CHECKING:
    from pathlib import Path

V1 = "".join(
    f"cgroup /sys/fs/cgroup/{name} cgroup rw,relatime,{name} 0 0\n"
    for name in ("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")
)
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine that can carry a cluster."""
    texts = {
        "etc/os-release": 'ID=ubuntu\nID_LIKE="debian"\n',
        "proc/mounts": V1,
        "proc/sys/kernel/osrelease": "6.1\n",
        "proc/sys/net/bridge/bridge-nf-call-iptables": "1\n",
        "lib/modules/6.1/modules.builtin": "kernel/fs/overlayfs/overlay.ko\nkernel/net/netfilter/nf_tables.ko\n",
        "lib/modules/6.1/modules.dep": "kernel/drivers/net/veth.ko.xz:\nkernel/net/netfilter/ipset/ip_set.ko.xz:\n",
        "dev/kmsg": "",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def found(
    root: Path, uid: int = 0, minimum_gb: float = 0, missing: str = "", python: tuple[int, ...] = (3, 12)
) -> list[str]:
    machine = Machine(root, uid=uid)
    machine.python = python
    return problems(machine, root / "cache/of/mine", minimum_gb, which=lambda name: None if name == missing else name)


def test_a_fitting_machine_has_no_problem(root: Path) -> None:
    assert found(root) == []


def test_version_two_of_control_groups_fits_too(root: Path) -> None:
    (root / "proc/mounts").write_text(V2)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    assert found(root) == []


def test_version_two_without_a_controller_is_named(root: Path) -> None:
    (root / "proc/mounts").write_text(V2)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cgroup.controllers").write_text("cpu memory\n")
    (problem,) = found(root)
    assert "no usable cgroups" in problem
    assert "cpuset, pids" in problem


def test_a_missing_controller_of_version_one_is_named(root: Path) -> None:
    (root / "proc/mounts").write_text(V1.replace("memory", "other"))
    (problem,) = found(root)
    assert "controllers memory are missing" in problem


def test_read_only_control_groups_are_refused(root: Path) -> None:
    (root / "proc/mounts").write_text(V1.replace(" rw,", " ro,"))
    assert "read-only" in found(root)[0]


def test_no_control_groups_at_all_are_refused(root: Path) -> None:
    (root / "proc/mounts").write_text("tmpfs / tmpfs rw 0 0\n")
    assert "no usable cgroups" in found(root)[0]


def test_who_is_not_root_is_told_so(root: Path) -> None:
    assert found(root, uid=1000) == ["not root: effective user id is 1000; run it as root, for example with sudo"]


def test_another_distribution_is_named(root: Path) -> None:
    (root / "etc/os-release").write_text("ID=fedora\n")
    assert "ID=fedora" in found(root)[0]


def test_an_old_python_is_named(root: Path) -> None:
    assert found(root, python=(3, 11)) == ["Python 3.11 is too old; use 3.12 or newer"]


def test_a_missing_command_is_named(root: Path) -> None:
    assert "command nsenter is missing" in found(root, missing="nsenter")[0]


@pytest.mark.parametrize("module", ["overlay", "veth", "nf_tables", "ip_set"])
def test_a_missing_kernel_feature_is_named(root: Path, module: str) -> None:
    for name in ("modules.builtin", "modules.dep"):
        path = root / "lib/modules/6.1" / name
        path.write_text(path.read_text().replace(f"/{module}.ko", "/other.ko"))
    (problem,) = found(root)
    assert f"the kernel lacks {module}" in problem


def test_a_kernel_without_module_lists_is_asked_for_its_configuration(root: Path) -> None:
    for name in ("modules.builtin", "modules.dep"):
        (root / "lib/modules/6.1" / name).unlink()
    with gzip.open(root / "proc/config.gz", "wt") as stream:
        stream.write("CONFIG_OVERLAY_FS=y\nCONFIG_NF_TABLES=m\nCONFIG_IP_SET=y\n# CONFIG_VETH is not set\n")
    (problem,) = found(root)
    assert "veth" in problem


def test_br_netfilter_is_left_to_the_owner_to_load(root: Path) -> None:
    (root / "proc/sys/net/bridge/bridge-nf-call-iptables").unlink()
    assert found(root) == ["the kernel module br_netfilter is not loaded; run: modprobe br_netfilter"]


def test_too_little_space_is_told_with_both_numbers(root: Path) -> None:
    (problem,) = found(root, minimum_gb=10**9)
    assert "GB free under" in problem
    assert "1e+09 GB are needed" in problem


def test_every_problem_is_told_at_once(root: Path) -> None:
    (root / "etc/os-release").write_text("ID=fedora\n")
    assert len(found(root, uid=1, python=(3, 9), missing="ip")) == 4
