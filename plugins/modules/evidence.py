#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Write what a run has shown as JSON, as a page and as a ConfigMap
version_added: 1.0.0
description:
  - Puts the checks of a run, the fragments that tests left and the claims that nobody answered into one document.
  - Writes C(latest.json) and, with O(template), C(latest.html). Files are replaced in one step.
  - Keeps a short form in the ConfigMap C(llm-platform-evidence), where the cluster has the namespace.
  - Refuses to write when the value of one of the platform's Secrets would be in the files.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: Builds and returns the evidence, writes nothing.
  diff_mode:
    support: none
    description: Evidence is new with every run.
options:
  dest:
    description:
      - Directory of the environment's evidence, on the host the module runs on.
    type: path
    required: true
  environment:
    description:
      - Name of the environment.
    type: str
    required: true
  checks:
    description:
      - The results of this run's probes.
    type: list
    elements: dict
    required: true
  claims:
    description:
      - Everything that should have been proven, with C(id), C(class), C(claim) and, when there is one, C(expected).
        A claim
        without a check becomes a check that is not ok.
    type: list
    elements: dict
    default: []
  fragments:
    description:
      - Whether to take in the checks that tests left in C(fragments) below O(dest).
    type: bool
    default: false
  tree:
    description:
      - Directory of the rendered tree. Its hash goes into the evidence.
    type: path
  started:
    description:
      - When the run began, in ISO 8601 with a time zone.
    type: str
    required: true
  versions:
    description:
      - Versions to name. Those of Python and Kubernetes are added.
    type: dict
    default: {}
  simulations:
    description:
      - Sentences about what else is simulated, for the page.
    type: list
    elements: str
    default: []
  source:
    description:
      - Directory in the git repository whose commit the evidence names.
    type: path
  template:
    description:
      - Jinja template of the page. No page without it.
    type: path
  home_namespace:
    description:
      - Namespace of the ConfigMap. No ConfigMap without it.
    type: str
"""

EXAMPLES = r"""
- name: Write the evidence
  wmx.llm_platform.evidence:
    dest: "{{ inventory_dir }}/evidence/local"
    environment: local
    checks: "{{ llm_checks }}"
    started: 2026-11-23T10:30:00+00:00
    tree: "{{ inventory_dir }}/build/local"
"""

RETURN = r"""
evidence:
  description:
    - The document, as in C(latest.json) but without series.
  returned: always
  type: dict
table:
  description:
    - Lines for people, failed checks first.
  returned: always
  type: list
  elements: str
failed_checks:
  description:
    - The ids of the checks that are not ok.
  returned: always
  type: list
  elements: str
files:
  description:
    - The files that were written or would be.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._evidence_run import EvidenceRunError, carry_out

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "dest": {"type": "path", "required": True},
    "environment": {"type": "str", "required": True},
    "checks": {"type": "list", "elements": "dict", "required": True},
    "claims": {"type": "list", "elements": "dict", "default": []},
    "fragments": {"type": "bool", "default": False},
    "tree": {"type": "path"},
    "started": {"type": "str", "required": True},
    "versions": {"type": "dict", "default": {}},
    "simulations": {"type": "list", "elements": "str", "default": []},
    "source": {"type": "path"},
    "template": {"type": "path"},
    "home_namespace": {"type": "str"},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    result = carry_out(module.params, write=not module.check_mode, run=module.run_command)
    for warning in result.pop("warnings"):
        module.warn(warning)
    return {"changed": True, **result}


def main() -> t.NoReturn:
    run(SPEC, work, errors=(EvidenceRunError,))


if __name__ == "__main__":
    main()
