# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import pathlib
import string
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_tenants import Surroundings, check_tenants
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

ROLES_DIR = pathlib.Path(__file__).resolve().parents[4] / "roles"
OPTIONS = next(role.options for role in read_roles(ROLES_DIR) if role.role == "plan")
AROUND = Surroundings(
    models={"chat": "org/chat-7b", "embed": "embed"}, namespaces=frozenset({"llm-platform", "llm-serving"})
)
RED: dict[str, t.Any] = {"name": "red", "budget": {"usd": 50, "period": "30d"}}
BLUE: dict[str, t.Any] = {"name": "blue", "budget": {"usd": 5, "period": "1d"}}
Entries = list[dict[str, t.Any]]


def checked(tenants: t.Any, delete: t.Any = (), around: Surroundings = AROUND) -> tuple[Entries, Entries, list[str]]:
    """Typed as the plan does it, then checked: tenants, deleted ones and the lines of what is wrong."""
    validator = Validator()
    typed = validator.check(OPTIONS["llm_tenants"], copy.deepcopy(tenants), "llm_tenants") or []
    former = validator.check(OPTIONS["llm_tenants_delete"], list(delete), "llm_tenants_delete") or []
    planned, deleted = check_tenants(typed, former, around, validator)
    return planned, deleted, [str(problem) for problem in validator.problems]


def tenant(**options: t.Any) -> dict[str, t.Any]:
    (planned,), _deleted, lines = checked([{**RED, **options}])
    assert not lines
    return planned


def problems(*tenants: t.Any, delete: t.Any = (), around: Surroundings = AROUND) -> list[str]:
    lines = checked(list(tenants), delete, around)[2]
    assert lines, "nothing was refused"
    return lines


def test_every_key_of_a_tenant_is_present() -> None:
    assert tenant(keys=[{"name": "app"}]) == {
        "name": "red",
        "namespace": "tenant-red",
        "state": "active",
        "budget": {"usd": 50.0, "period": "30d"},
        "models": ["chat", "embed"],
        "served_models": ["org/chat-7b", "embed"],
        "limits": {"rpm": None, "tpm": None},
        "policy": {"max_key_lifetime": "30d", "key_budget_usd": 20.0, "max_key_parallel": 32},
        "priority": "standard",
        "admins": [],
        "quota": {"cpu": "4", "memory": "8Gi", "storage": "20Gi", "pods": 20, "gpu": 0},
        "keys": [
            {
                "name": "app",
                "state": "active",
                "secret": "llm-key-app",
                "budget": {"usd": 20.0, "period": "30d"},
                "models": ["chat", "embed"],
                "served_models": ["org/chat-7b", "embed"],
                "limits": {"rpm": None, "tpm": None, "parallel": 32},
                "expires": "30d",
                "rotate": {"generation": 1, "after": "1728000s", "overlap_seconds": 86_400},
            }
        ],
    }


@pytest.mark.parametrize(
    ("options", "key", "expected"),
    [
        ({"policy": {"key_budget_usd": 7}}, {}, {"budget": {"usd": 7.0, "period": "30d"}}),
        # the tenant has less than what a key usually gets
        ({"budget": {"usd": 3, "period": "1d"}}, {}, {"budget": {"usd": 3.0, "period": "1d"}}),
        ({}, {"budget": {"usd": 50, "period": "30d"}}, {"budget": {"usd": 50.0, "period": "30d"}}),
        # 5 dollars a day are 35 in a week
        (
            {"budget": {"usd": 5, "period": "1d"}},
            {"budget": {"usd": 35, "period": "7d"}},
            {"budget": {"usd": 35.0, "period": "7d"}},
        ),
        ({"models": ["embed"]}, {}, {"models": ["embed"], "served_models": ["embed"]}),
        ({}, {"models": ["chat"]}, {"models": ["chat"], "served_models": ["org/chat-7b"]}),
        ({"limits": {"rpm": 9}}, {"limits": {"rpm": 9}}, {"limits": {"rpm": 9, "tpm": None, "parallel": 32}}),
        ({"policy": {"max_key_parallel": 4}}, {}, {"limits": {"rpm": None, "tpm": None, "parallel": 4}}),
        ({"policy": {"max_key_lifetime": "12h"}}, {}, {"expires": "12h"}),
        (
            {},
            {"expires": "30s"},
            {"expires": "30s", "rotate": {"generation": 1, "after": "20s", "overlap_seconds": 3}},
        ),
        (
            {},
            {"rotate": {"generation": 3, "after": "10d", "overlap": "2h"}},
            {"rotate": {"generation": 3, "after": "864000s", "overlap_seconds": 7200}},
        ),
    ],
)
def test_what_a_key_does_not_say_follows_from_its_tenant(
    options: dict[str, t.Any], key: dict[str, t.Any], expected: dict[str, t.Any]
) -> None:
    (planned,) = tenant(**options, keys=[{"name": "app", **key}])["keys"]
    assert {name: planned[name] for name in expected} == expected


