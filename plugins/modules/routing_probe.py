#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: routing_probe
short_description: Prove that the inference gateway routes requests as it should
version_added: 1.0.0
description:
  - Asks through the inference gateway and returns one check for each kind of probe.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - Picking is proven on a model of the probe's own, three pods of the simulator with a picker like those that are
    deployed, so that no model of the platform is loaded. It is removed at the end, also after a failure; what a probe
    that was killed has left is removed by a later one.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.probe
  - wmx.llm_platform.serving
attributes:
  check_mode:
    support: partial
    description: Nothing is asked in check mode.
    details: The probes make objects, so nothing runs in check mode and no check is returned.
  diff_mode:
    support: none
    description: What the module makes is gone when it ends.
options:
  kinds:
    description:
      - The probes to carry out.
      - V(exposed) looks for addresses of the gateway outside of the cluster.
      - V(routed) asks each model by its path, also with the names of the others in the body.
      - V(unknown) asks by paths of no model.
      - V(foreign) adds a route from a namespace that the gateway does not name.
      - V(least) fills the queues of two of three replicas, in turn, and counts where requests go.
      - V(affinity) sends prompts with the same long beginnings and counts where they go.
      - V(canary) fills the queues of two of three replicas of a model and of its canary, in turn, and counts where
        1,500 requests go. It takes half a minute, loads the gateway, and is left out unless it is named.
      - V(picker) takes the picker away in both failure modes.
      - V(priority) fills a model as a batch tenant would, with flow control and without, and measures how long an
        urgent tenant waits. The requests have the headers that the LLM gateway sets.
      - V(picker) and V(priority) take a minute and are left out unless they are named.
      - V(empty) asks a model whose pods are gone.
    type: list
    elements: str
    choices: [exposed, routed, unknown, foreign, least, affinity, canary, picker, priority, empty]
    default: [exposed, routed, unknown, foreign, least, affinity, empty]
  gateway:
    description:
      - Where the inference gateway is.
    type: dict
    required: true
    suboptions:
      namespace:
        description:
          - Namespace of the Gateway.
        type: str
        required: true
      name:
        description:
          - Name of the Gateway.
        type: str
        required: true
      service:
        description:
          - Name of its Service.
        type: str
        required: true
      port:
        description:
          - Port of its Service.
        type: int
        default: 80
  image:
    description:
      - Image of the simulator, for the probe's own model.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Prove how requests are routed
  wmx.llm_platform.routing_probe:
    gateway:
      namespace: inference-gateway
      name: inference
      service: inference-istio
    models:
      - name: chat
        served_name: qwen2.5-0.5b-instruct
    serving:
      namespace: llm-serving
      api_key_secret:
        name: vllm-api-key
    image: ghcr.io/wmx/llm-platform/model-simulator:1.0.0
  register: result

- name: Demand that every claim holds
  ansible.builtin.assert:
    that: result.checks | rejectattr('ok') | length == 0
    fail_msg: "{{ result.checks | map(attribute='observed') | join('; ') }}"
"""

RETURN = r"""
checks:
  description:
    - One check for each kind.
  returned: always
  type: list
  elements: dict
  sample:
    - id: picks-least-queued
      class: live
      claim: Under uneven load requests go to the replica with the shortest queue.
      expected: at least 95% of the requests go to the one replica of three without a queue, each of them in turn
      observed: 100% of 42 requests went to the replica without a queue, 33% of 42 when replicas were asked in turn
      ok: true
      seconds: 3.9
      simulated: true
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import probing, run
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import MODELS_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._routing_probe import (
    GATEWAY_SPEC,
    KINDS,
    LIVE,
    probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe import SERVING_SPEC

SPEC: t.Final[dict[str, t.Any]] = {
    "kinds": {"type": "list", "elements": "str", "choices": list(KINDS), "default": list(LIVE)},
    "gateway": {"type": "dict", "required": True, "options": GATEWAY_SPEC},
    **MODELS_SPEC,
    "serving": {"type": "dict", "required": True, "options": SERVING_SPEC},
    "image": {"type": "str", "required": True},
}


def main() -> t.NoReturn:
    run(SPEC, probing(probe))


if __name__ == "__main__":
    main()
