# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules between the options of models, and the defaults that depend on the engine. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._artifact_names import ModelName
from ansible_collections.wmx.llm_platform.plugins.module_utils._plan_providers import PROVIDER, complete_provider
from ansible_collections.wmx.llm_platform.plugins.module_utils._quantity import QuantityError, parse_quantity

if t.TYPE_CHECKING:
    from ansible_collections.wmx.llm_platform.plugins.module_utils._validate import Validator

Model = dict[str, t.Any]

# Leaves room for what Kubernetes and the roles append: 63 is the limit of a Service's name and of a label's value.
NAME_LENGTH = 40
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_SERVED_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:/-]{0,126}[A-Za-z0-9])?")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_PATH = re.compile(r"/[A-Za-z0-9._/-]{1,254}")
_IMAGE = re.compile(r"[a-z0-9]([a-zA-Z0-9._:/-]{0,250})(@sha256:[0-9a-f]{64})?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_PART = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL_VALUE = re.compile(rf"({_LABEL_PART})?")
_LABEL_KEY = re.compile(rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL_PART}")
_OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")

_RESOURCES: dict[str, dict[str, dict[str, str]]] = {
    "vllm": {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "4", "memory": "12Gi"}},
    "vllm-cpu": {"requests": {"cpu": "2", "memory": "6Gi"}, "limits": {"cpu": "3", "memory": "10Gi"}},
    "simulator": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
    "simulator-real-text": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
}

# The roles fill these from Secrets: here they would end in the rendered tree and in the log.
_SECRET_ENV = {
    "VLLM_API_KEY": "serving_api_key_secret",
    "HF_TOKEN": "serving_hub_token_secret",
    "HUGGING_FACE_HUB_TOKEN": "serving_hub_token_secret",
}


def check_models(models: list[Model], plan: t.Mapping[str, t.Any], validator: Validator) -> list[Model]:
    """The models with every key present; entries that were refused already are left out."""
    for index, model in enumerate(models):
        if model:
            check_model(model, f"llm_models[{index}]", plan, validator)
    for key in ("name", "served_name"):
        _unique(models, key, validator)
    return [model for model in models if model]


def check_model(model: Model, path: str, plan: t.Mapping[str, t.Any], validator: Validator) -> None:
    """Checks and completes one entry in place."""
    _ModelRules(model, path, plan, validator).run()


def _unique(models: list[Model], key: str, validator: Validator) -> None:
    seen: dict[str, int] = {}
    for index, model in enumerate(models):
        value = model.get(key) if model else None
        if not value:
            continue
        if value in seen:
            # Two equal names give two equal served names: one line is enough.
            if key == "name" or model.get("name") != models[seen[value]].get("name"):
                path = f"llm_models[{index}].{key}"
                validator.add(path, value, f"is the {key} of llm_models[{seen[value]}] too", "give each model its own")
        else:
            seen[value] = index


