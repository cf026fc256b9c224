# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import model_targets

SERVING: t.Final = {"namespace": "models", "port": 8000}


class Cluster:
    """Services with one ready pod each."""

    def get_json(self, path: str, query: t.Mapping[str, str] | None = None) -> dict[str, t.Any]:
        if "/services/" in path:
            return {"spec": {"ports": [{"name": "http", "port": 8000}]}}
        service = (query or {})["labelSelector"].partition("=")[2]
        pod = {"kind": "Pod", "name": f"{service}-1", "namespace": "models"}
        endpoint = {"conditions": {"ready": True}, "targetRef": pod}
        return {"items": [{"ports": [{"name": "http", "port": 8000}], "endpoints": [endpoint]}]}


@pytest.mark.parametrize(
    ("services", "pods"),
    [([], ["chat-1"]), (["chat"], ["chat-1"]), (["chat", "chat-canary"], ["chat-1", "chat-canary-1"])],
    ids=["by name", "without", "with"],
)
def test_a_models_pods_are_those_of_its_canary_too(services: list[str], pods: list[str]) -> None:
    found = model_targets(t.cast("t.Any", Cluster()), SERVING, {"name": "chat", "services": services})
    assert [target.pod for target in found] == pods
