#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_probe
short_description: Prove that the guard in front of the LLM gateway holds
version_added: 1.0.0
description:
  - Tries as a tenant what tenants must not be able to do, and returns one check for each kind of probe.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - The probes make teams and keys named C(llm-platform-probe-...) and remove them, also after a failure. Keys of a
    probe that was killed expire within ten minutes, and the next probe removes them.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.gateway
  - wmx.llm_platform.probe
  - wmx.llm_platform.serving
attributes:
  check_mode:
    support: partial
    description: Nothing is asked in check mode.
    details: The probes make teams, keys and a namespace, so nothing runs in check mode and no check is returned.
  diff_mode:
    support: none
    description: What the module makes is gone when it ends.
options:
  kinds:
    description:
      - The probes to carry out.
      - V(admin_routes) asks every replica, from the controller and from a pod in a namespace like a tenant's, for every
        route of LiteLLM's own description and for disguised ones.
      - V(spoof) slips in headers and body fields and looks at what the model received.
      - V(fallback) lets one request to each model of O(fallbacks) fail and looks at what both models received. Requests
        of others do not fail.
      - V(cache) sends one long prompt as several teams and looks at the model's counters.
      - All but V(admin_routes) need models that are simulators, which keep a log of what they receive.
    type: list
    elements: str
    choices: [admin_routes, spoof, fallback, cache]
    default: [admin_routes, spoof, fallback, cache]
  fallbacks:
    description:
      - Which models answer for others, by the names that clients use. Without any, V(fallback) does not run and its
        check is not ok.
    type: list
    elements: dict
    default: []
    suboptions:
      model:
        description:
          - The model that is asked.
        type: str
        required: true
      to:
        description:
          - The models that answer instead, in order.
        type: list
        elements: str
        required: true
  entrance:
    description:
      - Where tenants' pods enter when LiteLLM's own port is closed to them. It has no probes and refuses what is not on
        its list.
      - Without it the pod of V(admin_routes) asks LiteLLM's Service.
    type: dict
    suboptions:
      host:
        description:
          - Name of its Service, with the namespace.
        type: str
        required: true
      port:
        description:
          - Its port.
        type: int
        default: 80
  image:
    description:
      - Image for the pod of V(admin_routes). It must have C(python3) and be one that the cluster can pull.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Try to get past the guard
  wmx.llm_platform.gateway_probe:
    models:
      - name: chat
        served_name: qwen2.5-0.5b-instruct
    serving:
      namespace: llm-serving
      api_key_secret:
        name: vllm-api-key
    image: docker.io/library/python:3.12-slim
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
    - id: cache-isolated
      class: live
      claim: Two tenants that send the same prompt do not share a prefix cache.
      expected: the same long prompt is found in the cache when its own team sends it again, never for another team
      observed: "chat: the owner sent its prompt 2 times and found 2032 tokens in the cache, 3 other teams found 0"
      ok: true
      seconds: 0.4
      simulated: true
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import probing, run
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe import (
    ENTRANCE_SPEC,
    FALLBACK_SPEC,
    PROBES,
    probe,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import MODELS_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import GATEWAY_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe import SERVING_SPEC

SPEC: t.Final[dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "kinds": {"type": "list", "elements": "str", "choices": list(PROBES), "default": list(PROBES)},
    **MODELS_SPEC,
    "serving": {"type": "dict", "required": True, "options": SERVING_SPEC},
    "fallbacks": {"type": "list", "elements": "dict", "default": [], "options": FALLBACK_SPEC},
    "entrance": {"type": "dict", "options": ENTRANCE_SPEC},
    "image": {"type": "str", "required": True},
}


def main() -> t.NoReturn:
    run(SPEC, probing(probe))


if __name__ == "__main__":
    main()
