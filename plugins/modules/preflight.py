#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check whether a cluster can take what a plan describes
version_added: 1.0.0
description:
  - Looks at the cluster without changing anything and returns one finding per check.
  - A finding that is not ok does not fail the module, so that all of them can be reported together; a cluster that does
    not answer does.
author: wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
options:
  plan:
    description: The plan of the environment.
    type: dict
    required: true
  recorded:
    description: What was recorded about the cluster at first contact; empty before it.
    type: dict
    default: {}
  identity_file:
    description: File that holds O(recorded), for messages.
    type: path
  checks:
    description: The checks to run.
    type: list
    elements: str
    choices: [identity, version, permissions, existing, storage, room, addresses, leftovers, tenants]
    default: [identity, version, permissions, existing, storage, room, addresses, leftovers, tenants]
attributes:
  check_mode:
    description: Can run in check mode and return the same.
    support: full
  diff_mode:
    description: Has nothing to show, because it changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Look at the cluster
  wmx.llm_platform.preflight:
    plan: "{{ llm_plan }}"
    kubeconfig: "{{ llm_plan.kubeconfig }}"
  register: __preflight_result
"""

RETURN = r"""
findings:
  description: One entry per check, several where a check found several problems.
  returned: success
  type: list
  elements: dict
  sample:
    - id: version
      ok: true
      message: Kubernetes 1.36.3
      fix: ""
cluster:
  description: What was learned about the cluster.
  returned: success
  type: dict
  contains:
    uid:
      description: UID of the namespace C(kube-system), the identity of the cluster.
      type: str
    version:
      description: Version of Kubernetes.
      type: str
    api_versions:
      description: All served API versions.
      type: list
      elements: str
    dns_addresses:
      description: Addresses of the cluster's DNS Service.
      type: list
      elements: str
    api_server_addresses:
      description: Addresses behind the Service of the API server.
      type: list
      elements: str
    api_server_port:
      description: Port behind the Service of the API server.
      type: int
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._preflight import CHECKS, Asked, check, look

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "plan": {"type": "dict", "required": True},
    "recorded": {"type": "dict", "default": {}},
    "identity_file": {"type": "path"},
    "checks": {"type": "list", "elements": "str", "choices": list(CHECKS), "default": list(CHECKS)},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    client = KubeClient.from_options(params)
    cluster = look(client)
    asked = Asked(params["plan"], params["recorded"], params["identity_file"] or "")
    findings = check(client, cluster, asked, params["checks"])
    return {"findings": [finding.as_dict() for finding in findings], "cluster": cluster.as_dict()}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
