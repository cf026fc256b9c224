# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The node's packages come from the host's own distribution sources, and the host stays as it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils import _build_apt
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_apt import (
    Distribution,
    PrivateApt,
    distribution,
    read_sources,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError

if TYPE_CHECKING:
    from pathlib import Path

DEB822 = """# a comment
Types: deb deb-src
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/own.gpg

Types: deb
Enabled: no
URIs: http://disabled.invalid/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor.invalid/apt
Suites: stable
Components: main
"""
ONE_LINE = """deb [arch=amd64 signed-by=/k.gpg] http://mirror.invalid/ubuntu noble main restricted universe
deb http://mirror.invalid/ubuntu noble-security main
# deb http://off.invalid/ubuntu noble main
deb-src http://mirror.invalid/ubuntu noble main
deb http://vendor.invalid/apt noble-pgdg main
deb http://vendor.invalid/docker noble stable
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "etc" / "sources.list.d").mkdir(parents=True)
    return tmp_path / "etc"


def test_deb822_sources_are_reduced_to_the_distribution_itself(etc: Path) -> None:
    (etc / "sources.list.d" / "debian.sources").write_text(DEB822)
    (etc / "sources.list.d" / "debian.sources.disabled").write_text(DEB822)
    [source] = read_sources(etc, "bookworm")
    assert source.deb822() == (
        "Types: deb\nURIs: http://mirror.invalid/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/own.gpg\n"
    )


def test_one_line_sources_are_reduced_to_the_distribution_itself(etc: Path) -> None:
    (etc / "sources.list").write_text(ONE_LINE)
    first, second = read_sources(etc, "noble")
    assert (first.suites, first.areas, first.options) == (("noble",), ("main", "universe"), {"signed-by": "/k.gpg"})
    assert (second.suites, second.areas) == (("noble-security",), ("main",))


def test_a_host_without_its_own_sources_is_told_what_is_missing(etc: Path) -> None:
    (etc / "sources.list").write_text("deb http://vendor.invalid/apt stable main\n")
    with pytest.raises(BuildError, match="no apt source with suite bookworm and component main"):
        read_sources(etc, "bookworm")


def test_the_distribution_is_read_from_os_release(tmp_path: Path) -> None:
    (tmp_path / "os").write_text('ID=ubuntu\nVERSION_CODENAME="noble"\n')
    assert distribution(tmp_path / "os") == Distribution("ubuntu", "noble")


def test_another_distribution_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "os").write_text('ID=fedora\nPRETTY_NAME="Fedora Linux 43"\n')
    with pytest.raises(BuildError, match=r"this machine runs Fedora Linux 43; .* use a Debian or Ubuntu machine"):
        distribution(tmp_path / "os")


@pytest.fixture
def apt(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrivateApt:
    (tmp_path / "own.gpg").write_text("key")
    (etc / "sources.list.d" / "d.sources").write_text(
        DEB822.replace("/usr/share/keyrings/own.gpg", str(tmp_path / "own.gpg"))
    )
    monkeypatch.setattr(_build_apt, "acquire_options", lambda: 'Acquire::http::Proxy "http://proxy.invalid";\n')
    return PrivateApt(tmp_path / "apt", read_sources(etc, "bookworm"))


def test_private_apt_reads_and_writes_nothing_of_the_host(apt: PrivateApt, tmp_path: Path) -> None:
    text = (tmp_path / "apt" / "apt.conf").read_text()
    settings = dict(line.removesuffix(";").split(" ", 1) for line in text.splitlines())
    for name in ("Dir::State", "Dir::Cache", "Dir::Etc::parts", "Dir::Etc::sourcelist"):
        assert settings[name].strip('"').startswith(str(tmp_path / "apt"))
    assert settings["Dir::State::status"] == settings["Dir::Etc::main"] == '"/dev/null"'
    assert settings["Acquire::http::Proxy"] == '"http://proxy.invalid"'
    assert apt.environment == {**os.environ, "APT_CONFIG": str(tmp_path / "apt" / "apt.conf"), "LC_ALL": "C.UTF-8"}


def test_builds_see_sources_and_keyrings_under_one_folder(apt: PrivateApt, tmp_path: Path) -> None:
    target = tmp_path / "mnt"
    target.mkdir()
    apt.export(target)
    assert "Signed-By: /mnt/keyring-0.gpg\n" in (target / "host.sources").read_text()
    assert (target / "keyring-0.gpg").read_text() == "key"
    assert 'Dir::Etc::sourcelist "/mnt/host.sources";\n' in (target / "apt.conf").read_text()
