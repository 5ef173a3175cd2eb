"""Both languages say the same things: each message once, with the same places, and all are used."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

import elman.apps.lab
from elman import tasks
from elman.apps.lab import rooms
from elman.apps.lab.words import LANGUAGES, helps, table
from elman.run.options import TrainOptions

HOME = Path(elman.apps.lab.__file__).parent
KINDS: list[type[Any]] = [TrainOptions, *map(tasks.options, tasks.names())]
HAN = re.compile(r"[\u4e00-\u9fff]")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_the_languages_have_the_same_keys_with_the_same_places() -> None:
    english, chinese = (table(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key in english:
        assert places(english[key]) == places(chinese[key]), key
        assert not HAN.search(english[key]) and english[key].strip() and chinese[key].strip(), key


def test_every_message_that_is_said_is_there_and_none_is_left_over() -> None:
    literal, patterns = set[str](), set[str]()
    for path in HOME.rglob("*.py"):
        for text, is_pattern in _strings(ast.parse(path.read_text(encoding="utf-8"))):
            (patterns if is_pattern else literal).add(text)
    # A part of a key that is filled in is one of these.
    parts = literal | set(tasks.names()) | set(rooms.names())
    known = table("en").keys()
    names = {key.split(".")[0] for key in known}
    missing = {
        text for text in literal
        if text.split(".")[0] in names and re.fullmatch(r"[a-z]+\.[a-z0-9_]*[a-z0-9]", text)
    } - known  # fmt: skip
    assert not missing
    for key in known - literal:
        found = [re.fullmatch(pattern, key) for pattern in patterns]
        assert any(match and set(match.groups()) <= parts for match in found), key


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_explained_in_chinese_with_the_same_names_and_numbers(
    kind: type[Any],
) -> None:
    english, chinese = helps("en", kind), helps("zh", kind)
    assert english.keys() == chinese.keys() == {f.name for f in fields(kind)}
    for name, text in english.items():
        assert text and not HAN.search(text) and HAN.search(chinese[name]), name
        # What stands there as in a program, and where to read more, is the same in both.
        for told in re.findall(r"arXiv:\S+\d|[a-z]+\d+|[a-z]+-[a-z]+(?=[,:])|--[a-z-]+=\w+", text):
            assert told in chinese[name], (name, told)


def test_no_explanation_is_of_an_option_that_there_is_not() -> None:
    known = {base.__name__ for kind in KINDS for base in kind.__mro__}
    for path in (HOME / "words" / "helps").glob("*.toml"):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        assert table.keys() <= known
        names = {field.name for kind in KINDS for field in fields(kind)}
        assert {name for one in table.values() for name in one} <= names


def _strings(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Texts in a program, and the f-strings among them as patterns with a group for each part."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, False
        elif isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else "(.+)"
                for part in node.values
                if not isinstance(part, ast.Constant) or isinstance(part.value, str)
            ]
            yield "".join(str(part) for part in parts), True
