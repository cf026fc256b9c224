# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import subprocess
import threading
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import VERIFIED, Entry
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import ref_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import Rendered, RenderError, prepare
from ansible_collections.wmx.llm_platform.plugins.module_utils._render_scope import WELL_KNOWN_CLUSTER_SCOPED, Scopes
from ansible_collections.wmx.llm_platform.plugins.plugin_utils._chart import Chart, ChartError, Helm
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.chart_registry import ChartRegistry, archive
from ansible_collections.wmx.llm_platform.tests.unit.plugins.module_utils.fake_registry import digest_of, serve

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "llm-platform"
OTHER = "sha256:" + "0" * 64
KUEUE = "sigs.k8s.io/kueue"


@pytest.fixture(scope="session")
def helm_program() -> str:
    built = sorted(CACHE.glob("tools/*/bin/helm"), key=lambda path: path.stat().st_mtime)
    program = shutil.which("helm") or (str(built[-1]) if built else None)
    if program is None:
        pytest.skip("charts are not rendered here: there is no helm on PATH or among the built tools")
    return program


@pytest.fixture(scope="session")
def kueue() -> pathlib.Path:
    """The chart as its authors publish it, out of the module that the local cluster builds from."""
    places = [*CACHE.glob(f"sources/*/{KUEUE}/charts/kueue"), *CACHE.glob(f"go/mod/{KUEUE}@*/charts/kueue")]
    found = [place for place in places if (place / "Chart.yaml").is_file()]
    if not found:
        pytest.skip("the chart of Kueue is not rendered here: its sources are not in the cache (make up brings them)")
    return found[0]


@pytest.fixture
def helm(helm_program: str, tmp_path: pathlib.Path) -> Helm:
    return Helm(helm_program, tmp_path / "cache", "v1.36.3", ["monitoring.coreos.com/v1"])


@pytest.fixture
def made_chart(tmp_path: pathlib.Path) -> t.Callable[[str], str]:
    """A chart of one template, to show how the renderer itself behaves; it stands for no real one."""

    def make(template: str) -> str:
        folder = tmp_path / "made"
        (folder / "templates").mkdir(parents=True)
        (folder / "Chart.yaml").write_text("apiVersion: v2\nname: made\nversion: 1.2.3\n")
        (folder / "templates/object.yaml").write_text(template)
        return str(folder)

    return make


def keys(rendered: list[Rendered]) -> set[str]:
    return {ref_of(item.object).text for item in rendered}


def test_the_chart_of_kueue_becomes_a_component(helm: Helm, kueue: pathlib.Path, tmp_path: pathlib.Path) -> None:
    values = {"controllerManager": {"replicas": 2}}
    rendered = helm.render(Chart("kueue", str(kueue), "kueue-system", values=values))
    objects = {ref_of(obj).text: obj for obj in prepare("kueue", rendered, Scopes(tmp_path)).objects}
    assert len(objects) > 70
    assert objects["apps/Deployment kueue-system/kueue-controller-manager"]["spec"]["replicas"] == 2
    for name in ("clusterqueues", "localqueues", "workloads"):
        assert f"apiextensions.k8s.io/CustomResourceDefinition {name}.kueue.x-k8s.io" in objects
    webhook = "admissionregistration.k8s.io/ValidatingWebhookConfiguration kueue-validating-webhook-configuration"
    assert objects[webhook]["metadata"]["labels"]["app.kubernetes.io/part-of"] == "llm-platform"
    assert any(item.origin.startswith("chart kueue, kueue/templates/manager/") for item in rendered)


def test_what_is_known_of_kueues_kinds_is_what_its_definitions_say(helm: Helm, kueue: pathlib.Path) -> None:
    crds = [
        item.object["spec"]
        for item in helm.render(Chart("kueue", str(kueue), "x"))
        if item.object["kind"] == "CustomResourceDefinition"
    ]
    cluster = {(spec["group"], spec["names"]["kind"]) for spec in crds if spec["scope"] == "Cluster"}
    assert cluster == {known for known in WELL_KNOWN_CLUSTER_SCOPED if known[0] == "kueue.x-k8s.io"}


def test_a_chart_from_a_repository_is_fetched_once(
    helm: Helm, helm_program: str, kueue: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "repository"
    subprocess.run([helm_program, "package", str(kueue), "--destination", str(folder)], check=True, capture_output=True)
    subprocess.run([helm_program, "repo", "index", str(folder)], check=True, capture_output=True)
    (archive,) = folder.glob("*.tgz")
    version = archive.stem.removeprefix("kueue-")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chart = Chart("kueue", f"http://127.0.0.1:{server.server_port}/kueue", "kueue-system", version)
        with contextlib.ExitStack() as stack:
            stack.callback(server.shutdown)
            fetched = helm.render(chart)
    assert keys(fetched) == keys(helm.render(Chart("kueue", str(kueue), "kueue-system")))
    # The server is gone: the second time the chart comes from the cache.
    assert keys(helm.render(chart)) == keys(fetched)


def test_a_chart_with_random_values_is_refused_by_chart_and_object(
    helm: Helm, made_chart: t.Callable[[str], str]
) -> None:
    template = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: {{ randAlphaNum 16 }}}\n"
    with pytest.raises(RenderError, match=r"^chart made: Secret s has another content each time"):
        helm.render(Chart("made", made_chart(template), "ns"))


