"""The modules of `runners` that a task needs, as one file that stands by itself."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Collection
from pathlib import Path

TASKS = frozenset(
    {"text", "classify", "tag", "regress", "forecast", "speech", "music", "translate"}
)
OURS = "elman."
PACKAGE = "elman.export.onnx.runners"
FUTURE = "__future__"


def joined(task: str) -> str:
    """The runner of a task, one of `TASKS`, with all that it imports put before it."""
    modules: dict[str, _Module] = {}
    _gather(f"{PACKAGE}.{task}", modules)
    own = modules[f"{PACKAGE}.{task}"]
    parts = [
        f'"""{own.title}\n"""',
        f"from {FUTURE} import annotations",
        *_imports(modules.values()),
    ]
    for name, module in modules.items():
        rule = f"# ---- {name.removeprefix(PACKAGE + '.')} ".ljust(100, "-")
        told = [f"# {line}".rstrip() for line in module.title.splitlines() if module is not own]
        parts.append("\n".join([rule, *told]))
        parts.append(module.body)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _imports(modules: Collection[_Module]) -> list[str]:
    """What modules import from elsewhere, once each: the standard library, then the others."""
    taken: dict[str, set[str]] = {}
    for module in modules:
        for source, names in module.taken.items():
            taken.setdefault(source, set()).update(names)
    lines = {name: f"import {name}" for module in modules for name in module.plain}
    lines |= {source: f"from {source} import {', '.join(sorted(names))}"
              for source, names in taken.items()}  # fmt: skip
    blocks: list[list[str]] = [[], []]
    for source in sorted(lines, key=lambda source: (lines[source].split()[0] == "from", source)):
        own = re.split(r"\W", source)[0] in sys.stdlib_module_names
        blocks[not own].append(lines[source])
    return ["\n".join(block) for block in blocks]


class _Module:
    """A module: its docstring, what it imports, and its text without them."""

    def __init__(self, name: str) -> None:
        found = importlib.util.find_spec(name)
        assert found is not None and found.origin is not None
        text = Path(found.origin).read_text(encoding="utf-8")
        tree = ast.parse(text)
        self.title = (ast.get_docstring(tree) or "").strip()
        self.plain: set[str] = set()
        self.taken: dict[str, set[str]] = {}
        self.neighbours: list[str] = []
        end = tree.body[0].end_lineno or 0
        for node in tree.body[1:]:
            if isinstance(node, ast.Import):
                self.plain |= {_written(one) for one in node.names}
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(OURS):
                self.neighbours.append(str(node.module))
            elif isinstance(node, ast.ImportFrom):
                if node.module != FUTURE:
                    names = self.taken.setdefault(str(node.module), set())
                    names |= {_written(one) for one in node.names}
            else:
                break
            end = node.end_lineno or end
        self.body = "\n".join(text.splitlines()[end:])


def _written(alias: ast.alias) -> str:
    return alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"


def _gather(name: str, modules: dict[str, _Module]) -> None:
    """Put a module after those that it needs."""
    if name not in modules:
        module = _Module(name)
        for neighbour in module.neighbours:
            _gather(neighbour, modules)
        modules[name] = module
