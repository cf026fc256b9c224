# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Canaries of models: a second set of pods that gets a share of the requests. Private to the collection.

To clients, tenants and budgets there is one model. For its pods a canary is a model of its own name in the plan's list
`canaries`, with everything that its model has and the few options in which it differs.
"""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_models import Model, check_model
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_providers import PROVIDER
from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

SUFFIX: t.Final = "canary"
MAX_WEIGHT: t.Final = 50
MAX_REPLICAS: t.Final = 1000
DIFFERENCES: t.Final = ("image", "args", "source")
_KEYS: t.Final = ("weight", "replicas", *DIFFERENCES)


class Around(t.NamedTuple):
    """What a canary depends on."""

    profile: str
    gateway: bool
    """Whether the plan has an inference gateway, which is what splits requests."""
    models: t.Mapping[str, t.Any]
    """What models are checked with."""


def check_canaries(
    given: t.Sequence[Model | None], checked: t.Sequence[Model | None], around: Around, validator: Validator
) -> list[Model]:
    """The canaries as models; each checked model gets its `canary`, empty where it has none, and its `services`.

    `given` are the models as they were before they were checked: what depends on an option is chosen anew.
    """
    names = {str(model.get("name")): index for index, model in enumerate(checked) if model}
    canaries = []
    for index, model in enumerate(checked):
        # What is served outside has no pods here, and was told so.
        if not model or model.get("engine") == PROVIDER:
            continue
        wanted = {key: value for key in _KEYS if (value := (model.get("canary") or {}).get(key)) not in (None, "", [])}
        model["canary"], model["services"] = {}, [model.get("name")]
        if wanted:
            rules = _Rules(f"llm_models[{index}]", wanted, around, validator)
            canary = rules.run(t.cast("Model", given[index]), model, names)
            model["canary"] = {"name": canary["name"], "weight": wanted.get("weight")}
            model["services"].append(canary["name"])
            canaries.append(canary)
    return canaries


class _Rules:
    def __init__(self, path: str, wanted: Model, around: Around, validator: Validator) -> None:
        self.path = f"{path}.canary"
        self.wanted = wanted
        self.around = around
        self.validator = validator
        # A model that is wrong in itself is told so once.
        self.sound = not any(problem.path.startswith(f"{path}.") for problem in validator.problems)

    def run(self, given: Model, model: Model, names: t.Mapping[str, int]) -> Model:
        name = f"{model.get('name')}-{SUFFIX}"
        if name in names:
            what = f"has the name of llm_models[{names[name]}], {name}"
            self.validator.add(self.path, self.wanted, what, "rename one of the models")
        # Without a valid profile nothing is known of the components.
        if self.around.profile and not self.around.gateway:
            what = f"needs the inference gateway, which llm_profile: {self.around.profile} does not have"
            self.validator.add(self.path, self.wanted, what, "set llm_profile: llm_gateway, or remove canary")
        self._number("weight", self.wanted.get("weight"), 0, MAX_WEIGHT)
        self._number("replicas", self.wanted.get("replicas", 1), 1, MAX_REPLICAS)
        canary = self._checked(given)
        if self.sound and all(canary[key] == model[key] for key in (*DIFFERENCES, "revision")):
            what = "is the same as the model"
            self.validator.add(self.path, self.wanted, what, "give it another image, args or source")
        # A model that rests has a canary that rests.
        replicas = self.wanted.get("replicas", 1) if model.get("replicas") else 0
        return {
            **canary,
            "name": name,
            "replicas": replicas,
            "canary": {},
            "canary_of": model.get("name"),
            "services": [name],
        }

    def _number(self, key: str, value: int | None, low: int, high: int) -> None:
        path = f"{self.path}.{key}"
        if value is None:
            if not any(problem.path == path for problem in self.validator.problems):
                self.validator.add(path, None, "is required", f"set it, at least {low} and at most {high}")
        elif not low <= value <= high:
            self.validator.add(path, value, "is out of range", f"use at least {low} and at most {high}")

    def _checked(self, given: Model) -> Model:
        """The model with what the canary changes, under the name of the model, whose length was checked."""
        canary: Model = copy.deepcopy(given)
        canary.update((key, self.wanted[key]) for key in DIFFERENCES if key in self.wanted)
        canary["replicas"] = self.wanted.get("replicas", 1) if given.get("replicas") else 0
        if "source" in self.wanted:
            canary["revision"] = ""
            if str(canary["source"]).startswith("/"):
                canary["cache"] = {**(canary.get("cache") or {}), "size": None}
        quiet = Validator()
        check_model(canary, self.path, self.around.models, quiet)
        if self.sound:
            self.validator.problems.extend(quiet.problems)
        return canary
