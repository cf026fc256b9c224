#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_addons
short_description: Bring what belongs to a cluster itself into it
version_added: 1.0.0
description:
  - Applies objects on the server's side, in the order of their kinds, and waits until their workloads are ready.
  - It is for what a cluster is born with, such as DNS and storage. Nothing is ever removed.
  - Use M(wmx.llm_platform.apply) for what is rendered and may go again.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: By dry runs of the API server.
  diff_mode:
    support: none
    description: It names the objects that it changes.
options:
  objects:
    description:
      - The objects. A C(status) is only sent when the object is created.
    type: list
    elements: dict
    required: true
  wait_timeout:
    description:
      - Seconds that the workloads may take.
    type: float
    default: 300.0
"""

EXAMPLES = r"""
- name: Deploy the cluster's DNS
  wmx.llm_platform.cluster_addons:
    kubeconfig: /etc/kubernetes/super-admin.conf
    objects: "{{ lookup('ansible.builtin.template', 'coredns.yml.j2') | from_yaml_all }}"
"""

RETURN = r"""
created:
  description: What was not there, or would be created in check mode.
  returned: success
  type: list
  elements: str
  sample: [apps/Deployment kube-system/coredns]
updated:
  description: What was there and is different now.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._argspec import CONNECTION_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_addons import bring
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError


def main() -> t.NoReturn:
    module = AnsibleModule(
        argument_spec={
            **CONNECTION_SPEC,
            "objects": {"type": "list", "elements": "dict", "required": True},
            "wait_timeout": {"type": "float", "default": 300.0},
        },
        supports_check_mode=True,
    )
    try:
        outcomes = bring(
            KubeClient.from_options(module.params),
            module.params["objects"],
            seconds=module.params["wait_timeout"],
            dry_run=module.check_mode,
        )
    except KubeError as exc:
        module.fail_json(msg=str(exc))
    created = [done.desired.ref.text for done in outcomes if done.action == "created"]
    updated = [done.desired.ref.text for done in outcomes if done.action == "changed"]
    module.exit_json(changed=bool(created or updated), created=created, updated=updated)


if __name__ == "__main__":
    main()
