# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The life of an environment, in order: nothing, deployed, repeated, changed, drifted, pruned, elsewhere, torn down."""

from __future__ import annotations

import json
import shutil
import typing as t

import pytest
import yaml
from platform_run import CACHE, SERVING_ONLY, TEARDOWN, Environment, Object, snapshot

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import (
    FIELD_MANAGER,
    LABEL_APPLYSET,
    LABEL_PART_OF,
    Ref,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import PLATFORM as OURS

pytestmark = pytest.mark.timeout(900)

if t.TYPE_CHECKING:
    import pathlib

    from conftest import Record

SERVING = "llm-serving"
CHAT = Ref("apps", "v1", "Deployment", SERVING, "chat")
EXTRA = Ref("apps", "v1", "Deployment", SERVING, "extra")
VOLUME = Ref("", "v1", "PersistentVolumeClaim", SERVING, "extra-cache")
KEY = Ref("", "v1", "Secret", SERVING, "vllm-api-key")
EDITOR = "a-colleague"


def chat(**options: t.Any) -> Object:
    return {
        "name": "chat",
        "engine": "simulator",
        "max_output_tokens": 512,
        "price": {"input_per_token": 1e-07, "output_per_token": 4e-07},
        "simulator": {"profile": "l4", "max_num_seqs": 8},
        **options,
    }


def extra() -> Object:
    """A model with a volume. It has no replica, so nothing needs its image or its weights."""
    return {
        "name": "extra",
        "engine": "vllm-cpu",
        "source": "hf://Qwen/Qwen2.5-0.5B-Instruct",
        "replicas": 0,
        "max_output_tokens": 512,
        "price": {"input_per_token": 1e-07, "output_per_token": 4e-07},
        "cache": {"size": "1Gi"},
    }


def uid(environment: Environment, ref: Ref) -> str | None:
    found = environment.client.get(ref)
    return found["metadata"]["uid"] if found else None


def test_check_mode_on_a_cluster_that_has_nothing(empty: Environment, pristine: dict[str, str], record: Record) -> None:
    expected = "site.yml --check --diff ends with 0, counts what it would create, and the cluster is as before"
    with record("check-on-empty-cluster", expected) as observed:
        run = empty.run("site", "--check", "--diff")
        assert run.code == 0, str(run)
        would = run.refs("would_create") | run.refs("created")
        assert CHAT.text in would
        after = snapshot(empty.client)
        assert after == pristine, differences(pristine, after)
        observed.append(
            f"exit code 0, {len(would)} objects would be created, {len(after)} objects in the cluster unchanged"
        )


def test_a_second_run_changes_nothing(platform: Environment, record: Record) -> None:
    with record("second-run-unchanged", "changed=0 over all tasks of site.yml") as observed:
        before = snapshot(platform.client)
        run = platform.site()
        assert not run.changed, f"changed: {run.changed}, {run.refs('changed')}, {run.taken_back}"
        after = snapshot(platform.client)
        assert after == before, differences(before, after)
        observed.append(
            f"{len(run.results)} tasks, none changed anything; {len(run.refs('unchanged'))} objects unchanged"
        )


def test_check_mode_predicts_what_the_run_does(platform: Environment, record: Record) -> None:
    with record(
        "check-mode-truthful", "the objects that --check names are those the run changes, and --check writes none"
    ) as observed:
        platform.set(llm_models=[chat(max_output_tokens=256, simulator={"profile": "l4", "max_num_seqs": 4}), extra()])
        before = snapshot(platform.client)
        check = platform.site("--check", "--diff")
        after = snapshot(platform.client)
        assert after == before, differences(before, after)
        run = platform.site()
        predicted = {what: check.refs(what) for what in ("created", "changed", "pruned")}
        predicted["created"] |= check.refs("would_create")
        done = {what: run.refs(what) for what in ("created", "changed", "pruned")}
        assert predicted == done
        assert CHAT.text in done["changed"]
        assert EXTRA.text in done["created"]
        numbers = ", ".join(f"{len(refs)} {what}" for what, refs in done.items())
        observed.append(
            f"predicted and done: {numbers}; {len(before)} objects kept their resourceVersion during --check"
        )


def test_drift_is_repaired_and_its_author_named(platform: Environment, record: Record) -> None:
    with record(
        "drift-repaired", f"both objects are back, {EDITOR} is named, the next run changes nothing"
    ) as observed:
        client = platform.client
        service = Ref("", "v1", "Service", SERVING, "chat")
        before = client.get(CHAT)
        assert before
        image = before["spec"]["template"]["spec"]["containers"][0]["image"]
        edit = [
            {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example.com/other:1"}
        ]
        path = client.resource_path(CHAT)
        client.checked(
            "PATCH", path, query={"fieldManager": EDITOR}, body=edit, content_type="application/json-patch+json"
        )
        client.checked("DELETE", client.resource_path(service))
        run = platform.site()
        repaired = client.get(CHAT)
        assert repaired
        assert repaired["spec"]["template"]["spec"]["containers"][0]["image"] == image
        assert service.text in run.refs("created")
        named = [entry for entry in run.taken_back if entry["manager"] == EDITOR and entry["ref"] == CHAT.text]
        assert named, f"taken back: {run.taken_back}"
        again = platform.site()
        assert not again.changed, f"changed: {again.changed}"
        observed.append(f"{service.text} created again; {named[0]['path']} of {CHAT.text} taken back from {EDITOR}")


def test_a_removed_model_is_pruned_and_nothing_else(platform: Environment, record: Record) -> None:
    client = platform.client
    kept = {ref: uid(platform, ref) for ref in (CHAT, VOLUME, KEY)}
    assert all(kept.values()), f"not there before: {kept}"
    model = client.get(EXTRA)
    assert model
    children = make_children(platform, model)
    with record(
        "removed-model-pruned", "the model's objects are gone, the other model is the same as before"
    ) as observed:
        platform.set(llm_models=[chat()])
        run = platform.site()
        assert EXTRA.text in run.refs("pruned")
        assert client.get(EXTRA) is None
        assert client.get(Ref("", "v1", "Service", SERVING, "extra")) is None
        assert uid(platform, CHAT) == kept[CHAT]
        observed.append(f"pruned: {', '.join(sorted(run.refs('pruned')))}")
    with record(
        "operator-children-survive", "objects with our labels that a controller made are still there"
    ) as observed:
        assert {ref.text: uid(platform, ref) for ref in children} == {
            ref.text: known for ref, known in children.items()
        }
        assert not {ref.text for ref in children} & run.refs("pruned")
        observed.append(f"still there: {', '.join(ref.text for ref in children)}")
    with record("data-never-pruned", "volume and Secret stay, until the volume is named") as observed:
        assert uid(platform, VOLUME) == kept[VOLUME]
        assert uid(platform, KEY) == kept[KEY]
        assert VOLUME.text in run.refs("kept")
        named = platform.site(llm_prune_data=[VOLUME.text])
        assert VOLUME.text in named.refs("pruned")
        assert uid(platform, VOLUME) is None
        assert uid(platform, KEY) == kept[KEY]
        observed.append(f"{VOLUME.text} and {KEY.text} stayed; when named, only {VOLUME.text} went")


def make_children(platform: Environment, owner: Object) -> dict[Ref, str]:
    """What controllers do: copy all labels of an object to what they make of it.

    One is written by another manager, one under our own manager's name but with a controlling owner.
    """
    client = platform.client
    labels = owner["metadata"]["labels"]
    assert LABEL_APPLYSET in labels
    chat_now = client.get(CHAT)
    assert chat_now
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "chat",
        "uid": chat_now["metadata"]["uid"],
        "controller": True,
    }
    children: dict[Ref, str] = {}
    for name, manager, owners in (
        ("made-by-controller", "some-operator", []),
        ("owned-by-controller", FIELD_MANAGER, [reference]),
    ):
        ref = Ref("", "v1", "ConfigMap", SERVING, name)
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": SERVING, "labels": labels, "ownerReferences": owners},
        }
        query = {"fieldManager": manager, "force": True}
        made = client.checked(
            "PATCH", client.resource_path(ref), query=query, body=body, content_type="application/apply-patch+yaml"
        )
        children[ref] = made.json()["metadata"]["uid"]
    return children


