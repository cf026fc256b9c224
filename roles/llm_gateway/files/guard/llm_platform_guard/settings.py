# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""What the guard must know about the models, and its limits. An unknown key is refused: a typo must loosen no limit."""

from __future__ import annotations

import json
import math
import os
import pathlib
import typing as t
from dataclasses import dataclass, fields
from types import MappingProxyType

PATH_VARIABLE: t.Final = "LLM_GUARD_SETTINGS"
DEFAULT_PATH: t.Final = "/etc/litellm/guard.json"
MASTER_KEY_VARIABLES: t.Final = ("LITELLM_MASTER_KEY", "PROXY_MASTER_KEY")
SHORTEST_MASTER_KEY: t.Final = 16


class SettingsError(Exception):
    """The guard cannot be set up; LiteLLM must not start."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as clients name it."""

    max_output_tokens: int | None
    """The longest answer; None for a model that only embeds."""
    media: bool = False
    """Whether it takes images and sound. LiteLLM's reservation knows their price only roughly."""


@dataclass(frozen=True, slots=True)
class Limits:
    body_bytes: int = 4 * 1024 * 1024
    depth: int = 32
    choices: int = 8
    """Largest n and best_of. LiteLLM reserves budget for all of them."""
    prompts: int = 1
    """Prompts in one completions request. LiteLLM reserves the output of one only: more would overdraw a budget."""
    inputs: int = 2048
    """Inputs in one embeddings request. LiteLLM reserves budget for all of them."""
    tools: int = 128
    uncounted_bytes: int = 32 * 1024
    """JSON that a model may read but that LiteLLM's reservation does not count in full: tools and answer schemas."""
    body_seconds: float = 30.0
    """How long a client may take to send its request."""
    stall_seconds: float = 60.0
    """How long a client may stop reading its answer; it then counts as gone."""
    request_seconds: float = 300.0
    """After so long nothing more is sent to a client. The request still ends and is billed."""


@dataclass(frozen=True, slots=True)
class Settings:
    models: t.Mapping[str, Model]
    limits: Limits = Limits()


def load(environment: t.Mapping[str, str] | None = None) -> Settings:
    environment = os.environ if environment is None else environment
    path = environment.get(PATH_VARIABLE) or DEFAULT_PATH
    try:
        return parse(json.loads(pathlib.Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def master_key(environment: t.Mapping[str, str] | None = None) -> bytes:
    environment = os.environ if environment is None else environment
    for name in MASTER_KEY_VARIABLES:
        if value := environment.get(name):
            if len(value) < SHORTEST_MASTER_KEY:
                raise SettingsError(f"{name} has {len(value)} characters, it must have {SHORTEST_MASTER_KEY} or more")
            return value.encode()
    raise SettingsError(f"the master key is not set: one of {', '.join(MASTER_KEY_VARIABLES)}")


def parse(raw: object) -> Settings:
    top = _table(raw, "the settings", {"models", "limits"})
    models = _table(top.get("models"), "models")
    if not models:
        raise SettingsError("models is empty: there must be one entry for each name that clients may send")
    return Settings(
        MappingProxyType({name: _model(name, entry) for name, entry in models.items()}),
        _limits(top.get("limits", {})),
    )


def _model(name: str, raw: object) -> Model:
    place = f"models.{name}"
    entry = _table(raw, place, {"max_output_tokens", "media"})
    if "max_output_tokens" not in entry:
        raise SettingsError(f"{place} lacks max_output_tokens (null for a model that only embeds)")
    longest, media = entry["max_output_tokens"], entry.get("media", False)
    if longest is not None and (not isinstance(longest, int) or isinstance(longest, bool) or longest < 1):
        raise SettingsError(f"{place}.max_output_tokens is {longest!r}, it must be a positive integer or null")
    if not isinstance(media, bool):
        raise SettingsError(f"{place}.media is {media!r}, it must be true or false")
    return Model(longest, media)


def _limits(raw: object) -> Limits:
    # Under future annotations the type of a field is its text.
    kinds = {field.name: str(field.type) for field in fields(Limits)}
    entry = _table(raw, "limits", set(kinds))
    for name, value in entry.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (isinstance(value, float) and kinds[name] == "float")) or not 0 < value < math.inf:
            raise SettingsError(f"limits.{name} is {value!r}, it must be a positive number ({kinds[name]})")
    return Limits(**entry)


def _table(raw: object, place: str, known: t.Collection[str] | None = None) -> dict[str, t.Any]:
    if not isinstance(raw, dict):
        raise SettingsError(f"{place} must be an object, got {type(raw).__name__}")
    unknown = sorted(set(raw) - set(known)) if known is not None else []
    if unknown:
        raise SettingsError(
            f"{place} has unknown keys: {', '.join(unknown)}; known are {', '.join(sorted(known or ()))}"
        )
    return raw
