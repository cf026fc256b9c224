# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Stands in front of LiteLLM's whole application: nothing of LiteLLM sees a request that was not checked here."""
