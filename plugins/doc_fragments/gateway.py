# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the option that says where LiteLLM is. Private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  gateway:
    description:
      - Where LiteLLM is and where its master key lies. The key is read from its Secret for the time of the task and is
        in no result, log or diff.
      - Without O(gateway.url) LiteLLM is reached through the port-forward of the API server, so the controller needs no
        route to pods or Services.
    type: dict
    suboptions:
      url:
        description:
          - Address of LiteLLM where the controller has a route to it. Exclusive with O(gateway.pod).
        type: str
      namespace:
        description:
          - Namespace of LiteLLM.
        type: str
        default: llm-gateway
      service:
        description:
          - Service of LiteLLM; the first of its ready pods is asked.
        type: str
        default: litellm
      port:
        description:
          - Port of O(gateway.service), or of the container when O(gateway.pod) is given.
        type: int
        default: 4000
      pod:
        description:
          - Ask this pod, to see one replica.
        type: str
      timeout:
        description:
          - Seconds to wait for an answer.
        type: float
        default: 60.0
      master_key_secret:
        description:
          - The Secret with the master key.
        type: dict
        suboptions:
          namespace:
            description:
              - Its namespace. O(gateway.namespace) when left out.
            type: str
          name:
            description:
              - Its name.
            type: str
            default: litellm-secrets
          key:
            description:
              - The key within it.
            type: str
            default: PROXY_MASTER_KEY
"""
