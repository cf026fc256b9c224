#!/usr/bin/python
# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

DOCUMENTATION = r"""
module: litellm_team
short_description: Teams of LiteLLM with budget, models and limits
version_added: 1.0.0
description:
  - Makes LiteLLM's teams what they are declared to be. All teams are read in pages of 100, then only what differs is
    written, eight at a time.
  - Every field that could let a team spend or reach more is compared, also those that this module has no option for,
    such as model aliases, access groups or temporary budgets in the metadata. What was changed in the API or UI shows
    in the diff field by field and is taken back.
  - Teams are known by C(managed_by) and C(environment) in their metadata. Other teams are left alone.
  - There is no limit of parallel requests here. LiteLLM neither stores nor enforces one for a team; give it to the
    team's keys with M(wmx.llm_platform.litellm_key).
author:
  - wmx.llm_platform contributors (@wmx)
extends_documentation_fragment:
  - wmx.llm_platform.connection
  - wmx.llm_platform.gateway
attributes:
  check_mode:
    support: full
    description: Reads LiteLLM and says what would be done. Before the gateway is installed, all teams would be created.
  diff_mode:
    support: full
    description: Shows the fields that differ, with both values.
  idempotent:
    support: full
    description: A team that is as declared is not written.
options:
  environment:
    description:
      - Name of the environment, written into every team. A team of another environment is refused.
    type: str
    required: true
  teams:
    description:
      - The teams.
    type: list
    elements: dict
    required: true
    suboptions:
      alias:
        description:
          - Name of the team, a DNS label.
        type: str
        required: true
      team_id:
        description:
          - LiteLLM's identifier of the team. O(teams[].alias) when left out, so that a team is found again by its name.
        type: str
      budget_usd:
        description:
          - Dollars that all keys of the team may spend in O(teams[].budget_period). Needed unless
            O(teams[].state=absent).
        type: float
      budget_period:
        description:
          - After what time the budget begins anew, such as V(30d), V(24h) or V(1mo). LiteLLM aligns it, so the first
            period may be shorter. Needed unless O(teams[].state=absent).
        type: str
      models:
        description:
          - Models that the team may use. Needed unless O(teams[].state=absent); an empty list would mean all.
        type: list
        elements: str
      rpm:
        description:
          - Requests a minute of all keys together. Needed unless named in O(teams[].unlimited).
        type: int
      tpm:
        description:
          - Tokens a minute of all keys together. Needed unless named in O(teams[].unlimited).
        type: int
      unlimited:
        description:
          - Limits that the team deliberately does not have. A limit that is merely left out is refused.
        type: list
        elements: str
        choices: [rpm, tpm]
        default: []
      priority:
        description:
          - Priority of the team's requests, written into its metadata for the gateway.
        type: int
        default: 0
      metadata:
        description:
          - More metadata. What is not declared is removed, for LiteLLM keeps limits and temporary budgets there.
        type: dict
        default: {}
      state:
        description:
          - V(present) makes the team and unblocks it. V(blocked) makes it and refuses all its keys.
          - V(absent) deletes the team and its keys; only teams with our mark.
        type: str
        choices: [present, blocked, absent]
        default: present
  others:
    description:
      - What to do with teams of this environment that are not listed.
    type: str
    choices: [keep, block]
    default: keep
"""

EXAMPLES = r"""
- name: Make the teams what the inventory says, and block those that left it
  wmx.llm_platform.litellm_team:
    environment: production
    others: block
    teams:
      - alias: research
        budget_usd: 250
        budget_period: 30d
        models: [chat, embed]
        rpm: 600
        tpm: 400000
        priority: 10

- name: Delete a team with its keys
  wmx.llm_platform.litellm_team:
    environment: production
    teams:
      - alias: summer-school
        state: absent
"""

RETURN = r"""
teams:
  description: What was done to each team, or in check mode would be. Teams that were not listed come last.
  returned: success
  type: list
  elements: dict
  contains:
    team_id:
      description: LiteLLM's identifier.
      type: str
    alias:
      description: Name of the team.
      type: str
    state:
      description: The state that was wanted.
      type: str
    action:
      description: V(created), V(updated), V(blocked), V(deleted) or V(none).
      type: str
    changes:
      description: LiteLLM's fields that differed, each with C(before) and C(after).
      type: dict
      sample:
        max_budget:
          before: 9000.0
          after: 250.0
    spend:
      description: Dollars spent in the period, when the team was read.
      type: float
calls:
  description: Number of HTTP requests to LiteLLM.
  returned: success
  type: int
  sample: 1
gateway_found:
  description: Whether there was a gateway to ask; only in check mode it may be missing.
  returned: success
  type: bool
"""

import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._cluster_module import run
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_client import (
    GATEWAY_SPEC,
    LiteLLMError,
    open_planned,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import sides
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_team import read_teams, reconcile_teams

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

SPEC: t.Final[dict[str, t.Any]] = {
    **GATEWAY_SPEC,
    "environment": {"type": "str", "required": True},
    "teams": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "alias": {"type": "str", "required": True},
            "team_id": {"type": "str"},
            "budget_usd": {"type": "float"},
            "budget_period": {"type": "str"},
            "models": {"type": "list", "elements": "str"},
            "rpm": {"type": "int"},
            "tpm": {"type": "int"},
            "unlimited": {"type": "list", "elements": "str", "choices": ["rpm", "tpm"], "default": []},
            "priority": {"type": "int", "default": 0},
            "metadata": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "blocked", "absent"], "default": "present"},
        },
    },
    "others": {"type": "str", "choices": ["keep", "block"], "default": "keep"},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    teams = read_teams(options["teams"], options["environment"])
    with open_planned(options, check_mode=module.check_mode) as llm:
        outcomes = reconcile_teams(
            llm,
            options["environment"],
            teams,
            block_others=options["others"] == "block",
            check_mode=module.check_mode,
        )
    result: dict[str, t.Any] = {
        "changed": any(outcome.action != "none" for outcome in outcomes),
        "teams": [outcome.result() for outcome in outcomes],
        "calls": llm.calls if llm else 0,
        "gateway_found": llm is not None,
        "diff": sides({outcome.team_id: (outcome.action, outcome.changes) for outcome in outcomes}),
    }
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        module.fail_json(msg="\n".join(errors), **result)
    return result


def main() -> t.NoReturn:
    run(SPEC, work, errors=(LiteLLMError,))


if __name__ == "__main__":
    main()
