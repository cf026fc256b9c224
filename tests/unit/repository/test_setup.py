# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What a machine lacks is said in a sentence each before anything is installed; what is there is not laid out twice."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SETUP = ROOT / "tools" / "setup.sh"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a stand-in over a file of the system, in a namespace")


class Machine:
    """This machine, with some of its programs and files replaced for one run of the set-up."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.venv = folder / "venv"
        self.folder = folder
        self.mounts: list[str] = []
        # A Python that satisfies the search, and does nothing when the set-up hands over to it.
        self.program("python3.12", "exit 0")
        self.environment = {"HOME": str(folder), "PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def replace(self, path: str, stand_in: pathlib.Path) -> None:
        self.mounts.append(f"mount --bind '{stand_in}' '{path}'")

    def set_up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(SETUP), str(self.venv), *arguments]
        if self.mounts:
            inner = " && ".join([*self.mounts, 'exec "$0" "$@"'])
            command = ["/usr/bin/unshare", "--mount", "sh", "-c", inner, *command]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path)


def complaints(result: subprocess.CompletedProcess[str]) -> list[str]:
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout == "", "something was begun before the checks were through"
    return result.stderr.splitlines()


def test_a_machine_that_has_what_the_python_part_needs_is_not_bothered(machine: Machine) -> None:
    result = machine.set_up()
    assert (result.returncode, result.stderr) == (0, "")


def test_a_python_on_the_path_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.program("python3.12", "echo 'shim: python3.12: command not found' >&2; exit 127")
    machine.program("python3.13", "exit 0")
    assert machine.set_up().returncode == 0


def test_no_usable_python_is_one_sentence_with_the_version_found(machine: Machine) -> None:
    for name in ("python3.12", "python3.13", "python3.14"):
        machine.program(name, "exit 127")
    machine.program("python3", "case $1 in --version) echo Python 3.11.2;; *) exit 1;; esac")
    (complaint,) = complaints(machine.set_up())
    assert "no Python 3.12, 3.13 or 3.14" in complaint
    assert "Python 3.11.2" in complaint


def test_a_python_without_venv_names_the_package(machine: Machine) -> None:
    machine.program("python3.12", "case $2 in *ensurepip*) exit 1;; esac")
    (complaint,) = complaints(machine.set_up())
    assert "apt-get install python3-venv" in complaint


def test_an_ordinary_user_is_told_to_be_root(machine: Machine) -> None:
    machine.program("id", "[ $1 = -u ] && echo 1000 || echo someone")
    machine.program("df", "printf 'head\\nfs 99999999 1 99999999 1%% /\\n'")
    assert any("user 'someone', not root" in complaint for complaint in complaints(machine.set_up("cluster")))


def test_too_little_disk_is_told_with_the_number(machine: Machine) -> None:
    machine.program("df", "printf 'head\\nfs 99999999 1 3145728 99%% /\\n'")
    machine.program("du", "echo 1048576 x")
    assert any("has 3 GB free: 15 GB" in complaint for complaint in complaints(machine.set_up("cluster")))


@needs_root
def test_what_an_earlier_run_has_built_counts_as_room(machine: Machine) -> None:
    machine.program("df", "printf 'head\\nfs 99999999 1 3145728 99%% /\\n'")
    machine.program("du", "echo 15728640 x")
    assert "GB free" not in machine.set_up("cluster").stderr


@needs_root
def test_a_missing_overlayfs_is_told(machine: Machine) -> None:
    machine.program("unshare", "exit 32")
    assert any("overlayfs cannot be mounted" in complaint for complaint in complaints(machine.set_up("cluster")))


@needs_root
def test_another_distribution_is_told_by_its_name(machine: Machine, tmp_path: pathlib.Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=fedora\nID_LIKE="rhel"\n', encoding="utf-8")
    machine.replace("/etc/os-release", release)
    assert any("not Debian or Ubuntu" in line and "fedora" in line for line in complaints(machine.set_up("cluster")))


@needs_root
def test_missing_controllers_of_cgroup_v2_are_named(machine: Machine, tmp_path: pathlib.Path) -> None:
    cgroup = tmp_path / "cgroup"
    cgroup.mkdir()
    (cgroup / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb\n", encoding="utf-8")
    machine.replace("/sys/fs/cgroup", cgroup)
    found = [complaint for complaint in complaints(machine.set_up("cluster")) if "cgroup v2" in complaint]
    assert len(found) == 1
    assert "'pids'" in found[0]


@needs_root
def test_missing_controllers_of_cgroup_v1_are_named(machine: Machine, tmp_path: pathlib.Path) -> None:
    cgroup = tmp_path / "cgroup"
    for controller in ("cpu", "cpuset", "pids", "devices"):
        (cgroup / controller).mkdir(parents=True)
    machine.replace("/sys/fs/cgroup", cgroup)
    found = [complaint for complaint in complaints(machine.set_up("cluster")) if "cgroup v1" in complaint]
    assert len(found) == 1
    assert "/sys/fs/cgroup/memory" in found[0]


@needs_root
def test_every_problem_is_told_at_once(machine: Machine, tmp_path: pathlib.Path) -> None:
    machine.program("df", "printf 'head\\nfs 99999999 1 3145728 99%% /\\n'")
    machine.program("du", "echo 0 x")
    machine.program("unshare", "exit 32")
    assert len(complaints(machine.set_up("cluster"))) == 2


@pytest.fixture
def bootstrap() -> t.Any:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def aim(bootstrap: t.Any, monkeypatch: pytest.MonkeyPatch, directory: pathlib.Path, lock: pathlib.Path) -> None:
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", lock.parent)
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", str(directory), "--lock", lock.name])


def laid_out(
    bootstrap: t.Any, monkeypatch: pytest.MonkeyPatch, directory: pathlib.Path, lock: pathlib.Path
) -> list[pathlib.Path]:
    """Run the bootstrap with the steps that install replaced by a note that they ran."""
    ran: list[pathlib.Path] = []

    def lay_out(place: pathlib.Path, _lock: pathlib.Path, *, collections: bool) -> None:
        place.mkdir(exist_ok=True)
        ran.append(place)

    monkeypatch.setattr(bootstrap, "lay_out", lay_out)
    aim(bootstrap, monkeypatch, directory, lock)
    bootstrap.main()
    return ran


def test_an_environment_is_laid_out_again_only_when_its_lock_changes(
    bootstrap: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    lock = tmp_path / "dev.txt"
    place = tmp_path / "venv"
    lock.write_text("one==1\n", encoding="utf-8")
    assert laid_out(bootstrap, monkeypatch, place, lock) == [place]
    assert laid_out(bootstrap, monkeypatch, place, lock) == []
    lock.write_text("one==2\n", encoding="utf-8")
    assert laid_out(bootstrap, monkeypatch, place, lock) == [place]


def test_an_environment_whose_making_was_interrupted_is_made_again(
    bootstrap: t.Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    lock = tmp_path / "dev.txt"
    lock.write_text("one==1\n", encoding="utf-8")
    place = tmp_path / "venv"

    def killed(*_arguments: object, **_options: object) -> None:
        place.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "lay_out", killed)
    aim(bootstrap, monkeypatch, place, lock)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.main()
    assert laid_out(bootstrap, monkeypatch, place, lock) == [place]


def test_the_collections_are_those_that_the_collection_depends_on(bootstrap: t.Any) -> None:
    assert bootstrap.wanted_collections() == ["community.general", "kubernetes.core"]
