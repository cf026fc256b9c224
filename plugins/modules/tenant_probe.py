#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_probe
short_description: Prove that the LLM gateway lets tenants in, holds their limits and books what they use
version_added: 1.0.0
description:
  - Acts as tenants do, with teams and keys of its own, through every replica of the gateway, and returns one check for
    each kind of probe.
  - A refusal is believed only after the same request was answered with the right key, model or limit.
  - What the models received and counted comes from their own metrics, and from a simulator's log of requests. What
    could not be seen because a model keeps no log is said in the check.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - Teams and keys of the probe are named C(llm-platform-probe-…) and removed at the end, also those that a killed probe
    left behind more than ten minutes ago. Their keys expire after ten minutes in any case.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.gateway
  - wmx.llm_platform.probe.priced
attributes:
  check_mode:
    support: full
    description: The module changes nothing that lasts. It asks the gateway in check mode too.
  diff_mode:
    support: none
    description: The module changes nothing that lasts.
options:
  kinds:
    description:
      - The probes to carry out. They run at the same time, after the purchases of V(spend).
      - V(answers) asks every model through every replica, plain and streamed, and demands counted usage. No key and an
        unknown key must be refused.
      - V(wrong_model) demands that models are refused which the key or the team may not use.
      - V(expired_key) demands that a key is refused as soon as it has expired.
      - V(rate_limit) demands that requests, tokens and parallel requests beyond a limit are refused, counted over all
        replicas together. It needs two replicas.
      - V(revoked_key) deletes and blocks keys and blocks teams through one replica, and measures how long each replica
        goes on answering.
      - V(over_budget) spends the budgets of a key and of a team, and demands that more is refused on every replica,
        before the model is asked.
      - V(spend) buys O(requests) answers with several keys, and demands that the ledger, the clients and the models
        agree on tokens and dollars, request by request.
    type: list
    elements: str
    choices: [answers, wrong_model, expired_key, rate_limit, revoked_key, over_budget, spend]
    default: [answers, wrong_model, expired_key, rate_limit, revoked_key, over_budget, spend]
  serving:
    description:
      - Where the models run. Without it what they received and counted is not looked at, and V(spend) is not ok.
    type: dict
    suboptions:
      namespace:
        description:
          - Namespace of the models' Services.
        type: str
        required: true
      port:
        description:
          - Port of the models' Services.
        type: int
        default: 8000
      api_key_secret:
        description:
          - The Secret that holds the models' key. It opens a simulator's log of requests.
        type: dict
        suboptions:
          namespace:
            description:
              - Namespace of the Secret. O(serving.namespace) when left out.
            type: str
          name:
            description:
              - Name of the Secret.
            type: str
            required: true
          key:
            description:
              - Key within the Secret.
            type: str
            default: api-key
  requests:
    description:
      - How many answers V(spend) buys. A tenth more is cancelled early and a twentieth is made to fail.
    type: int
    default: 200
  cache_ttl:
    description:
      - For how many seconds the gateway may remember a key, the bound for V(revoked_key).
    type: float
    default: 10.0
  ledger_timeout:
    description:
      - Seconds until what was bought must be in the ledger.
    type: float
    default: 45.0
"""

EXAMPLES = r"""
- name: Prove that tenants are served and held to their limits
  wmx.llm_platform.tenant_probe:
    requests: 40
    models:
      - name: chat
        served_name: qwen2.5-0.5b-instruct
        price:
          input_per_token: 0.0000001
          output_per_token: 0.0000004
    serving:
      namespace: llm-serving
      api_key_secret:
        name: vllm-api-key
  register: result

- name: Demand that every claim holds
  ansible.builtin.assert:
    that: result.checks | rejectattr('ok') | length == 0
"""

RETURN = r"""
checks:
  description:
    - One check for each kind.
  returned: always
  type: list
  elements: dict
  sample:
    - id: revoked-key-refused
      class: live
      claim: A revoked key stops working on every replica within the key cache's time to live.
      expected: 401 or 403 on each replica within the TTL
      observed: "key deleted: refused after 0.1 s on litellm-a, 0.2 s on litellm-b"
      ok: true
      seconds: 11.8
      simulated: true
      series:
        revoked_seconds:
          key deleted: [0.1, 0.2]
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import probing, run
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import GATEWAY_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe import (
    CLAIMS,
    PRICED_MODELS_SPEC,
    SERVING_SPEC,
    probe,
)

SPEC: t.Final[dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "kinds": {"type": "list", "elements": "str", "choices": list(CLAIMS), "default": list(CLAIMS)},
    **PRICED_MODELS_SPEC,
    "serving": {"type": "dict", "options": SERVING_SPEC},
    "requests": {"type": "int", "default": 200},
    "cache_ttl": {"type": "float", "default": 10.0},
    "ledger_timeout": {"type": "float", "default": 45.0},
}


def main() -> t.NoReturn:
    run(SPEC, probing(probe, in_check_mode=True))


if __name__ == "__main__":
    main()
