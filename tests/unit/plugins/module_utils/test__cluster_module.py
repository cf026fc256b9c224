# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A module has the options of the connection beside its own, and every expected error ends it with one sentence."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

SPEC: t.Final = {"name": {"type": "str", "required": True}}


class OwnError(Exception):
    pass


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> t.Callable[..., tuple[t.Any, dict[str, t.Any]]]:
    def call(work: t.Any, errors: tuple[type[Exception], ...] = (), **args: t.Any) -> tuple[t.Any, dict[str, t.Any]]:
        with patch_module_args(args), pytest.raises(SystemExit) as ended:
            run(SPEC, work, errors=errors)
        return ended.value.code, json.loads(capsys.readouterr().out)

    return call


def test_the_result_of_the_work_is_that_of_the_module(answer: t.Any) -> None:
    code, result = answer(lambda module: {"changed": True, "greeting": module.params["name"]}, name="a")
    assert code == 0
    assert (result["changed"], result["greeting"]) == (True, "a")


def test_nothing_has_changed_unless_the_work_says_so(answer: t.Any) -> None:
    _code, result = answer(lambda _module: {}, name="a")
    assert result["changed"] is False


def test_the_options_of_the_connection_are_there_with_their_aliases(answer: t.Any) -> None:
    _code, result = answer(lambda module: {"ca": module.params["ca_cert"]}, name="a", ssl_ca_cert="/ca.crt")
    assert result["ca"] == "/ca.crt"


def test_the_secrets_of_the_connection_are_hidden(answer: t.Any) -> None:
    _code, result = answer(
        lambda module: {"said": "token " + module.params["api_key"]}, name="a", api_key="t0k3n-t0k3n"
    )
    assert "t0k3n" not in json.dumps(result["said"])


def test_check_mode_is_handed_on(answer: t.Any) -> None:
    code, result = answer(lambda module: {"check": module.check_mode}, name="a", _ansible_check_mode=True)
    assert (code, result["check"]) == (0, True)


@pytest.mark.parametrize("error", [KubeError("no such cluster; name another"), OwnError("out of paper; bring some")])
def test_an_expected_error_fails_the_task_with_its_text(answer: t.Any, error: Exception) -> None:
    def work(_module: t.Any) -> t.NoReturn:
        raise error

    code, result = answer(work, errors=(OwnError,), name="a")
    assert code == 1
    assert result["msg"] == str(error)


def test_a_kubeconfig_that_is_not_there_is_an_expected_error(answer: t.Any, tmp_path: t.Any) -> None:
    def work(module: t.Any) -> dict[str, t.Any]:
        return {"version": KubeClient.from_options(module.params).version()}

    code, result = answer(work, name="a", kubeconfig=str(tmp_path / "none"))
    assert code == 1
    assert f"cannot read the kubeconfig {tmp_path / 'none'}" in result["msg"]


def test_an_error_that_nobody_expects_is_not_hidden() -> None:
    def work(_module: t.Any) -> t.NoReturn:
        raise ZeroDivisionError

    with patch_module_args({"name": "a"}), pytest.raises(ZeroDivisionError):
        run(SPEC, work)
