# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A chart as registries and repositories serve it, on the fake registry."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import typing as t

from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import (
    Answer,
    Registry,
    digest_of,
    manifest,
)

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def archive(name: str = "app", version: str = "1.2.3", value: str = "x") -> bytes:
    """A chart of one ConfigMap."""
    files = {
        f"{name}/Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
        f"{name}/templates/c.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  value: {value}\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


class ChartRegistry(Registry):
    """Charts by `repository:tag`, and files of an HTTP repository by their path."""

    def __init__(self) -> None:
        super().__init__()
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}

    def put_chart(self, name: str, body: bytes, media_type: str = CONTENT) -> str:
        self.blobs[digest_of(body)] = body
        layers = [{"mediaType": media_type, "digest": digest_of(body), "size": len(body)}]
        return self.put(name, manifest(OCI_MANIFEST, layers=layers), OCI_MANIFEST)

    def put_release(
        self, folder: str, body: bytes, *, name: str = "app", version: str = "1.2.3", **fields: t.Any
    ) -> None:
        release = {"version": version, "urls": [f"files/{name}-{version}.tgz"], "digest": digest_of(body)[7:], **fields}
        index = {"apiVersion": "v1", "entries": {name: [{"name": name, **release}]}}
        # JSON is YAML.
        self.files[f"/{folder}/index.yaml"] = json.dumps(index).encode()
        self.files[f"/{folder}/files/{name}-{version}.tgz"] = body

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        digest = path.partition("/blobs/")[2]
        if digest in self.blobs:
            self.asked[path] += 1
            return 200, {"Content-Type": "application/octet-stream"}, self.blobs[digest]
        if path in self.files:
            self.asked[path] += 1
            return 200, {}, self.files[path]
        return super().answer(path, headers)
