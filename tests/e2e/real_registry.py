# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The registry of the node's root on a free port of the loopback, small images in it, and digest_pin asking it."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests
import yaml
from certificates import LOOPBACK
from platform_run import CACHE, ROOT

if t.TYPE_CHECKING:
    import pathlib

    from certificates import Issued

STARTS_WITHIN = 20.0
USER, PASSWORD = "reader", "a password for tests"
# What htpasswd makes of them.
USERS = f"{USER}:$2y$05$abcdefghijklmnopqrstuu.abnSPEesfGOHQI9ifaJVIDjeBtOKn2\n"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
# The name that images have; where it is asked for is an endpoint's matter.
NAME = "registry.example"
_MODULE = "ansible_collections.wmx.llm_platform.plugins.modules.digest_pin"


def node_root() -> pathlib.Path | None:
    """The newest root filesystem of nodes; None on a machine that has not built one."""
    found = sorted(CACHE.glob("node-root/*/root/usr/bin/docker-registry"), key=lambda path: path.stat().st_mtime)
    return found[-1].parents[2] if found else None


def program(root: pathlib.Path) -> list[str]:
    """The registry, with the libraries it was made for."""
    (loader,) = {path.resolve(): path for path in root.glob("lib*/ld-linux*.so*")}.values()
    libraries = next(root.glob("lib/*-linux-gnu*"))
    return [str(loader), "--library-path", str(libraries), str(root / "usr" / "bin" / "docker-registry")]


@dataclass
class RealRegistry:
    host: str
    folder: pathlib.Path
    ca: pathlib.Path | None = None
    user: tuple[str, str] | None = None

    def _ask(self, method: str, path: str, **options: t.Any) -> requests.Response:
        url = path if "://" in path else f"{'https' if self.ca else 'http'}://{self.host}/v2/{path}"
        answer = requests.request(
            method, url, timeout=10, auth=self.user, verify=str(self.ca) if self.ca else True, **options
        )
        assert answer.ok, f"{method} {url}: {answer.status_code} {answer.text}"
        return answer

    def push(self, repository: str, tag: str, content: str = "") -> str:
        """A small image whose digest depends on the content; its digest."""
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {"Labels": {"content": content}}}
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [],
        }
        upload = self._ask("POST", f"{repository}/blobs/uploads/").headers["Location"]
        octets = {"Content-Type": "application/octet-stream"}
        mark = "&" if "?" in upload else "?"
        self._ask("PUT", f"{upload}{mark}digest={digest_of(config)}", data=config, headers=octets)
        body = json.dumps(manifest).encode()
        self._ask("PUT", f"{repository}/manifests/{tag}", data=body, headers={"Content-Type": MANIFEST})
        return digest_of(body)

    def stored(self, digest: str) -> pathlib.Path:
        """The file that has a manifest's bytes."""
        value = digest.partition(":")[2]
        return self.folder / "data" / "docker/registry/v2/blobs/sha256" / value[:2] / value / "data"

    def endpoints(self, **options: t.Any) -> dict[str, t.Any]:
        return {NAME: {"host": self.host, **options}}


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@contextmanager
def serve(
    root: pathlib.Path, folder: pathlib.Path, tls: Issued | None = None, ca: pathlib.Path | None = None, users: str = ""
) -> t.Iterator[RealRegistry]:
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    host = f"{LOOPBACK}:{port}"
    config: dict[str, t.Any] = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": host, "secret": "of no importance"},
    }
    if tls:
        config["http"]["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    if users:
        (folder / "users").write_text(users, encoding="utf-8")
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "users")}}
    (folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*program(root), "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "log")
        yield RealRegistry(host, folder, ca, (USER, PASSWORD) if users else None)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(process: subprocess.Popen[bytes], port: int, log: pathlib.Path) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while True:
        assert process.poll() is None, f"the registry ended: {log.read_text(encoding='utf-8')}"
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, f"the registry does not answer: {log.read_text(encoding='utf-8')}"
            time.sleep(0.05)
        else:
            return


@dataclass
class Pinner:
    """The module digest_pin as Ansible runs it, a process with its options as JSON, with one lock."""

    folder: pathlib.Path
    options: dict[str, t.Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def lock_file(self) -> pathlib.Path:
        return self.folder / "images.lock.yml"

    @property
    def lock(self) -> dict[str, t.Any]:
        text = self.lock_file.read_text(encoding="utf-8") if self.lock_file.exists() else "{}"
        return t.cast("dict[str, t.Any]", yaml.safe_load(text).get("images", {}))

    def run(self, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        given = {"lock_file": str(self.lock_file), **self.options, **options}
        arguments = {"ANSIBLE_MODULE_ARGS": {**given, "_ansible_check_mode": check, "_ansible_diff": True}}
        done = subprocess.run(
            [sys.executable, "-m", _MODULE],
            input=json.dumps(arguments),
            # Nobody's logins but those of the test.
            env={**os.environ, "DOCKER_CONFIG": str(self.folder), "HOME": str(self.folder), **self.environ},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout.strip(), done.stderr
        return t.cast("dict[str, t.Any]", json.loads(done.stdout.strip().splitlines()[-1]))

    def resolve(self, *images: str, **options: t.Any) -> dict[str, t.Any]:
        return self.run(state="resolved", images=list(images), **options)

    def pin(self, *images: str, **options: t.Any) -> dict[str, t.Any]:
        """What `deliver` does with the lock, without any network; the quarantine is not what is looked at here."""
        rules = {"quarantine_days": 0, **options.pop("rules", {})}
        return self.run(state="pinned", images=list(images), rules=rules, **options)


def failures_of(result: dict[str, t.Any]) -> list[str]:
    """One line for each image that could not be resolved."""
    assert result.get("failed"), result
    _head, *lines = result["msg"].splitlines()
    return t.cast("list[str]", lines)


def only_failure(result: dict[str, t.Any]) -> str:
    (line,) = failures_of(result)
    return line
