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
options:
  registry:
    description:
      - Host and port of the local cluster's registry, when that runs.
    type: str
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
on_demand:
  description: Tools that are no part of the cluster, like O(inputs.go_tools[].on_demand) says; built when asked for.
  returned: success
  type: list
  elements: dict
unpushed:
  description:
    - Names of the images that O(registry) lacks, or has with another digest than that of the build.
    - All images, when there is no O(registry) or it does not answer.
  returned: success
  type: list
  elements: str
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

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_options import INPUTS_SPEC, read_inputs
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_plan import plan_builds
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_registry import unpushed
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {"inputs": INPUTS_SPEC, "registry": {"type": "str"}}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    inputs = read_inputs(module.params["inputs"])
    plan = plan_builds(inputs)
    places = {kind: plan.one(kind).path for kind in ("tools", "sources", "node_root")}
    return {
        "artifacts": [artifact.result() for artifact in plan.artifacts],
        "missing": [artifact.result() for artifact in plan.missing],
        "on_demand": [artifact.result() for artifact in plan.on_demand],
        "unpushed": unpushed(inputs, plan, module.params["registry"]),
        **places,
        "node_root": f"{places['node_root']}/root",
    }


def main() -> t.NoReturn:
    run(SPEC, work, errors=(BuildError,), connection=False)


if __name__ == "__main__":
    main()
