# Copyright (c) 2026, wmx.llm_platform contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wmx.llm_platform.plugins.module_utils import _tree_yaml
from ansible_collections.wmx.llm_platform.plugins.module_utils._tree_yaml import YamlError, dump, load_documents

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), inner, max_size=4)
    ),
    max_leaves=20,
)


def value_of(text: str) -> t.Any:
    return load_documents(text)[0][1]


@given(JSON)
@settings(max_examples=300)
def test_what_is_written_is_read_again(value: t.Any) -> None:
    assert value_of(dump(value)) == value


@given(st.dictionaries(st.text("abcdefg", min_size=1), st.integers(), min_size=2))
def test_the_same_value_gives_the_same_bytes(value: dict[str, int]) -> None:
    assert dump(value) == dump(dict(reversed(value.items())))


def test_the_style_is_fixed() -> None:
    value = {"b": {"list": [{"x": 1}, "w " * 200], "a": {}}, "a": "line\nline\n", "empty": []}
    assert dump(value) == (
        'a: |\n  line\n  line\nb:\n  a: {}\n  list:\n  - x: 1\n  - "' + "w " * 200 + '"\nempty: []\n'
    )


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "No",
        "on",
        "y",
        "N",
        "null",
        "~",
        "1e3",
        "0o17",
        "017",
        "1_0",
        "12:30",
        "<<",
        "=",
        "2001-01-01",
        ".5",
        "0x1f",
        "",
    ],
)
def test_a_text_that_some_reader_takes_for_something_else_is_quoted(word: str) -> None:
    assert dump({"k": word}) == f'k: "{word}"\n'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1e3", 1000),
        ("1.0", 1),
        ("1.5", 1.5),
        ("0o17", 15),
        ("017", 15),
        ("-0x1F", -31),
        ("0b11", 3),
        ("1_000", 1000),
        ("12:30", "12:30"),
        ("2001-12-14", "2001-12-14"),
        ("yes", True),
        ("off", False),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r"'\ud83d\ude00'", r"\ud83d\ude00"),
    ],
)
def test_scalars_are_read_as_the_api_server_reads_them(source: str, expected: t.Any) -> None:
    value = value_of(f"k: {source}\n")["k"]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands twice"),
        ("---\na:\n  b: 1\n  b: 1\n", 4, "the key 'b' stands twice"),
        ("a: [1\n", 2, "did not find"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: 1\n\x07: 2\n", 2, "control characters"),
        ('a: "\\ud83d"\n', 1, "half of a surrogate pair"),
        ("a: .nan\n", 1, "no number that JSON can hold"),
        ("{a: 1}: 2\n", 1, "must be a plain text"),
        ("a: !!python/name:os.system x\n", 1, "tag"),
    ],
)
def test_a_text_with_two_meanings_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(YamlError, match=reason) as caught:
        load_documents(text)
    assert caught.value.line == line


def test_each_document_comes_with_the_line_it_starts_on() -> None:
    assert load_documents("# c\n---\na: 1\n---\n---\n\nb: 2\n") == [(3, {"a": 1}), (5, None), (7, {"b": 2})]


def test_aliases_are_written_out() -> None:
    shared = {"x": "1"}
    assert "*" not in dump([shared, shared])
    assert value_of("a: &x {k: v}\nb: {<<: *x, l: w}\n")["b"] == {"k": "v", "l": "w"}


PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "yes",
            "Off",
            "0x1F",
            "017",
            "1_000",
            "1.5",
            "1e3",
            ".inf",
            "~",
            "null",
            "'1'",
            '"\\u00e9"',
            "<<",
            "*x",
        ),
        *(
            "!!str 1",
            "!!int '7'",
            "!!binary aGk=",
            "!own x",
            "2001-01-01",
            ": ",
            "- ",
            "\n",
            "\n  ",
            "? ",
            "{",
            "}",
            "[",
            "]",
        ),
        *(", ", "|\n  t\n", "---\n", "...\n", "# c\n", "é", "\ud83d", "\t", "a: 1\n", "b: [x, 2]\n", "- c: d\n"),
    ]
)


def read_by(reader: t.Callable[[str], list[tuple[int, t.Any]]], text: str) -> t.Any:
    """What a reader makes of a text, types too; None when it leaves the text to others."""
    try:
        return repr(reader(text))
    except (_tree_yaml.yaml.YAMLError, YamlError, _tree_yaml._UnusualError, UnicodeError, ValueError):
        return None


@given(st.lists(PIECES, max_size=12).map("".join))
@settings(max_examples=1500)
def test_the_quick_reader_reads_what_the_whole_one_reads_or_nothing(text: str) -> None:
    quick = read_by(_tree_yaml._quick_documents, text)
    whole = read_by(lambda each: list(_tree_yaml._documents(each, _tree_yaml._Loader)), text)
    assert quick in (None, whole)


def test_the_quick_reader_reads_what_we_write() -> None:
    text = dump({"kind": "ConfigMap", "data": {"a": "1", "b": "x\ny\n"}, "list": [1, 2.5, True, None, "on"]})
    assert _tree_yaml._quick_documents(text) == load_documents(text)
