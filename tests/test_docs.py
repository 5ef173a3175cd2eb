"""The pages tell what the code does: the page of what is understood, and the commands shown."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from calling import call

HOME = Path(__file__).parents[1]
PAGES = (
    "README.md", "README.zh-CN.md", "CHANGELOG.md", "docs/reading.in", "docs/design.md",
    "docs/inside.md", "docs/trace.md", "docs/export.md", "docs/sharing.md", "docs/importing.md",
    "docs/serving.md", "docs/lab.md",
)  # fmt: skip
OTHER_NAMES = {"--target-columns"}  # accepted, and not shown by --help
COMMANDS = (
    "resume", "evaluate", "predict", "generate", "inspect", "export", "import", "bench", "trace",
    "data", "package", "serve", "lab", "doctor",
)  # fmt: skip
DEEPER = ("train", "compare", "probe")  # commands that have commands


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


def test_modules_of_the_design_stand_where_it_says() -> None:
    """What a row names lies where its first name says, or in the folder of that."""
    text = (HOME / "docs/design.md").read_text(encoding="utf-8").partition("\n## One alphabet")[0]
    home, named, missing = HOME / "src/elman", 0, list[str]()
    for row in re.findall(r"^\| `\w[\w/.]+`.*", text, re.MULTILINE):
        first, *others = re.findall(r"`([\w/]+(?:\.py|/))`", row)
        if "NAME" in first:
            continue
        if not (home / first).exists() and not (HOME / first).exists():
            missing.append(first)
        folder = home / first if first.endswith("/") else (home / first).parent
        for name in others:
            if not (home / name).exists() and not any(folder.rglob(name.rstrip("/"))):
                missing.append(f"{name} of {first}")
        named += 1 + len(others)
    assert named > 150
    assert missing == []


def rooms() -> list[str]:
    """The files of a task's folder that the design names, in its order."""
    text = (HOME / "docs/design.md").read_text(encoding="utf-8")
    table = text.partition("| room | what is done there |\n")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)\.py`", table, re.MULTILINE)


def test_a_room_of_a_task_imports_only_those_above_it() -> None:
    order, wrong = rooms(), []
    assert order[0] == "options" and order[-1] == "task"
    for path in HOME.glob("src/elman/tasks/*/*.py"):
        if path.stem not in order:
            continue
        folder = f"elman.tasks.{path.parent.name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            names = [alias.name for alias in node.names] if node.module == folder else []
            names += [node.module.removeprefix(f"{folder}.")]
            below = [name for name in names if name in order[order.index(path.stem) :]]
            wrong += [f"{folder}.{path.stem} imports {name}" for name in below]
    assert wrong == []


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
    command = words[:2] if words[0] in DEEPER else words[:1]
    known = flags_of(*command)
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("page", PAGES)
def test_flags_that_are_named_are_those_of_some_command(page: str) -> None:
    known = frozenset[str]().union(
        *(flags_of("train", task) for task in tasks()),
        *(flags_of(name) for name in COMMANDS),
        flags_of("compare", "text"),
        flags_of("probe", "gradients"),
    )
    text = (HOME / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z][a-z0-9-]*)", text))
    assert named <= known, named - known