def test_a_tenant_without_models_gets_those_there_are_by_name_and_not_all_that_come_later() -> None:
    assert tenant(models=[])["served_models"] == ["org/chat-7b", "embed"]
    (line,) = problems(RED, around=Surroundings())
    assert line.startswith("llm_tenants[0].models = ")
    assert "llm_models is empty" in line


@pytest.mark.parametrize(
    ("options", "path", "says"),
    [
        ({"name": "Red_Team"}, "name", "no DNS label"),
        ({"name": "1red"}, "name", "no DNS label"),
        ({"name": "a" * 41}, "name", "at most 40"),
        ({"name": True}, "name", "a string is needed"),
        ({"namespace": "kube-system"}, "namespace", "belongs to Kubernetes"),
        ({"namespace": "kube-red"}, "namespace", "belongs to Kubernetes"),
        ({"namespace": "default"}, "namespace", "belongs to Kubernetes"),
        ({"namespace": "llm-serving"}, "namespace", "belongs to the platform"),
        ({"namespace": "Red"}, "namespace", "no namespace's name"),
        ({"namespace": "r" * 64}, "namespace", "no namespace's name"),
        ({"state": "paused"}, "state", "choose one of: active, blocked"),
        ({"budget": None}, "budget", "is required"),
        ({"budget": {}}, "budget", "is required"),
        ({"budget": {"usd": 5}}, "budget.period", "is missing beside"),
        ({"budget": {"period": "30d"}}, "budget.usd", "is missing beside"),
        ({"budget": {"usd": 0, "period": "30d"}}, "budget.usd", "out of range"),
        ({"budget": {"usd": -1, "period": "30d"}}, "budget.usd", "out of range"),
        ({"budget": {"usd": float("inf"), "period": "30d"}}, "budget.usd", "not finite"),
        ({"budget": {"usd": float("nan"), "period": "30d"}}, "budget.usd", "not finite"),
        ({"budget": {"usd": "plenty", "period": "30d"}}, "budget.usd", "a number is needed"),
        ({"budget": {"usd": 5, "period": "often"}}, "budget.period", "no span of time"),
        ({"budget": {"usd": 5, "period": "0d"}}, "budget.period", "no span of time"),
        ({"budget": {"usd": 5, "period": "30d "}}, "budget.period", "no span of time"),
        ({"budget": {"usd": 5, "period": "monthly"}}, "budget.period", "no span of time"),
        ({"budget": {"usd": 5, "period": "48h"}}, "budget.period", "write days"),
        ({"budget": {"usd": 5, "period": "2mo"}}, "budget.period", "only 1mo"),
        ({"budget": {"usd": 5, "period": "900d"}}, "budget.period", "longer than a year"),
        ({"budget": {"usd": 5, "period": 30}}, "budget.period", "a string is needed"),
        ({"budget": {"usd": 5, "period": "30d", "soft": 1}}, "budget.soft", "no option here"),
        ({"models": ["chatt"]}, "models[0]", "no name in llm_models"),
        ({"models": ["org/chat-7b"]}, "models[0]", "no name in llm_models"),
        ({"models": ["chat", "chat"]}, "models[1]", "twice"),
        ({"limits": {"rpm": 0}}, "limits.rpm", "out of range"),
        ({"limits": {"tpm": -5}}, "limits.tpm", "out of range"),
        ({"limits": {"rpm": 1.5}}, "limits.rpm", "a whole number is needed"),
        ({"limits": {"parallel": 3}}, "limits.parallel", "no option here"),
        ({"policy": {"max_key_lifetime": "forever"}}, "policy.max_key_lifetime", "no span of time"),
        ({"policy": {"max_key_lifetime": "1mo"}}, "policy.max_key_lifetime", "months"),
        ({"policy": {"max_key_lifetime": "9999w"}}, "policy.max_key_lifetime", "ten years"),
        ({"policy": {"key_budget_usd": 0}}, "policy.key_budget_usd", "out of range"),
        ({"policy": {"max_key_parallel": 0}}, "policy.max_key_parallel", "out of range"),
        ({"priority": "highest"}, "priority", "choose one of"),
        ({"admins": [{"name": "system:authenticated"}]}, "admins[0].name", "keeps for itself"),
        ({"admins": [{"name": " "}]}, "admins[0].name", "no name of a user"),
        ({"admins": [{"name": "a"}, {"name": "a"}]}, "admins[1].name", "twice"),
        ({"admins": [{"name": "a", "kind": "ServiceAccount"}]}, "admins[0].kind", "choose one of: User, Group"),
        ({"admins": ["ann"]}, "admins[0]", "a dictionary is needed"),
        ({"quota": {"cpu": "lots"}}, "quota.cpu", "no Kubernetes quantity"),
        ({"quota": {"memory": "-1Gi"}}, "quota.memory", "no Kubernetes quantity"),
        ({"quota": {"gpu": -1}}, "quota.gpu", "out of range"),
        ({"keys": [{"name": "app"}, {"name": "app"}]}, "keys[1].name", "is the name of"),
        ({"keys": [{"name": "App"}]}, "keys[0].name", "no DNS label"),
        ({"keys": [{}]}, "keys[0].name", "is required"),
        ({"models": ["chat"], "keys": [{"name": "app", "models": ["embed"]}]}, "keys[0].models[0]", "tenant may use"),
        ({"keys": [{"name": "app", "models": ["gpt"]}]}, "keys[0].models[0]", "no name in llm_models"),
        ({"keys": [{"name": "app", "budget": {"usd": 51, "period": "30d"}}]}, "keys[0].budget.usd", "50 per 30d"),
        ({"keys": [{"name": "app", "budget": {"usd": 51, "period": "1d"}}]}, "keys[0].budget.usd", "50 per 30d"),
        ({"keys": [{"name": "app", "budget": {"usd": 1}}]}, "keys[0].budget.period", "is missing beside"),
        ({"keys": [{"name": "app", "expires": "31d"}]}, "keys[0].expires", "outlives the tenant's policy, 30d"),
        ({"keys": [{"name": "app", "expires": "never"}]}, "keys[0].expires", "no span of time"),
        ({"limits": {"rpm": 5}, "keys": [{"name": "app", "limits": {"rpm": 6}}]}, "keys[0].limits.rpm", "limit, 5"),
        ({"keys": [{"name": "app", "limits": {"parallel": 33}}]}, "keys[0].limits.parallel", "limit, 32"),
        ({"keys": [{"name": "app", "limits": {"parallel": -1}}]}, "keys[0].limits.parallel", "out of range"),
        ({"keys": [{"name": "app", "rotate": {"after": "30d"}}]}, "keys[0].rotate.after", "not before the key expires"),
        ({"keys": [{"name": "app", "rotate": {"after": "1h", "overlap": "2h"}}]}, "keys[0].rotate.overlap", "shorter"),
        ({"keys": [{"name": "app", "rotate": {"generation": 0}}]}, "keys[0].rotate.generation", "out of range"),
        ({"keys": [{"name": "app", "value": "sk-1"}]}, "keys[0].value", "no option here"),
        ({"rpm": 5}, "rpm", "no option here"),
    ],
)  # fmt: skip
def test_a_wrong_tenant_is_one_line_that_names_the_option(options: dict[str, t.Any], path: str, says: str) -> None:
    (line,) = problems({**RED, **options})
    assert line.startswith(f"llm_tenants[0].{path} = ")
    assert says in line
    assert "; " in line


