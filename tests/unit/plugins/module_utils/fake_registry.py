# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server that answers as registries do, and as they should not."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import typing as t
from collections import Counter
from contextlib import contextmanager

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
Answer = tuple[int, dict[str, str], bytes]


def manifest(media_type: str = INDEX, **fields: t.Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}).encode()


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


class Registry:
    """Manifests by `repository:reference`; what is put before them decides who gets them."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.asked: Counter[str] = Counter()
        self.before: t.Callable[[str, dict[str, str]], Answer | None] = lambda _path, _headers: None
        self.promise: str | None = None

    def put(self, name: str, body: bytes, content_type: str = INDEX) -> str:
        repository = name.partition(":")[0]
        self.manifests[name] = self.manifests[f"{repository}:{digest_of(body)}"] = (content_type, body)
        return digest_of(body)

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        self.asked[path] += 1
        early = self.before(path, headers)
        if early is not None:
            return early
        repository, _word, reference = path.removeprefix("/v2/").partition("/manifests/")
        found = self.manifests.get(f"{repository}:{reference}")
        if found is None:
            return 404, {}, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}'
        content_type, body = found
        return 200, {"Content-Type": content_type, "Docker-Content-Digest": self.promise or digest_of(body)}, body


@contextmanager
def serve(registry: Registry) -> t.Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = registry.answer(
                self.path, {key.lower(): item for key, item in self.headers.items()}
            )
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: t.Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
