#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_probe
short_description: Prove that a cluster is ready, restricts pods and enforces NetworkPolicies
version_added: 1.0.0
description:
  - Tries what a cluster promises and returns one check for each kind of probe.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: partial
    description: The kinds that change nothing run in check mode too.
    details: V(policies_enforced) starts pods, so it is left out in check mode.
  diff_mode:
    support: none
    description: What the module makes is gone when it ends.
options:
  kinds:
    description:
      - The probes to carry out.
      - V(ready) looks at the API server, nodes, system pods and the default StorageClass.
      - V(pods_restricted) demands that O(namespaces) enforce Pod Security and refuse a privileged pod (a dry run),
        and that
        the pods in them run as non-root, with a read-only root file system and without a token for the API.
      - V(policies_enforced) makes a namespace of its own, tries a connection without and with a NetworkPolicy and
        removes the
        namespace.
    type: list
    elements: str
    choices: [ready, pods_restricted, policies_enforced]
    default: [ready, pods_restricted, policies_enforced]
  namespaces:
    description:
      - The namespaces that V(pods_restricted) looks at.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the namespace.
        type: str
        required: true
      pod_security:
        description:
          - The Pod Security level it must enforce.
        type: str
        choices: [restricted, baseline, privileged]
        default: restricted
      reason:
        description:
          - Why it is not V(restricted).
        type: str
        default: ""
  image:
    description:
      - Image for the pods of the probes. It must have C(python3) and be one that the cluster can pull.
    type: str
    required: true
  timeout:
    description:
      - Seconds for V(policies_enforced).
    type: float
    default: 60.0
"""

EXAMPLES = r"""
- name: Prove that the cluster enforces NetworkPolicies
  wmx.llm_platform.cluster_probe:
    kinds: [policies_enforced]
    image: docker.io/library/python:3.12-slim
  register: result

- name: Demand it
  ansible.builtin.assert:
    that: result.checks | rejectattr('ok') | length == 0
    fail_msg: "{{ result.checks | map(attribute='observed') | join('; ') }}"
"""

RETURN = r"""
checks:
  description:
    - One check for each kind.
  returned: always
  type: list
  elements: dict
  sample:
    - id: cluster-ready
      class: read
      claim: The cluster serves its API, and its nodes and system pods are ready.
      expected: /readyz ok, every node Ready
      observed: Kubernetes v1.36.3, 1 real and 4 simulated node(s), 6 system pod(s), default StorageClass local
      ok: true
      seconds: 0.1
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_probe import CLAIMS, probe

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "kinds": {"type": "list", "elements": "str", "choices": list(CLAIMS), "default": list(CLAIMS)},
    "namespaces": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "pod_security": {
                "type": "str",
                "choices": ["restricted", "baseline", "privileged"],
                "default": "restricted",
            },
            "reason": {"type": "str", "default": ""},
        },
    },
    "image": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 60.0},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    kinds = [kind for kind in module.params["kinds"] if not (module.check_mode and kind == "policies_enforced")]
    return {"checks": probe({**module.params, "kinds": kinds})}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
