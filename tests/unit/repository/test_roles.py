# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Every role says what it takes, means what it says, and has a scenario that runs it."""

from __future__ import annotations

import pathlib
import typing as t

import jinja2
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
# Options a user sets for the whole collection; role plan owns and documents them.
COLLECTION_WIDE = "llm_"


def load(path: pathlib.Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def defaults_of(role: str) -> dict[str, t.Any]:
    path = ROOT / "roles" / role / "defaults" / "main.yml"
    return load(path) or {} if path.exists() else {}


def options_of(role: str) -> dict[str, t.Any]:
    """The options of a role are those of all its entry points; one may stand in several."""
    merged: dict[str, t.Any] = {}
    for entry in load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"].values():
        merged.update(entry.get("options") or {})
    return merged


def walk(options: dict[str, t.Any], prefix: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for name, option in options.items():
        yield prefix + name, option
        yield from walk(option.get("options") or {}, f"{prefix}{name}.")


def without_inventory(template: str) -> object:
    """What a default that quotes other variables amounts to when nobody has set them."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701  YAML, not HTML
    return yaml.safe_load(environment.from_string(template).render())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_documents_each_of_its_defaults(role: str) -> None:
    documented = options_of(role)
    undocumented = defaults_of(role).keys() - documented.keys()
    assert not undocumented, f"roles/{role}/meta/argument_specs.yml does not document {sorted(undocumented)}"
    unset = {name for name, option in documented.items() if "default" in option} - defaults_of(role).keys()
    assert not unset, f"roles/{role}/defaults/main.yml does not set {sorted(unset)}, whose default is documented"
    both = {name for name, option in documented.items() if option.get("required")} & defaults_of(role).keys()
    assert not both, f"roles/{role}: {sorted(both)} cannot be required and have a default"


@pytest.mark.parametrize("role", ROLES)
def test_a_documented_default_is_the_real_one(role: str) -> None:
    documented = options_of(role)
    for name, value in defaults_of(role).items():
        option = documented.get(name, {})
        if option.get("default") == value:
            continue
        assert "default" in option or value is None, f"{role}: the default of {name} ({value!r}) is not documented"
        if isinstance(value, str) and "{{" in value:
            try:
                value = without_inventory(value)  # noqa: PLW2901
            except jinja2.TemplateError as error:
                pytest.fail(f"{role}: document the default of {name} as the template that it is ({error})")
        assert option.get("default") == value, f"{role}: {name} is {value!r}, documented as {option.get('default')!r}"


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_a_type_and_a_sentence(role: str) -> None:
    for name, option in walk(options_of(role)):
        assert option.get("type"), f"{role}: {name} has no type"
        assert option.get("description"), f"{role}: {name} has no description"
        if option["type"] == "list":
            assert option.get("elements"), f"{role}: {name} does not say what it is a list of"


@pytest.mark.parametrize("role", ROLES)
def test_an_option_carries_the_name_of_its_role(role: str) -> None:
    allowed = (f"{role}_", COLLECTION_WIDE) if role == "plan" else (f"{role}_",)
    # Two roles share the evidence options of one another by contract of the collection, never by accident of naming.
    strangers = [name for name in defaults_of(role) if not name.startswith(allowed)]
    assert not strangers, f"roles/{role}/defaults/main.yml: {strangers} lack the prefix {role}_"


@pytest.mark.parametrize("role", ROLES)
def test_private_variables_begin_with_two_underscores(role: str) -> None:
    for path in sorted((ROOT / "roles" / role / "vars").glob("*.yml")):
        strangers = [name for name in load(path) or {} if not name.startswith(f"__{role}_")]
        assert not strangers, f"{path.relative_to(ROOT)}: {strangers} lack the prefix __{role}_"


@pytest.mark.parametrize("role", ROLES)
def test_each_entry_point_exists_and_describes_itself(role: str) -> None:
    for name, entry in load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"].items():
        assert (ROOT / "roles" / role / "tasks" / f"{name}.yml").exists(), f"{role}: no tasks/{name}.yml"
        assert entry.get("short_description"), f"{role}: entry point {name} has no short description"
        assert entry.get("description"), f"{role}: entry point {name} has no description"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_truthful_metadata_and_no_hidden_dependencies(role: str) -> None:
    meta = load(ROOT / "roles" / role / "meta" / "main.yml")
    assert meta["dependencies"] == [], "the playbook alone tells the order of roles"
    assert meta["galaxy_info"]["license"] == "Apache-2.0"
    assert meta["galaxy_info"]["description"]
    assert meta["galaxy_info"]["min_ansible_version"] == "2.20"


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_scenario_that_runs_and_verifies_it(role: str) -> None:
    scenario = ROOT / "molecule" / role
    assert (scenario / "molecule.yml").exists(), f"roles/{role} has no molecule/{role}/molecule.yml"
    converge = (scenario / "converge.yml").read_text(encoding="utf-8")
    names = (f"wmx.llm_platform.{role}", f"wmx.llm_platform.{role.replace('local_cluster', 'local_up')}")
    assert any(name in converge for name in names), (
        f"molecule/{role}/converge.yml does not run the role by its full name"
    )
    verify = load(scenario / "verify.yml")
    assert any(play.get("tasks") or "ansible.builtin.import_playbook" in play for play in verify), (
        f"molecule/{role}/verify.yml checks nothing"
    )


def test_every_scenario_belongs_to_a_role() -> None:
    folders = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert folders == {*ROLES, "default"}
