# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The writes for one key, in the order in which a run may end anywhere. Private to the collection.

We make the value, not LiteLLM: it is in its Secret before LiteLLM knows it, so whatever ends a run, no key works that
nobody holds. A Secret whose value LiteLLM does not know is seen by the next run, which replaces it. A rotation keeps
the new value beside the old one until LiteLLM has it, so a run that ends early never takes a working key away.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_api import (
    LiteLLM,
    LiteLLMError,
    RefusedError,
    Row,
    maybe_done,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_fields import changes, moment, normal, text
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_plan import RETIRES, Plan, alias_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._litellm_key_secret import (
    GENERATION,
    Content,
    KeySecrets,
    new_value,
    token_of,
)
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from datetime import datetime


class KeyWriter:
    """Thread-safe: the steps of one key follow each other, keys do not depend on each other."""

    def __init__(self, llm: LiteLLM, secrets: KeySecrets, base_url: str) -> None:
        self._llm = llm
        self._secrets = secrets
        self._base_url = base_url

    def carry_out(self, plan: Plan) -> None:
        key, secrets = plan.key, self._secrets
        generation = str(key.generation)
        try:
            if plan.replace:
                self._replace(plan)
            elif key.lives and (held := secrets.get(key.place)):
                value = held.pending if plan.promote else held.value
                if plan.promote or any(name.startswith("secret.") for name in plan.changes):
                    secrets.write(key, Content(value, self._base_url, generation))
            for token, found in plan.update.items():
                self._update(plan, token, found)
            for row in plan.retire:
                self._retire(plan, row)
            revoke(self._llm, plan.revoke)
            held = secrets.get(key.place)
            if key.state == "absent" and held and held.ours:
                secrets.delete(key.place)
            elif key.state == "revoked" and held and held.value:
                secrets.write(key, Content("", self._base_url, generation))
        except (LiteLLMError, KubeError) as exc:
            raise LiteLLMError(f"key {key.team}/{key.name}: {exc}") from exc

    def _replace(self, plan: Plan) -> None:
        key, url, value = plan.key, self._base_url, new_value()
        final = Content(value, url, str(key.generation))
        held = self._secrets.get(key.place)
        if plan.staged and held:
            before = held.annotations.get(GENERATION, "")
            self._secrets.write(key, Content(held.value, url, before, pending=value))
        else:
            self._secrets.write(key, final)
        self._generate(plan, value)
        if plan.staged:
            self._secrets.write(key, final)

    def _generate(self, plan: Plan, value: str) -> None:
        key, token = plan.key, token_of(value)
        body = {name: item for name, item in key.wanted.items() if item not in (None, False, [], {})}
        body |= {"key": value, "key_alias": alias_of(key, token)}
        if plan.expires:
            after = key.expiry.after
            body["duration"] = f"{after.total_seconds():.0f}s" if after else self._until(plan.expires)
        if key.wanted["max_budget"]:
            body["spend"] = plan.spent
        try:
            self._llm.checked("POST", "/key/generate", body)
        except LiteLLMError as exc:
            if not maybe_done(exc):
                raise
            # It may be there now: LiteLLM is asked before it is asked again.
            if not self._llm.key(token):
                self._llm.checked("POST", "/key/generate", body)
        plan.current = {"token": token, "key_alias": body["key_alias"], "expires": text(plan.expires)}

    def _update(self, plan: Plan, token: str, found: t.Mapping[str, t.Any]) -> None:
        wanted = {**plan.key.wanted, "key_alias": alias_of(plan.key, token)}
        body: Row = {name: wanted[name] for name in found if name != "expires"}
        if "object_permission" in found:
            granted = normal("object_permission", found["object_permission"]["before"]) or {}
            body["object_permission"] = {name: type(value)() for name, value in granted.items()}
        if "expires" in found:
            body["duration"] = self._until(plan.expires) if plan.expires else None
        row = self._llm.checked("POST", "/key/update", {"key": token, **body}, repeatable=True) or {}
        left = changes(row, {name: wanted[name] for name in found if name in row and name in wanted})
        if left.keys() - {"object_permission"}:
            raise LiteLLMError(f"LiteLLM answered as if it had taken {', '.join(left)}, and did not: {left}")

    def _retire(self, plan: Plan, row: Row) -> None:
        """The old value works until the overlap is over, or until it would have ended anyway."""
        over = self._llm.now() + plan.key.overlap
        end = min(over, moment(row.get("expires")) or over)
        metadata = {**(row.get("metadata") or {}), RETIRES: text(end)}
        body = {"key": row["token"], "duration": self._until(end), "metadata": metadata}
        self._llm.checked("POST", "/key/update", body, repeatable=True)

    def _until(self, end: datetime) -> str:
        return f"{max(0, math.ceil((end - self._llm.now()).total_seconds()))}s"


def revoke(llm: LiteLLM, rows: t.Sequence[Row]) -> None:
    """Blocked first: LiteLLM tells its other replicas of a block, but lets their caches run out after a deletion."""
    tokens = [str(row["token"]) for row in rows]
    try:
        for row in rows:
            if not row.get("blocked"):
                llm.checked("POST", "/key/block", {"key": row["token"]}, repeatable=True)
        if tokens:
            llm.checked("POST", "/key/delete", {"keys": tokens}, repeatable=True)
    except RefusedError as exc:
        if exc.status != 404:  # somebody else was faster
            raise
