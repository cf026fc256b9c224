# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""YAML as Kubernetes reads it, and one fixed way to write it. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from functools import lru_cache

from ansible.module_utils.basic import missing_required_lib

try:
    import yaml

    # libyaml everywhere: PyYAML's own writer escapes differently, and the same inventory must give the same bytes.
    from yaml import CSafeDumper, CSafeLoader, SafeLoader
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:
    yaml = None  # type: ignore[assignment]
    CSafeDumper = CSafeLoader = SafeLoader = CParser = object  # type: ignore[assignment, misc]

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class YamlError(Exception):
    """Text that is no YAML, or that two readers would understand differently."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|[1-9][0-9_]*|0|0x[0-9a-fA-F_]+)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
_BOOL = re.compile(r"(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)\Z")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")

_TAG_INT, _TAG_FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_TAG_STR, _TAG_MAP, _TAG_SEQ = "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"


def _read_resolvers() -> dict[str | None, list[tuple[str, re.Pattern[str]]]]:
    """The scalars that the API server's own YAML reader takes for something else than text."""
    digits = list("-+0123456789.")
    table: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}
    for tag, pattern, firsts in (
        ("tag:yaml.org,2002:bool", _BOOL, list("yYnNtTfFoO")),
        (_TAG_INT, _INT, digits),
        (_TAG_FLOAT, _FLOAT, digits),
        ("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""]),
        ("tag:yaml.org,2002:merge", re.compile(r"<<\Z"), ["<"]),
    ):
        for first in firsts:
            table.setdefault(first, []).append((tag, pattern))
    return table


def _whole(text: str, line: int) -> str:
    """Joins the two halves of characters that JSON escapes in pairs; half a character is an error."""
    if not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as exc:
        raise YamlError("a text holds half of a surrogate pair", line) from exc


class _Constructs:
    """Constructors that both loaders share."""

    yaml_implicit_resolvers: t.ClassVar = _read_resolvers()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[t.Any, t.Any]:
        seen: set[str] = set()
        for key, _value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError("a mapping key must be a plain text", line)
            if key.value in seen:
                raise YamlError(f"the key {key.value!r} stands twice in one mapping", line)
            seen.add(key.value)
        return t.cast("dict[t.Any, t.Any]", super().construct_mapping(node, deep=deep))  # type: ignore[misc]

    def text(self, node: yaml.ScalarNode) -> str:
        return _whole(node.value, node.start_mark.line + 1)

    def integer(self, node: yaml.ScalarNode) -> int:
        value = node.value.replace("_", "")
        sign = -1 if value.startswith("-") else 1
        value = value.lstrip("+-")
        if value.startswith(("0b", "0o", "0x")):
            return sign * int(value, 0)
        return sign * (int(value, 8) if len(value) > 1 and value.startswith("0") else int(value))

    def number(self, node: yaml.ScalarNode) -> float | int:
        value = node.value.replace("_", "").lower()
        if value.lstrip("+-") in (".inf", ".nan"):
            raise YamlError(f"{node.value} is no number that JSON can hold", node.start_mark.line + 1)
        result = float(value)
        # The API server receives JSON, where 1e3 and 1.0 are the integers 1000 and 1.
        return int(result) if result.is_integer() and abs(result) < 2**53 else result


class _Loader(_Constructs, CSafeLoader):
    """libyaml's parser."""


class _PatientLoader(_Constructs, SafeLoader):
    """Python's parser: it accepts the escaped surrogate pairs that JSON writes."""


for _loader in (_Loader, _PatientLoader) if yaml else ():
    for _tag, _constructor in ((_TAG_STR, "text"), (_TAG_INT, "integer"), (_TAG_FLOAT, "number")):
        _loader.add_constructor(_tag, getattr(_loader, _constructor))


class _UnusualError(Exception):
    """Something that the quick reader leaves to the whole one."""


@lru_cache(maxsize=4096)
def _plain_tag(value: str) -> str:
    table = _Constructs.yaml_implicit_resolvers.get(value[:1], ())
    return next((tag for tag, pattern in table if pattern.match(value)), _TAG_STR)


class _Quick(CParser):
    """libyaml's parser without PyYAML's constructors, which take most of the time. It knows plain objects only."""

    def descend_resolver(self, *_args: t.Any) -> None:
        """Called by the parser at every node; paths decide nothing here."""

    def ascend_resolver(self) -> None:
        """Called by the parser at the end of every node."""

    def resolve(self, kind: type, value: str, implicit: t.Any) -> str:
        if kind is yaml.ScalarNode:
            return _plain_tag(value) if implicit[0] else _TAG_STR
        return _TAG_MAP if kind is yaml.MappingNode else _TAG_SEQ

    def build(self, node: t.Any) -> t.Any:
        tag = node.tag
        if isinstance(node, yaml.ScalarNode):
            if tag == _TAG_STR:
                return node.value if node.value.isascii() else _whole(node.value, node.start_mark.line + 1)
            if tag not in _SCALARS:
                raise _UnusualError
            return _SCALARS[tag](node)
        if tag == _TAG_SEQ and isinstance(node, yaml.SequenceNode):
            return [self.build(item) for item in node.value]
        if tag != _TAG_MAP or any(key.tag != _TAG_STR for key, _value in node.value):
            raise _UnusualError
        made = {self.build(key): self.build(value) for key, value in node.value}
        if len(made) != len(node.value):
            raise _UnusualError
        return made


_numbers: t.Final = _Constructs()
_SCALARS: t.Final[dict[str, t.Callable[[t.Any], t.Any]]] = {
    _TAG_INT: _numbers.integer,
    _TAG_FLOAT: _numbers.number,
    "tag:yaml.org,2002:bool": lambda node: node.value.lower() in ("yes", "true", "on"),
    "tag:yaml.org,2002:null": lambda _node: None,
}


def _quick_documents(text: str) -> list[tuple[int, t.Any]]:
    if "&" in text:  # an anchor, perhaps: an object that refers to itself must not be followed
        raise _UnusualError
    reader: t.Any = _Quick(text)
    documents = []
    while reader.check_node():
        node = reader.get_node()
        documents.append((node.start_mark.line + 1, reader.build(node)))
    return documents


def _documents(text: str, loader: type) -> Iterator[tuple[int, t.Any]]:
    reader = loader(text)
    try:
        while reader.check_node():
            node = reader.get_node()
            yield node.start_mark.line + 1, reader.construct_document(node)
    finally:
        reader.dispose()


def load_documents(text: str) -> list[tuple[int, t.Any]]:
    """Every document with the line it starts on; YamlError carries the line of what is wrong."""
    _need_yaml()
    try:
        try:
            return _quick_documents(text)
        except (_UnusualError, RecursionError, yaml.YAMLError):
            pass  # the whole reader knows what it is, or says what is wrong with it
        try:
            return list(_documents(text, _Loader))
        except yaml.scanner.ScannerError as exc:
            if "invalid Unicode character escape code" not in str(exc):
                raise
            return list(_documents(text, _PatientLoader))
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else None
        raise YamlError(" ".join(part for part in (exc.context, exc.problem) if part), line) from exc
    except yaml.reader.ReaderError as exc:
        position = exc.position if isinstance(exc.position, int) else 0
        raise YamlError(f"{exc.reason} (character {exc.character!r})", text.count("\n", 0, position) + 1) from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise YamlError(str(exc)) from exc


# A text is written plain only where YAML 1.1 and 1.2 agree that it is one.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*\Z")
_WORDS = re.compile(r"(?:y|n|yes|no|true|false|on|off|null)\Z", re.IGNORECASE)
_BLOCK = re.compile(r"[\t\n\x20-\x7e\xa0-\ud7ff]+\Z")


class _Dumper(CSafeDumper):
    def ignore_aliases(self, data: t.Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        style: str | None = '"'
        if _PLAIN.match(data) and not _WORDS.match(data):
            style = None
        elif "\n" in data and _BLOCK.match(data) and not re.search(r"[ \t]\n|[ \t]\Z|\A[ \t\n]", data):
            style = "|"
        return self.represent_scalar(_TAG_STR, data, style=style)


if yaml:
    _Dumper.add_representer(str, _Dumper.text)


def _need_yaml() -> None:
    if yaml is None:
        raise YamlError(missing_required_lib("PyYAML, built with libyaml"))


def dump(obj: t.Any) -> str:
    """One document: sorted keys, block style, no line wrap, LF. Same value, same bytes."""
    _need_yaml()
    text: str = yaml.dump(
        obj,
        Dumper=_Dumper,
        sort_keys=True,
        default_flow_style=False,
        allow_unicode=True,
        width=1_000_000_000,
        line_break="\n",
    )
    return text
