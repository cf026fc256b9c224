# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Options that bring secrets are checked, and no message shows a value."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_secrets import check_secrets
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

ROLES = pathlib.Path(__file__).resolve().parents[4] / "roles"
SPECS = yaml.safe_load((ROLES / "secrets" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
OPTIONS = SPECS["argument_specs"]["main"]["options"]
SECRET = "hf-s3cretvalue"
STORE = {"name": "vault"}
MINE = {"namespace": "ops", "name": "mine", "key": "token"}


def problems(features: dict[str, bool] | None = None, **values: t.Any) -> list[str]:
    """What the plan says about these options, checked as the plan does."""
    validator = Validator()
    checked = {name: validator.check(OPTIONS[name], values.get(name), name) for name in OPTIONS}
    checked["serving_hub_token_secret"] = values.get("serving_hub_token_secret", {"name": "hub"})
    if not validator.problems:
        check_secrets(checked, features or {}, validator)
    return [str(problem) for problem in validator.problems]


def test_the_defaults_are_fine() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    "values",
    [
        {"secrets_values": {"hf-token": SECRET}},
        {"secrets_from": {"hf-token": MINE}},
        {"secrets_values": {"hf-token": SECRET}, "secrets_from": {"vllm-api-key": MINE}},
        {"secrets_backend": "external_secrets", "secrets_store": STORE, "features": {"external_secrets": True}},
    ],
)
def test_what_is_right_passes(values: dict[str, t.Any]) -> None:
    assert problems(**values) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"secrets_backend": "vault"}, "is no valid choice"),
        ({"secrets_values": {"hf-tokn": SECRET}}, "did you mean hf-token?"),
        ({"secrets_values": {"hf-token": 12345678}}, "is a whole number, a string is needed; put it in quotes"),
        ({"secrets_values": {"hf-token": [SECRET]}}, "is a list, a string is needed"),
        ({"secrets_values": SECRET}, "is a string, a dictionary is needed"),
        ({"secrets_values": {"hf-token": f"{SECRET}\n"}}, "holds a line break or a control character"),
        ({"secrets_values": {"hf-token": ""}}, "is empty; fill it in or remove it"),
        ({"secrets_values": {"hf-token": SECRET}, "secrets_from": {"hf-token": MINE}}, "is given by secrets_from too"),
        ({"secrets_values": {"hf-token": SECRET}, "serving_hub_token_secret": {}}, "set serving_hub_token_secret.name"),
        (
            {"secrets_from": {"hf-token": MINE}, "serving_hub_token_secret": {"name": ""}},
            "no Secret is named to hold it",
        ),
        ({"secrets_from": {"hf-token": {"name": "mine", "key": "k"}}}, "secrets_from.hf-token.namespace = null"),
        ({"secrets_from": {"hf-token": {**MINE, "key": "a/b"}}}, "secrets_from.hf-token.key"),
        ({"secrets_from": {"hf-token": {**MINE, "name": "Mine"}}}, "is no name of Kubernetes"),
        ({"secrets_from": {"hf-token": {**MINE, "nme": "x"}}}, "did you mean name?"),
        ({"secrets_from": {"hf-token": "ops/mine"}}, "a dictionary is needed"),
        ({"secrets_store": STORE}, "is impossible with secrets_backend: kubernetes"),
        ({"secrets_store": {"kind": "Vault"}}, "is no valid choice"),
        ({"secrets_backend": "external_secrets", "secrets_store": STORE}, "set llm_features.external_secrets: true"),
        ({"secrets_rotate_timeout": "soon"}, "a whole number is needed"),
        ({"secrets_rotate": ["a"]}, "a string is needed"),
    ],
)
def test_each_mistake_is_one_clear_error_without_the_value(values: dict[str, t.Any], said: str) -> None:
    (problem,) = problems(**values)
    assert said in problem
    assert SECRET not in problem
    assert "12345678" not in problem


def test_all_that_a_store_lacks_is_said_at_once() -> None:
    store = {"name": "", "refresh_interval": "often"}
    found = problems(secrets_backend="external_secrets", secrets_store=store, secrets_values={"hf-token": SECRET})
    text = "\n".join(found)
    for said in ("needs the feature", "names no store", "is no duration", "hf-token cannot be given"):
        assert said in text
    assert len(found) == 4
    assert SECRET not in text


def test_a_hostile_value_is_never_shown(hostile: str) -> None:
    given = f"{SECRET}{hostile}"
    assert not [problem for problem in problems(secrets_values={"vllm-api-key": given}) if SECRET in problem]
