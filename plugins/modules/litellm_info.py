#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: litellm_info
short_description: Read LiteLLM's version, models, teams, keys and spend
version_added: 1.0.0
description:
  - Asks LiteLLM what it has. Values of keys cannot be asked for, and the keys of the models' servers are left out.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.gateway
attributes:
  check_mode:
    support: full
    description: The module changes nothing.
  diff_mode:
    support: none
    description: The module changes nothing.
  idempotent:
    support: full
    description: The module changes nothing.
options:
  include:
    description:
      - What to ask for. Teams and keys take one request for each 100.
    type: list
    elements: str
    choices: [version, models, teams, keys]
    default: [version, models, teams, keys]
"""

EXAMPLES = r"""
- name: Read what each team has spent
  wmx.llm_platform.litellm_info:
    include: [teams]
  register: __gateway

- name: Show it
  ansible.builtin.debug:
    msg: "{{ __gateway.teams | items2dict(key_name='team_alias', value_name='spend') }}"
"""

RETURN = r"""
version:
  description: LiteLLM's version.
  returned: when O(include) has it
  type: str
  sample: 1.108.7
models:
  description: >-
    Models in LiteLLM's fields; C(model_info) has prices in dollars a token and limits of tokens.
  returned: when O(include) has it
  type: list
  elements: dict
teams:
  description: Teams in LiteLLM's fields, with the spend of the period.
  returned: when O(include) has it
  type: list
  elements: dict
virtual_keys:
  description: Keys in LiteLLM's fields, with their spend; C(token) is the hash of the value.
  returned: when O(include) has it
  type: list
  elements: dict
calls:
  description: Number of HTTP requests to LiteLLM.
  returned: success
  type: int
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import (
    GATEWAY_SPEC,
    LiteLLMError,
    open_litellm,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_info import gather

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

KINDS: t.Final = ["version", "models", "teams", "keys"]
SPEC: t.Final[dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "include": {"type": "list", "elements": "str", "choices": KINDS, "default": KINDS},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    with open_litellm(module.params) as llm:
        found = gather(llm, module.params["include"])
    # `keys` is a method of every dictionary, so a result cannot be called that.
    if "keys" in found:
        found["virtual_keys"] = found.pop("keys")
    return {**found, "calls": llm.calls}


def main() -> t.NoReturn:
    run(SPEC, work, errors=(LiteLLMError,))


if __name__ == "__main__":
    main()
