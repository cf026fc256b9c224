# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the option that says where the models are. Private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  serving:
    description:
      - Where the models are.
    type: dict
    required: true
    suboptions:
      namespace:
        description:
          - Namespace of the models' Services.
        type: str
        required: true
      port:
        description:
          - Port of the models' Services.
        type: int
        default: 8000
      api_key_secret:
        description:
          - The Secret that holds the models' own key, which opens a simulator's log of requests, too.
          - The value goes from the API server to the model and nowhere else.
        type: dict
        suboptions:
          namespace:
            description:
              - Namespace of the Secret. O(serving.namespace) when left out.
            type: str
          name:
            description:
              - Name of the Secret.
            type: str
            required: true
          key:
            description:
              - Key within the Secret.
            type: str
            default: api-key
"""
