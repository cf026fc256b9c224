#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: machine_check
short_description: Find what this machine lacks to carry a local cluster
version_added: 1.0.0
author:
  - wmx.llm_platform contributors (@wmx)
description:
  - Looks at user, distribution, Python, commands, control groups, kernel features and disk space, and changes nothing.
  - Never fails for what it finds; it returns sentences.
options:
  cache_dir:
    description: Folder whose file system must have the space.
    type: path
    required: true
  minimum_gb:
    description: Free space that is needed there, in gigabytes.
    type: float
    default: 15
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details: It changes nothing.
  idempotent:
    description: When run twice in a row outside check mode, the second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at the machine
  wmx.llm_platform.machine_check:
    cache_dir: ~/.cache/llm-platform
  register: machine
"""

RETURN = r"""
problems:
  description: One sentence for everything that is missing, with what to do.
  type: list
  elements: str
  returned: success
routes:
  description: All routes of the machine, as C(ip -json route show table all) tells them.
  type: list
  elements: dict
  returned: success
"""

import json
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._machine import Machine, problems


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "cache_dir": {"type": "path", "required": True},
            "minimum_gb": {"type": "float", "default": 15},
        },
        supports_check_mode=True,
    )
    found = problems(Machine(), Path(module.params["cache_dir"]), module.params["minimum_gb"])
    routes: list[dict[str, t.Any]] = []
    # Without the command there is a problem to tell already.
    if program := module.get_bin_path("ip"):
        _code, out, _error = module.run_command([program, "-json", "route", "show", "table", "all"], check_rc=True)
        routes = json.loads(out or "[]")
    module.exit_json(changed=False, problems=found, routes=routes)


if __name__ == "__main__":
    main()
