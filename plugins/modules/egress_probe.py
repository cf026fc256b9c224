#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: egress_probe
short_description: Prove what leaves the cluster for a provider, and what does not
version_added: 1.0.0
description:
  - Plays the providers of models that the inventory calls simulated, in a pod of a namespace of its own, behind the one
    gateway that leaves the cluster. Asks them through the LLM gateway with keys of teams of its own, and returns one
    check.
  - Looks at what the provider was sent, at the ledger, at a budget that is spent, at a certificate of a strange
    authority and at a connection past the gateway.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - Pod, namespace, policy, addresses, teams and keys are gone at the end, also after a failure; what a probe that was
    killed has left is removed by the next one.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.gateway
  - wmx.llm_platform.probe.priced
attributes:
  check_mode:
    support: partial
    description: Nothing is asked in check mode.
    details: The probe makes objects, so nothing runs in check mode and no check is returned.
  diff_mode:
    support: none
    description: What the module makes is gone when it ends.
options:
  models:
    description:
      - The models of providers that tenants may use.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the model in the inventory.
        type: str
        required: true
      served_name:
        description:
          - The name that clients use. O(models[].name) when left out.
        type: str
      price:
        description:
          - What a token should cost, in dollars.
        type: dict
        suboptions:
          input_per_token:
            description:
              - Dollars for a token of the prompt.
            type: float
            default: 0.0
          output_per_token:
            description:
              - Dollars for a token of the answer.
            type: float
            default: 0.0
      max_output_tokens:
        description:
          - The most tokens that one answer may have.
        type: int
        default: 512
      host:
        description:
          - Host of the provider.
        type: str
        required: true
      certificate:
        description:
          - Secret in O(egress.namespace) with the certificate that the host shows.
        type: str
        required: true
      credential:
        description:
          - Where the provider's key is, in the LLM gateway's namespace. Only its hash is compared.
        type: dict
        required: true
        suboptions:
          name:
            description:
              - Name of the Secret.
            type: str
            required: true
          key:
            description:
              - Key within the Secret.
            type: str
            required: true
  egress:
    description:
      - The gateway that leaves the cluster.
    type: dict
    required: true
    suboptions:
      namespace:
        description:
          - Namespace of its pods.
        type: str
        required: true
      service:
        description:
          - The Service without pods behind which the provider is played.
        type: str
        required: true
      pods:
        description:
          - Labels of its pods.
        type: dict
        required: true
      client_selector:
        description:
          - Labels of the pods that ask it, and that must not get past it.
        type: str
        default: app.kubernetes.io/name=litellm
      client_container:
        description:
          - Their container, which has Python.
        type: str
        default: litellm
  image:
    description:
      - Image with C(python3) for the pod that plays the providers; one that the cluster can pull.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Prove what leaves the cluster
  wmx.llm_platform.egress_probe:
    egress:
      namespace: llm-egress
      service: provider-stand-in
      pods: {gateway.networking.k8s.io/gateway-name: egress}
    models:
      - name: claude
        served_name: claude-haiku
        price: {input_per_token: 0.000001, output_per_token: 0.000005}
        host: api.anthropic.com
        certificate: api.anthropic.com-stand-in
        credential: {name: provider-keys, key: claude}
    image: ghcr.io/wmx/llm-platform/model-simulator:1.0.0
  register: result

- name: Demand that the claim holds
  ansible.builtin.assert:
    that: result.checks | rejectattr('ok') | length == 0
    fail_msg: "{{ result.checks | map(attribute='observed') | join('; ') }}"
"""

RETURN = r"""
checks:
  description:
    - One check.
  returned: always
  type: list
  elements: dict
  sample:
    - id: provider-egress-budgeted
      class: live
      claim: A model of a provider is asked by one way out, behind the same budgets.
      expected: answers cost their tokens x price in the ledger
      observed: 8 answers by 2 replicas, $0.00083200 in the ledger
      ok: true
      seconds: 5.2
      simulated: true
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import probing, run
from ansible_collections.wmx.llm_platform.plugins.module_utils._egress_probe import probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import GATEWAY_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe import PRICED_SPEC

CREDENTIAL_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "name": {"type": "str", "required": True},
    # It names a place; no value passes here.
    "key": {"type": "str", "required": True, "no_log": False},
}
MODEL_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    # They have no pods, so no Services.
    **{name: spec for name, spec in PRICED_SPEC.items() if name != "services"},
    "host": {"type": "str", "required": True},
    "certificate": {"type": "str", "required": True},
    "credential": {"type": "dict", "required": True, "no_log": False, "options": CREDENTIAL_SPEC},
}
EGRESS_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "namespace": {"type": "str", "required": True},
    "service": {"type": "str", "required": True},
    "pods": {"type": "dict", "required": True},
    "client_selector": {"type": "str", "default": "app.kubernetes.io/name=litellm"},
    "client_container": {"type": "str", "default": "litellm"},
}
SPEC: t.Final[dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "models": {"type": "list", "elements": "dict", "required": True, "options": MODEL_SPEC},
    "egress": {"type": "dict", "required": True, "options": EGRESS_SPEC},
    "image": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 60.0},
}


def main() -> t.NoReturn:
    run(SPEC, probing(probe))


if __name__ == "__main__":
    main()
