# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0
"""Finds every image that a Kubernetes object names, wherever it stands, and rewrites it. Private to the collection.

Finding and rewriting are one walk, so they cannot disagree about what an image is. A text counts as an image

- in a field called `image`, `imageName` or `…Image`: any name, short ones such as `busybox` too;
- in a mapping that has the parts of an image in fields of their own (`registry`, `repository`, `image`, `tag`, …);
- after a flag, or as the value of a variable, whose name ends in `image`: any name;
- anywhere else, also in the middle of scripts, JSON and YAML: a name with a registry and with a tag or digest, also
  behind `oci://`, as models are named that nodes pull as images.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.wmx.llm_platform.plugins.module_utils._image_ref import (
    DIGEST_TEXT,
    REGISTRY_TEXT,
    REPOSITORY_TEXT,
    TAG_TEXT,
    ImageRef,
    ImageRefError,
    is_digest,
    parse_image,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ansible_collections.wmx.llm_platform.plugins.module_utils._objects import Object

    Path = tuple[str | int, ...]  # pylint: disable=unsupported-binary-operation
    # Gets where an image stands and what it is; returns the image to write, or None to leave it as it is.
    Visit = Callable[["Place", ImageRef], ImageRef | None]  # pylint: disable=unsupported-binary-operation

_IMAGE_KEY = re.compile(r"(?:image|imageName|image_name|[A-Za-z0-9_./-]*(?:Image|[_.-]image|IMAGE)(?:Name)?)\Z")
_FULL_NAME = re.compile(
    # not inside a URL, a longer path or a longer word
    r"(?:(?<![\w.:/@%-])|(?<=\boci://))"
    rf"(?P<image>{REGISTRY_TEXT}/{REPOSITORY_TEXT}(?::{TAG_TEXT}(?:@{DIGEST_TEXT})?|@{DIGEST_TEXT}))"
    r"(?![\w/@-])(?!:\w)"
)
_ANY_NAME = rf"(?:{REGISTRY_TEXT}/)?{REPOSITORY_TEXT}(?::{TAG_TEXT})?(?:@{DIGEST_TEXT})?"
# `--proxy-image=busybox`, `"image": "kserve/agent:v1"`, `image: busybox` inside a text
_LABELLED = re.compile(
    r"(?:^|(?<=[\s\"'{,-]))[\w.-]*image(?:[_-]?name)?[\"']?(?:\s*:\s+|\s*:(?=[\"'])|=)[\"']?"
    rf"(?P<image>{_ANY_NAME})(?=[\"'\s,;}}\]]|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
# What looks like a registry but is the domain of labels and annotations.
_NO_REGISTRIES = re.compile(r"(?:.+\.)?(?:kubernetes\.io|(?<!registry\.)(?<!gcr\.)k8s\.io)\Z")
_NO_IMAGES = frozenset({"true", "false", "null", "none", "always", "never", "ifnotpresent"})
_PROSE_KEYS = frozenset({"description", "summary", "title"})


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in an object an image stands; `offset` is its first character where it is part of a longer text."""

    path: Path
    offset: int = 0

    @property
    def text(self) -> str:
        """For people: `spec.template.spec.containers[0].image`."""
        parts: list[str] = []
        for key in self.path:
            if isinstance(key, int):
                parts.append(f"[{key}]")
            else:
                parts.append(f".{key}" if re.fullmatch(r"[\w-]+", key) else f"[{key!r}]")
        return "".join(parts).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Found:
    place: Place
    image: ImageRef


def find_images(obj: Mapping[str, t.Any], extra: Iterable[Path] = ()) -> list[Found]:
    """Every image of an object, in the order of its fields."""
    found: list[Found] = []

    def note(place: Place, image: ImageRef) -> None:
        found.append(Found(place, image))

    rewrite_images(obj, note, extra)
    return found


def rewrite_images(obj: Mapping[str, t.Any], visit: Visit, extra: Iterable[Path] = ()) -> Object:
    """A copy of the object with the image that `visit` gives in each place of one; `extra` names further fields."""
    walk = _Walk(visit, frozenset(extra), prose=obj.get("kind") == "CustomResourceDefinition")
    # Values of Secrets are encoded and are not for reading; the tree has none of ours.
    skipped = {"data", "stringData"} if obj.get("kind") == "Secret" else set()
    return {
        key: value if key in skipped else walk.value(value, (key,), key, in_image=False) for key, value in obj.items()
    }


