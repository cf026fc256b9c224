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
      - Seconds that the API server may take to become ready, and then the workloads.
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

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_addons import bring, reach
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "objects": {"type": "list", "elements": "dict", "required": True},
    "wait_timeout": {"type": "float", "default": 300.0},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    seconds = params["wait_timeout"]
    client = reach(lambda: KubeClient.from_options(params), seconds)
    outcomes = bring(client, params["objects"], seconds=seconds, dry_run=module.check_mode)
    created = [done.desired.ref.text for done in outcomes if done.action == "created"]
    updated = [done.desired.ref.text for done in outcomes if done.action == "changed"]
    return {"changed": bool(created or updated), "created": created, "updated": updated}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
