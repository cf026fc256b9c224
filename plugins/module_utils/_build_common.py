# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys, locks, logs and atomic folders that every build of the local cluster shares. Private to the collection."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
import subprocess
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KEY_LENGTH = 16
LOG_TAIL_LINES = 25
# Moved only when a build step below changes what it produces from the same inputs.
RECIPE = 1
# A build step ends with the module that started it, so that a killed run does not go on behind the next one's back.
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class BuildError(Exception):
    """A build could not be planned or did not succeed."""


def key_of(inputs: Mapping[str, t.Any]) -> str:
    """Name the result of a build by everything that decides its content."""
    text = json.dumps({"recipe": RECIPE, **inputs}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def file_digest(path: Path) -> str:
    """Hash one file's content."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; it is an input of a build and must be a readable file"
        raise BuildError(msg) from error


def tree_digests(folder: Path) -> dict[str, str]:
    """Hash a folder by names, contents, links and executable bits; times, owners and umasks do not count."""
    if not folder.is_dir():
        msg = f"{folder} is not a folder; it should hold the inputs of a build"
        raise BuildError(msg)
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if is_leftover(path):
            continue
        if path.is_symlink():
            found[name] = f"link {path.readlink()}"
        elif path.is_file():
            found[name] = f"{'x' if path.stat().st_mode & 0o100 else '-'} {file_digest(path)}"
    return found


def is_leftover(path: Path) -> bool:
    """Tell what an interpreter left in a folder of sources from the sources."""
    return "__pycache__" in path.parts or path.suffix == ".pyc"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time build what the lock file stands for; the kernel frees a killed holder's lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `final` in one rename when the block succeeds and vanishes when it does not.

    The caller holds the lock of `final`, so whatever lies there is left over from a killed run.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    fresh = final.parent / f".new-{final.name}"
    remove_tree(fresh)
    fresh.mkdir(mode=0o755)
    try:
        yield fresh
        fresh.rename(final)
    finally:
        remove_tree(fresh)


def remove_tree(path: Path) -> None:
    """Remove a folder if it is there."""
    if path.exists():
        shutil.rmtree(path)


def run(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Run a build step with its output in a log file; a failure carries the log's last lines.

    What stands before a `--` only makes the place where the command runs, so neither log nor error show it.
    """
    shown = argv[len(argv) - argv[::-1].index("--") :] if "--" in argv else argv
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as stream:
        stream.write(f"$ {' '.join(shown)}\n")
        stream.flush()
        code = _call(argv, stream, env, cwd)
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        msg = f"{Path(shown[0]).name} ended with code {code}; the whole output is in {log}. Its last lines:\n{tail}"
        raise BuildError(msg)


def _call(argv: Sequence[str], stream: t.IO[str], env: Mapping[str, str] | None, cwd: Path | None) -> int:
    try:
        return subprocess.run(  # pylint: disable=ansible-bad-function  # run_command cannot write to a log
            [*DIES_WITH_US, *argv],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=env,
            cwd=cwd,
            check=False,
        ).returncode
    except OSError as error:
        msg = f"cannot run {argv[0]}: {error.strerror}"
        raise BuildError(msg) from error


def output(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a short command and return what it prints."""
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # no AnsibleModule here
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, cwd=cwd, check=False
        )
    except OSError as error:
        msg = f"cannot run {argv[0]}: {error.strerror}"
        raise BuildError(msg) from error
    if done.returncode:
        msg = f"{' '.join(argv)} ended with code {done.returncode}: {done.stderr.strip()[-2000:]}"
        raise BuildError(msg)
    return done.stdout
