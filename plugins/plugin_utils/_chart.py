# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Renders Helm charts with the helm program: fetched once, rendered twice and compared. Private to the collection."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
import typing as t
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import (
    REMOTE,
    ArtifactError,
    ChartName,
    chart_name,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._artifacts import access_to
from ansible_collections.wmx.llm_platform.plugins.module_utils._chart_source import (
    digest_of,
    digest_of_path,
    fetch_oci,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._registry_access import Access, RegistryError
from ansible_collections.wmx.llm_platform.plugins.module_utils._render import Rendered, parse, same_objects
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, load_documents

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.wmx.llm_platform.plugins.module_utils._lock import Entry

_RENDER_SECONDS = 120
_FETCH_SECONDS = 300
_SOURCE = "# Source: "


class ChartError(Exception):
    """A chart that cannot be fetched or rendered; the message carries what helm said."""


@dataclass(frozen=True, slots=True)
class Chart:
    name: str
    ref: str
    namespace: str
    version: str = ""
    plain_http: bool = False
    values: dict[str, t.Any] = field(default_factory=dict)
    # The folder of upstream files, which is left out of the chart's name in the lock.
    sources: str = ""
    # What the lock says of it, where charts are pinned.
    locked: Entry | None = None
    # Where a folder named from a role's files was found.
    path: str = ""

    @property
    def is_remote(self) -> bool:
        return self.ref.startswith(REMOTE)

    @property
    def lock_name(self) -> ChartName:
        return chart_name(self.ref, self.version, self.sources)


class Helm:
    """The helm program with the Kubernetes version and APIs that charts are told of."""

    def __init__(
        self,
        program: str,
        cache: Path,
        kube_version: str = "",
        api_versions: Sequence[str] = (),
        *,
        access: Access | None = None,
    ) -> None:
        found = shutil.which(program)
        if found is None:
            raise ChartError(f"the program {program} was not found; install Helm or give its path in the option helm")
        self._program = found
        self._cache = cache
        self._access = access or Access()
        self._target = [f"--kube-version={kube_version}"] if kube_version else []
        self._target += [f"--api-versions={version}" for version in api_versions]

    def _run(self, chart: Chart, arguments: list[str], seconds: int) -> str:
        try:
            done = subprocess.run(
                [self._program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                text=True,
                encoding="utf-8",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as exc:
            raise ChartError(
                f"chart {chart.name} ({chart.ref}): helm {arguments[0]} took longer than {seconds} s"
            ) from exc
        if done.returncode:
            raise ChartError(f"chart {chart.name} ({chart.ref}): helm {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def _fetch(self, chart: Chart) -> Path:
        """The archive of a remote chart, from the cache when this version was fetched before."""
        if not chart.version:
            raise ChartError(f"chart {chart.name} ({chart.ref}) names no version; a remote chart needs an exact one")
        digest = chart.locked.digest if chart.locked else ""
        key = hashlib.sha256(f"{chart.ref}\0{chart.version}\0{digest}".encode()).hexdigest()[:16]
        folder = self._cache / "charts" / f"{chart.name}-{chart.version}-{key}"
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as scratch:
                (Path(scratch) / "chart").mkdir()
                self._pull(chart, digest, Path(scratch) / "chart")
                # What is not what the lock says never gets a place in the cache.
                for archive in (Path(scratch) / "chart").glob("*.tgz"):
                    _demand_locked(chart, archive)
                if not folder.is_dir():
                    (Path(scratch) / "chart").rename(folder)
        archives = sorted(folder.glob("*.tgz"))
        if len(archives) != 1:
            raise ChartError(f"chart {chart.name}: {folder} holds {len(archives)} archives instead of one; remove it")
        return archives[0]

    def _pull(self, chart: Chart, digest: str, folder: Path) -> None:
        if chart.lock_name.is_oci:
            # As images are: with the same logins, mirrors and authorities, and every byte checked.
            access = access_to(chart.lock_name, self._access, plain_http=chart.plain_http)
            try:
                body = fetch_oci(chart.lock_name, digest, access)
            except (ArtifactError, RegistryError) as exc:
                raise ChartError(f"chart {chart.name}: {exc}") from exc
            (folder / f"{chart.name}-{chart.version}.tgz").write_bytes(body)
            return
        repository, _slash, base = chart.ref.rstrip("/").rpartition("/")
        source = [chart.ref] if chart.ref.endswith(".tgz") else [base, f"--repo={repository}"]
        options = [f"--version={chart.version}", f"--destination={folder}"]
        self._run(chart, ["pull", *source, *options], _FETCH_SECONDS)

    def _locate(self, chart: Chart) -> Path:
        path = self._fetch(chart) if chart.is_remote else self._given(chart)
        _demand_locked(chart, path)
        return path

    def _given(self, chart: Chart) -> Path:
        path = Path(chart.path or chart.ref)
        if not path.exists():
            raise ChartError(f"chart {chart.name}: there is no folder or archive {path}")
        if chart.version:
            metadata = self._run(chart, ["show", "chart", str(path)], _RENDER_SECONDS)
            try:
                actual = load_documents(metadata)[0][1].get("version")
            except (YamlError, IndexError, AttributeError) as exc:
                raise ChartError(f"chart {chart.name}: {path} has no readable Chart.yaml") from exc
            if str(actual).removeprefix("v") != chart.version.removeprefix("v"):
                raise ChartError(f"chart {chart.name}: {path} is version {actual}, asked for {chart.version}")
        return path

    def _template(self, chart: Chart, path: Path, values: Path) -> str:
        arguments = [chart.name, str(path), f"--namespace={chart.namespace}", "--include-crds", f"--values={values}"]
        return self._run(chart, ["template", *arguments, *self._target], _RENDER_SECONDS)

    def render(self, chart: Chart) -> list[Rendered]:
        """Every object of the chart, hooks and CRDs too. ChartError or RenderError tell why not."""
        path = self._locate(chart)
        with tempfile.TemporaryDirectory(prefix="llm-platform-") as scratch, ThreadPoolExecutor(2) as pool:
            values = Path(scratch) / "values.json"
            values.touch(mode=0o600)
            values.write_text(json.dumps(chart.values), encoding="utf-8")
            first, second = pool.map(lambda _turn: self._template(chart, path, values), range(2))
        found = _parse(chart, first)
        if first != second:
            same_objects(
                f"chart {chart.name}", [obj for _place, obj in found], [obj for _place, obj in _parse(chart, second)]
            )
        return [Rendered(origin, obj, chart.namespace, chart.name) for origin, obj in found]


def _demand_locked(chart: Chart, path: Path) -> None:
    """ChartError when the chart is not the one of the lock."""
    locked = chart.locked
    if locked is None:
        return
    try:
        expected = locked.digest
        if chart.lock_name.is_oci:
            # The digest is that of the manifest, which was demanded when the archive was fetched.
            expected = locked.archive
            actual = digest_of(path.read_bytes()) if expected else ""
        else:
            actual = digest_of_path(chart.lock_name, str(path))[0]
    except (ArtifactError, OSError) as exc:
        raise ChartError(str(exc)) from exc
    if actual != expected:
        fix = "find out who changed it, or run the playbook wmx.llm_platform.lock if the change is meant"
        raise ChartError(f"chart {chart.name}: {chart.lock_name} is {actual}, and the lock says {expected}; {fix}")


def _parse(chart: Chart, text: str) -> list[tuple[str, dict[str, t.Any]]]:
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line.startswith(_SOURCE)]

    def where(line: int) -> str:
        # The comment stands above the first line of the object, or just below it when that is the separator.
        index = bisect_right(starts, line + 1) - 1
        source = lines[starts[index] - 1].removeprefix(_SOURCE) if index >= 0 else f"line {line}"
        return f"chart {chart.name}, {source}"

    return parse(text, f"chart {chart.name}", where)
