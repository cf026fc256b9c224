# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the options that say which models a probe asks. Private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  models:
    description:
      - The models to use. They have pods.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the model's objects, as of its Service.
        type: str
        required: true
      served_name:
        description:
          - The name that clients use. O(models[].name) when left out.
        type: str
      services:
        description:
          - Services that lead to its pods, that of its canary included. O(models[].name) when left out.
        type: list
        elements: str
        default: []
  timeout:
    description:
      - Seconds until a pod that does not start or finish, or a silent server, counts as dead.
    type: float
    default: 120.0
"""

    PRICED = r"""
options:
  models:
    description:
      - The models that tenants may use.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the model's objects, as of its Service.
        type: str
        required: true
      served_name:
        description:
          - The name that clients use. O(models[].name) when left out.
        type: str
      services:
        description:
          - Services that lead to its pods, that of its canary included. O(models[].name) when left out.
        type: list
        elements: str
        default: []
      price:
        description:
          - What a token should cost, in dollars.
        type: dict
        suboptions:
          input_per_token:
            description:
              - Dollars for a token of the prompt.
            type: float
            default: 0.0
          output_per_token:
            description:
              - Dollars for a token of the answer.
            type: float
            default: 0.0
      max_output_tokens:
        description:
          - The most tokens that one answer may have.
        type: int
        default: 512
  timeout:
    description:
      - Seconds until a silent server counts as dead.
    type: float
    default: 60.0
"""