def test_the_kubernetes_version_and_apis_reach_the_chart(helm: Helm, made_chart: t.Callable[[str], str]) -> None:
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: {{ .Release.Namespace }}}\ndata:\n"
        "  version: {{ .Capabilities.KubeVersion.Version | quote }}\n"
        '  api: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}\n'
    )
    (rendered,) = helm.render(Chart("made", made_chart(template), "ns", "1.2.3"))
    assert rendered.object["data"] == {"version": "v1.36.3", "api": "true"}
    assert rendered.object["metadata"]["namespace"] == "ns"


def test_a_values_key_that_stands_twice_names_the_template(helm: Helm, made_chart: t.Callable[[str], str]) -> None:
    with pytest.raises((RenderError, ChartError), match=r"chart made.*(made/templates/object\.yaml|already defined)"):
        helm.render(Chart("made", made_chart("kind: A\nkind: B\n"), "ns"))


def test_a_folder_of_another_version_is_refused(helm: Helm, made_chart: t.Callable[[str], str]) -> None:
    with pytest.raises(ChartError, match=r"is version 1.2.3, asked for 1.2.4"):
        helm.render(Chart("made", made_chart("kind: A\n"), "ns", "1.2.4"))


def test_what_helm_says_is_in_the_error(helm: Helm, made_chart: t.Callable[[str], str]) -> None:
    with pytest.raises(ChartError, match=r"helm template failed: .*say the name"):
        helm.render(Chart("made", made_chart('{{ required "say the name" .Values.name }}'), "ns"))


def test_a_remote_chart_needs_an_exact_version(helm: Helm) -> None:
    with pytest.raises(ChartError, match="names no version"):
        helm.render(Chart("x", "oci://registry.example/x", "ns"))


def test_a_missing_folder_is_named(helm: Helm, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ChartError, match=f"no folder or archive {tmp_path}/nowhere"):
        helm.render(Chart("x", f"{tmp_path}/nowhere", "ns"))


@pytest.fixture
def registry() -> t.Iterator[tuple[ChartRegistry, str]]:
    found = ChartRegistry()
    with serve(found) as host:
        yield found, host


def test_a_chart_of_a_registry_is_fetched_by_the_locks_digest_and_then_kept(
    helm: Helm, registry: tuple[ChartRegistry, str]
) -> None:
    served, host = registry
    digest = served.put_chart("charts/app:1.2.3", archive())
    locked = Entry(digest, "oci", VERIFIED, archive=digest_of(archive()))
    chart = Chart("app", f"oci://{host}/charts/app", "ns", "1.2.3", plain_http=True, locked=locked)
    served.put_chart("charts/app:1.2.3", archive(value="moved"))
    (rendered,) = helm.render(chart)
    assert rendered.object["data"] == {"value": "x"}
    asked = sum(served.asked.values())
    helm.render(chart)
    assert sum(served.asked.values()) == asked
    # Who has another digest does not get what was kept for the first one.
    with pytest.raises(ChartError, match=f"has no {OTHER}"):
        helm.render(replace(chart, locked=Entry(OTHER, "oci", VERIFIED)))


def test_a_chart_that_is_not_what_the_lock_says_is_refused_and_never_kept(
    helm: Helm, registry: tuple[ChartRegistry, str], made_chart: t.Callable[[str], str], tmp_path: pathlib.Path
) -> None:
    served, host = registry
    served.put_release("charts", archive())
    digest = served.put_chart("charts/app:1.2.3", archive())
    folder = made_chart("kind: A\n")
    for chart in (
        Chart("app", f"http://{host}/charts/app", "ns", "1.2.3", locked=Entry(OTHER, "archive", VERIFIED)),
        Chart(
            "app",
            f"oci://{host}/charts/app",
            "ns",
            "1.2.3",
            plain_http=True,
            locked=Entry(digest, "oci", VERIFIED, archive=OTHER),
        ),
        Chart("made", folder, "ns", "1.2.3", locked=Entry(OTHER, "folder", VERIFIED)),
    ):
        with pytest.raises(ChartError) as caught:
            helm.render(chart)
        assert f"and the lock says {OTHER}; find out who changed it" in str(caught.value)
        assert str(chart.lock_name) in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.tgz"))


def test_a_chart_in_the_cache_that_was_changed_is_refused(helm: Helm, registry: tuple[ChartRegistry, str]) -> None:
    served, host = registry
    served.put_release("charts", archive())
    locked = Entry(digest_of(archive()), "archive", VERIFIED)
    chart = Chart("app", f"http://{host}/charts/app", "ns", "1.2.3", locked=locked)
    helm.render(chart)
    (kept,) = helm._cache.rglob("*.tgz")
    kept.write_bytes(archive(value="changed"))
    with pytest.raises(ChartError, match="and the lock says"):
        helm.render(chart)


def test_a_missing_helm_is_named_with_what_to_do(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ChartError, match="helm-4711 was not found; install Helm or give its path in the option helm"):
        Helm("helm-4711", tmp_path)
