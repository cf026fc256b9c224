#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: teardown
short_description: Remove from a cluster what the collection made
version_added: 1.0.0
description:
  - Finds the objects by what the cluster remembers of them, not by a rendered tree, so that it works after a run that
    stopped half way.
  - Removes what intercepts requests first, then component by component in reverse order, namespaces last, and waits
    for each.
  - Objects with data (Namespaces, CRDs, volumes, Secrets, databases) are kept unless they are named; a Namespace with
    nothing left in it goes too.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: Lists what would be removed and kept; the server checks each deletion without doing it.
  diff_mode:
    support: full
    description: Shows the removed objects by name.
  idempotent:
    support: full
    description: Nothing is left to do the second time.
options:
  home_namespace:
    description:
      - Namespace that remembers what was delivered.
    type: str
    default: llm-platform
  components:
    description:
      - Components in the order of their delivery. Those the cluster knows besides are removed before them.
    type: list
    elements: str
    default: []
  data:
    description:
      - Objects with data to remove, as V(group/Kind namespace/name), V(Kind name) for the core group and cluster scope.
      - A Namespace that is named here is removed with everything in it.
    type: list
    elements: str
    default: []
  wait_timeout:
    description:
      - Seconds to wait for each step of the removal.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Remove the platform and its namespaces
  wmx.llm_platform.teardown:
    components: [foundation, serving]
    data:
      - Namespace llm-serving
      - Namespace llm-platform
"""

RETURN = r"""
removed:
  description: What was removed, in order; in check mode what would be.
  returned: success
  type: list
  elements: str
  sample: [apps/Deployment llm-serving/chat]
kept:
  description: What was kept, and why.
  returned: success
  type: list
  elements: dict
  contains:
    object:
      description: The object, as O(data) takes it.
      type: str
    reason:
      description: Why it was kept.
      type: str
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._teardown import options_of, teardown

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "home_namespace": {"type": "str", "default": "llm-platform"},
    "components": {"type": "list", "elements": "str", "default": []},
    "data": {"type": "list", "elements": "str", "default": []},
    "wait_timeout": {"type": "int", "default": 300},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    client = KubeClient.from_options(module.params)
    result = teardown(client, options_of(module.params, dry_run=module.check_mode))
    removed = [ref.text for ref in result.removed]
    return {
        "changed": bool(removed),
        "removed": removed,
        "kept": [{"object": ref.text, "reason": reason} for ref, reason in sorted(result.kept.items())],
        "diff": {"before": "".join(f"{text}\n" for text in removed), "after": ""},
    }


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
