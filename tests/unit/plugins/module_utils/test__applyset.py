# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import (
    ApplySet,
    ApplySetError,
    Parents,
    read_parents,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._prune import normalize_data

SET = ApplySet("gateway_api_crds", "llm-platform")
CONFIG = Ref("", "v1", "ConfigMap", "ns", "a")
CHAT = Ref("apps", "v1", "Deployment", "llm-platform", "b")


def test_the_id_is_the_one_of_the_enhancement_proposal() -> None:
    # printf llm-platform-serving.llm-platform.ConfigMap. | openssl dgst -sha256 -binary | basenc --base64url
    assert ApplySet("serving", "llm-platform").id == "applyset-LAPLKJaWrZDilTcQRBlI-j87Nzdp54O0XX5m9BBSKlc-v1"


def test_a_parent_has_a_name_that_kubernetes_accepts() -> None:
    assert SET.parent.name == "llm-platform-gateway-api-crds"


def test_a_parent_says_what_it_contains_and_is_read_back(cluster: t.Any) -> None:
    Parents(cluster.client, [SET], {}).widen({"gateway_api_crds": [CONFIG, CHAT]})
    annotations = cluster.get(("", "ConfigMap", "llm-platform", SET.parent.name))["metadata"]["annotations"]
    assert annotations == {
        "applyset.kubernetes.io/tooling": "llm-platform/v1.0.0",
        "applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Deployment.apps",
        "applyset.kubernetes.io/additional-namespaces": "ns",
    }
    recorded = read_parents(cluster.client, [SET])["gateway_api_crds"]
    assert recorded.kinds == {("", "ConfigMap"), ("apps", "Deployment")}
    assert recorded.namespaces == {"ns", "llm-platform"}


def test_old_kinds_stay_recorded_until_the_run_is_through(cluster: t.Any) -> None:
    Parents(cluster.client, [SET], {}).widen({"gateway_api_crds": [CONFIG]})
    parents = Parents(cluster.client, [SET], read_parents(cluster.client, [SET]))
    parents.widen({"gateway_api_crds": [CHAT]})
    assert read_parents(cluster.client, [SET])["gateway_api_crds"].kinds == {("", "ConfigMap"), ("apps", "Deployment")}
    parents.narrow({"gateway_api_crds": [CHAT]})
    assert read_parents(cluster.client, [SET])["gateway_api_crds"].kinds == {("apps", "Deployment")}
    parents.narrow({})
    assert read_parents(cluster.client, [SET]) == {}


def test_the_set_of_another_tool_is_refused(cluster: t.Any) -> None:
    labels = {"applyset.kubernetes.io/id": SET.id}
    annotations = {"applyset.kubernetes.io/tooling": "kubectl/v1.36"}
    cluster.put(
        "v1", "ConfigMap", "llm-platform", SET.parent.name, metadata={"labels": labels, "annotations": annotations}
    )
    with pytest.raises(ApplySetError, match=r"ApplySet of kubectl/v1\.36"):
        read_parents(cluster.client, [SET])


def test_names_of_data_may_be_written_with_the_core_group() -> None:
    texts = ["Secret ns/a", "core/Secret ns/b", "v1/Namespace  c", "apps/Deployment ns/d"]
    assert normalize_data(texts) == {"Secret ns/a", "Secret ns/b", "Namespace c", "apps/Deployment ns/d"}
