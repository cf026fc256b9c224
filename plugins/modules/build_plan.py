#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Tells what the local cluster is built from and what of it is missing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: build_plan
short_description: Tell what the local cluster is built from and what of it is missing
version_added: 0.1.0
description:
  - Keys every build of the local cluster (tools, chart sources, the node's root filesystem, images) by all its inputs
    and tells which ones this machine still lacks.
  - Builds nothing and changes nothing.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.build_inputs
attributes:
  check_mode:
    description: It changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Find what must be built
  wmx.llm_platform.build_plan:
    inputs:
      cache: /var/cache/llm-platform
      files: "{{ role_path }}/files"
      go: go
      go_tools:
        - name: etcd
          rename: {server: etcd}
      node_packages: [containerd, runc, buildah]
  register: plan
"""

RETURN = r"""
artifacts:
  description: Everything the cluster is built from, in order.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: One of V(go_tools), V(tools), V(sources), V(node_root), V(image).
      type: str
    name:
      description: Name among its kind.
      type: str
    key:
      description: Hash of all inputs.
      type: str
    path:
      description: Where it lies, or will lie.
      type: str
    parts:
      description: Keys of the artifacts it is made of.
      type: dict
    present:
      description: Whether it is built.
      type: bool
missing:
  description: The artifacts that are not built.
  returned: success
  type: list
  elements: dict
tools:
  description: Folder whose C(bin) holds all tools.
  returned: success
  type: str
sources:
  description: Folder with the copied module folders as C(<module>/<path>).
  returned: success
  type: str
node_root:
  description: The node's root filesystem, to be read only.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_options import INPUTS_SPEC, read_inputs
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import plan_builds


def main() -> None:
    """Run the module."""
    module = AnsibleModule({"inputs": INPUTS_SPEC}, supports_check_mode=True)
    try:
        plan = plan_builds(read_inputs(module.params["inputs"]))
        places = {kind: plan.one(kind).path for kind in ("tools", "sources", "node_root")}
    except BuildError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        artifacts=[artifact.result() for artifact in plan.artifacts],
        missing=[artifact.result() for artifact in plan.missing],
        **{**places, "node_root": f"{places['node_root']}/root"},
    )


if __name__ == "__main__":
    main()