@dataclass(frozen=True, slots=True)
class _Walk:
    visit: Visit
    extra: frozenset[Path]
    # Schemas are full of examples in prose; only what is a field of its own counts there.
    prose: bool

    def value(self, value: t.Any, path: Path, name: str, *, in_image: bool) -> t.Any:
        if isinstance(value, str):
            return self._text(value, path, name, in_image=in_image)
        if isinstance(value, list):
            names = [name, *(item if _is_image_flag(item) else name for item in value)]
            return [
                self.value(item, (*path, index), names[index].lstrip("-"), in_image=in_image)
                for index, item in enumerate(value)
            ]
        if isinstance(value, dict):
            return self._mapping(value, path, name)
        return value

    def _mapping(self, value: Mapping[str, t.Any], path: Path, name: str) -> dict[str, t.Any]:
        split = _split_image(value, name)
        if split is not None:
            new = self.visit(Place(path), split.image)
            return dict(value) if new is None else {**value, **split.written(new)}
        # A variable's name says what its value is.
        variable = value.get("name")
        labelled = isinstance(variable, str) and "value" in value and _is_image_key(variable)
        return {
            key: self.value(
                item,
                (*path, key),
                str(variable) if labelled and key == "value" else key,
                in_image=_is_image_key(name) and key == "reference",
            )
            for key, item in value.items()
        }

    def _text(self, text: str, path: Path, name: str, *, in_image: bool) -> str:
        if path in self.extra or in_image or _is_image_key(name):
            image = _image_or_none(text)
            if image is not None:
                new = self.visit(Place(path), image)
                return text if new is None else _written(text, image, new)
        if name in _PROSE_KEYS or (self.prose and not _FULL_NAME.fullmatch(text)):
            return text
        return self._embedded(text, path)

    def _embedded(self, text: str, path: Path) -> str:
        spans: dict[int, tuple[int, ImageRef]] = {}
        for pattern in (_FULL_NAME, _LABELLED):
            for match in pattern.finditer(text):
                begin, end = match.span("image")
                image = _image_or_none(match["image"])
                if image is not None and not any(begin < other[0] and start < end for start, other in spans.items()):
                    spans[begin] = (end, image)
        for begin in sorted(spans, reverse=True):
            end, image = spans[begin]
            new = self.visit(Place(path, begin), image)
            if new is not None:
                text = text[:begin] + _written(text[begin:end], image, new) + text[end:]
        return text


@dataclass(frozen=True, slots=True)
class _Split:
    image: ImageRef
    # Field that takes a digest: its own where the kind has one, else that of the tag or version.
    digest_field: str
    parts: Mapping[str, str]

    def written(self, new: ImageRef) -> dict[str, str]:
        fields = {self.digest_field: new.digest}
        if new.name == self.image.name:
            return fields
        last = f"/{self.parts['image']}" if "image" in self.parts else ""
        if "registry" in self.parts:
            return {**fields, "registry": new.registry, "repository": new.repository.removesuffix(last)}
        return {**fields, "repository": new.name.removesuffix(last)}


def _split_image(value: Mapping[str, t.Any], name: str) -> _Split | None:
    """An image in parts: {registry?, repository, tag, digest?} below `image`, or {repository, image, version}."""
    parts = {key: item for key, item in value.items() if isinstance(item, str) and item}
    repository, version = parts.get("repository"), parts.get("tag") or parts.get("version") or ""
    digest = parts.get("digest", "")
    if not repository or not (version or digest) or not (_is_image_key(name) or "image" in parts):
        return None
    base = "/".join(part for part in (parts.get("registry"), repository, parts.get("image")) if part)
    if is_digest(version):
        version, digest = "", version
    text = base + (f":{version}" if version else "") + (f"@{digest}" if digest else "")
    image = _image_or_none(text)
    if image is None:
        return None
    field = "version" if "version" in parts and "tag" not in parts else "digest"
    return _Split(image, field, parts)


def _is_image_flag(item: t.Any) -> bool:
    """Whether an argument such as `--proxy-image` has its value in the next one."""
    return isinstance(item, str) and item.startswith("-") and _is_image_key(item.lstrip("-"))


def _is_image_key(name: str) -> bool:
    return _IMAGE_KEY.match(name) is not None


def _image_or_none(text: str) -> ImageRef | None:
    if text.lower() in _NO_IMAGES:
        return None
    try:
        image = parse_image(text)
    except ImageRefError:
        return None
    return None if _NO_REGISTRIES.match(image.registry) else image


def _written(text: str, image: ImageRef, new: ImageRef) -> str:
    """What was written short stays so, unless the image gets another name."""
    return f"{text.partition('@')[0]}@{new.digest}" if new.name == image.name else str(new)


def extra_paths(
    expressions: Iterable[str], obj: Mapping[str, t.Any], search: Callable[[str, t.Any], t.Any]
) -> set[Path]:
    """Fields whose values the expressions select; an expression selects by value, so every equal text counts."""
    wanted: set[str] = set()
    for expression in expressions:
        wanted |= set(_strings(search(expression, obj)))
    return {path for path, text in _leaves(obj, ()) if text in wanted} if wanted else set()


def _strings(value: t.Any) -> Iterable[str]:
    return (text for _path, text in _leaves(value, ()))


def _leaves(value: t.Any, path: Path) -> Iterable[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
