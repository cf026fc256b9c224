# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Gives the host's apt sources to private apt runs without touching the host. Private to the collection."""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError, output

if t.TYPE_CHECKING:
    from collections.abc import Iterator

POCKETS = ("", "-updates", "-security")
AREAS = ("main", "universe")
FAMILIES = ("debian", "ubuntu")
KEPT_OPTIONS = ("signed-by", "trusted", "check-valid-until", "allow-insecure")
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<areas>.+)$")


@dataclass(frozen=True)
class Distribution:
    """The host's distribution, which the node's root filesystem shares."""

    family: str
    codename: str


@dataclass(frozen=True)
class AptSource:
    """One apt source, reduced to what a bootstrap needs."""

    uris: str
    suites: tuple[str, ...]
    areas: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)

    def deb822(self) -> str:
        """Write the source as one deb822 stanza."""
        lines = ["Types: deb", f"URIs: {self.uris}", f"Suites: {' '.join(self.suites)}"]
        lines += [f"Components: {' '.join(self.areas)}"]
        lines += [f"{name.title()}: {value}" for name, value in sorted(self.options.items())]
        return "\n".join(lines) + "\n"


def distribution(os_release: Path = Path("/etc/os-release")) -> Distribution:
    """Read which Debian-like distribution this machine runs."""
    try:
        lines = os_release.read_text().splitlines()
    except OSError as error:
        msg = f"cannot read {os_release}: {error.strerror}; the local cluster needs a Debian or Ubuntu machine"
        raise BuildError(msg) from error
    values = {name: value.strip("\"'") for name, _equals, value in (line.partition("=") for line in lines)}
    codename = values.get("VERSION_CODENAME", "")
    if values.get("ID") not in FAMILIES or not codename:
        name = values.get("PRETTY_NAME", "an unknown system")
        msg = f"this machine runs {name}; the local cluster is built from apt packages: use a Debian or Ubuntu machine"
        raise BuildError(msg)
    return Distribution(values["ID"], codename)


def read_sources(etc: Path, codename: str) -> list[AptSource]:
    """Read the sources of the distribution itself, in both of apt's formats, and leave third parties out."""
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    wanted = {f"{codename}{pocket}" for pocket in POCKETS}
    found: list[AptSource] = []
    for path in files:
        if not path.is_file() or path.suffix not in (".list", ".sources"):
            continue
        text = path.read_text(errors="replace")
        for source in _deb822(text) if path.suffix == ".sources" else _one_line(text):
            suites = tuple(suite for suite in source.suites if suite in wanted)
            areas = tuple(area for area in source.areas if area in AREAS)
            if (suites and "main" in areas) or (suites and "universe" in areas):
                found.append(AptSource(source.uris, suites, areas, source.options))
    if not any(codename in source.suites for source in found):
        msg = f"{etc} has no apt source with suite {codename} and component main; add the distribution's own source"
        raise BuildError(msg)
    return found


def _one_line(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if match:
            pairs = (option.partition("=") for option in (match["options"] or "").split())
            options = {name.lower(): value for name, _equals, value in pairs if name.lower() in KEPT_OPTIONS}
            yield AptSource(match["uri"], (match["suite"],), tuple(match["areas"].split()), options)


def _deb822(text: str) -> Iterator[AptSource]:
    for stanza in re.split(r"\n\s*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')}\n{line}"
            else:
                name, _colon, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        options = {name: value for name, value in fields.items() if name in KEPT_OPTIONS}
        yield AptSource(
            " ".join(fields.get("uris", "").split()),
            tuple(fields.get("suites", "").split()),
            tuple(fields.get("components", "").split()),
            options,
        )


def acquire_options() -> str:
    """Take over how the host's apt reaches its sources (proxy, certificates, date checks), and nothing else of it."""
    lines = output(["apt-config", "dump", "Acquire"]).splitlines()
    skipped = ("Acquire::IndexTargets", "Acquire::Languages", "Acquire::Changelogs", "Acquire::cdrom")
    return "".join(f"{line}\n" for line in lines if not line.startswith(skipped) and not line.endswith(' "";'))


class PrivateApt:
    """An apt whose configuration, lists and archives lie in a folder of ours; the host's hooks do not run."""

    def __init__(self, folder: Path, sources: list[AptSource]) -> None:
        """Write the configuration and the sources into the folder."""
        self.folder = folder
        self.sources = folder / "host.sources"
        self.options = folder / "acquire.conf"
        for name in ("state/lists/partial", "cache/archives/partial", "parts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.sources.write_text("\n".join(source.deb822() for source in sources))
        self.options.write_text(acquire_options())
        settings = {
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": str(folder / "parts"),
            "Dir::Etc::sourcelist": str(self.sources),
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State": str(folder / "state"),
            "Dir::State::status": "/dev/null",
            "Dir::Cache": str(folder / "cache"),
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        lines = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        (folder / "apt.conf").write_text(self.options.read_text() + lines)

    @property
    def environment(self) -> dict[str, str]:
        """Give the environment in which apt sees this configuration alone."""
        return {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def unpack(self, package: str, target: Path) -> None:
        """Download a package and unpack its files without installing it."""
        for argv in (["apt-get", "-q", "update"], ["apt-get", "-q", "download", package]):
            output(argv, env=self.environment, cwd=self.folder)
        archives = list(self.folder.glob(f"{package}_*.deb"))
        if len(archives) != 1:
            msg = f"apt downloaded {len(archives)} archives of {package} into {self.folder}; expected one"
            raise BuildError(msg)
        output(["dpkg-deb", "--extract", str(archives[0]), str(target)])

    def export(self, target: Path) -> None:
        """Write what an apt in another root needs to use the same sources: options, sources, keyrings.

        `target` is seen there as the folder `/mnt`, so that nothing of it is ever part of an image.
        """
        text = self.sources.read_text()
        for number, name in enumerate(sorted(set(re.findall(r"^Signed-By: (/.+)$", text, re.MULTILINE)))):
            copied = f"keyring-{number}{Path(name).suffix}"
            shutil.copyfile(name, target / copied)
            text = text.replace(f"Signed-By: {name}\n", f"Signed-By: /mnt/{copied}\n")
        (target / "host.sources").write_text(text)
        settings = 'Dir::Etc::sourcelist "/mnt/host.sources";\nDir::Etc::sourceparts "/dev/null";\n'
        extra = 'Acquire::Languages "none";\nAPT::Sandbox::User "root";\n'
        (target / "apt.conf").write_text(self.options.read_text() + settings + extra)
