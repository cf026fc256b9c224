#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: generated_secret
short_description: Make sure that a Secret has random values
version_added: 1.0.0
description:
  - Creates a Secret with random values, or adds the keys that an existing one lacks. A value that is there is never
    changed, so that nothing is rotated in silence.
  - Values are made in this module and sent to the API server. They are in no result, log or diff.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: Reads the Secret and says what would be made.
  diff_mode:
    support: full
    description: Shows the names of the keys, never values.
  idempotent:
    support: full
    description: A Secret that has all its keys is left alone.
options:
  namespace:
    description:
      - Namespace of the Secret. It must exist; in check mode it may be missing.
    type: str
    required: true
  name:
    description:
      - Name of the Secret.
    type: str
    required: true
  keys:
    description:
      - The values that must be there.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Key within the Secret.
        type: str
        required: true
      format:
        description:
          - How the value is made. V(hex16) are 16 random bytes in 32 hexadecimal digits, V(hex32) are 32 in 64.
        type: str
        choices: [hex16, hex32]
        default: hex32
"""

EXAMPLES = r"""
- name: Make sure that the models' API has a key
  wmx.llm_platform.generated_secret:
    namespace: llm-serving
    name: vllm-api-key
    keys:
      - name: api-key
"""

RETURN = r"""
created:
  description: Whether the Secret itself is new.
  returned: success
  type: bool
added:
  description: Keys that got a value.
  returned: success
  type: list
  elements: str
  sample: [api-key]
kept:
  description: Keys that had a value already.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._argspec import CONNECTION_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._generated_secret import FORMATS, Key, ensure
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            # Names and formats are no secrets, whatever the option's name suggests.
            "keys": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "no_log": False,
                "options": {
                    "name": {"type": "str", "required": True},
                    "format": {"type": "str", "choices": sorted(FORMATS), "default": "hex32"},
                },
            },
        },
        supports_check_mode=True,
    )
    options = module.params
    keys = [Key(**key) for key in options["keys"]]
    try:
        client = KubeClient.from_options(options)
        outcome = ensure(client, options["namespace"], options["name"], keys, dry_run=module.check_mode)
    except KubeError as exc:
        module.fail_json(msg=f"Secret {options['namespace']}/{options['name']}: {exc}")
    before = {"keys": sorted(outcome.kept)}
    after = {"keys": sorted((*outcome.kept, *outcome.added))}
    module.exit_json(
        changed=outcome.changed,
        created=outcome.created,
        added=list(outcome.added),
        kept=list(outcome.kept),
        diff={"before": {} if outcome.created else before, "after": after},
    )


if __name__ == "__main__":
    main()
