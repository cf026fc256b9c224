#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: secret_contract
short_description: Make sure that the Secrets of a contract hold their values
version_added: 1.0.0
description:
  - Makes values that are missing, copies a value to all places that share it, and brings those that only the operator
    knows. A generated value that is there is never changed, so that nothing is rotated in silence.
  - Remembers values that must never change by a slow, salted hash in the home namespace, and refuses to work with
    others.
  - Values are made in this module and sent to the API server. They are in no result, log or diff.
  - One list of Secrets for each namespace, whatever the number of values.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: Reads the Secrets and says what would be made; refuses what a run would refuse.
  diff_mode:
    support: full
    description: Shows names of Secrets and keys, never values.
  idempotent:
    support: full
    description: Secrets that hold all values are left alone.
options:
  state:
    description:
      - V(present) brings the values. V(checked) writes nothing and returns what stands against it as RV(findings).
      - V(adopted) is for Secrets that another controller brings; it demands that all are there.
    type: str
    choices: [present, checked, adopted]
    default: present
  home_namespace:
    description:
      - Namespace of what is remembered.
    type: str
    required: true
  contract:
    description:
      - The values, as C(__secrets_contract) of the role C(secrets) describes them.
    type: list
    elements: dict
    required: true
  values:
    description:
      - Values that the operator gives, by name.
    type: dict
    default: {}
  sources:
    description:
      - Keys of existing Secrets that hold values the operator gives, by name, each with C(namespace), C(name) and
        C(key).
    type: dict
    default: {}
  store:
    description:
      - The store of external-secrets that the values come from, with C(kind) and C(name). Empty where this module makes
        them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Make sure that the models' API has a key
  wmx.llm_platform.secret_contract:
    home_namespace: llm-platform
    contract:
      - name: vllm-api-key
        format: hex32
        targets:
          - {namespace: llm-serving, secret: vllm-api-key, key: api-key}
"""

RETURN = r"""
created:
  description: Secrets that are new.
  returned: when O(state) is not V(checked)
  type: list
  elements: str
  sample: [Secret llm-serving/vllm-api-key]
added:
  description: Keys that got a value.
  returned: when O(state) is not V(checked)
  type: list
  elements: str
  sample: ["llm-serving/vllm-api-key:api-key"]
updated:
  description: Keys whose value the operator has changed.
  returned: when O(state) is not V(checked)
  type: list
  elements: str
  sample: []
kept:
  description: Keys that had their value already.
  returned: when O(state) is not V(checked)
  type: list
  elements: str
  sample: []
recorded:
  description: Values that are remembered from now on.
  returned: when O(state) is not V(checked)
  type: list
  elements: str
  sample: [litellm-salt-key]
rolled:
  description: Workloads that get new pods, because they read a value that the operator has changed.
  returned: when O(state) is not V(checked)
  type: list
  elements: str
  sample: []
findings:
  description: What was found, each with C(id), C(ok), C(message) and C(fix).
  returned: when O(state) is V(checked)
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_bring import adopt, bring
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_check import findings
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_contract import read_contract, read_sources
from ansible_collections.wmx.llm_platform.plugins.module_utils._secret_judge import Request

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "state": {"type": "str", "choices": ["present", "checked", "adopted"], "default": "present"},
    "home_namespace": {"type": "str", "required": True},
    "contract": {"type": "list", "elements": "dict", "required": True},
    "values": {"type": "dict", "default": {}, "no_log": True},
    "sources": {"type": "dict", "default": {}},
    "store": {"type": "dict", "default": {}},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    request = Request(
        entries=read_contract(options["contract"]),
        home=options["home_namespace"],
        given={name: str(value) for name, value in options["values"].items() if value is not None},
        sources=read_sources(options["sources"]),
        external=bool(options["store"]),
    )
    client = KubeClient.from_options(options)
    if options["state"] == "checked":
        return {"findings": findings(client, request, options["store"])}
    act = adopt if options["state"] == "adopted" else bring
    outcome = act(client, request, dry_run=module.check_mode)
    before = sorted([*outcome.kept, *(f"{name} (the value before)" for name in outcome.updated)])
    after = sorted([*outcome.kept, *outcome.added, *(f"{name} (another value)" for name in outcome.updated)])
    diff = {"before": {"keys": before}, "after": {"keys": after}}
    return {"changed": outcome.changed, "diff": diff, **vars(outcome)}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