def test_the_same_playbook_takes_an_existing_cluster(
    other: Environment, platform: Environment, record: Record, tmp_path: pathlib.Path
) -> None:
    expected = "the example inventory for existing clusters brings a model that answers; a second run changes nothing"
    with record("existing-cluster", expected) as observed:
        existing = Environment.copy("existing", tmp_path, "llm-e2e-existing", SERVING_ONLY)
        shutil.copy(other.kubeconfig, existing.inventory / "kubeconfig")
        install_crds(other, platform)
        existing.set(
            llm_models=[chat()],
            preflight_probe_image="ghcr.io/wmx/llm-platform/model-simulator:1.0.0",
            # What that cluster's registry has.
            llm_lock_file=str(CACHE / "images" / "images.lock.yml"),
            llm_image_rules={
                "exceptions": [
                    {"rule": rule, "image": "*", "owner": "the tests", "reason": "built here a moment ago"}
                    for rule in ("quarantine", "signature")
                ]
            },
        )
        run = existing.site()
        evidence = json.loads((tmp_path / "evidence" / "existing" / "latest.json").read_text(encoding="utf-8"))
        answered = {check["id"]: check["ok"] for check in evidence["checks"]}
        assert answered["model-answers"]
        assert all(answered.values()), answered
        again = existing.site()
        assert not again.changed, f"changed: {again.changed}"
        observed.append(
            f"{len(run.refs('created'))} objects created, {sum(answered.values())} of {len(answered)} checks ok there"
        )


