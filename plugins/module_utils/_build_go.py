# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds the tools of a go.mod and copies data folders out of Go modules. Private to the collection."""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import (
    BuildError,
    file_digest,
    new_folder,
    output,
    run,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

FLAGS = "-trimpath -buildvcs=false"
STRIP = "-s -w"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class GoFolder(t.TypedDict):
    """One folder with go.mod and go.sum, as the role's data names it."""

    name: str
    path: str
    ldflags: str
    version_of: str
    rename: dict[str, str]
    # Built for whoever asks, and no part of the cluster.
    on_demand: t.NotRequired[bool]


class GoSource(t.TypedDict):
    """Data folders of one Go module; `path` is the folder whose go.mod pins it."""

    path: str
    module: str
    paths: list[str]


def go_environment(cache: Path) -> dict[str, str]:
    """Give Go's settings: the user's proxy and certificates stay, the toolchain never downloads itself."""
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache / "go" / "build"),
        "GOMODCACHE": str(cache / "go" / "mod"),
        "GOFLAGS": FLAGS,
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def go_version(go: str, cache: Path) -> str:
    """Ask the toolchain for its version, operating system and architecture."""
    if not shutil.which(go):
        msg = f"there is no Go toolchain at {go}; install the collection's Python requirements or set local_cluster_go"
        raise BuildError(msg)
    return output([go, "version"], env=go_environment(cache)).strip()


def module_version(go_mod: Path, module: str) -> str:
    """Read the version that a go.mod requires of a module."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod.read_text(), re.MULTILINE)
    if not found:
        msg = f"{go_mod} does not require {module}; `version_of` must name a module of its require lines"
        raise BuildError(msg)
    return found[1]


def linker_flags(folder: GoFolder) -> str:
    """Fill {version}, {major} and {minor} of the module that carries the tools' version into the linker flags."""
    if not folder["version_of"]:
        return f"{STRIP} {folder['ldflags']}".strip()
    version = module_version(Path(folder["path"]) / "go.mod", folder["version_of"])
    major, minor, _patch = (version.removeprefix("v") + "..").split(".", 2)
    values = {"version": version, "major": major, "minor": minor}

    def fill(found: re.Match[str]) -> str:
        if found[1] not in values:
            msg = f"ldflags of {folder['name']}: unknown placeholder {found[0]}; known are {', '.join(values)}"
            raise BuildError(msg)
        return values[found[1]]

    return f"{STRIP} {_PLACEHOLDER.sub(fill, folder['ldflags'])}".strip()


def tool_inputs(folder: GoFolder, version: str) -> dict[str, t.Any]:
    """List what decides the bytes of a folder's tools."""
    path = Path(folder["path"])
    return {
        "go": version,
        "flags": FLAGS,
        "ldflags": linker_flags(folder),
        "rename": folder["rename"],
        "go.mod": file_digest(path / "go.mod"),
        "go.sum": file_digest(path / "go.sum"),
    }


def tool_names(folder: GoFolder) -> list[str]:
    """Name the binaries of a go.mod's tool directives."""
    text = (Path(folder["path"]) / "go.mod").read_text()
    blocks = re.findall(r"^tool \(\n(.*?)^\)", text, re.MULTILINE | re.DOTALL)
    packages = [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
    packages += re.findall(r"^tool ([^(\s]\S*)$", text, re.MULTILINE)
    names = [_binary_name(package) for package in packages]
    if not names:
        msg = f"{folder['path']}/go.mod has no tool directive; add one with `go get -tool <package>`"
        raise BuildError(msg)
    return sorted(folder["rename"].get(name, name) for name in names)


def _binary_name(package: str) -> str:
    """Follow Go's rule: the last path element that is no major version."""
    parts = package.split("/")
    return parts[-2] if len(parts) > 1 and re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def build_tools(folder: GoFolder, *, go: str, cache: Path, final: Path, log: Path) -> None:
    """Build all tools of a folder into `final`/bin."""
    with new_folder(final) as fresh:
        binaries = fresh / "bin"
        binaries.mkdir()
        run(
            [go, "build", "-mod=readonly", "-ldflags", linker_flags(folder), "-o", f"{binaries}/", "tool"],
            log=log,
            env=go_environment(cache),
            cwd=Path(folder["path"]),
        )
        for old, new in folder["rename"].items():
            (binaries / old).rename(binaries / new)
        missing = sorted(set(tool_names(folder)) - {path.name for path in binaries.iterdir()})
        if missing:
            msg = f"the build of {folder['name']} lacks {', '.join(missing)}; see {log}"
            raise BuildError(msg)


def source_inputs(sources: list[GoSource]) -> dict[str, t.Any]:
    """List what decides the bytes of the copied source folders."""
    return {
        source["module"]: {
            "paths": source["paths"],
            "version": module_version(Path(source["path"]) / "go.mod", source["module"]),
            "go.sum": file_digest(Path(source["path"]) / "go.sum"),
        }
        for source in sources
    }


def copy_sources(sources: list[GoSource], *, go: str, cache: Path, final: Path, log: Path) -> None:
    """Copy the named folders of each module to `final`/<module>/<path>; go.sum vouches for the modules."""
    environment = go_environment(cache)
    with new_folder(final) as fresh:
        for source in sources:
            where = Path(source["path"])
            run([go, "mod", "download", source["module"]], log=log, env=environment, cwd=where)
            origin = _module_folder(source["module"], go, environment, where)
            for name in source["paths"]:
                _copy(origin / name, fresh / source["module"] / name)


def _module_folder(module: str, go: str, environment: Mapping[str, str], cwd: Path) -> Path:
    found = json.loads(output([go, "list", "-m", "-json", module], env=environment, cwd=cwd))
    return Path(found["Dir"])


def _copy(origin: Path, target: Path) -> None:
    if not origin.exists():
        msg = f"the Go module has no {origin.name} at {origin}; correct the `paths` of the source"
        raise BuildError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        shutil.copytree(origin, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(origin, target)
    # The module cache is read-only; the copy must be removable without tricks.
    for folder in [target, *target.rglob("*")]:
        folder.chmod(0o755 if folder.is_dir() else 0o644)


def trim_module_archives(cache: Path) -> int:
    """Remove the archives of modules that lie unpacked beside them; builds need their hashes only. Returns bytes."""
    freed = 0
    for path in (cache / "go" / "mod" / "cache" / "download").rglob("*.zip"):
        freed += path.stat().st_size
        path.unlink()
    return freed
