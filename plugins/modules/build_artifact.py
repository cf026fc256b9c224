#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds one artifact of the local cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: build_artifact
short_description: Build one artifact of the local cluster
version_added: 0.1.0
description:
  - Builds one artifact that M(wmx.llm_platform.build_plan) found missing and puts it under its key in one step.
  - Waits when another run builds the same kind of artifact and does nothing when it is there afterwards.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.build_inputs
options:
  kind:
    description: Kind of the artifact.
    type: str
    required: true
    choices: [go_tools, tools, sources, node_root, image]
  name:
    description: Name of the artifact among its kind.
    type: str
    required: true
  key:
    description: Key that the plan gave it; other inputs by now are an error.
    type: str
    required: true
attributes:
  check_mode:
    description: Reports a change and builds nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Build what is missing
  wmx.llm_platform.build_artifact:
    inputs: "{{ my_build_inputs }}"
    kind: "{{ item.kind }}"
    name: "{{ item.name }}"
    key: "{{ item.key }}"
  loop: "{{ plan.missing }}"
"""

RETURN = r"""
seconds:
  description: How long the build took.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_make import make
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_options import INPUTS_SPEC, read_inputs


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "inputs": INPUTS_SPEC,
            "kind": {
                "type": "str",
                "required": True,
                "choices": ["go_tools", "tools", "sources", "node_root", "image"],
            },
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, seconds=0.0)
    given = module.params
    try:
        seconds = make(read_inputs(given["inputs"]), given["kind"], given["name"], given["key"])
    except BuildError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=seconds is not None, seconds=seconds or 0.0)


if __name__ == "__main__":
    main()
