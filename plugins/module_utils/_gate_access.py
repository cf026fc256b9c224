# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules about secrets, rights, exposure and prices. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.wmx.llm_platform.plugins.module_utils._gate import Item, Rule, Tree
from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import API_GROUP, annotations_of
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, load_documents

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Found = tuple[Item, str, str]
PUBLIC: t.Final = f"{API_GROUP}/exposure"
_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?|SALT_KEY|MASTER_KEY)$",
    re.IGNORECASE,
)
_SECRET_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@$]*:[^/\s@$]+@")
_SECRET_VALUE = re.compile(
    r"(?:\bsk-[A-Za-z0-9_-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{30,}|\bhf_[A-Za-z0-9]{30,})"
)
_WIDE_VERBS = frozenset({"escalate", "bind", "impersonate"})


def _secrets(tree: Tree) -> Iterator[Found]:
    fix = "keep the value in a Secret that the tree does not hold, and refer to it"
    for item in tree.items:
        if item.ref.group_kind == ("", "Secret") and (item.object.get("data") or item.object.get("stringData")):
            yield item, "holds values", fix
            continue
        for where, container in item.containers():
            for variable in container.get("env") or ():
                value = variable.get("value") or ""
                if value and _SECRET_NAME.search(variable["name"]) and not _refers(value, container):
                    yield item, f"{where} sets {variable['name']} as plain text", fix
        for place, text in _texts(item.object, ""):
            if _SECRET_URL.search(text) or _SECRET_VALUE.search(text):
                yield item, f"{place} looks like a credential", fix


def _refers(value: str, container: Mapping[str, t.Any]) -> bool:
    """Whether it says where the secret is: another variable, which may well come from a Secret, or a volume's file."""
    mounts = tuple(f"{mount['mountPath'].rstrip('/')}/" for mount in container.get("volumeMounts") or ())
    return bool(re.fullmatch(r"\$\([\w.-]+\)", value)) or value.removeprefix("file:").startswith(mounts)


def _texts(value: t.Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")


def _rbac(tree: Tree) -> Iterator[Found]:
    for item in tree.of_kind("rbac.authorization.k8s.io", "Role", "ClusterRole"):
        for index, rule in enumerate(item.object.get("rules") or ()):
            wide = [
                name for name in ("apiGroups", "resources", "verbs", "nonResourceURLs") if "*" in (rule.get(name) or ())
            ]
            if wide:
                yield item, f"rules[{index}] has * in {', '.join(wide)}", "name what is needed"
            verbs = sorted(_WIDE_VERBS & set(rule.get("verbs") or ()))
            if verbs:
                yield item, f"rules[{index}] allows {', '.join(verbs)}, which gives every right", "take it away"


def _exposure(tree: Tree) -> Iterator[Found]:
    fix = f"make it ClusterIP, or annotate it with {PUBLIC}: public when it is the edge"
    for item in tree.of_kind("", "Service"):
        kind = item.object["spec"].get("type", "ClusterIP")
        if kind in {"LoadBalancer", "NodePort"} and not _is_public(item.object):
            yield item, f"is a {kind}", fix
        if item.object["spec"].get("externalIPs"):
            yield item, "has external addresses", "remove them"
    for item in tree.of_kind("gateway.networking.k8s.io", "Gateway"):
        infrastructure = (item.object["spec"].get("infrastructure") or {}).get("annotations") or {}
        kind = infrastructure.get("networking.istio.io/service-type") or annotations_of(item.object).get(
            "networking.istio.io/service-type", "LoadBalancer"
        )
        if kind != "ClusterIP" and not _is_public(item.object):
            yield item, f"gets a Service of type {kind}", fix


def _is_public(obj: Mapping[str, t.Any]) -> bool:
    return annotations_of(obj).get(PUBLIC) == "public"


def _listeners(tree: Tree) -> Iterator[Found]:
    for item in tree.of_kind("gateway.networking.k8s.io", "Gateway"):
        for listener in item.object["spec"].get("listeners") or ():
            namespaces = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
            selector = namespaces.get("selector") or {}
            named = namespaces.get("from") == "Selector" and (
                selector.get("matchLabels") or selector.get("matchExpressions")
            )
            if not named and namespaces.get("from") != "Same":
                problem = f"listener {listener['name']} does not name the namespaces whose routes it accepts"
                yield item, problem, "set allowedRoutes.namespaces to Selector with labels, or to Same"


def _prices(tree: Tree) -> Iterator[Found]:
    fix = "give the model price and max_output_tokens in llm_models: without them no budget holds"
    for item in tree.of_kind("", "ConfigMap"):
        for key, text in (item.object.get("data") or {}).items():
            for model in _litellm_models(text):
                parameters = {**(model.get("model_info") or {}), **(model.get("litellm_params") or {})}
                wanted = ("input_cost_per_token", "output_cost_per_token", "max_output_tokens")
                missing = [name for name in wanted if parameters.get(name) is None]
                if missing:
                    yield item, f"{key}: model {model.get('model_name')} has no {', '.join(missing)}", fix


def _litellm_models(text: t.Any) -> list[Mapping[str, t.Any]]:
    if not isinstance(text, str) or "model_list" not in text:
        return []
    try:
        documents = [document for _line, document in load_documents(text)]
    except YamlError:
        return []
    lists = [document.get("model_list") for document in documents if isinstance(document, dict)]
    return [model for models in lists if isinstance(models, list) for model in models if isinstance(model, dict)]


RULES: t.Final = (
    Rule("secret", "No secret stands in the tree as plain text", _secrets),
    Rule("rbac", "No role has wildcards or may give itself rights", _rbac),
    Rule("exposure", "Only the edge is reachable from outside the cluster", _exposure),
    Rule("listeners", "Every listener names the namespaces whose routes it accepts", _listeners),
    Rule("price", "Every model of the LLM gateway has both prices and a limit of tokens", _prices),
)
