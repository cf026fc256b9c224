#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: network_probe
short_description: Prove that only the flows of the plan get through
version_added: 1.0.0
description:
  - Starts a pod for every kind of pod that the flows know, with the labels of the real one, in every namespace of the
    platform and of tenants, and one in a namespace of its own that has no policies.
  - Each tries every Service, pod, node port and kubelet. So do real pods whose image has Python.
  - What the flows allow must open, everything else must not. Listeners are shown to live by whoever may reach them, or
    through the API server, which passes by all policies.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - The pods never become ready, so that no Service sends them requests, and are removed, also after a failure. Those of
    a probe that was killed are removed by the next one.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: partial
    description: Nothing is tried in check mode.
    details: The probes make pods and a namespace, so nothing runs in check mode and no check is returned.
  diff_mode:
    support: none
    description: What the module makes is gone when it ends.
options:
  kinds:
    description:
      - The checks to give back; all of them come from the same attempts.
      - V(bypass) compares every attempt with the flows.
      - V(egress) looks at O(outside) alone.
      - V(birth) looks at what pods could open in their first two seconds, while rules were still to come.
    type: list
    elements: str
    choices: [bypass, egress, birth]
    default: [bypass, egress, birth]
  flows:
    description: The flows of the plan, C(llm_plan.flows).
    type: list
    elements: dict
    required: true
  namespaces:
    description: Namespaces of the platform.
    type: list
    elements: str
    required: true
  tenants:
    description: Namespaces of tenants.
    type: list
    elements: str
    default: []
  outside:
    description: An address out of the cluster that pods could reach if no policy kept them from it.
    type: dict
    default: {}
    suboptions:
      address:
        description:
          - The address. Without one V(egress) and V(birth) do not run, and their checks are not ok.
        type: str
        default: ""
      port:
        description:
          - The TCP port.
        type: int
        default: 0
      listen:
        description:
          - Whether the controller itself listens there, for as long as the probe takes.
        type: bool
        default: false
  image:
    description: Image of the pods. It must have C(python3) and be one that the cluster can pull.
    type: str
    required: true
  timeout:
    description: Seconds until a pod that does not run, or does not answer, counts as dead.
    type: float
    default: 60.0
"""

EXAMPLES = r"""
- name: Try everything that no flow allows
  wmx.llm_platform.network_probe:
    flows: "{{ llm_plan.flows }}"
    namespaces: "{{ llm_plan.namespaces | map(attribute='name') }}"
    tenants: "{{ llm_plan.tenants | map(attribute='namespace') }}"
    outside:
      address: 192.0.2.10
      port: 443
    image: docker.io/library/python:3.12-slim
  register: result
"""

RETURN = r"""
checks:
  description:
    - One check for each kind. The one of V(bypass) has the whole matrix as its table.
  returned: always
  type: list
  elements: dict
  sample:
    - id: egress-blocked
      class: live
      claim: No pod of the platform or of a tenant opens a connection out of the cluster that the table does not allow
      expected: an address outside, which a pod without policies reaches, is out of reach for every kind of pod
      observed: 192.0.2.10:443 outside answered a pod without policies and refused 12 kinds of pods of ours
      ok: true
      seconds: 14.2
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._network_probe import PROBES, probe

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "kinds": {"type": "list", "elements": "str", "choices": list(PROBES), "default": list(PROBES)},
    "flows": {"type": "list", "elements": "dict", "required": True},
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "tenants": {"type": "list", "elements": "str", "default": []},
    "outside": {
        "type": "dict",
        "default": {},
        "options": {
            "address": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 0},
            "listen": {"type": "bool", "default": False},
        },
    },
    "image": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 60.0},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    return {"checks": [] if module.check_mode else probe(module.params)}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
