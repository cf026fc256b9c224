# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""A simulated model server: vLLM's API, metrics and queueing behaviour without a model's computation."""

__version__ = "1.0.0"
NAME = "llm-platform-simulator"
