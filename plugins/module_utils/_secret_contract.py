# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""The contract of secrets: values, how they are made, where they stand. Private to the collection."""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass, field

from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import PLATFORM, Ref
from ansible_collections.wmx.llm_platform.plugins.module_utils._transport import KubeError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Not the manager of applies: what it does not render it would remove.
FIELD_MANAGER: t.Final = f"{PLATFORM}-secrets"
OPERATOR: t.Final = "operator"
FORMATS: t.Final[dict[str, t.Callable[[], str]]] = {
    "hex16": lambda: secrets.token_hex(16),
    "hex32": lambda: secrets.token_hex(32),
    "sk-hex32": lambda: f"sk-{secrets.token_hex(32)}",
}
VERBS: t.Final = ("roll", "postgresql", "redis", "refused")
_SHORTEST = 16


class SecretError(KubeError):
    """The contract cannot be fulfilled; the text has one line per problem and never a value."""

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__("\n".join(["The secrets cannot be brought; nothing was changed.", *problems]))


class Place(t.NamedTuple):
    """One key of one Secret."""

    namespace: str
    secret: str
    key: str

    @property
    def ref(self) -> Ref:
        return Ref("", "v1", "Secret", self.namespace, self.secret)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.secret}:{self.key}"


@dataclass(frozen=True)
class Target:
    """A place that holds the value; `literals` are what the Secret must hold beside it and is no secret."""

    place: Place
    type: str = "Opaque"
    literals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pods:
    """Where a command of a rotation runs."""

    namespace: str
    selector: str
    container: str


@dataclass(frozen=True)
class Rotation:
    """How a value is replaced: `order` names the components whose workloads roll, one after the other."""

    verb: str
    order: tuple[str, ...] = ()
    pods: Pods | None = None
    user: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Entry:
    """One value. `encrypts` are label selectors of volumes whose content is lost without it."""

    name: str
    format: str
    targets: tuple[Target, ...]
    write_once: bool = False
    encrypts: tuple[tuple[str, str], ...] = ()
    rotation: Rotation = Rotation("refused")

    @property
    def given(self) -> bool:
        """Whether only the operator can know it."""
        return self.format == OPERATOR

    def make(self) -> bytes:
        return FORMATS[self.format]().encode()

    def unfit(self, value: bytes) -> str:
        """Why a value that was given cannot be this one; empty when it can."""
        if not value or any(byte < 0x21 or byte > 0x7E for byte in value):
            return "is empty or holds spaces, line breaks or letters beyond ASCII"
        if self.given:
            return ""
        prefix = b"sk-" if self.format.startswith("sk-") else b""
        if not value.startswith(prefix):
            return f"does not begin with {prefix.decode()}"
        return f"is shorter than {_SHORTEST} characters" if len(value) - len(prefix) < _SHORTEST else ""


def read_contract(raw: Iterable[Mapping[str, t.Any]]) -> list[Entry]:
    """The entries of the contract, typed."""
    return [_entry(item) for item in raw]


def _entry(item: Mapping[str, t.Any]) -> Entry:
    rotation = item.get("rotation") or {}
    pods = rotation.get("pods")
    return Entry(
        name=item["name"],
        format=item["format"],
        targets=tuple(_target(target) for target in item["targets"]),
        write_once=bool(item.get("write_once")),
        encrypts=tuple((volume["namespace"], volume["selector"]) for volume in item.get("encrypts") or ()),
        rotation=Rotation(
            verb=rotation.get("verb", "refused"),
            order=tuple(rotation.get("order") or ()),
            pods=Pods(pods["namespace"], pods["selector"], pods["container"]) if pods else None,
            user=rotation.get("user") or "",
            reason=rotation.get("reason") or "",
        ),
    )


def _target(raw: Mapping[str, t.Any]) -> Target:
    place = Place(raw["namespace"], raw["secret"], raw["key"])
    return Target(place, raw.get("type") or "Opaque", raw.get("literals") or {})


def read_sources(raw: Mapping[str, Mapping[str, str] | None]) -> dict[str, Place]:
    """Where the operator keeps values, by name."""
    return {name: Place(source["namespace"], source["name"], source["key"]) for name, source in raw.items() if source}
