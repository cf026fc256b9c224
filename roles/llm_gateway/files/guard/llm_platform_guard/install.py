# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts the guard around LiteLLM's application in every worker process, or keeps the process from starting.

LiteLLM builds its middleware when a worker starts and runs its start-up hooks inside of it, before it serves anything.
The guard goes around what was built, and around whatever is built later.
"""

from __future__ import annotations

import typing as t

from . import accounting, outages, settings
from .asgi import LOG, App, Gate, Guard


class NotInstalledError(Exception):
    """The application is not what it must be to be guarded."""


class _GuardedBuild:
    """Starlette's own builder with the guard around what it builds."""

    def __init__(self, build: t.Callable[[], App], guarded: t.Callable[[App], App]) -> None:
        self._build = build
        self._guarded = guarded

    def __call__(self) -> App:
        return self._guarded(self._build())


class Application(t.Protocol):
    """What is used of Starlette's class."""

    middleware_stack: App | None
    build_middleware_stack: t.Callable[[], App]


def install() -> None:
    """The start-up hook, and what the callback calls. A second call changes nothing."""
    from litellm.proxy.proxy_server import app

    from . import wiring

    keeper = wiring.keeper()
    install_into(app, gate=keeper)
    accounting.mend()
    outages.mend()
    wiring.start(keeper)


def install_into(app: Application, environment: t.Mapping[str, str] | None = None, gate: Gate | None = None) -> None:
    if is_installed(app):
        return
    for name in ("middleware_stack", "build_middleware_stack"):
        if not hasattr(app, name):
            raise NotInstalledError(f"the application has no {name}: this guard does not know this Starlette")
    known, key = settings.load(environment), settings.master_key(environment)

    def guarded(inner: App) -> App:
        return Guard(inner, known, key, gate)

    app.build_middleware_stack = _GuardedBuild(app.build_middleware_stack, guarded)
    if app.middleware_stack is not None:
        app.middleware_stack = guarded(app.middleware_stack)
    if not is_installed(app):
        raise NotInstalledError("the guard could not be put in front of the application")
    LOG.info("in front of LiteLLM, %d models", len(known.models))


def is_installed(app: Application) -> bool:
    stack = getattr(app, "middleware_stack", None)
    if stack is None:
        build = getattr(app, "build_middleware_stack", None)
        return isinstance(build, _GuardedBuild)
    return isinstance(stack, Guard)
