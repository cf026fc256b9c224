#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: budget_probe
short_description: Attack budgets, and take their datastores away
version_added: 1.0.0
description:
  - Attacks the budgets of teams that it makes for this purpose, on every replica of the gateway, takes PostgreSQL and
    Redis away under load, empties Redis, and returns one check for each claim.
  - What a budget really bought is read from the model's own log of requests, so the model must be the simulator.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - This breaks the environment on purpose. It is refused unless O(disposable) is true.
  - What was taken away comes back as it was, and the teams are removed, also when a probe fails.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.gateway
  - wmx.llm_platform.probe.priced
  - wmx.llm_platform.serving
attributes:
  check_mode:
    support: partial
    description: Nothing is broken in check mode.
    details: It does nothing in check mode, and its checks say so.
  diff_mode:
    support: none
    description: What the module changes, it takes back.
options:
  disposable:
    description:
      - Whether the environment may be broken. Quote C(llm_plan.disposable) here.
    type: bool
    required: true
  kinds:
    description:
      - What to try, with the first model that has both prices.
      - V(attacks) sends the attack table, also with clients that leave early, and turns a budget's period.
      - V(replica) lets one of three replicas of the model die under load, and demands every answer in the ledger. The
        model has three replicas for that time.
      - V(postgres) takes the database away under load.
      - V(redis) takes Redis away under load, and empties it under load.
      - With both V(postgres) and V(redis) the time to recover is a check of its own.
    type: list
    elements: str
    choices: [attacks, replica, postgres, redis]
    default: [attacks, replica, postgres, redis]
  database:
    description:
      - The workload that is the database. Left out where it is not ours to take away. The check is not ok then.
    type: dict
    suboptions:
      namespace:
        description:
          - Its namespace.
        type: str
        required: true
      kind:
        description:
          - Its kind.
        type: str
        choices: [StatefulSet, Deployment]
        default: StatefulSet
      name:
        description:
          - Its name.
        type: str
        required: true
  redis:
    description:
      - The workload that is Redis. Its name is also that of its container and its label C(app.kubernetes.io/name).
    type: dict
    suboptions:
      namespace:
        description:
          - Its namespace.
        type: str
        required: true
      kind:
        description:
          - Its kind.
        type: str
        choices: [StatefulSet, Deployment]
        default: StatefulSet
      name:
        description:
          - Its name.
        type: str
        required: true
  cache_ttl:
    description:
      - For how many seconds the gateway keeps a key in its memory.
    type: float
    default: 10.0
  flush_seconds:
    description:
      - How many seconds it takes at most until an answer's cost is in the database.
    type: float
    default: 7.0
  reset_seconds:
    description:
      - How many seconds after its end a budget's period is turned at the latest.
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Attack the budgets of a disposable environment
  wmx.llm_platform.budget_probe:
    disposable: "{{ llm_plan.disposable }}"
    models:
      - name: chat
        price: {input_per_token: 0.0000001, output_per_token: 0.0000004}
    serving:
      namespace: llm-serving
      api_key_secret: {name: vllm-api-key}
    database: {namespace: llm-gateway, name: postgresql}
    redis: {namespace: llm-gateway, name: redis}
  register: result

- name: Demand that every claim holds
  ansible.builtin.assert:
    that: result.checks | rejectattr('ok') | length == 0
"""

RETURN = r"""
checks:
  description:
    - One check for each claim.
  returned: always
  type: list
  elements: dict
  sample:
    - id: recovers-after-outage
      class: destructive
      claim: The gateway answers again within 30 seconds after PostgreSQL or Redis is back, by itself.
      expected: every replica answers at most 30 s after each is ready again
      observed: "after PostgreSQL: litellm-a 1.2 s, litellm-b 0.8 s; after Redis: litellm-a 5.1 s, litellm-b 4.9 s"
      ok: true
      seconds: 0.0
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._budget_probe import (
    KINDS,
    WORKLOAD_SPEC,
    claims_of,
    probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import probing, run
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import GATEWAY_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe import PRICED_MODELS_SPEC, SERVING_SPEC

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: dict[str, dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "disposable": {"type": "bool", "required": True},
    "kinds": {"type": "list", "elements": "str", "choices": list(KINDS), "default": list(KINDS)},
    **PRICED_MODELS_SPEC,
    "serving": {"type": "dict", "required": True, "options": SERVING_SPEC},
    "database": {"type": "dict", "options": WORKLOAD_SPEC},
    "redis": {"type": "dict", "options": WORKLOAD_SPEC},
    "cache_ttl": {"type": "float", "default": 10.0},
    "flush_seconds": {"type": "float", "default": 7.0},
    "reset_seconds": {"type": "float", "default": 30.0},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    if module.check_mode:
        return {"checks": [claim.not_run("check mode breaks nothing") for claim in claims_of(module.params["kinds"])]}
    return probing(probe)(module)


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
