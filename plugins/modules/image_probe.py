#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: image_probe
short_description: Prove that only known images run, and that the gates refuse the others
version_added: 1.0.0
description:
  - Looks at running pods, tries pods by dry run, and puts the lock, its rules and the policy gate to the test.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: The module changes nothing.
  diff_mode:
    support: none
    description: The module changes nothing.
options:
  kinds:
    description:
      - The probes to carry out.
      - V(pinned) looks at every pod, V(undigested) tries pods without digest and of another registry by dry run.
      - V(unlocked), V(denylisted) and V(young) put images to the rules that must refuse them, V(gate) the faults of
        O(faults).
    type: list
    elements: str
    choices: [pinned, undigested, unlocked, denylisted, young, gate]
    default: [pinned, undigested, unlocked, denylisted, young, gate]
  namespaces:
    description:
      - The namespaces that are held to the rules.
    type: list
    elements: str
    default: []
  everywhere:
    description:
      - Whether V(pinned) looks at the pods of all namespaces.
    type: bool
    default: false
  image:
    description:
      - An image with a digest that is allowed, for V(undigested).
    type: str
    default: ""
  locks:
    description:
      - The locks, the last one on top.
    type: list
    elements: path
    default: []
  rules:
    description:
      - Rules on images, as O(wmx.llm_platform.digest_pin#module:rules).
    type: dict
    default: {}
  faults:
    description:
      - File of planted faults, for V(gate).
    type: path
    default: ""
  tree:
    description:
      - Root of the tree that is delivered, for V(gate).
    type: path
    default: ""
  tier:
    description:
      - The footprint of the environment.
    type: str
    choices: [cost, dev, prod]
    default: dev
  exceptions:
    description:
      - Exceptions from the rules of the gate, as O(wmx.llm_platform.policy_gate#module:exceptions).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Prove that everything runs by digest
  wmx.llm_platform.image_probe:
    kinds: [pinned]
    everywhere: true
    locks: [inventories/production/images.lock.yml]
  register: result
"""

RETURN = r"""
checks:
  description:
    - One check for each kind.
  returned: always
  type: list
  elements: dict
  sample:
    - id: all-images-pinned
      class: read
      claim: Every pod that runs has its images by digest, and every digest is in the lock.
      expected: of every container the digest is in the lock
      observed: 9 pod(s) in all namespaces run 6 image(s), all of them looked up in the lock
      ok: true
      seconds: 0.1
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._image_probe import CLAIMS, probe

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "kinds": {"type": "list", "elements": "str", "choices": list(CLAIMS), "default": list(CLAIMS)},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "everywhere": {"type": "bool", "default": False},
    "image": {"type": "str", "default": ""},
    "locks": {"type": "list", "elements": "path", "default": []},
    "rules": {"type": "dict", "default": {}},
    "faults": {"type": "path", "default": ""},
    "tree": {"type": "path", "default": ""},
    "tier": {"type": "str", "choices": ["cost", "dev", "prod"], "default": "dev"},
    "exceptions": {"type": "list", "elements": "dict", "default": []},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    return {"checks": probe(module.params)}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
