"""The C compiler of this machine, what it makes of a file, and how large that is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elman.errors import RunError, UserError

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")


@dataclass(frozen=True)
class Size:
    """What an object takes: bytes of code and tables, and at most so many of the stack."""

    compiler: str
    code: int
    tables: int
    stack: int

    def told(self) -> str:
        return (
            f"{self.tables:,} bytes of tables, {self.code:,} of code, "
            f"at most {self.stack:,} of stack ({self.compiler})"
        )


def compiler() -> str:
    """That of CC, or the first of cc, gcc and clang. UserError: there is none."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    raise UserError(
        "--to c: proves the file by compiling it, and finds no cc, gcc or clang; "
        "install one, or name it in CC"
    )


def compiled(sources: Sequence[Path], out: Path, *options: str, cc: str | None = None) -> Path:
    """An object, a library or a program. RunError: the compiler refuses."""
    command = [cc or compiler(), *STRICT, *options, *map(str, sources), "-o", str(out), "-lm"]
    if "-c" in options:
        command.pop()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
        raise RunError(f"{command[0]} refuses {sources[0].name}: {first.strip()}")
    return out


def size(source: Path, folder: Path, cc: str, *options: str) -> Size | None:
    """As `cc -Os` makes it; None where that, or `size`, is missing."""
    tool = re.sub(r"(gcc|clang|cc)$", "size", cc) if "-gcc" in cc else "size"
    if shutil.which(cc) is None or shutil.which(tool) is None:
        return None
    made = folder / f"{source.stem}.o"
    try:
        compiled([source], made, "-Os", "-c", "-fstack-usage", *options, cc=cc)
    except RunError:
        return None
    listed = subprocess.run([tool, "-A", str(made)], capture_output=True, text=True, check=True)
    sections = {
        parts[0]: int(parts[1])
        for line in listed.stdout.splitlines()
        if len(parts := line.split()) == 3 and parts[0].startswith(".")
    }
    code = sum(n for name, n in sections.items() if name.startswith(".text"))
    tables = sum(n for name, n in sections.items() if name.startswith(".rodata"))
    said = f"{cc} {version(cc)} -Os{' ' + options[0] if options else ''}"
    return Size(said, code, tables, _stack(made.with_suffix(".su")))


def version(cc: str) -> str:
    """`12.2.0`"""
    done = subprocess.run([cc, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return found[0] if found else "of no version"


def _stack(usage: Path) -> int:
    """A bound: the deepest call is run, step, layer, product, and a small function or two."""
    if not usage.is_file():
        return 0
    bytes_ = sorted(int(line.split("\t")[1]) for line in usage.read_text().splitlines())
    return sum(bytes_[-5:])
