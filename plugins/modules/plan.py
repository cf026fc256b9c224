#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Validate the inventory and resolve it into a plan
version_added: 1.0.0
description:
  - Checks every variable of the collection that the inventory sets against the argument specs of its roles and against
    the rules between them.
  - Reports all problems in one message, one line each, with the variable, its value, what is wrong and the fix.
  - Resolves profile, tier and features into the components in delivery order.
  - An action plugin; it runs on the controller and touches neither a cluster nor a file.
author: wmx.llm_platform contributors (@wmx)
options:
  catalog:
    description: The components there are, by name.
    type: dict
    required: true
  advisories:
    description:
      - Releases of images that must not run, as C(denied) and C(floors).
      - Each has C(image), C(versions) and C(advisory).
    type: dict
    default: {}
  flows:
    description:
      - Who may open a connection to whom, as C(ends) and C(flows).
      - Those of the plan's components come back in C(plan.flows), with what the inventory adds.
    type: dict
    default: {}
  show:
    description: Print the plan as a table.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check mode and return the same.
    support: full
  diff_mode:
    description: Has nothing to show, because it changes nothing.
    support: none
  action:
    description: Runs on the controller.
    support: full
"""

EXAMPLES = r"""
- name: Plan the environment
  wmx.llm_platform.plan:
    catalog: "{{ __plan_catalog }}"
  register: __plan_result
"""

RETURN = r"""
plan:
  description: The plan of the environment.
  returned: success
  type: dict
  sample:
    environment: local
    profile: serving
    selected: [foundation, serving]
"""
