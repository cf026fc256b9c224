# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._applyset import ApplySet
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    FIELD_MANAGER,
    LABEL_APPLYSET,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_PART_OF,
    PLATFORM,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._teardown import (
    TeardownError,
    TeardownOptions,
    TeardownResult,
    teardown,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import Response

HOME = PLATFORM
DEFAULT = ("foundation", "serving")


def deliver(cluster: t.Any, component: str, *objects: tuple[str, str, str, str], owner: bool = False) -> None:
    """Puts objects into the cluster as an apply of this component leaves them."""
    applyset = ApplySet(component, HOME)
    kinds, namespaces = set(), set()
    for api_version, kind, namespace, name in objects:
        stored = cluster.put(api_version, kind, namespace, name)
        labels = {
            LABEL_PART_OF: PLATFORM,
            LABEL_MANAGED_BY: PLATFORM,
            LABEL_COMPONENT: component,
            LABEL_APPLYSET: applyset.id,
        }
        stored.apply(FIELD_MANAGER, {"metadata": {"labels": labels}})
        kinds.add((api_version.rpartition("/")[0], kind))
        namespaces.add(namespace)
    parent = applyset.parent_object(kinds, namespaces)
    stored = cluster.put("v1", "ConfigMap", HOME, applyset.parent.name)
    stored.apply(FIELD_MANAGER, {"metadata": {key: parent["metadata"][key] for key in ("labels", "annotations")}})


@pytest.fixture
def platform(cluster: t.Any) -> t.Any:
    """A cluster with two delivered components, a generated key and something of somebody else's."""

    def discovery(_method: str, path: str, _query: t.Any, _body: t.Any) -> Response | None:
        if path not in ("/api", "/apis"):
            return None
        items = [
            {
                "metadata": {"name": group},
                "versions": [
                    {
                        "version": version,
                        "resources": [
                            {
                                "resource": plural,
                                "responseKind": {"kind": kind},
                                "scope": "Namespaced" if namespaced else "Cluster",
                                "verbs": ["list"],
                            }
                            for kind, (plural, namespaced) in kinds.items()
                        ],
                    }
                ],
            }
            for (group, version), kinds in cluster.kinds.items()
            if bool(group) == (path == "/apis")
        ]
        return Response(200, json.dumps({"kind": "APIGroupDiscoveryList", "items": items}).encode())

    cluster.script.append(discovery)
    cluster.objects.clear()
    deliver(
        cluster,
        "foundation",
        ("v1", "Namespace", "", HOME),
        ("v1", "Namespace", "", "llm-serving"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.com"),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", "guard"),
        ("v1", "ConfigMap", HOME, "llm-platform-environment"),
    )
    deliver(
        cluster, "serving", ("apps/v1", "Deployment", "llm-serving", "chat"), ("v1", "Service", "llm-serving", "chat")
    )
    secret = cluster.put("v1", "Secret", "llm-serving", "key")
    secret.apply(FIELD_MANAGER, {"metadata": {"labels": {LABEL_PART_OF: PLATFORM, LABEL_MANAGED_BY: PLATFORM}}})
    return cluster


def run(cluster: t.Any, *data: str, dry_run: bool = False) -> TeardownResult:
    options = TeardownOptions(HOME, DEFAULT, frozenset(data), seconds=5, dry_run=dry_run)
    return teardown(cluster.client, options)


def texts(result: TeardownResult) -> list[str]:
    return [ref.text for ref in result.removed]


CRD = "apiextensions.k8s.io/CustomResourceDefinition things.example.com"


def test_webhooks_go_first_then_components_in_reverse_and_the_memory_last(platform: t.Any) -> None:
    removed = texts(run(platform, CRD, "Secret llm-serving/key"))
    positions = [
        removed.index(text)
        for text in (
            "admissionregistration.k8s.io/ValidatingWebhookConfiguration guard",
            "apps/Deployment llm-serving/chat",
            "ConfigMap llm-platform/llm-platform-environment",
            CRD,
            "Namespace llm-serving",
            "ConfigMap llm-platform/llm-platform-foundation",
            "Namespace llm-platform",
        )
    ]
    assert positions == sorted(positions)
    assert platform.objects == {}


def test_data_stays_unless_it_is_named_and_so_does_what_remembers_it(platform: t.Any) -> None:
    result = run(platform)
    kept = {ref.text for ref in result.kept}
    assert kept == {CRD, "Secret llm-serving/key", "Namespace llm-serving", "Namespace llm-platform"}
    assert platform.get(("", "ConfigMap", HOME, "llm-platform-foundation"))
    assert platform.get(("apps", "Deployment", "llm-serving", "chat")) is None


def test_a_named_namespace_goes_with_everything_in_it(platform: t.Any) -> None:
    result = run(platform, CRD, "Namespace llm-serving")
    assert "Secret llm-serving/key" in texts(result)
    assert result.kept == {}


def test_a_namespace_that_somebody_else_uses_stays(platform: t.Any) -> None:
    platform.put("v1", "ConfigMap", "llm-serving", "theirs", data={"a": "b"})
    result = run(platform, CRD, "Secret llm-serving/key")
    reasons = {ref.text: reason for ref, reason in result.kept.items()}
    assert reasons["Namespace llm-serving"] == "holds ConfigMap llm-serving/theirs"
    assert platform.get(("", "ConfigMap", "llm-serving", "theirs"))


def test_a_second_teardown_finds_what_the_first_kept(platform: t.Any) -> None:
    run(platform)
    assert run(platform, CRD, "Secret llm-serving/key").kept == {}
    assert platform.objects == {}
    assert run(platform).removed == []


def test_a_dry_run_lists_what_a_run_removes_and_removes_nothing(platform: t.Any) -> None:
    before = set(platform.objects)
    listed = texts(run(platform, CRD, "Secret llm-serving/key", dry_run=True))
    assert set(platform.objects) == before
    assert set(texts(run(platform, CRD, "Secret llm-serving/key"))) - set(listed) <= {
        "coordination.k8s.io/Lease llm-platform/llm-platform-deliver"
    }


def test_an_object_of_somebody_else_is_refused_before_anything_is_removed(platform: t.Any) -> None:
    platform.put("v1", "Secret", "default", "theirs", data={"a": "b"})
    before = set(platform.objects)
    with pytest.raises(TeardownError, match="Secret default/theirs"):
        run(platform, "Secret default/theirs")
    assert set(platform.objects) == before


def test_copies_of_our_labels_made_by_a_controller_are_left_alone(platform: t.Any) -> None:
    ours = platform.get(("apps", "Deployment", "llm-serving", "chat"))
    assert ours
    platform.put("apps/v1", "Deployment", "llm-serving", "copy", metadata={"labels": ours["metadata"]["labels"]})
    run(platform, CRD)
    assert platform.get(("apps", "Deployment", "llm-serving", "copy"))


def test_an_empty_cluster_has_nothing_to_remove(platform: t.Any) -> None:
    platform.objects.clear()
    assert run(platform).removed == []
