# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The same tree from a private registry: the local cluster's own, under its own name, instead of the images' names."""

from __future__ import annotations

import json
import time
import typing as t
from urllib.parse import urlsplit

import pytest
import yaml
from platform_run import PROBE_SECONDS, SERVING_ONLY, Environment, Object

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import parse_image
from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import read_lock
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_cluster import restricted_pod
from ansible_collections.wmx.llm_platform.plugins.module_utils._probe_images import containers_of

if t.TYPE_CHECKING:
    import pathlib

    from conftest import Record

pytestmark = pytest.mark.timeout(600)


def registry_of(environment: Environment) -> str:
    """The local cluster's registry listens beside its API server."""
    cluster = yaml.safe_load(environment.kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    return f"{urlsplit(cluster['server']).hostname}:5000"


def settled_images(environment: Environment) -> dict[str, str]:
    """Image to what the node says it runs, of every pod that the tree has, once those that were replaced have gone."""
    until = time.monotonic() + PROBE_SECONDS
    while True:
        pods = pods_of(environment)
        if not any(pod["metadata"].get("deletionTimestamp") for pod in pods):
            return {image: running for pod in pods for image, running in containers_of(pod)}
        assert time.monotonic() < until, "pods that were replaced do not go"
        time.sleep(0.5)


def pods_of(environment: Environment) -> list[Object]:
    """What other profiles left on the cluster is not delivered here."""
    tree = environment.inventory.parent / "build" / "local"
    pods: list[Object] = []
    for path in sorted(tree.glob("*/*/apps.*.yml")):
        workload = yaml.safe_load(path.read_text(encoding="utf-8"))
        labels = ",".join(f"{key}={value}" for key, value in workload["spec"]["selector"]["matchLabels"].items())
        namespace = workload["metadata"]["namespace"]
        found = [
            pod
            for pod in environment.client.list("v1", "Pod", label_selector=labels)
            if pod["metadata"]["namespace"] == namespace
        ]
        assert found or not workload["spec"]["replicas"], f"{path.name} has no pod"
        pods += found
    assert pods, f"{tree} has no workload"
    return pods


def answered(environment: Environment) -> bool:
    """Whether the run that just ended got an answer of every model."""
    path = environment.inventory.parent / "evidence" / "local" / "latest.json"
    checks = {check["id"]: check["ok"] for check in json.loads(path.read_text(encoding="utf-8"))["checks"]}
    return bool(checks["model-answers"] and checks["all-images-pinned"] and checks["undigested-pod-refused"])


def admitted(environment: Environment, image: str) -> tuple[int, str]:
    answer = environment.client.request(
        "POST",
        "/api/v1/namespaces/llm-serving/pods",
        query={"dryRun": "All"},
        body=restricted_pod("mirror-test", image),
    )
    return answer.status, str(answer.json().get("message") or "")


def test_the_tree_deploys_from_a_mirror_and_goes_back(
    empty: Environment, tmp_path: pathlib.Path, record: Record
) -> None:
    expected = "every image comes from the mirror with the digest it had, its own name is refused, the models answer"
    with record("mirror-deploys", expected) as observed:
        environment = Environment.copy("local", tmp_path, empty.cluster, SERVING_ONLY)
        environment.site()
        before = settled_images(environment)
        host = registry_of(environment)
        assert not [image for image in before if image.startswith(f"{host}/")]

        environment.set(llm_registry_mirror={"host": host, "insecure": True})
        environment.site()
        assert answered(environment)
        there = settled_images(environment)
        assert sorted(there) == sorted(f"{host}/{parse_image(image)}" for image in before)
        # The node says by which name it has pulled it.
        strangers = {image: running for image, running in there.items() if not running.startswith(f"{host}/")}
        assert not strangers, strangers
        (image, *_others) = before
        assert admitted(environment, f"{host}/{parse_image(image)}")[0] == 201
        status, message = admitted(environment, image)
        assert status != 201
        assert "are not allowed here" in message
        observed.append(f"{len(there)} image(s) from {host} with the digests they had")

        locked = environment.run("lock", llm_lock_file=str(tmp_path / "asked.lock.yml"))
        assert locked.code == 0, str(locked)
        lock = read_lock(tmp_path / "asked.lock.yml")
        assert {parse_image(name).registry for name in lock.images} == {parse_image(name).registry for name in before}
        assert {lock.digest_of(parse_image(name).tagged) for name in before} == {
            parse_image(name).digest for name in before
        }
        observed.append(f"the playbook lock got {len(lock.images)} digest(s) from it, under the images' own names")

        again = environment.site()
        assert not again.changed, f"changed: {again.changed}"
        environment.set(llm_registry_mirror={})
        environment.site()
        assert answered(environment)
        assert settled_images(environment).keys() == before.keys()
        assert admitted(environment, image)[0] == 201
        observed.append("a second run changed nothing; without the mirror the images have their own names again")
