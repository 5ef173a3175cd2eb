"""The pages tell what the code does: the page of what is understood, and the commands shown."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from calling import call

HOME = Path(__file__).parents[1]
PAGES = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "docs/reading.in", "docs/design.md")
OTHER_NAMES = {"--target-columns"}  # accepted, and not shown by --help
COMMANDS = ("resume", "evaluate", "predict", "generate", "bench", "trace", "data")


def made() -> str:
    """The page of what is understood, as docs/make_reading.py makes it."""
    spec = importlib.util.spec_from_file_location("make_reading", HOME / "docs/make_reading.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.made())


def test_what_is_understood_is_what_the_code_understands() -> None:
    page = (HOME / "docs/reading.md").read_text(encoding="utf-8")
    assert page == made(), "python docs/make_reading.py makes docs/reading.md anew"


def test_tables_of_the_page_are_whole() -> None:
    lines = made().split("\n")
    for above, line in itertools.pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert above.count("|") == line.count("|"), line


@cache
def flags_of(*command: str) -> frozenset[str]:
    """The flags that a command has, with the other names of some of them."""
    ended = call(*command, "--help")
    assert ended.code == 0, ended.err
    return frozenset(re.findall(r"--[a-z][a-z0-9-]*", ended.out)) | {"--help"} | OTHER_NAMES


def test_modules_of_the_design_are_there() -> None:
    text = (HOME / "docs/design.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`(?:[\w/]*/)?([\w*]+\.py)`", row)}
    assert len(named) > 50
    assert [name for name in sorted(named) if not any(HOME.glob(f"src/**/{name}"))] == []


def tasks() -> list[str]:
    """The tasks, as folders name them."""
    return sorted(path.parent.name for path in HOME.glob("src/elman/tasks/*/options.py"))


def shown() -> list[tuple[str, str]]:
    """Each command that a page shows on a line of its own."""
    return [
        (page, line[line.index("elman ") :].partition("  #")[0].partition(" | ")[0].strip())
        for page in PAGES
        for line in (HOME / page).read_text(encoding="utf-8").splitlines()
        if re.match(r" {4}(?:\S.*[ /])?elman [a-z]+ ", line)
    ]


@pytest.mark.parametrize(("page", "line"), shown())
def test_commands_that_are_shown_have_such_flags(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command = words[:2] if words[0] == "train" else words[:1]
    known = flags_of(*command)
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("page", PAGES)
def test_flags_that_are_named_are_those_of_some_command(page: str) -> None:
    known = frozenset[str]().union(
        *(flags_of("train", task) for task in tasks()), *(flags_of(name) for name in COMMANDS)
    )
    text = (HOME / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", text))
    assert named <= known, named - known