class _ModelRules:
    """Checks and completes one entry in place."""

    def __init__(self, model: Model, path: str, plan: t.Mapping[str, t.Any], validator: Validator) -> None:
        self.model = model
        self.path = path
        self.plan = plan
        self.validator = validator
        self.engine: str = model.get("engine") or ""

    def run(self) -> None:
        for key in ("served_name", "source", "revision", "image", "priority"):
            self.model[key] = self.model.get(key) or ""
        for key, empty in (("args", []), ("env", {}), ("tolerations", []), ("node_selector", {})):
            self.model[key] = self.model.get(key) or empty
        self.names()
        if self.engine == PROVIDER:
            self.numbers()
            self.price()
            complete_provider(self.model, self.path, self.validator)
            return
        self.source()
        self.numbers()
        self.gpu()
        self.resources()
        self.price()
        self.cache()
        self.strategy()
        self.placement()
        self.substrate()

    def wrong(self, key: str, value: object, what: str, fix: str) -> None:
        self.validator.add(f"{self.path}.{key}", value, what, fix)

    def matches(self, key: str, value: str, pattern: re.Pattern[str], what: str, fix: str) -> None:
        if value and not pattern.fullmatch(value):
            self.wrong(key, value, what, fix)

    def names(self) -> None:
        name = self.model.get("name")
        if name is not None and (not _NAME.fullmatch(name) or len(name) > NAME_LENGTH):
            what = f"is no DNS label of at most {NAME_LENGTH} characters that starts with a letter"
            self.wrong("name", name, what, "use a-z, 0-9 and -, such as chat-small")
        self.model["served_name"] = self.model["served_name"] or name or ""
        if self.model["served_name"] != name:
            served = self.model["served_name"]
            self.matches("served_name", served, _SERVED_NAME, "is no model name", "use letters, digits and . _ : / -")
        self.matches(
            "image", self.model["image"], _IMAGE, "is no image reference", "write registry/name:tag or @sha256:…"
        )
        self.matches("priority", self.model["priority"], _OBJECT_NAME, "is no object name", "use a-z, 0-9, . and -")
        for key, value in self.model["env"].items():
            if key in _SECRET_ENV:
                self.wrong(f"env.{key}", "(hidden)", "is a secret", f"remove it and use {_SECRET_ENV[key]}")
            elif not _ENV_NAME.fullmatch(key):
                self.wrong(f"env.{key}", value, "has a name no shell accepts", "use letters, digits and _")
            elif not isinstance(value, str):
                self.wrong(f"env.{key}", value, "is no string", "put it in quotes")

    def source(self) -> None:
        given = self.model["source"]
        source, revision = given, self.model["revision"]
        if source.startswith("hf://"):
            source, _at, pinned = source.removeprefix("hf://").partition("@")
            if pinned and revision and pinned != revision:
                self.wrong("revision", revision, f"contradicts the {pinned} of source", "name the revision once")
            revision = pinned or revision
        path = source.startswith("/")
        self.model.update(source=source, revision=revision, source_kind="none", artifact="")
        if not given:
            if self.engine in ("vllm", "vllm-cpu"):
                self.wrong(
                    "source",
                    None,
                    f"is required for engine {self.engine}",
                    "write organisation/model or an absolute path",
                )
            if revision:
                self.wrong("revision", revision, "has no source", "set source or remove it")
            return
        self.model["source_kind"] = "path" if path else "huggingface"
        if not (_PATH if path else _REPOSITORY).fullmatch(source) or ".." in source:
            self.wrong(
                "source",
                given,
                "is no source of weights",
                "write organisation/model, hf://organisation/model@revision or /path",
            )
        if path and revision:
            self.wrong("revision", revision, "belongs to a hub's repository, and source is a path", "remove it")
        self.matches("revision", revision, _REVISION, "is no revision", "write a branch, tag or commit")
        if not path and self.engine != "simulator":
            # A simulator has no weights, only their name.
            self.model["artifact"] = str(ModelName(source, revision or "main"))

    def between(self, key: str, value: float | None, low: float, high: float, *, above: bool = False) -> None:
        if value is None or (low <= value <= high and not (above and value == low)):
            return
        bound = f"more than {low:g}" if above else f"at least {low:g}"
        self.wrong(key, value, "is out of range", f"use {bound} and at most {high:g}")

    def numbers(self) -> None:
        model = self.model
        self.between("replicas", model.get("replicas"), 0, 1000)
        self.between("max_model_len", model.get("max_model_len"), 1, 10_000_000)
        self.between("max_output_tokens", model.get("max_output_tokens"), 1, 10_000_000)
        self.between("gpu_memory_utilization", model.get("gpu_memory_utilization"), 0, 1, above=True)
        length, output = model.get("max_model_len"), model.get("max_output_tokens")
        if length and output and output > length:
            self.wrong(
                "max_output_tokens", output, f"is more than max_model_len, {length}", "lower it or raise max_model_len"
            )
        for key, value in (model.get("slo") or {}).items():
            self.between(f"slo.{key}", value, 1, 3_600_000)
        simulator = model.get("simulator") or {}
        self.between("simulator.max_num_seqs", simulator.get("max_num_seqs"), 1, 4096)
        failures = simulator.get("failures") or {}
        for key in ("error_rate", "stall_rate"):
            self.between(f"simulator.failures.{key}", failures.get(key), 0, 1)
        self.between("simulator.failures.delay_ms", failures.get("delay_ms"), 0, 600_000)

    def gpu(self) -> None:
        gpu = self.model.get("gpu") or {}
        if gpu.get("count") is None:
            gpu["count"] = 1 if self.engine == "vllm" else 0
        gpu["product"] = gpu.get("product") or ""
        self.model["gpu"] = gpu
        count = gpu["count"]
        self.between("gpu.count", count, 0, 64)
        if self.engine == "vllm" and count == 0:
            self.wrong("gpu.count", 0, "is impossible for engine vllm", "use at least 1, or engine: vllm-cpu")
        if self.engine in ("vllm-cpu", "simulator") and count > 0:
            self.wrong("gpu.count", count, f"is impossible for engine {self.engine}", "remove gpu, or use engine: vllm")
        self.matches(
            "gpu.product", gpu["product"], _LABEL_VALUE, "is no label value", "write it as the node label has it"
        )
        resource = gpu.get("resource") or ""
        if not _LABEL_KEY.fullmatch(resource) or "/" not in resource:
            self.wrong("gpu.resource", resource, "is no extended resource", "write domain/name such as nvidia.com/gpu")

    def resources(self) -> None:
        given = self.model.get("resources") or {}
        real_text = self.engine == "simulator" and (self.model.get("simulator") or {}).get("real_text")
        kind = "simulator-real-text" if real_text else self.engine
        defaults = _RESOURCES.get(kind, _RESOURCES["simulator"])
        amounts: dict[tuple[str, str], t.Any] = {}
        filled: dict[str, dict[str, str]] = {}
        for part in ("requests", "limits"):
            values = given.get(part) or {}
            filled[part] = {name: values.get(name) or defaults[part][name] for name in ("cpu", "memory")}
            for name, text in filled[part].items():
                amounts[part, name] = self.quantity(f"resources.{part}.{name}", text)
        for name in ("cpu", "memory"):
            low, high = amounts["requests", name], amounts["limits", name]
            if low is not None and high is not None and low > high:
                limit = filled["limits"][name]
                fix = f"raise resources.limits.{name} or lower the request"
                self.wrong(
                    f"resources.requests.{name}", filled["requests"][name], f"is more than the limit {limit}", fix
                )
        self.model["resources"] = filled

    def quantity(self, key: str, text: str) -> t.Any:
        try:
            amount = parse_quantity(text)
        except QuantityError as exc:
            self.wrong(key, text, str(exc), "write a quantity such as 500m, 2 or 4Gi")
            return None
        if amount <= 0:
            self.wrong(key, text, "is not above zero", "write a quantity such as 500m, 2 or 4Gi")
            return None
        return amount

    def price(self) -> None:
        price = self.model.get("price") or {}
        given = {key: value for key, value in price.items() if value is not None}
        for key, value in given.items():
            if value < 0:
                self.wrong(f"price.{key}", value, "is below zero", "write dollars per token, such as 0.0000002")
            elif value > 1:
                self.wrong(
                    f"price.{key}",
                    value,
                    "is more than a dollar for one token",
                    "write dollars per token, not per million",
                )
        refused = any(problem.path.startswith(f"{self.path}.price.") for problem in self.validator.problems)
        if len(given) == 1 and not refused:
            key = next(iter(given))
            other = "output_per_token" if key == "input_per_token" else "input_per_token"
            self.wrong(f"price.{other}", None, f"is missing beside price.{key}", "set both or none")
        self.model["price"] = {key: given.get(key, 0.0) for key in ("input_per_token", "output_per_token")}

    def cache(self) -> None:
        cache = self.model.get("cache") or {}
        size, storage_class = cache.get("size"), cache.get("storage_class") or ""
        useful = self.model["source_kind"] == "huggingface" and self.engine != "simulator"
        if size:
            self.quantity("cache.size", size)
            if not useful:
                self.wrong(
                    "cache.size", size, "keeps weights of the hub, and this model downloads none", "remove cache"
                )
        size = ("20Gi" if useful else "") if size is None else size
        self.matches("cache.storage_class", storage_class, _OBJECT_NAME, "is no object name", "use a-z, 0-9, . and -")
        mode = cache.get("access_mode") or "ReadWriteOnce"
        if size and mode == "ReadWriteOnce" and (self.model.get("replicas") or 0) > 1:
            fix = "set cache.access_mode: ReadWriteMany with a class that offers it, or cache.size: ''"
            self.wrong("replicas", self.model["replicas"], "cannot share a ReadWriteOnce cache", fix)
        self.model["cache"] = {"size": size, "storage_class": storage_class, "access_mode": mode}

    def strategy(self) -> None:
        single_volume = bool(self.model["cache"]["size"]) and self.model["cache"]["access_mode"] == "ReadWriteOnce"
        scarce = self.model["gpu"]["count"] > 0 and self.plan["tier"] != "prod"
        if not self.model.get("strategy"):
            self.model["strategy"] = "Recreate" if single_volume or scarce else "RollingUpdate"
        elif self.model["strategy"] == "RollingUpdate" and single_volume:
            fix = "use Recreate, or cache.access_mode: ReadWriteMany"
            self.wrong("strategy", "RollingUpdate", "would wait for the old pod's ReadWriteOnce cache", fix)

    def placement(self) -> None:
        for key, value in self.model["node_selector"].items():
            path = f"node_selector.{key}"
            if not _LABEL_KEY.fullmatch(key):
                self.wrong(path, value, "has a key that is no label key", "write domain/name or name")
            if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
                self.wrong(path, value, "is no label value", "write a string of letters, digits and . _ -, in quotes")
        for index, toleration in enumerate(self.model["tolerations"]):
            if not toleration:
                continue
            path, value = f"tolerations[{index}]", toleration.get("value") or ""
            self.matches(
                f"{path}.key", toleration.get("key") or "", _LABEL_KEY, "is no taint key", "write domain/name or name"
            )
            self.matches(f"{path}.value", value, _LABEL_VALUE, "is no taint value", "use letters, digits and . _ -")
            if toleration.get("operator") == "Exists" and value:
                self.wrong(f"{path}.value", value, "is impossible with operator Exists", "use operator: Equal")

    def substrate(self) -> None:
        if self.plan["substrate"] != "local" or not self.model.get("replicas"):
            return
        if self.engine == "vllm":
            fix = "use engine: simulator, replicas: 0, or llm_substrate: existing"
            self.wrong("engine", "vllm", "needs a GPU, and llm_substrate: local only simulates them", fix)
        if self.engine == "vllm-cpu" and not self.model["image"]:
            fix = "use engine: simulator, set image to one of local_cluster_images, or use llm_substrate: existing"
            self.wrong("engine", "vllm-cpu", "has an image that the local cluster's registry does not hold", fix)