def test_two_tenants_with_one_name_are_refused() -> None:
    (line,) = problems(RED, RED)
    assert line.startswith('llm_tenants[1].name = "red": is the name of llm_tenants[0] too')


def test_two_tenants_with_one_namespace_are_refused() -> None:
    (line,) = problems(RED, {**BLUE, "namespace": "tenant-red"})
    assert line.startswith('llm_tenants[1].namespace = "tenant-red": is the namespace of llm_tenants[0] too')


def test_a_model_that_was_refused_itself_is_not_held_against_the_tenant() -> None:
    around = Surroundings(models={}, models_known=False)
    assert checked([{**RED, "models": ["chat"]}], around=around)[2] == []


def test_former_tenants_get_their_namespace() -> None:
    _tenants, deleted, lines = checked([RED], [{"name": "blue"}, {"name": "old", "namespace": "old-things"}])
    assert not lines
    assert deleted == [{"name": "blue", "namespace": "tenant-blue"}, {"name": "old", "namespace": "old-things"}]


@pytest.mark.parametrize(
    ("entry", "path", "says"),
    [
        ({"name": "red"}, "name", "is llm_tenants[0], which still exists"),
        ({"name": "old", "namespace": "tenant-red"}, "namespace", "is the namespace of tenant red"),
        ({"name": "old", "namespace": "llm-serving"}, "namespace", "belongs to the platform"),
        ({"name": "old", "namespace": "kube-system"}, "namespace", "belongs to Kubernetes"),
        ({"name": "O l d"}, "name", "no DNS label"),
        ({}, "name", "is required"),
        ("old", "", "a dictionary is needed"),
    ],
)
def test_a_wrong_deletion_is_one_line(entry: t.Any, path: str, says: str) -> None:
    (line,) = problems(RED, delete=[entry])
    assert line.startswith(f"llm_tenants_delete[0]{'.' if path else ''}{path} = ")
    assert says in line


