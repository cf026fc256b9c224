# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Bring rendered components into a cluster
version_added: 1.0.0
description:
  - Makes the cluster have what the tree of rendered objects has, for the components named, with one server-side
    apply per object that differs. What the server already has costs no request.
  - Namespaces and CustomResourceDefinitions come first, webhook configurations last. Objects in phase V(before) or
    V(after) (annotation C(llm-platform.wmx.dev/phase)) come before or after all others of the call.
  - Fields in the tree are the tree's, and what others wrote there is taken back and reported. Fields that the tree
    does not name stay as they are.
  - Waits until objects are ready, and says what keeps them from it.
  - Objects of a component that left the tree are deleted, unless they hold data.
  - A Lease stops two runs from working on one cluster at once.
options:
  tree:
    description:
      - Folder of the rendered tree.
    type: path
    required: true
  components:
    description:
      - The components to deliver, those of one layer. One without objects in the tree is removed from the cluster.
    type: list
    elements: str
    required: true
  environment:
    description:
      - Name of the environment, for messages.
    type: str
  home_namespace:
    description:
      - Namespace of the Lease and of the records of what belongs to each component. Created if it is missing.
    type: str
    default: llm-platform
  prune:
    description:
      - How objects are removed that left the tree.
    type: dict
    default: {}
    suboptions:
      enabled:
        description:
          - Whether to remove them at all.
        type: bool
        default: true
      data:
        description:
          - Objects that may be removed although they hold data, like V(PersistentVolumeClaim llm-serving/models).
            Without a name here,
            Namespaces, CustomResourceDefinitions, PersistentVolumeClaims, Secrets and database clusters are kept.
        type: list
        elements: str
        default: []
      max:
        description:
          - The most objects to remove in one call. If there are more, nothing at all is changed.
        type: int
        default: 50
  wait:
    description:
      - Whether to wait until the objects are ready.
    type: bool
    default: true
  wait_timeout:
    description:
      - How many seconds to wait at most.
    type: int
    default: 600
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    description: Can run in check mode and tell what would change, without writing anything.
    details:
      - The API server tries each object in a dry run. Objects whose namespace or kind does not exist yet are
        validated against schemas instead.
    support: full
  diff_mode:
    description: Shows what changes.
    details:
      - Values of Secrets are not shown.
    support: full
  idempotent:
    description: Changes nothing when run again.
    support: full
author:
  - wmx.llm_platform contributors (@wmx)
"""

EXAMPLES = r"""
- name: Deliver the serving layer
  wmx.llm_platform.apply:
    kubeconfig: ~/.kube/config
    tree: build/local
    components: [serving]
    wait_timeout: 300

- name: Remove a component, its volume too
  wmx.llm_platform.apply:
    tree: build/local
    components: [benchmark]
    prune:
      data: [PersistentVolumeClaim llm-serving/benchmark]
"""

RETURN = r"""
objects:
  description: References of all objects of the call, by what became of them.
  returned: always
  type: dict
  contains:
    created:
      description: Were created, or would be according to the API server's dry run.
      type: list
      elements: str
    changed:
      description: Were changed.
      type: list
      elements: str
    unchanged:
      description: Were as they should be.
      type: list
      elements: str
    would_create:
      description:
        - In check mode, would be created in a namespace or of a kind that does not exist yet. Validated offline.
      type: list
      elements: str
    pruned:
      description: Left the tree and were deleted.
      type: list
      elements: str
    kept:
      description: Left the tree, but hold data that O(prune.data) does not name.
      type: list
      elements: str
  sample:
    created: []
    changed: [apps/Deployment llm-serving/chat]
    unchanged: []
    would_create: []
    pruned: []
    kept: []
taken_back:
  description: Fields that somebody else had changed, and who and when.
  returned: always
  type: list
  elements: dict
  sample:
    - ref: apps/Deployment llm-serving/chat
      path: spec.replicas
      manager: kubectl-scale
      time: "2026-01-02T03:04:05Z"
not_validated:
  description: Objects of RV(objects.would_create) that could not be validated, and why.
  returned: always
  type: list
  elements: dict
  sample: []
"""

import typing as t
from pathlib import Path

from ansible_collections.wmx.llm_platform.plugins.module_utils._apply import ApplyError, ApplyOptions, deliver
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._prune import PruneOptions, normalize_data
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.wmx.llm_platform.plugins.module_utils._apply_report import Report

SPEC: t.Final[dict[str, t.Any]] = {
    "tree": {"type": "path", "required": True},
    "components": {"type": "list", "elements": "str", "required": True},
    "environment": {"type": "str"},
    "home_namespace": {"type": "str", "default": "llm-platform"},
    "prune": {
        "type": "dict",
        "default": {},
        "options": {
            "enabled": {"type": "bool", "default": True},
            "data": {"type": "list", "elements": "str", "default": []},
            "max": {"type": "int", "default": 50},
        },
    },
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 600},
}


def result_of(report: Report, *, diff: bool) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {
        "changed": report.changed,
        "objects": report.objects(),
        "taken_back": report.taken_back(),
        "not_validated": report.not_validated(),
    }
    if diff:
        result["diff"] = report.diff()
    return result


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params, diff = module.params, module._diff  # noqa: SLF001 - Ansible gives it no public name
    prune = params["prune"]
    options = ApplyOptions(
        tree=Path(params["tree"]),
        components=tuple(dict.fromkeys(params["components"])),
        home_namespace=params["home_namespace"],
        prune=PruneOptions(
            enabled=prune.get("enabled", True), data=normalize_data(prune.get("data") or []), max=prune.get("max", 50)
        ),
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
        check=module.check_mode,
    )
    try:
        report = deliver(KubeClient.from_options(params), options)
    except KubeError as exc:
        where = f"environment {params['environment']}: " if params["environment"] else ""
        done = result_of(exc.report, diff=diff) if isinstance(exc, ApplyError) else {}
        module.fail_json(msg=where + str(exc), **done)
    for item in report.taken_back():
        module.warn(f"{item['ref']}: took back {item['path']}, which {item['manager']} had changed at {item['time']}")
    for item in report.not_validated():
        module.warn(f"{item['ref']}: not validated: {item['reason']}")
    return result_of(report, diff=diff)


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
