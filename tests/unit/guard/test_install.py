# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The guard is in front, whichever way the application is started, or the application does not start."""

from __future__ import annotations

import json
import typing as t

import pytest

if t.TYPE_CHECKING:
    import pathlib

httpx = pytest.importorskip("httpx")
starlette = pytest.importorskip("starlette")


@pytest.fixture
def environment(tmp_path: pathlib.Path) -> dict[str, str]:
    path = tmp_path / "guard.json"
    path.write_text(json.dumps({"models": {"chat": {"max_output_tokens": 5}}}))
    return {"LLM_GUARD_SETTINGS": str(path), "LITELLM_MASTER_KEY": "sk-0123456789abcdef"}


def application() -> t.Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def secret(_request: t.Any) -> t.Any:
        return PlainTextResponse("secret")

    return Starlette(routes=[Route("/key/info", secret)])


def status(app: t.Any, key: str = "sk-tenant") -> int:
    import asyncio

    async def ask() -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            answer = await client.get("/key/info", headers={"authorization": f"Bearer {key}"})
            return int(answer.status_code)

    return asyncio.run(ask())


def test_without_the_guard_the_route_is_open() -> None:
    assert status(application()) == 200


def test_an_application_that_is_not_built_yet_is_guarded(environment: dict[str, str]) -> None:
    from llm_platform_guard.install import install_into, is_installed

    app = application()
    assert not is_installed(app)
    install_into(app, environment)
    assert is_installed(app)
    assert (status(app), status(app, environment["LITELLM_MASTER_KEY"])) == (404, 200)


def test_an_application_that_runs_already_is_guarded(environment: dict[str, str]) -> None:
    from llm_platform_guard.install import install_into, is_installed

    app = application()
    assert status(app) == 200
    install_into(app, environment)
    assert is_installed(app)
    assert status(app) == 404


def test_one_that_is_built_anew_is_guarded_again(environment: dict[str, str]) -> None:
    from llm_platform_guard.install import install_into

    app = application()
    install_into(app, environment)
    assert status(app) == 404
    app.middleware_stack = None
    assert status(app) == 404


def test_a_second_time_changes_nothing(environment: dict[str, str]) -> None:
    from llm_platform_guard.install import install_into

    app = application()
    install_into(app, environment)
    status(app)
    stack = app.middleware_stack
    install_into(app, environment)
    assert app.middleware_stack is stack


@pytest.mark.parametrize("missing", ["LLM_GUARD_SETTINGS", "LITELLM_MASTER_KEY"])
def test_nothing_starts_without_settings_and_key(
    environment: dict[str, str], missing: str, tmp_path: pathlib.Path
) -> None:
    from llm_platform_guard.install import install_into, is_installed
    from llm_platform_guard.settings import SettingsError

    environment[missing] = "" if "KEY" in missing else str(tmp_path / "nothing")
    app = application()
    with pytest.raises(SettingsError):
        install_into(app, environment)
    assert not is_installed(app)


def test_an_application_of_another_make_is_refused(environment: dict[str, str]) -> None:
    from llm_platform_guard.install import NotInstalledError, install_into

    with pytest.raises(NotInstalledError, match="middleware_stack"):
        install_into(t.cast("t.Any", object()), environment)
