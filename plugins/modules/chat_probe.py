#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: chat_probe
short_description: Prove that models answer, demand their key and queue
version_added: 1.0.0
description:
  - Asks OpenAI-compatible servers and returns one check for each kind of probe, over all models.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - Servers inside the cluster are reached through the port-forward of the API server, so the controller needs no
    route to
    pods or Services.
  - A server that calls itself a simulator in its C(/version) makes the checks C(simulated).
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
attributes:
  check_mode:
    support: full
    description: The module changes nothing. It asks the models in check mode too.
  diff_mode:
    support: none
    description: The module changes nothing.
options:
  kinds:
    description:
      - The probes to carry out.
      - V(answers) asks O(requests) times for a streamed completion, demands text in pieces and counted usage, and
        measures
        the time to the first token and between tokens.
      - V(requires_key) demands that the right key is let in, and that no key, an empty key and a wrong one get 401.
      - V(queues) sends more requests at once than the server has slots, and demands that the metrics show them waiting,
        that all are answered and that the queue is empty afterwards.
    type: list
    elements: str
    choices: [answers, requires_key, queues]
    default: [answers, requires_key, queues]
  models:
    description:
      - The models to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - How the checks call the model.
        type: str
        required: true
      served_name:
        description:
          - The name that requests carry. O(models[].name) when left out.
        type: str
      url:
        description:
          - Address of the server, without C(/v1), where the controller has a route to it.
          - Exclusive with O(models[].service).
        type: str
      namespace:
        description:
          - Namespace of O(models[].service) and of O(models[].api_key_secret).
        type: str
      service:
        description:
          - Name of the Service in front of the server.
        type: str
      port:
        description:
          - Port of the Service.
        type: int
        default: 8000
      slots:
        description:
          - How many requests the server works on at once. V(queues) sends three times as many.
          - V(0) means unknown. V(queues) then does not run, and its check is not ok.
        type: int
        default: 8
      api_key_secret:
        description:
          - The Secret that holds the key. The value goes from the API server to the model's server and nowhere else.
        type: dict
        suboptions:
          namespace:
            description:
              - Namespace of the Secret. O(models[].namespace) when left out.
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
      - How many completions V(answers) asks of each model, one after the other.
    type: int
    default: 5
  max_tokens:
    description:
      - How long each answer may be.
    type: int
    default: 64
  max_slots:
    description:
      - V(queues) leaves models with more slots alone, for it would take a lot of requests to fill them.
      - All are tried when left out.
    type: int
  timeout:
    description:
      - Seconds until a silent server counts as dead.
    type: float
    default: 60.0
"""

EXAMPLES = r"""
- name: Prove that the model behind a Service works
  wmx.llm_platform.chat_probe:
    models:
      - name: chat
        namespace: llm-serving
        service: chat
        port: 8000
        slots: 8
        api_key_secret:
          name: chat-api-key
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
    - id: model-answers
      class: live
      claim: Every model answers a streamed chat completion and counts its usage.
      expected: status 200, text in more than one piece, prompt and completion tokens counted
      observed: "chat: 5 answers, 320 tokens counted, time to first token 31 ms (median)"
      ok: true
      seconds: 3.2
      simulated: true
      series:
        ttft_ms:
          chat: [30.9, 31.2]
engines:
  description:
    - What each model's server says about itself.
  returned: always
  type: dict
  sample:
    chat:
      version: 1.0.0
      simulated: true
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_checks import CLAIMS
from ansible_collections.wmx.llm_platform.plugins.module_utils._chat_probe import MODEL_SPEC, probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "kinds": {"type": "list", "elements": "str", "choices": list(CLAIMS), "default": list(CLAIMS)},
    "models": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": MODEL_SPEC,
        "mutually_exclusive": [("url", "service")],
        "required_one_of": [("url", "service")],
        "required_by": {"service": ("namespace",)},
    },
    "requests": {"type": "int", "default": 5},
    "max_tokens": {"type": "int", "default": 64, "no_log": False},
    "max_slots": {"type": "int"},
    "timeout": {"type": "float", "default": 60.0},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    checks, engines = probe(module.params)
    return {"checks": checks, "engines": engines}


def main() -> t.NoReturn:
    run(SPEC, work)


if __name__ == "__main__":
    main()
