#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: litellm_key
short_description: Keys of LiteLLM's teams, held in Kubernetes Secrets
version_added: 1.0.0
description:
  - Makes LiteLLM's keys what they are declared to be. A key's value is made here, goes into its Secret and to LiteLLM,
    and is in no result, log, diff or argument.
  - All keys are read in pages of 100 and all Secrets in one list, then only what differs is written, eight at a time.
  - Every field that could let a key spend or reach more is compared, also those that this module has no option for.
    What was changed in the API or UI shows in the diff field by field and is taken back.
  - A Secret and its key belong together by the hash that LiteLLM stores. If either is gone or does not fit, a new value
    is made. The value is in its Secret before LiteLLM knows it, so no key ever works that nobody holds.
  - Keys may only call O(allowed_routes), which LiteLLM enforces without a license.
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.gateway
attributes:
  check_mode:
    support: full
    description: >-
      Reads LiteLLM and the Secrets and says what would be done. Before the gateway is installed, all keys would be
      created.
  diff_mode:
    support: full
    description: Shows the fields that differ, with both values, but never a key.
  idempotent:
    support: full
    description: A key that is as declared is not written.
options:
  environment:
    description:
      - Name of the environment, written into every key.
    type: str
    required: true
  base_url:
    description:
      - Address of the API for the keys' holders. It goes into the Secrets as C(OPENAI_BASE_URL).
    type: str
    required: true
  keys:
    description:
      - The keys.
    type: list
    elements: dict
    required: true
    suboptions:
      team:
        description:
          - LiteLLM's identifier of the team. It must exist, because LiteLLM would make an unlimited key without it.
        type: str
        required: true
      name:
        description:
          - Name of the key within its team, a DNS label. LiteLLM's alias of it is
            C(<team>/<name>/<eight digits of the hash>).
        type: str
        required: true
      secret:
        description:
          - Where the value is kept.
        type: dict
        required: true
        suboptions:
          namespace:
            description:
              - Namespace of the Secret. It must exist; in check mode it may be missing.
            type: str
            required: true
          name:
            description:
              - Name of the Secret. C(llm-key-) and O(keys[].name) when left out.
            type: str
      models:
        description:
          - Models that the key may use, within those of its team; all of the team's when empty.
        type: list
        elements: str
        default: []
      budget_usd:
        description:
          - Dollars that this key may spend in O(keys[].budget_period); without it the team's budget alone holds it.
        type: float
      budget_period:
        description:
          - After what time the key's budget begins anew. Given with O(keys[].budget_usd).
        type: str
      rpm:
        description:
          - Requests a minute of this key; without it the team's limit alone holds it.
        type: int
      tpm:
        description:
          - Tokens a minute of this key; without it the team's limit alone holds it.
        type: int
      parallel:
        description:
          - Requests of this key at a time. Needed unless named in O(keys[].unlimited), for no team limits them.
        type: int
      unlimited:
        description:
          - Limits that the key deliberately does not have.
        type: list
        elements: str
        choices: [parallel]
        default: []
      expires:
        description:
          - A duration from the making of each value, such as V(30d), or a date, or V(never). An expired key is left as
            it is until it is rotated. Needed unless the key shall go.
        type: str
      rotation:
        description:
          - When the value is replaced.
        type: dict
        suboptions:
          generation:
            description:
              - Raise it to replace the value now.
            type: int
            default: 1
          after:
            description:
              - Replace the value when it is older, such as V(30d).
            type: str
          overlap_seconds:
            description:
              - How long a replaced value goes on working. The new one is in the Secret at once and begins with the
                spend of the old one. While both work, each has what is left of the key's budget; the team's holds both.
            type: int
            default: 0
      state:
        description:
          - V(present) makes the key and unblocks it. V(blocked) makes it and refuses it.
          - V(revoked) ends it at once and empties its Secret. V(absent) ends it at once and deletes its Secret.
        type: str
        choices: [present, blocked, revoked, absent]
        default: present
  teams:
    description:
      - Teams in which other keys are looked for, beside those of O(keys).
    type: list
    elements: str
    default: []
  extra_keys:
    description:
      - What to do with keys of these teams that are not declared, whoever made them.
      - V(block) can be undone and keeps the evidence. V(delete) also deletes Secrets of keys that left the list.
    type: str
    choices: [block, delete, keep]
    default: block
  max_lifetime:
    description:
      - No key may live longer, such as V(90d). O(keys[].expires=never) is refused then.
    type: str
  allowed_routes:
    description:
      - Routes that the keys may call. LiteLLM also lets what is below them pass.
    type: list
    elements: str
    default:
      - /v1/chat/completions
      - /v1/completions
      - /v1/embeddings
      - /v1/models
      - /v1/responses
