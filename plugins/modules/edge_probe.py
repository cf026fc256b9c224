#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: edge_probe
short_description: Prove what the entrances to the LLM gateway let through
version_added: 1.0.0
description:
  - Asks the public and the internal entrance as clients do, for what they must not let through, and returns one check
    for each kind of probe.
  - A negative answer is no failure of the task. It is a check whose C(ok) is false, with the reason.
  - The entrances are reached by port-forward, with the name of the host in TLS and in the request. Pods like a tenant's
    come by the network.
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
      - V(tls) tries old versions of TLS, a foreign host and requests without TLS at the public entrance.
      - V(allow_list) asks each entrance, also from a pod like a tenant's, for every route of LiteLLM's own description
        and for disguised ones, and with the master key for some that LiteLLM answers it.
      - V(body) sends bodies at the limit and beyond it.
      - V(spoof) slips in headers and body fields and looks at what a simulator says that it received.
      - V(rate) floods the internal entrance from one address and asks from another one meanwhile.
    type: list
    elements: str
    choices: [tls, allow_list, body, spoof, rate]
    default: [tls, allow_list, body, spoof, rate]
  edge:
    description:
      - Where the entrances are.
    type: dict
    required: true
    suboptions:
      namespace:
        description:
          - Their namespace.
        type: str
        required: true
      internal:
        description:
          - The entrance of tenants in the cluster.
        type: dict
        required: true
        suboptions:
          service:
            description:
              - Its Service.
            type: str
            required: true
          port:
            description:
              - Its port.
            type: int
            default: 80
      public:
        description:
          - The entrance from outside, where there is one. Without it V(tls) does not run and its check is not ok.
        type: dict
        suboptions:
          service:
            description:
              - Its Service.
            type: str
            required: true
          host:
            description:
              - The host that leads to LiteLLM.
            type: str
            required: true
          secret:
            description:
              - The Secret of its certificate. Where it has C(ca.crt), that authority is trusted, else those of the
                controller.
            type: str
            required: true
          port:
            description:
              - Port with TLS.
            type: int
            default: 443
          http_port:
            description:
              - Port that redirects.
            type: int
            default: 80
  limits:
    description:
      - What the entrances were told.
    type: dict
    required: true
    suboptions:
      body_bytes:
        description:
          - The largest body.
        type: int
        required: true
      requests:
        description:
          - Requests of one address in O(limits.seconds).
        type: int
        required: true
      seconds:
        description:
          - The time after which as many more may come.
        type: int
        required: true
      burst:
        description:
          - Requests that may come at once.
        type: int
        required: true
  image:
    description:
      - Image for the pods of V(allow_list) and V(rate). It must have C(python3) and be one that the cluster can pull.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Try the entrances
  wmx.llm_platform.edge_probe:
    edge:
      namespace: llm-edge
      internal: {service: internal-istio}
      public: {service: edge-istio, host: api.llm.example.com, secret: api-tls}
    limits: {body_bytes: 4194304, requests: 100, seconds: 1, burst: 200}
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
    - id: oversized-body-refused
      class: live
      claim: A body beyond the limit is refused by each entrance with 413, whether its length was told or not.
      expected: a good request gets 200, one byte more than the limit gets 413
      observed: "the public entrance: a good request 200; 4194304 bytes of no JSON 400; one more 413"
      ok: true
      seconds: 0.9
      simulated: true
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import probing, run
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_probe import PROBES, probe
from ansible_collections.wmx.llm_platform.plugins.module_utils._gateway_probe_model import MODELS_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import GATEWAY_SPEC
from ansible_collections.wmx.llm_platform.plugins.module_utils._tenant_probe import SERVING_SPEC

PUBLIC_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "service": {"type": "str", "required": True},
    "host": {"type": "str", "required": True},
    # It names a Secret; no value passes here.
    "secret": {"type": "str", "required": True, "no_log": False},
    "port": {"type": "int", "default": 443},
    "http_port": {"type": "int", "default": 80},
}
INTERNAL_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "service": {"type": "str", "required": True},
    "port": {"type": "int", "default": 80},
}
SPEC: t.Final[dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "kinds": {"type": "list", "elements": "str", "choices": list(PROBES), "default": list(PROBES)},
    "edge": {
        "type": "dict",
        "required": True,
        "options": {
            "namespace": {"type": "str", "required": True},
            "internal": {"type": "dict", "required": True, "options": INTERNAL_SPEC},
            "public": {"type": "dict", "options": PUBLIC_SPEC},
        },
    },
    "limits": {
        "type": "dict",
        "required": True,
        "options": {name: {"type": "int", "required": True} for name in ("body_bytes", "requests", "seconds", "burst")},
    },
    **MODELS_SPEC,
    "serving": {"type": "dict", "required": True, "options": SERVING_SPEC},
    "image": {"type": "str", "required": True},
}


def main() -> t.NoReturn:
    run(SPEC, probing(probe))


if __name__ == "__main__":
    main()
