# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds container images with buildah inside the node's root filesystem, byte for byte repeatable.

Private to the collection.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils import _build_pip
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import (
    BuildError,
    remove_tree,
    run,
    tree_digests,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_enter import PATH, enter
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_root import (
    EPOCH,
    bootstrap,
    host_apt,
    root_inputs,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_FROM = re.compile(r"^FROM\s+localhost/([a-z0-9._-]+)", re.MULTILINE | re.IGNORECASE)
_RUN = re.compile(r"^RUN\s", re.MULTILINE | re.IGNORECASE)
# A build's RUN steps see the host's package settings here and nowhere else: /mnt exists in every Debian image and
# stays empty in it. A Containerfile takes what it needs with ARG, whose values are the same on every machine.
HOST_ARGUMENTS = {
    "APT_CONFIG": "/mnt/apt.conf",
    "NODE_EXTRA_CA_CERTS": "/mnt/ca-certificates.crt",
    "PIP_CONFIG_FILE": "/mnt/pip.conf",
    "SSL_CERT_FILE": "/mnt/ca-certificates.crt",
}


class Image(t.TypedDict):
    """One image, as the role's data names it."""

    context: str
    path: str
    name: str
    args: dict[str, str]
    rootfs: list[str]
    tools: list[str]
    sources: list[str]


class ImageFiles(t.NamedTuple):
    """Where an image's built inputs lie."""

    tools: Path
    sources: Path


def containerfile(image: Image) -> str:
    """Read an image's Containerfile."""
    path = Path(image["path"]) / "Containerfile"
    try:
        return path.read_text()
    except OSError as error:
        msg = f"image {image['context']}: cannot read {path}: {error.strerror}"
        raise BuildError(msg) from error


def parents(image: Image) -> list[str]:
    """Name the images of ours that this one starts from or copies out of."""
    return sorted(set(_FROM.findall(containerfile(image))))


def image_inputs(image: Image, parent_keys: dict[str, str], input_keys: dict[str, str]) -> dict[str, t.Any]:
    """List what decides an image's bytes."""
    return {
        "context": tree_digests(Path(image["path"])),
        "args": image["args"],
        "parents": parent_keys,
        "inputs": input_keys,
        "rootfs": root_inputs(image["rootfs"]) if image["rootfs"] else None,
        "epoch": EPOCH,
    }


class ImageStore:
    """The images built so far, kept in one folder of buildah's layers beside a record of each image."""

    def __init__(self, folder: Path, node_root: Path) -> None:
        """Take the folder of all images and the root filesystem that has buildah."""
        self.folder = folder
        self.node_root = node_root

    def record_path(self, context: str, key: str) -> Path:
        """Say where the record of a built image lies."""
        return record_path(self.folder, context, key)

    @contextlib.contextmanager
    def _work(self) -> Iterator[Path]:
        store = self.folder / "store"
        store.mkdir(parents=True, exist_ok=True)
        # The caller holds the lock of the images: other work folders belong to killed runs.
        for leftover in self.folder.glob("work-*"):
            remove_tree(leftover)
        with tempfile.TemporaryDirectory(prefix="work-", dir=self.folder) as name:
            work = Path(name)
            for part in ("scratch", "host", "context", "tmp", "out"):
                (work / part).mkdir()
            yield work

    def _command(self, work: Path, *argv: str) -> list[str]:
        binds = {
            self.folder / "store": "/var/lib/containers/storage",
            work / "context": "/build",
            work / "host": "/host",
            work / "tmp": "/var/tmp",  # noqa: S108 - in the node's root, where buildah keeps what is large
            work / "out": "/out",
        }
        return enter(self.node_root, work / "scratch", binds, ["buildah", "--storage-driver", "overlay", *argv])

    @staticmethod
    def _environment() -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        return {**kept, "PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", "BUILDAH_ISOLATION": "chroot"}

    def build(self, image: Image, key: str, parent_keys: dict[str, str], files: ImageFiles, *, log: Path) -> str:
        """Build one image from cached layers where it can; return its id."""
        text = containerfile(image)
        environment = self._environment()
        with self._work() as work:
            stage_context(image, work / "context", files, log=log)
            for parent, parent_key in parent_keys.items():
                names = (f"localhost/{parent}:{parent_key}", f"localhost/{parent}:latest")
                run(self._command(work, "tag", *names), log=log, env=environment)
            options = ["--layers", "--isolation", "chroot", "--format", "oci", "--timestamp", EPOCH, "--pull-never"]
            options += [f"--build-arg={name}={value}" for name, value in sorted(image["args"].items())]
            if _RUN.search(text):
                _build_pip.export(work / "host")
                host_apt(work / "tmp" / "apt").export(work / "host")
                options += ["--volume", "/host:/mnt:ro"]
                options += [
                    f"--build-arg={name}={value}"
                    for name, value in HOST_ARGUMENTS.items()
                    if re.search(rf"^ARG\s.*\b{name}\b", text, re.MULTILINE)
                ]
            tag = f"localhost/{image['context']}:{key}"
            command = ["bud", *options, "--iidfile", "/out/id", "--tag", tag, "--file", "/build/Containerfile"]
            try:
                run(self._command(work, *command, "/build"), log=log, env=environment)
            except BuildError:
                with contextlib.suppress(BuildError):
                    run(self._command(work, "rm", "--all"), log=log, env=environment)
                raise
            identity = (work / "out" / "id").read_text().strip()
        self._record(image, key, identity)
        return identity

    def _record(self, image: Image, key: str, identity: str) -> None:
        write_record(
            self.record_path(image["context"], key),
            {"context": image["context"], "image": identity, "key": key, "name": image["name"]},
        )

    def push(self, context: str, key: str, reference: str, *, log: Path) -> str:
        """Push a built image to a registry without TLS; return the manifest's digest."""
        environment = {
            name: value for name, value in self._environment().items() if not name.lower().endswith("_proxy")
        }
        with self._work() as work:
            options = ["--tls-verify=false", "--format", "oci", "--digestfile", "/out/digest", "--quiet"]
            command = ["push", *options, f"localhost/{context}:{key}", f"docker://{reference}"]
            run(self._command(work, *command), log=log, env=environment)
            return (work / "out" / "digest").read_text().strip()

    def remove(self, tags: list[str], *, log: Path) -> None:
        """Remove images, and the layers that no other image needs."""
        with self._work() as work:
            run(self._command(work, "rmi", "--force", *tags), log=log, env=self._environment())
            run(self._command(work, "rmi", "--prune"), log=log, env=self._environment())


def stage_context(image: Image, target: Path, files: ImageFiles, *, log: Path) -> None:
    """Copy an image's inputs with the times, modes and owners that every machine gives them."""
    origin = Path(image["path"])
    leftovers = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(origin, target, symlinks=True, dirs_exist_ok=True, copy_function=shutil.copyfile, ignore=leftovers)
    executable = {path.relative_to(origin) for path in origin.rglob("*") if path.is_file() and os.access(path, os.X_OK)}
    for tool in image["tools"]:
        (target / "bin").mkdir(exist_ok=True)
        shutil.copyfile(files.tools / "bin" / tool, target / "bin" / tool)
        executable.add(Path("bin") / tool)
    for source in image["sources"]:
        shutil.copytree(files.sources / source, target / "sources" / Path(source).name, dirs_exist_ok=True)
    if image["rootfs"]:
        bootstrap(image["rootfs"], target / "rootfs.tar", log=log)
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.relative_to(target) in executable else 0o644)
            os.chown(path, 0, 0)
        os.utime(path, (0, 0), follow_symlinks=False)


def record_path(folder: Path, context: str, key: str) -> Path:
    """Say where the record of a built image lies."""
    return folder / "built" / f"{context}-{key}.json"


def read_record(path: Path) -> dict[str, t.Any]:
    """Read a record, or nothing when there is none."""
    try:
        return t.cast("dict[str, t.Any]", json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def write_record(path: Path, record: dict[str, t.Any]) -> None:
    """Write a record in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    fresh.rename(path)
