#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Removes builds of the local cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: build_clean
short_description: Remove builds of the local cluster
version_added: 0.1.0
description:
  - Removes builds whose inputs have changed since, or all of them with every cache that building uses.
  - Leaves a build alone that a running cluster uses, and refuses to remove all while one does.
  - Does not touch the registry's data, volumes or clusters.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.build_inputs
options:
  everything:
    description: Remove what the present inputs need, too, and the caches.
    type: bool
    default: false
attributes:
  check_mode:
    description: Tells what it would remove.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Remove builds of older inputs
  wmx.llm_platform.build_clean:
    inputs: "{{ my_build_inputs }}"
"""

RETURN = r"""
removed:
  description: Paths that were removed.
  returned: success
  type: list
  elements: str
used:
  description: Paths of older builds that stay because a running cluster uses them.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_clean import clean
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_options import INPUTS_SPEC, read_inputs


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {"inputs": INPUTS_SPEC, "everything": {"type": "bool", "default": False}}, supports_check_mode=True
    )
    given = module.params
    try:
        removed, used = clean(read_inputs(given["inputs"]), everything=given["everything"], check=module.check_mode)
    except BuildError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(removed), removed=removed, used=used)


if __name__ == "__main__":
    main()
