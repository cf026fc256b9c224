#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Pushes built images to the local cluster's registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_push
short_description: Push built images to the local cluster's registry
version_added: 0.1.0
description:
  - Pushes every image that has a name under that name, unless the registry has it with the digest of this build.
  - Builds an image first that is missing because its inputs changed, or another run removed it, since
    M(wmx.llm_platform.build_artifact) ran.
  - Speaks plain HTTP without a proxy, as the registry inside the cluster's namespaces does.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.build_inputs
options:
  registry:
    description: Address and port of the registry.
    type: str
    required: true
attributes:
  check_mode:
    description: Compares digests, tells what would be built and pushed, and does neither.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Push images
  wmx.llm_platform.image_push:
    inputs: "{{ my_build_inputs }}"
    registry: 10.77.0.1:5000
"""

RETURN = r"""
images:
  description: The images in order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Full name with registry and tag.
      type: str
    digest:
      description: Digest of the manifest in the registry; empty in check mode for an image that was never pushed.
      type: str
    built:
      description: Whether it was missing and had to be built.
      type: bool
    pushed:
      description: Whether the registry lacked it.
      type: bool
digests:
  description: Name to digest of all images.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wmx.llm_platform.plugins.module_utils._build_common import BuildError
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_make import push
from ansible_collections.wmx.llm_platform.plugins.module_utils._build_options import INPUTS_SPEC, read_inputs


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {"inputs": INPUTS_SPEC, "registry": {"type": "str", "required": True}}, supports_check_mode=True
    )
    given = module.params
    try:
        images = push(read_inputs(given["inputs"]), given["registry"], check=module.check_mode)
    except BuildError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=any(image["built"] or image["pushed"] for image in images),
        images=images,
        digests={image["name"]: image["digest"] for image in images},
    )


if __name__ == "__main__":
    main()