"""

EXAMPLES = r"""
- name: Give the team two keys, and block what anybody else has made in it
  wmx.llm_platform.litellm_key:
    environment: production
    base_url: http://litellm.llm-gateway:4000/v1
    max_lifetime: 90d
    keys:
      - team: research
        name: notebook
        secret:
          namespace: tenant-research
        parallel: 4
        expires: 90d
        rotation:
          after: 60d
          overlap_seconds: 86400
      - team: research
        name: batch
        secret:
          namespace: tenant-research
        models: [embed]
        budget_usd: 20
        budget_period: 30d
        parallel: 16
        expires: "2027-01-31"

- name: End a key that has leaked
  wmx.llm_platform.litellm_key:
    environment: production
    base_url: http://litellm.llm-gateway:4000/v1
    keys:
      - team: research
        name: notebook
        secret:
          namespace: tenant-research
        state: revoked
"""

RETURN = r"""
virtual_keys:
  description: What was done to each key, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    team:
      description: Its team.
      type: str
    name:
      description: Its name.
      type: str
    state:
      description: The state that was wanted.
      type: str
    action:
      description: >-
        V(created), V(rotated), V(healed), V(updated), V(blocked), V(revoked), V(deleted) or V(none).
      type: str
    reason:
      description: Why, in words.
      type: str
    changes:
      description: Fields that differed, each with C(before) and C(after); those of the Secret begin with C(secret.).
      type: dict
    alias:
      description: LiteLLM's alias of the value.
      type: str
    token_hash:
      description: What LiteLLM stores of the value.
      type: str
    expires:
      description: When the value ends.
      type: str
    expired:
      description: Whether it has ended.
      type: bool
    secret:
      description: Namespace and name of the Secret.
      type: dict
extra:
  description: Keys that were not declared and were blocked or deleted, with who made them.
  returned: success
  type: list
  elements: dict
  sample:
    - team: research
      alias: made-by-hand
      token_hash: 5f0f64b6…
      created_at: "2026-11-02T10:00:00Z"
      created_by: default_user_id
      action: blocked
calls:
  description: Number of HTTP requests to LiteLLM.
  returned: success
  type: int
  sample: 3
gateway_found:
  description: Whether there was a gateway to ask; only in check mode it may be missing.
  returned: success
  type: bool
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._kube import KubeClient
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import (
    GATEWAY_SPEC,
    LiteLLMError,
    open_planned,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import sides
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key import KeyOptions, reconcile_keys
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_input import read_keys
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import KeySecrets

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ROUTES: t.Final = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/responses"]
SPEC: t.Final[dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "environment": {"type": "str", "required": True},
    "base_url": {"type": "str", "required": True},
    # Names, limits and places; no value passes here.
    "keys": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "no_log": False,
        "options": {
            "team": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "secret": {
                "type": "dict",
                "required": True,
                "no_log": False,
                "options": {"namespace": {"type": "str", "required": True}, "name": {"type": "str"}},
            },
            "models": {"type": "list", "elements": "str", "default": []},
            "budget_usd": {"type": "float"},
            "budget_period": {"type": "str"},
            "rpm": {"type": "int"},
            "tpm": {"type": "int"},
            "parallel": {"type": "int"},
            "unlimited": {"type": "list", "elements": "str", "choices": ["parallel"], "default": []},
            "expires": {"type": "str"},
            "rotation": {
                "type": "dict",
                "apply_defaults": True,
                "options": {
                    "generation": {"type": "int", "default": 1},
                    "after": {"type": "str"},
                    "overlap_seconds": {"type": "int", "default": 0},
                },
            },
            "state": {"type": "str", "choices": ["present", "blocked", "revoked", "absent"], "default": "present"},
        },
    },
    "teams": {"type": "list", "elements": "str", "default": []},
    "extra_keys": {"type": "str", "choices": ["block", "delete", "keep"], "default": "block", "no_log": False},
    "max_lifetime": {"type": "str"},
    "allowed_routes": {"type": "list", "elements": "str", "default": ROUTES},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    keys, longest = read_keys(options)
    given = KeyOptions(
        options["environment"],
        options["base_url"],
        frozenset(options["teams"]),
        options["extra_keys"],
        longest,
        module.check_mode,
    )
    kube = KubeClient.from_options(options)
    with open_planned(options, kube, check_mode=module.check_mode) as llm:
        report = reconcile_keys(llm, KeySecrets(kube), keys, given)
    result: dict[str, t.Any] = {
        "changed": report.changed,
        "virtual_keys": report.keys,
        "extra": report.extra,
        "calls": llm.calls if llm else 0,
        "gateway_found": llm is not None,
        "diff": sides(report.steps()),
    }
    if report.errors:
        module.fail_json(msg="\n".join(report.errors), **result)
    return result


def main() -> t.NoReturn:
    run(SPEC, work, errors=(LiteLLMError,))


if __name__ == "__main__":
    main()
