# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Lay out a virtual environment from the hash-locked requirements; do nothing when it is laid out already.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
import venv
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
BOOTSTRAP_LOCK = REQUIREMENTS / "bootstrap.txt"
COLLECTIONS_LOCK = REQUIREMENTS / "collections.txt"
PIP_OPTIONS = ("--quiet", "--disable-pip-version-check", "--require-hashes")
# Never let the installer fetch an interpreter: the one this runs on was chosen and checked.
ENVIRONMENT = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}


class BootstrapError(Exception):
    """The environment could not be laid out."""


def key_of(directory: pathlib.Path, inputs: t.Iterable[pathlib.Path]) -> str:
    """Name everything the finished environment depends on: its place, its interpreter and its locks."""
    digest = hashlib.sha256()
    for part in (str(directory), sys.version, os.path.realpath(sys.base_prefix)):
        digest.update(part.encode() + b"\0")
    for path in sorted(inputs):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def run(*command: str | pathlib.Path) -> None:
    result = subprocess.run(
        [str(part) for part in command], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise BootstrapError(f"{' '.join(map(str, command))} failed:\n{result.stdout}{result.stderr}")


def install_packages(directory: pathlib.Path, lock: pathlib.Path) -> None:
    python = directory / "bin" / "python"
    run(python, "-m", "pip", "install", *PIP_OPTIONS, "-r", BOOTSTRAP_LOCK)
    try:
        run(directory / "bin" / "uv", "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock)
    except BootstrapError as error:
        # uv does not read pip's configuration: where only pip knows the index or the proxy, pip does it, more slowly.
        print(f"      uv could not install, pip takes over: {str(error).splitlines()[-1]}", flush=True)
        run(python, "-m", "pip", "install", *PIP_OPTIONS, "-r", lock)


def wanted_collections() -> list[str]:
    """Read the dependencies of galaxy.yml, which lists them one a line (there is no YAML parser yet)."""
    block = re.search(r"^dependencies:\n((?:  .+\n)+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    if not block:
        raise BootstrapError("galaxy.yml: no dependencies found")
    return re.findall(r"^  ([a-z0-9_]+\.[a-z0-9_]+):", block.group(1), re.MULTILINE)


def unpack_collections(wheel: pathlib.Path, destination: pathlib.Path) -> None:
    """Unpack the wanted collections and what they depend on."""
    todo = wanted_collections()
    done: set[str] = set()
    with zipfile.ZipFile(wheel) as archive:
        while todo:
            name = todo.pop()
            if name in done:
                continue
            prefix = f"ansible_collections/{name.replace('.', '/')}/"
            members = [member for member in archive.namelist() if member.startswith(prefix)]
            if not members:
                raise BootstrapError(f"{wheel.name} has no collection {name}")
            archive.extractall(destination, members)
            info = json.loads((destination / prefix / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]
            print(f"      {name} {info['version']}", flush=True)
            done.add(name)
            todo += info["dependencies"]


def install_collections(directory: pathlib.Path) -> None:
    """Take a few collections out of the bundle wheel, leave its other 400 MB, and link the checkout beside them."""
    destination = directory / "collections"
    shutil.rmtree(destination, ignore_errors=True)
    python = directory / "bin" / "python"
    with tempfile.TemporaryDirectory(prefix="llm-platform-collections-") as scratch:
        download = ["-m", "pip", "download", *PIP_OPTIONS, "--no-deps", "--only-binary=:all:", "--dest", scratch]
        run(python, *download, "-r", COLLECTIONS_LOCK)
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        unpack_collections(wheel, destination)
    target = destination / "ansible_collections"
    link = target / "wmx" / "llm_platform"
    link.parent.mkdir(parents=True)
    link.symlink_to(os.path.relpath(ROOT, link.parent) if directory.is_relative_to(ROOT) else ROOT)


def lay_out(directory: pathlib.Path, lock: pathlib.Path, *, collections: bool) -> None:
    steps: list[tuple[str, t.Callable[[], None]]] = [
        (
            f"virtual environment on Python {sys.version.split()[0]}",
            lambda: venv.create(directory, clear=True, symlinks=True, with_pip=True),
        ),
        (f"packages of requirements/{lock.name}", lambda: install_packages(directory, lock)),
    ]
    if collections:
        steps.append(("collections", lambda: install_collections(directory)))
    for number, (what, step) in enumerate(steps, start=1):
        print(f"setup: {number} of {len(steps)}: {what} …", flush=True)
        started = time.monotonic()
        step()
        print(f"      {time.monotonic() - started:.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=lambda text: pathlib.Path(text).absolute())
    parser.add_argument("--lock", default="dev.txt", help="file in requirements/ (default: dev.txt)")
    parser.add_argument("--no-collections", dest="collections", action="store_false")
    options = parser.parse_args()
    lock = REQUIREMENTS / options.lock
    inputs = [lock, BOOTSTRAP_LOCK, pathlib.Path(__file__).resolve()]
    if options.collections:
        inputs += [COLLECTIONS_LOCK, ROOT / "galaxy.yml"]
    key = key_of(options.directory, inputs)
    stamp = options.directory / ".key"
    options.directory.parent.mkdir(parents=True, exist_ok=True)
    # Two runs at once must not clear each other's half-made environment.
    with pathlib.Path(f"{options.directory}.lock").open("w", encoding="utf-8") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == key:
            return
        stamp.unlink(missing_ok=True)
        lay_out(options.directory, lock, collections=options.collections)
        stamp.write_text(key, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except BootstrapError as failure:
        sys.exit(f"setup: {failure}")
