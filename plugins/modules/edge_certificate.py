#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: edge_certificate
short_description: Bring or check the certificates of public hosts
version_added: 1.0.0
description:
  - Makes an authority of its own and a certificate of it for each host, in Secrets of type C(kubernetes.io/tls), and
    renews each after two thirds of its life. Every Secret holds the authority's certificate as C(ca.crt), for clients.
  - Or checks certificates that somebody else brings, and names all that are missing, expired or for other hosts.
  - Keys are made in this module and sent to the API server. They are in no result, log or diff.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
requirements:
  - cryptography >= 42 (comes with ansible-core)
attributes:
  check_mode:
    support: full
    description: Says what would be made or renewed.
  diff_mode:
    support: full
    description: Shows hosts and dates, never keys.
  idempotent:
    support: full
    description: Certificates that are good and not old are left alone.
options:
  source:
    description:
      - V(self_signed) makes what is missing, V(provided) changes nothing and fails where something is missing.
    type: str
    choices: [self_signed, provided]
    default: self_signed
  namespace:
    description:
      - Namespace of the Secrets.
    type: str
    required: true
  hosts:
    description:
      - The hosts.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description:
          - Full name of the host.
        type: str
        required: true
      secret:
        description:
          - Name of its Secret.
        type: str
        required: true
  authority:
    description:
      - Name of the Secret of the authority, with V(self_signed).
    type: str
    default: edge-authority
  days:
    description:
      - Life of a certificate that is made.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Make a certificate for the local environment
  wmx.llm_platform.edge_certificate:
    namespace: llm-edge
    hosts:
      - host: api.llm-platform.test
        secret: api-tls
"""

RETURN = r"""
certificates:
  description:
    - What was done for each Secret, the authority's first.
  returned: success
  type: list
  elements: dict
  sample:
    - {secret: edge-authority, host: "", action: kept, until: "2036-11-20 10:00 UTC"}
    - {secret: api-tls, host: api.llm-platform.test, action: renewed, until: "2027-02-21 10:00 UTC"}
"""

import datetime as dt
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._certificates import CertificateError
from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._edge_certificate import Host, Request, judge, provide
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    "source": {"type": "str", "choices": ["self_signed", "provided"], "default": "self_signed"},
    "namespace": {"type": "str", "required": True},
    "hosts": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "host": {"type": "str", "required": True},
            # It names a Secret; no value passes here.
            "secret": {"type": "str", "required": True, "no_log": False},
        },
    },
    "authority": {"type": "str", "default": "edge-authority"},
    "days": {"type": "int", "default": 90},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    hosts = [Host(entry["host"], entry["secret"]) for entry in params["hosts"]]
    request = Request(params["namespace"], hosts, params["authority"], params["days"])
    client, now = KubeClient.from_options(params), dt.datetime.now(dt.UTC)
    if params["source"] == "provided":
        outcome, warnings = judge(client, request, now)
        for warning in warnings:
            module.warn(warning)
    else:
        outcome = provide(client, request, now, dry_run=module.check_mode)
    result: dict[str, t.Any] = {"changed": outcome.changed, "certificates": outcome.actions}
    if module._diff:  # noqa: SLF001 - Ansible gives it no public name
        result["diff"] = {"before": outcome.before, "after": outcome.after}
    return result


def main() -> t.NoReturn:
    run(SPEC, work, errors=(CertificateError,))


if __name__ == "__main__":
    main()