def install_crds(other: Environment, platform: Environment) -> None:
    """The CRDs as the owner of a cluster would have installed them: by another manager, without our labels."""
    client = other.client
    for path in sorted((platform.inventory.parent / "build").glob("*/*/gateway_api_crds/*CustomResourceDefinition*")):
        crd = yaml.safe_load(path.read_text(encoding="utf-8"))
        crd["metadata"] = {"name": crd["metadata"]["name"], "annotations": crd["metadata"].get("annotations", {})}
        ref = Ref("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", crd["metadata"]["name"])
        query = {"fieldManager": "cluster-owner"}
        client.checked(
            "PATCH", client.resource_path(ref), query=query, body=crd, content_type="application/apply-patch+yaml"
        )


def test_teardown_leaves_nothing(platform: Environment, pristine: dict[str, str], record: Record) -> None:
    expected = "without names data stays; with them the cluster has exactly the objects it had before the first run"
    with record("teardown-leaves-nothing", expected) as observed:
        first = platform.run("teardown", teardown_confirm="local")
        assert first.code == 0, str(first)
        kept = [entry["object"] for entry in first.of(TEARDOWN)[0]["kept"]]
        assert any(KEY.name in ref for ref in kept), f"kept: {kept}"
        assert uid(platform, KEY)
        second = platform.run("teardown", teardown_confirm="local", teardown_data=kept)
        assert second.code == 0, str(second)
        after = snapshot(platform.client)
        left = sorted(set(after) - set(pristine))
        assert not left, f"left: {left}"
        assert not set(pristine) - set(after), "teardown removed what was there before"
        labelled = platform.client.list("v1", "Namespace", label_selector=f"{LABEL_PART_OF}={OURS}")
        assert not labelled
        removed = len(first.of(TEARDOWN)[0]["removed"]) + len(second.of(TEARDOWN)[0]["removed"])
        observed.append(
            f"{removed} objects removed, {len(kept)} of them only when named; {len(after)} objects as before"
        )


def differences(before: dict[str, str], after: dict[str, str]) -> str:
    changed = sorted(place for place in before.keys() & after.keys() if before[place] != after[place])
    return (
        f"new: {sorted(after.keys() - before.keys())}, gone: {sorted(before.keys() - after.keys())}, changed: {changed}"
    )
