# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's view of the guard: a callback, named in its configuration."""

from __future__ import annotations

import typing as t

from litellm.integrations.custom_logger import CustomLogger

from .install import install
from .routing import told


class GuardCallback(CustomLogger):  # type: ignore[misc]
    async def async_pre_call_deployment_hook(self, kwargs: dict[str, t.Any], call_type: t.Any) -> dict[str, t.Any]:
        del call_type
        return told(kwargs)


# Where the start-up hook was forgotten, naming the callback still guards; where it fails, LiteLLM does not start.
install()
guard = GuardCallback()
