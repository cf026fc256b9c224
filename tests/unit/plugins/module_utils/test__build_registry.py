# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Only what a real registry lacks, or has otherwise than it was built, is to be pushed."""

from __future__ import annotations

import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_image import record_path, write_record
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_lock import note_built
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import Artifact, BuildPlan, Inputs
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_registry import registry_digest, unpushed

PAUSE, DNS, BASE = (f"sha256:{digit * 64}" for digit in "123")
DIGESTS = {"pause": PAUSE, "dns": DNS, "base": BASE}
NAMES = {"pause": "registry.k8s.io/pause:3.10.1", "dns": "registry.k8s.io/coredns/coredns:v1", "base": ""}


class Registry(ThreadingHTTPServer):
    digests: t.ClassVar[dict[str, str]] = {}
    broken = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        assert "application/vnd.oci.image.manifest.v1+json" in str(self.headers["Accept"])
        digest = t.cast("Registry", self.server).digests.get(self.path)
        self.send_response(500 if t.cast("Registry", self.server).broken else 200 if digest else 404)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()

    def log_message(self, *_args: t.Any) -> None: ...


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Registry]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # must not be asked
    with Registry(("127.0.0.1", 0), Handler) as server:
        server.digests = {
            "/v2/registry.k8s.io/pause/manifests/3.10.1": PAUSE,
            "/v2/registry.k8s.io/coredns/coredns/manifests/v1": DNS,
        }
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def built(tmp_path: Path) -> tuple[Inputs, BuildPlan]:
    artifacts = []
    for context in NAMES:
        path = record_path(tmp_path, context, "key")
        write_record(path, {"digest": DIGESTS[context]})
        artifacts.append(Artifact("image", context, "key", str(path), {}))
    note_built(tmp_path, {name: DIGESTS[context] for context, name in NAMES.items() if name})
    images = t.cast("t.Any", [{"context": context, "name": name} for context, name in NAMES.items()])
    return Inputs(tmp_path, "go", [], [], [], images), BuildPlan(artifacts)


def test_a_registry_that_has_all_images_lacks_none(registry: Registry, built: tuple[Inputs, BuildPlan]) -> None:
    assert unpushed(*built, registry.address) == []


def test_an_image_that_is_missing_or_another_is_named(registry: Registry, built: tuple[Inputs, BuildPlan]) -> None:
    registry.digests["/v2/registry.k8s.io/pause/manifests/3.10.1"] = "sha256:other"
    assert unpushed(*built, registry.address) == [NAMES["pause"]]
    registry.digests.clear()
    assert unpushed(*built, registry.address) == [NAMES["pause"], NAMES["dns"]]


def test_an_image_that_was_never_pushed_or_is_not_built_is_named(
    registry: Registry, built: tuple[Inputs, BuildPlan]
) -> None:
    write_record(Path(built[1].one("image", "pause").path), {"image": "sha256:i"})
    Path(built[1].one("image", "dns").path).unlink()
    assert unpushed(*built, registry.address) == [NAMES["pause"], NAMES["dns"]]


def test_an_image_that_the_lock_does_not_know_or_knows_otherwise_is_named(
    registry: Registry, built: tuple[Inputs, BuildPlan]
) -> None:
    cache = built[0].cache
    note_built(cache, {NAMES["dns"]: BASE})
    assert unpushed(*built, registry.address) == [NAMES["dns"]]
    (cache / "images" / "images.lock.yml").write_text("half a lo", encoding="utf-8")
    assert unpushed(*built, registry.address) == [NAMES["pause"], NAMES["dns"]]


def test_without_an_answer_all_images_are_named(registry: Registry, built: tuple[Inputs, BuildPlan]) -> None:
    registry.broken = True
    everything = [NAMES["pause"], NAMES["dns"]]
    assert unpushed(*built, registry.address) == everything
    assert unpushed(*built, "127.0.0.1:9") == everything
    assert unpushed(*built, None) == everything


def test_who_needs_an_answer_is_told_what_is_wrong(registry: Registry) -> None:
    registry.broken = True
    with pytest.raises(BuildError, match=r"answered 500 when asked for a/b:c"):
        registry_digest(registry.address, "a/b:c")
    with pytest.raises(BuildError, match=r"does not answer.*start the cluster"):
        registry_digest("127.0.0.1:9", "a/b:c")
