"""Python's own library, token by token, and what each name in it is.

    def     keyword
    split   function
    (       O
    data    parameter
    )       O

Functions, classes and other statements stand apart, with a blank line between.
"""

from __future__ import annotations

import ast
import builtins
import functools
import io
import keyword
import sys
import sysconfig
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from elman.errors import UserError

Place: TypeAlias = tuple[int, int]  # line, and the byte in it

# The last ones are for validation.
MODULES = (
    "ast", "bdb", "calendar", "cmd", "codeop", "configparser", "contextlib", "copy", "csv",
    "dataclasses", "difflib", "dis", "enum", "filecmp", "fractions", "functools", "getopt",
    "gettext", "glob", "gzip", "heapq", "hmac", "linecache", "locale", "lzma", "mimetypes",
    "netrc", "numbers", "pathlib", "pickle", "platform", "plistlib", "pprint", "profile",
    "pstats", "queue", "quopri", "random", "reprlib", "rlcompleter", "sched", "selectors",
    "shelve", "shlex", "shutil", "socketserver", "statistics", "string", "subprocess",
    "symtable", "tabnanny", "tempfile", "textwrap", "timeit", "tokenize", "trace", "traceback",
    "types", "uuid", "warnings", "wave", "weakref", "zipapp",
)  # fmt: skip
BUILTINS = frozenset(dir(builtins))
LAYOUT = {
    tokenize.NEWLINE: "<newline>",
    tokenize.INDENT: "<indent>",
    tokenize.DEDENT: "<dedent>",
}
PLAIN = (tokenize.NAME, tokenize.OP, tokenize.NUMBER)
DROPPED = (tokenize.ENCODING, tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER)
LONGEST_TEXT = 12  # characters kept of a string
OUTSIDE = "O"


@functools.cache
def python_tags() -> bytes:
    """The modules that this Python has as source, in a fixed order. UserError: it has none."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = [path for name in MODULES if (path := folder / f"{name}.py").is_file()]
    if not files:
        raise UserError(f"this Python comes without its sources ({folder}); give data of your own")
    parts = (part for path in files for part in labelled(path.read_text(encoding="utf-8")))
    return "\n".join("".join(f"{t}\t{label}\n" for t, label in part) for part in parts).encode()


def labelled(code: str) -> Iterator[list[tuple[str, str]]]:
    """Tokens and their labels: of each function or class down to the next one, and of each other
    statement at the left margin. What is decorated goes with its decorators."""
    names, lines = _Names(code), code.splitlines(keepends=True)
    part: list[tuple[str, str]] = []
    first, before, decorated = "", "", False  # the statement's first token; the one before
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type in DROPPED:
            continue
        if token.type in LAYOUT:
            part.append((LAYOUT[token.type], OUTSIDE))
            first = ""
            continue
        line, column = token.start
        if not first:
            first = token.string
            if (first in ("def", "class", "async", "@") or column == 0) and not decorated:
                if part:
                    yield part
                part = []
            decorated = first == "@"
        label = OUTSIDE
        if token.type == tokenize.NAME:
            place = line, len(lines[line - 1][:column].encode())
            label = _label(token.string, first, before, names.found.get(place, "variable"))
        part.append((token.string if token.type in PLAIN else _short(token.string), label))
        before = token.string
    yield part


def _label(name: str, first: str, before: str, found: str) -> str:
    """What a name is in a statement that begins with `first`, and by the syntax tree."""
    if keyword.iskeyword(name):
        return "keyword"
    if before in ("def", "class"):
        return "function" if before == "def" else "class"
    return "import" if first in ("import", "from") else found


class _Names(ast.NodeVisitor):
    """What the names of a module are, by where they stand, but those after def, class, import."""

    def __init__(self, code: str) -> None:
        self.found: dict[Place, str] = {}
        self._parameters: frozenset[str] = frozenset()  # of the functions around
        self._called: ast.expr | None = None
        self.visit(ast.parse(code))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node, node.args, [*node.decorator_list, node.returns], node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node, node.args, [*node.decorator_list, node.returns], node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node, node.args, [], [node.body])

    def _function(
        self, node: ast.AST, a: ast.arguments, outside: list[ast.expr | None],
        body: Sequence[ast.AST],
    ) -> None:  # fmt: skip
        several = [one for one in (a.vararg, a.kwarg) if one is not None]
        parameters = [*a.posonlyargs, *a.args, *a.kwonlyargs, *several]
        for one in parameters:
            self.found[one.lineno, one.col_offset] = "parameter"
        outside += [*a.defaults, *a.kw_defaults, *(one.annotation for one in parameters)]
        for expression in outside:
            if expression is not None:
                self.visit(expression)
        around = self._parameters
        self._parameters |= {one.arg for one in parameters}
        for inner in body:
            self.visit(inner)
        self._parameters = around

    def visit_Call(self, node: ast.Call) -> None:
        self._called = node.func
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        kind = "call" if node is self._called else "variable"
        if node.id in BUILTINS:
            kind = "builtin"
        if node.id in self._parameters:
            kind = "parameter"
        self.found[node.lineno, node.col_offset] = kind

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.end_lineno is not None and node.end_col_offset is not None:
            place = node.end_lineno, node.end_col_offset - len(node.attr.encode())
            self.found[place] = "method" if node is self._called else "attribute"
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self.found[node.lineno, node.col_offset] = "argument"
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        if sys.version_info >= (3, 12):  # before, what stands in it has no places of its own
            self.generic_visit(node)


def _short(text: str) -> str:
    """A string without whitespace, and no more than its beginning."""
    whole = "".join(text.split())
    return whole if len(whole) <= LONGEST_TEXT else f"{whole[: LONGEST_TEXT - 1]}…"
