"""Raw questions to the example that was written: what it answers to standard input."""

from __future__ import annotations

import importlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elman.errors import RunError
from elman.export.c import around
from elman.export.c.compiler import compiled
from elman.export.c.library import interface_of


def answers(
    folder: Path, questions: Sequence[Any], options: Sequence[str] = ("-O2",)
) -> list[Any] | None:
    """Its answers, each from a process of its own; None where there is no example. `options` are
    the compiler's. RunError: it fails, or the compiler refuses it."""
    example = next(folder.glob("*_main.c"), None)
    if example is None:
        return None
    (header,) = folder.glob("*.h")
    task = interface_of(header)[0]["task"]
    asking = importlib.import_module(f"{around.__name__}.{task}")
    with tempfile.TemporaryDirectory(prefix="elman-") as place:
        out = Path(place) / header.stem
        compiled([example, header.with_suffix(".c")], out, *options)
        return [_answer(asking, out, question) for question in questions]


def _answer(asking: Any, program: Path, question: Any) -> Any:
    arguments, given = asking.asked(question)
    done = subprocess.run(
        [program, *arguments], input=given.encode("utf-8", "surrogateescape"), capture_output=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit {done.returncode}"
        raise RunError(f"{program.name}_main.c: {said}")
    return asking.answered(done.stdout)
