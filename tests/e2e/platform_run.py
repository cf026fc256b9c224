# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""An environment of its own, driven by ansible-playbook as a user does."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass, field

import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._discovery import Resource, prefix_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_run import CONFIG_MAP
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "llm-platform"
APPLY = "wmx.llm_platform.apply"
TEARDOWN = "wmx.llm_platform.teardown"
EXAMPLE = ROOT / "inventories/local/group_vars/all/models.yml"
MODELS = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["llm_models"]
# The life of objects needs no gateway; those who do take the fixture `gateway`.
SERVING_ONLY: dict[str, t.Any] = {
    "llm_profile": "serving",
    "llm_tenants": [],
    "llm_models": [model for model in MODELS if model["engine"] != "provider"],
    "llm_features": {},
    "egress_simulated": [],
    "llm_gateway_fallbacks": [],
}
PROBE_PREFIX = "llm-platform-probe-"
PROBE_SECONDS = 30.0

Object = dict[str, t.Any]


@dataclass
class Run:
    """What one ansible-playbook call did."""

    code: int
    output: str
    results: list[Object] = field(default_factory=list)

    def of(self, action: str) -> list[Object]:
        return [entry["result"] for entry in self.results if entry["action"] == action]

    @property
    def changed(self) -> list[str]:
        return [entry["task"] for entry in self.results if entry["outcome"] == "ok" and entry["result"].get("changed")]

    def refs(self, what: str) -> set[str]:
        """References over all layers, by what became of the objects."""
        return {ref for result in self.of(APPLY) for ref in result["objects"].get(what, [])}

    @property
    def taken_back(self) -> list[Object]:
        return [entry for result in self.of(APPLY) for entry in result["taken_back"]]

    def __str__(self) -> str:
        failed = [
            f"{entry['task']}: {entry['result'].get('msg')}" for entry in self.results if entry["outcome"] == "failed"
        ]
        return f"exit code {self.code}; failed: {failed}\n{self.output[-6000:]}"


@dataclass
class Environment:
    """A copy of an example inventory, with variables on top of it and a cluster of its own."""

    inventory: pathlib.Path
    cluster: str
    variables: dict[str, t.Any] = field(default_factory=dict)

    @classmethod
    def copy(cls, example: str, parent: pathlib.Path, cluster: str, variables: dict[str, t.Any]) -> Environment:
        inventory = parent / example
        shutil.copytree(ROOT / "inventories" / example, inventory)
        environment = cls(inventory, cluster)
        environment.set(
            local_cluster_name=cluster,
            llm_build_dir=str(parent / "build"),
            llm_evidence_dir=str(parent / "evidence"),
            **variables,
        )
        return environment

    @property
    def kubeconfig(self) -> pathlib.Path:
        return CACHE / "clusters" / self.cluster / "kubeconfig"

    @property
    def client(self) -> KubeClient:
        return KubeClient.from_options({"kubeconfig": str(self.kubeconfig)})

    def set(self, **variables: t.Any) -> None:
        """Edit the inventory; the file sorts after the example's own."""
        self.variables |= variables
        text = yaml.safe_dump(self.variables, explicit_start=True)
        (self.inventory / "group_vars" / "all" / "zz_test.yml").write_text(text, encoding="utf-8")

    def run(self, playbook: str, *arguments: str, **extra: t.Any) -> Run:
        record = self.inventory.parent / "results.jsonl"
        record.unlink(missing_ok=True)
        bin_dir = pathlib.Path(sys.executable).parent
        command = [
            str(bin_dir / "ansible-playbook"),
            "-i",
            str(self.inventory),
            f"wmx.llm_platform.{playbook}",
            *arguments,
        ]
        if extra:
            command += ["--extra-vars", json.dumps(extra)]
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("K8S_AUTH_", "KUBECONFIG"))},
            "PATH": f"{bin_dir}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".venv" / "collections")),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "record_results",
            "ANSIBLE_NOCOLOR": "1",
            "RECORD_RESULTS": str(record),
        }
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        return Run(done.returncode, done.stdout + done.stderr, [json.loads(line) for line in lines])

    def site(self, *arguments: str, **extra: t.Any) -> Run:
        run = self.run("site", *arguments, **extra)
        assert run.code == 0, str(run)
        return run


# Written by the cluster itself, all the time.
LEADER = "control-plane.alpha.kubernetes.io/leader"
RESTLESS = {"Event", "Lease", "EndpointSlice", "Endpoints", "Node", "CSINode", "IPAddress", "ComponentStatus"}


def snapshot(client: KubeClient) -> dict[str, str]:
    """The version of every object in the cluster, but for those that change by themselves."""
    wait_for_probes_to_be_gone(client)
    versions: dict[str, str] = {}
    for resource in served(client):
        if resource.kind in RESTLESS or not {"list", "create"} <= resource.verbs:
            continue
        for item in client.list_resource(resource)[0]:
            metadata = item["metadata"]
            if metadata["name"] == CONFIG_MAP:  # the report of the last run
                continue
            if LEADER in (metadata.get("annotations") or {}):  # renewed every few seconds
                continue
            place = f"{resource.api_version}/{resource.kind} {metadata.get('namespace', '')}/{metadata['name']}"
            versions[place] = f"{metadata['uid']}:{metadata['resourceVersion']}"
    return versions


def wait_for_probes_to_be_gone(client: KubeClient) -> None:
    """A probe deletes its namespace without waiting for the end of it; one that stays is a fault."""
    until = time.monotonic() + PROBE_SECONDS
    while names := [
        item["metadata"]["name"]
        for item in client.list("v1", "Namespace")
        if item["metadata"]["name"].startswith(PROBE_PREFIX)
    ]:
        assert time.monotonic() < until, f"probes left namespaces behind: {names}"
        time.sleep(0.5)


def served(client: KubeClient) -> t.Iterator[Resource]:
    groups = [("", "v1")]
    groups += [(group["name"], group["preferredVersion"]["version"]) for group in client.get_json("/apis")["groups"]]
    for group, version in groups:
        for entry in client.get_json(prefix_of(group, version))["resources"]:
            if "/" not in entry["name"]:
                verbs = frozenset(entry["verbs"])
                yield Resource(group, version, entry["kind"], entry["name"], bool(entry["namespaced"]), verbs)
