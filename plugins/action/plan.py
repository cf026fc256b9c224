# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.wmx.llm_platform.plugins.module_utils._catalog import CatalogError
from ansible_collections.wmx.llm_platform.plugins.module_utils._inventory import InventoryError, ours, read_roles
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan import PlanError, Request, make_plan
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_table import plan_table
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import HIDDEN, UNREADABLE, Problem

_ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(ActionBase):
    """Reads the variables of the collection and plans the environment."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _validated, args = self.validate_argument_spec(  # type: ignore[no-untyped-call]  # ansible-core has no types
            argument_spec={
                "catalog": {"type": "dict", "required": True},
                "advisories": {"type": "dict", "default": {}},
                "flows": {"type": "dict", "default": {}},
                "show": {"type": "bool", "default": True},
            }
        )
        variables = task_vars or {}
        problems: list[Problem] = []
        self._hidden: set[str] = set()
        try:
            roles = read_roles(_ROLES)
            self._hidden = {name for role in roles for name, spec in role.options.items() if spec.get("no_log")}
            values = {name: self._read(raw, name, problems) for name, raw in variables.items() if ours(name, roles)}
            request = Request(
                variables=values,
                roles=roles,
                catalog=args["catalog"],
                advisories=args["advisories"],
                flows=args["flows"],
                run_tags=tuple(variables.get("ansible_run_tags") or ()),
                skip_tags=tuple(variables.get("ansible_skip_tags") or ()),
                problems=tuple(problems),
                environ=os.environ,
            )
            plan = make_plan(request)
        except (PlanError, InventoryError, CatalogError) as exc:
            raise AnsibleActionFail(str(exc)) from exc
        if args["show"]:
            self._display.display(plan_table(plan))
        return {**result, "changed": False, "plan": plan}

    def _read(self, raw: object, path: str, problems: list[Problem]) -> t.Any:
        """The value with its templates resolved; a template that fails is a problem at the place it stands."""
        try:
            return self._templar.template(raw)
        except AnsibleError as exc:
            if isinstance(raw, Mapping):
                return {key: self._read(item, f"{path}.{key}", problems) for key, item in raw.items()}
            if isinstance(raw, (list, tuple)):
                return [self._read(item, f"{path}[{index}]", problems) for index, item in enumerate(raw)]
            reason = str(exc).splitlines()[0].rstrip(".")
            fix = "correct the template, or mark a literal {{ with the tag !unsafe"
            shown = HIDDEN if path.partition(".")[0] in self._hidden else raw
            problems.append(Problem(path, shown, f"cannot be templated ({reason})", fix))
            return UNREADABLE