def test_a_deletion_named_twice_is_refused() -> None:
    (line,) = problems(RED, delete=[{"name": "old"}, {"name": "old"}])
    assert line.startswith("llm_tenants_delete[1].name")


@pytest.mark.parametrize(("tenants", "delete"), [([RED], []), ([], [{"name": "old"}])])
def test_a_profile_without_a_gateway_has_no_tenants(tenants: Entries, delete: Entries) -> None:
    around = Surroundings(models={"chat": "chat"}, gateway=False, profile="serving")
    (line,) = problems(*tenants, delete=delete, around=around)
    assert line.startswith("llm_tenants" if tenants else "llm_tenants_delete")
    assert line.endswith("set llm_profile: llm_gateway")


def test_all_problems_come_together() -> None:
    lines = problems({**RED, "budget": {"usd": 5}, "limits": {"rpm": -1}}, {**BLUE, "models": ["x", "y"]}, {"name": ""})
    assert len(lines) == 6


TEXT = st.text(alphabet=st.sampled_from(string.printable + "ä\u0085\x00{}"), max_size=80)
PLACES: list[tuple[str, t.Callable[[str], dict[str, t.Any]]]] = [
    ("name", lambda text: {"name": text}),
    ("namespace", lambda text: {"namespace": text}),
    ("state", lambda text: {"state": text}),
    ("budget.period", lambda text: {"budget": {"usd": 5, "period": text}}),
    ("models[0]", lambda text: {"models": [text]}),
    ("policy.max_key_lifetime", lambda text: {"policy": {"max_key_lifetime": text}}),
    ("priority", lambda text: {"priority": text}),
    ("admins[0].name", lambda text: {"admins": [{"name": text}]}),
    ("quota.cpu", lambda text: {"quota": {"cpu": text}}),
    ("keys[0].name", lambda text: {"keys": [{"name": text}]}),
    ("keys[0].expires", lambda text: {"keys": [{"name": "app", "expires": text}]}),
]


def _is_refused_or_kept(path: str, entry: dict[str, t.Any], text: str) -> None:
    planned, _deleted, lines = checked([{**RED, **entry}])
    if lines:
        assert all(line.startswith(f"llm_tenants[0].{path} = ") and "; " in line for line in lines), lines
        return
    found: t.Any = planned[0]
    for part in path.replace("[0]", ".0").split("."):
        found = found[int(part) if part.isdigit() else part]
    assert text in ("", found)


@given(place=st.sampled_from(PLACES), text=TEXT)
def test_any_text_in_any_option_is_a_clear_error_or_taken_as_it_is(
    place: tuple[str, t.Callable[[str], dict[str, t.Any]]], text: str
) -> None:
    path, entry = place
    _is_refused_or_kept(path, entry(text), text)


@pytest.mark.parametrize(("path", "entry"), PLACES, ids=[path for path, _entry in PLACES])
def test_hostile_text_is_refused_or_kept(path: str, entry: t.Callable[[str], dict[str, t.Any]], hostile: str) -> None:
    _is_refused_or_kept(path, entry(hostile), hostile)
