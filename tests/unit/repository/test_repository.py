# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What is in the tree belongs there, is locked, and names no place that a user does not have."""

from __future__ import annotations

import pathlib
import re

import packaging.requirements
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
# Addresses that may stand in the tree: specifications, documentation, projects, and names nobody owns.
HOSTS = re.compile(
    r"""(localhost | 127\.0\.0\.1 | \[::1\] | (.+\.)?example\.(com|org|net) | (.+\.)?(example|test|invalid|local|svc)
    | (www\.)?apache\.org | github\.com | (.+\.)?kubernetes\.io | (.+\.)?k8s\.io | spdx\.org | (docs\.)?ansible\.com
    | ghcr\.io | [a-z0-9-]+\.(llm-gateway|llm-serving|inference-gateway)
    | json-schema\.org | (www\.)?w3\.org | docs\.vllm\.ai | huggingface\.co | opencontainers\.org
    # Who signs images, and where they say so.
    | (docs\.)?sigstore\.dev | slsa\.dev | accounts\.google\.com | (token\.actions|raw)\.githubusercontent\.com
    | istio\.io | cert-manager\.io | cloudnative-pg\.io | external-secrets\.io
    # Who serves models.
    | api\.(anthropic|openai)\.com
    # Who signs certificates.
    | acme-v02\.api\.letsencrypt\.org
    | \d+\.\d+\.\d+\.\d+ | [a-z0-9-]+ )""",
    re.VERBOSE,
)
URL = re.compile(r"https?://([^\s/:\"'`<>()\[\]{}|,\\]+)")
HOME = re.compile(r"(?<![\w.~*-])/(root|home/(?!nonroot)\w+|Users/\w+|work)/")


def text_of(path: pathlib.Path) -> str:
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def pins_of(lock: pathlib.Path) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        pins.setdefault(name, set()).add(version)
    return pins


def test_addresses_in_the_tree_are_ones_a_reader_can_expect(repository_files: list[pathlib.Path]) -> None:
    unexpected = [
        f"{path}: {host}"
        for path in repository_files
        if path.name not in {"LICENSE", "go.sum"}
        for host in URL.findall(text_of(path))
        if not HOSTS.fullmatch(host.rpartition("@")[2].lower().rstrip(".")) and not host.startswith(("$", "%"))
    ]
    assert not unexpected


def test_no_file_names_a_directory_of_the_machine_it_was_written_on(repository_files: list[pathlib.Path]) -> None:
    allowed = {"roles/local_cluster"}  # the node's own root file system has a /root
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in repository_files
        if not any(str(path).startswith(folder) for folder in allowed)
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if HOME.search(line)
    ]
    assert not found


def test_no_file_is_large_or_binary(repository_files: list[pathlib.Path]) -> None:
    assert [str(path) for path in repository_files if (ROOT / path).stat().st_size > 512 * 1024] == []
    assert [str(path) for path in repository_files if b"\0" in (ROOT / path).read_bytes()] == []


def test_yaml_files_end_in_yml(repository_files: list[pathlib.Path]) -> None:
    # antsibull-changelog reads its configuration under this name alone; Kubernetes' own tools write .yaml.
    exempt = {"changelogs/config.yaml", "changelogs/changelog.yaml"}
    assert [str(path) for path in repository_files if path.suffix == ".yaml" and str(path) not in exempt] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_every_package_by_hash_and_names_no_index(lock: pathlib.Path) -> None:
    text = lock.read_text(encoding="utf-8")
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", entry), f"{lock.name}: {entry.splitlines()[0]} is not pinned"
        assert "--hash=sha256:" in entry, f"{lock.name}: {entry.splitlines()[0]} has no hash"
    assert "://" not in text


def test_each_lock_answers_its_wish_list() -> None:
    for lock in LOCKS:
        pins = pins_of(lock)
        for line in lock.with_suffix(".in").read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                wish = packaging.requirements.Requirement(line)
                assert all(wish.specifier.contains(version) for version in pins[wish.name]), f"{lock.name}: {line}"


def test_the_installer_that_bootstraps_is_the_one_that_stays() -> None:
    requirements = ROOT / "requirements"
    assert pins_of(requirements / "bootstrap.txt")["uv"] == pins_of(requirements / "dev.txt")["uv"]


def test_an_execution_environment_gets_what_was_tested() -> None:
    pins = pins_of(ROOT / "requirements" / "dev.txt")
    for line in (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8").splitlines():
        wish = packaging.requirements.Requirement(line)
        assert all(wish.specifier.contains(version) for version in pins[wish.name]), line


def test_the_supported_versions_are_the_same_everywhere() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert runtime["requires_ansible"] == ">=2.20.0"
    ignores = {path.stem.removeprefix("ignore-") for path in (ROOT / "tests" / "sanity").glob("ignore-*.txt")}
    tested = {
        ".".join(version.split(".")[:2]) for lock in LOCKS for version in pins_of(lock).get("ansible-core", set())
    }
    assert ignores == tested == {"2.20", "2.21"}


def test_every_target_of_the_makefile_explains_itself() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z0-9-]+):.*## \S", text, re.MULTILINE))
    promised = "bench build clean demo docs down e2e evidence help lint molecule sanity test unit up verify"
    assert set(promised.split()) <= explained
    phony = set(re.findall(r"^\.PHONY: ([a-z0-9-]+)", text, re.MULTILINE))
    assert phony == set(re.findall(r"^([a-z0-9-]+):", text, re.MULTILINE))


def test_the_archive_leaves_out_what_is_not_the_collection() -> None:
    ignored = set(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"])
    shipped = {
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "changelogs",
        "docs",
        "galaxy.yml",
        "inventories",
        "meta",
        "playbooks",
        "plugins",
        "roles",
    }
    for path in ROOT.iterdir():
        covered = any(path.match(pattern) for pattern in ignored)
        assert covered or path.name in shipped | {".git", ".pytest_cache", "tests"}, (
            f"galaxy.yml: ship {path.name} or ignore it"
        )
