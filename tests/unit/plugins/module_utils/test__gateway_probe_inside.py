# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What runs in a pod is the code that runs here, and its namespace never stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._checks import ProbeError
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_inside import Inside
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_guarded import serve

if t.TYPE_CHECKING:
    import pathlib

ATTEMPTS: t.Final = [("GET", "/a", None), ("POST", "/b", {"c": 1}), ("GET", "/d/../e;f%00", None)]


class Cluster:
    """Runs the command of each pod as a process of its own."""

    def __init__(self, folder: pathlib.Path, *, finishes: bool = True) -> None:
        self.folder, self.finishes = folder, finishes
        self.objects: dict[str, t.Any] = {}
        self.namespaces: list[str] = []
        self.labels: dict[str, str] = {}

    def checked(self, method: str, path: str, *, body: t.Any) -> None:
        assert method == "POST"
        plural = path.rsplit("/", 1)[-1]
        self.objects[plural] = body
        if plural == "namespaces":
            self.namespaces.append(body["metadata"]["name"])
            self.labels = body["metadata"]["labels"]

    def request(self, method: str, path: str) -> Response:
        if method == "DELETE":
            self.namespaces.remove(path.rsplit("/", 1)[-1])
            return Response(200, b"{}", {})
        return Response(200, self._run(), {}) if self.finishes else Response(400, b"", {})

    def get_json(self, _path: str) -> dict[str, t.Any]:
        return {"status": {"phase": "Pending", "reason": "ErrImagePull"}}

    def _run(self) -> bytes:
        (container,) = self.objects["pods"]["spec"]["containers"]
        attempts = self.folder / "attempts"
        attempts.write_text(self.objects["configmaps"]["data"]["list"])
        given = {item["name"]: item.get("value") for item in container["env"]}
        given |= {"KEY": self.objects["secrets"]["stringData"]["key"], "ATTEMPTS": str(attempts), "SECONDS": "0.5"}
        # Without our packages, as in a pod.
        command = [sys.executable, "-I", *container["command"][1:]]
        return subprocess.run(command, env={**os.environ, **given}, capture_output=True, check=True).stdout


def test_a_pod_asks_as_we_do(tmp_path: pathlib.Path) -> None:
    seen: list[tuple[str, str, str | None, t.Any]] = []

    def handle(method: str, path: str, headers: dict[str, str], body: t.Any) -> t.Any:
        seen.append((method, path, headers.get("authorization"), body))
        return 404, {}, {"error": {"code": "unknown_url"}}

    cluster = Cluster(tmp_path)
    with serve(handle) as url:
        inside = Inside(t.cast("t.Any", cluster), "image", "127.0.0.1", int(url.rsplit(":", 1)[1]), 10)
        verdicts = inside.ask("sk-key", ATTEMPTS)
    assert verdicts == [[404, "unknown_url"]] * 3
    assert {one[:2] for one in seen} == {("GET", "/a"), ("POST", "/b"), ("GET", "/d/../e;f%00")}
    assert {one[2] for one in seen} == {"Bearer sk-key"}
    assert cluster.namespaces == []
    assert cluster.labels["llm-platform.wmx.dev/tenant"].startswith("llm-platform-probe-")
    assert "sk-key" not in json.dumps(cluster.objects["pods"])


def test_a_gateway_that_cannot_be_reached_is_one_verdict(tmp_path: pathlib.Path) -> None:
    inside = Inside(t.cast("t.Any", Cluster(tmp_path)), "image", "127.0.0.1", 1, 10)
    (verdict,) = inside.ask("sk-key", ATTEMPTS)
    assert verdict[0] == 0
    assert "refused" in verdict[1]


def test_a_pod_that_does_not_finish_is_told_with_its_status(tmp_path: pathlib.Path) -> None:
    cluster = Cluster(tmp_path, finishes=False)
    with pytest.raises(ProbeError, match="ErrImagePull"):
        Inside(t.cast("t.Any", cluster), "image", "127.0.0.1", 1, 0.01).ask("sk-key", ATTEMPTS)
    assert cluster.namespaces == []
