#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: policy_gate
short_description: Let a rendered tree pass only when it keeps the rules
version_added: 1.0.0
description:
  - Reads every object of the tree once and judges it by rules about resources, probes, tokens, node access, digests,
    plain-text secrets, rights, exposure, listeners, prices and, in tier V(prod), disruption budgets and spread.
  - Fails with one line for each finding, with file, object, rule and fix.
  - Needs no cluster.
author:
  - wmx.llm_platform contributors (@wmx)
attributes:
  check_mode:
    support: full
    description: The module changes nothing.
  diff_mode:
    support: none
    description: The module changes nothing.
options:
  tree:
    description:
      - Root of the tree.
    type: path
    required: true
  components:
    description:
      - The components that must keep the rules. All must when left out.
    type: list
    elements: str
  tier:
    description:
      - The footprint of the environment. V(prod) demands protected and spread replicas.
    type: str
    choices: [cost, dev, prod]
    default: dev
  exceptions:
    description:
      - Rules that do not hold for some objects, each with an owner and a reason.
    type: list
    elements: dict
    default: []
    suboptions:
      rule:
        description:
          - Name of the rule.
        type: str
        choices:
          - available
          - exposure
          - host
          - listeners
          - pinned
          - price
          - probes
          - rbac
          - resources
          - secret
          - token
        required: true
      object:
        description:
          - Pattern of objects, with C(*), such as C(apps/Deployment kueue-system/*).
        type: str
        required: true
      owner:
        description:
          - Who answers for it.
        type: str
        required: true
      reason:
        description:
          - Why it is right.
        type: str
        required: true
  demand_digests:
    description:
      - Whether images must have digests.
    type: bool
    default: true
  fail:
    description:
      - Whether a finding fails the task. Otherwise it is only returned.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Let the tree pass, or say why not
  wmx.llm_platform.policy_gate:
    tree: build/production
    tier: prod
    exceptions:
      - rule: rbac
        object: rbac.authorization.k8s.io/ClusterRole kueue-*
        owner: platform team
        reason: the operator manages any kind of workload
"""

RETURN = r"""
objects:
  description: How many objects were judged.
  returned: always
  type: int
refused:
  description: Findings that nothing excuses.
  returned: always
  type: list
  elements: dict
  sample:
    - file: serving/serving/apps.Deployment.llm-serving.chat.yml
      object: apps/Deployment llm-serving/chat
      rule: resources
      problem: containers[0] server sets no limits.memory
      fix: set requests and a memory limit
excused:
  description: Findings with an exception, with its owner and reason.
  returned: always
  type: list
  elements: dict
unused_exceptions:
  description: Exceptions that excuse nothing, when all components are judged.
  returned: always
  type: list
  elements: dict
report:
  description: The findings as lines for people; empty when there is none.
  returned: always
  type: str
"""

import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import GateError
from ansible_collections.wmx.llm_platform.plugins.module_utils._policy_gate import RULE_NAMES, gate
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree import TreeError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_TEXT: t.Final = {"type": "str", "required": True}
SPEC: t.Final[dict[str, t.Any]] = {
    "tree": {"type": "path", "required": True},
    "components": {"type": "list", "elements": "str"},
    "tier": {"type": "str", "choices": ["cost", "dev", "prod"], "default": "dev"},
    "exceptions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"rule": {**_TEXT, "choices": list(RULE_NAMES)}, "object": _TEXT, "owner": _TEXT, "reason": _TEXT},
    },
    "demand_digests": {"type": "bool", "default": True},
    "fail": {"type": "bool", "default": True},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    result = gate(
        Path(options["tree"]),
        options["components"],
        options["tier"],
        options["exceptions"],
        demand_digests=options["demand_digests"],
    )
    if result["refused"] and options["fail"]:
        module.fail_json(msg=result["report"], **result)
    return result


def main() -> t.NoReturn:
    run(SPEC, work, errors=(GateError, TreeError), connection=False)


if __name__ == "__main__":
    main()
