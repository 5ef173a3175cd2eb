"""Every message of the lab: one table for each room in each language, words/LANGUAGE/ROOM.toml.

    # words/en/start.toml
    title = "Start"
    drop = "Drop a file here"
    picked = "{name}: {size} MB"

A word is asked for by room and name, and what stands in braces is filled in as plain text:
`say("start.picked", name=name, size=3)`. Both languages have the same keys with the same places.

What options do stands in English in the docstrings of their classes, from which the help of the
command line is made too; helps/LANGUAGE.toml has it in another language, a table for each class.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docstring_parser import parse

from elman.errors import UserError

LANGUAGES = {"en": "English", "zh": "中文"}
QUASAR = {"en": "en-US", "zh": "zh-CN"}  # what NiceGUI calls them, for its own messages
Say = Callable[..., str]


class Said(UserError):
    """What does not fit, in the words of the page; other errors are in those of the command."""


@functools.cache
def table(language: str) -> Mapping[str, str]:
    """Every message of a language, by `room.key`."""
    found = dict[str, str]()
    for path in sorted((Path(__file__).parent / language).glob("*.toml")):
        words = tomllib.loads(path.read_text(encoding="utf-8"))
        found |= {f"{path.stem}.{key}": text for key, text in words.items()}
    return found


def saying(language: str) -> Say:
    """The function that says a message by its key. KeyError: there is none."""

    def say(key: str, **values: object) -> str:
        return table(language)[key].format(**values)

    return say


def helps(language: str, kind: type[Any]) -> Mapping[str, str]:
    """What a class of options, and those above it, say of each option, by its name."""
    path = Path(__file__).parent / "helps" / f"{language}.toml"
    known = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    found = dict[str, str]()
    for base in reversed(kind.__mro__):
        english = {p.arg_name: p.description or "" for p in parse(base.__doc__ or "").params}
        found |= {name: " ".join(text.split()) for name, text in english.items()}
        found |= known.get(base.__name__, {})
    return found


def preferred(accepted: str) -> str:
    """The language of the page that a browser would rather have, from Accept-Language.

    >>> preferred("zh-CN,zh;q=0.9,en;q=0.8"), preferred("de, en;q=0.5, zh;q=0.4"), preferred("")
    ('zh', 'en', 'en')
    """
    weighed = []
    for place, item in enumerate(accepted.split(",")[:50]):
        name, _, weight = item.strip().partition(";q=")
        known = name.split("-")[0].lower()
        try:
            weighed.append((-float(weight or 1), place, known))
        except ValueError:
            continue
    return next((known for _, _, known in sorted(weighed) if known in LANGUAGES), "en")
