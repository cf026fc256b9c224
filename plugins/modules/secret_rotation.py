#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: secret_rotation
short_description: Replace one value of the contract of secrets
version_added: 1.0.0
description:
  - Makes another value (or takes the one given), tells the server whose password it is, writes it into all Secrets that
    hold it, and gives new pods to the workloads that read it, in the order of the contract.
  - Workloads are found by what their pods read. They roll by an annotation of the pod template that no tree holds.
  - A run that was killed is finished by the same call.
  - Values are in no result, log, diff or list of processes.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: Says which Secrets would change and which workloads would roll.
  diff_mode:
    support: none
    description: Values are secret.
  idempotent:
    support: none
    description: Every call rotates.
options:
  name:
    description:
      - Name of the value in the contract.
    type: str
    required: true
  home_namespace:
    description:
      - Namespace of the Lease that keeps two runs apart.
    type: str
    required: true
  contract:
    description:
      - The values, as C(__secrets_contract) of the role C(secrets) describes them.
    type: list
    elements: dict
    required: true
  value:
    description:
      - The new value. Without it one is made.
    type: str
  external:
    description:
      - Whether another controller brings the Secrets; such values are rotated where they are kept.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait for each group of workloads.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Replace the master key
  wmx.llm_platform.secret_rotation:
    name: litellm-master-key
    home_namespace: llm-platform
    contract:
      - name: litellm-master-key
        format: sk-hex32
        targets:
          - {namespace: llm-gateway, secret: litellm-secrets, key: PROXY_MASTER_KEY}
        rotation: {verb: roll, order: [llm_gateway]}
"""

RETURN = r"""
places:
  description: Keys of Secrets that have the new value.
  returned: success
  type: list
  elements: str
  sample: ["llm-gateway/litellm-secrets:PROXY_MASTER_KEY"]
rolled:
  description: Workloads that got new pods, in groups, one group after the other.
  returned: success
  type: list
  elements: list
  sample: [[apps/Deployment llm-gateway/litellm]]
resumed:
  description: Whether an earlier call had begun this rotation.
  returned: success
  type: bool
seconds:
  description: How long it took.
  returned: success
  type: float
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._pod_exec import exec_runner
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import read_contract
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_rotate import Asked, find, rotate

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "home_namespace": {"type": "str", "required": True},
    "contract": {"type": "list", "elements": "dict", "required": True},
    "value": {"type": "str", "no_log": True},
    "external": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 600},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    asked = Asked(
        entries=read_contract(options["contract"]),
        name=options["name"],
        home=options["home_namespace"],
        given=options["value"].encode() if options["value"] else None,
        seconds=float(options["wait_timeout"]),
        external=options["external"],
    )
    # What cannot rotate is said without a cluster.
    find(asked)
    client = KubeClient.from_options(options)
    result = rotate(client, exec_runner(client, options), asked, dry_run=module.check_mode)
    return {"changed": True, **vars(result)}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
