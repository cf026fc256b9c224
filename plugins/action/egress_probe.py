# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the module egress_probe in the controller's process where that is possible."""

from __future__ import annotations

from ansible_collections.wmx.llm_platform.plugins.plugin_utils._in_process import ActionModule

__all__ = ["ActionModule"]
