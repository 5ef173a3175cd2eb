"""What stands around a network, in C: from raw input to the answer that Elman gives.

A module for each task that has it. Its `around` adds functions and tables to the source, or gives
one line that says why it cannot.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from elman.export.c.functions import Functions
from elman.export.c.source import Source
from elman.export.c.tables import float_text


@dataclass(frozen=True)
class Around:
    """Declarations for the header, and an example: a program that answers standard input."""

    header: str
    main: str


def around(
    task: str, source: Source, surroundings: Mapping[str, Any], programs: Mapping[str, Functions]
) -> Around | str:
    """What a task puts around its network, or why there is nothing."""
    name = f"{__name__}.{task}"
    if importlib.util.find_spec(name) is None:
        return f"what stands around a network for {task} is not in C: call it with what it reads"
    found: Around | str = importlib.import_module(name).around(source, surroundings, programs)
    return found


def piece(source: Source, file: str, **given: object) -> str:
    """A file of this folder, with the names of the source and what is `given` for `@KEY@`."""
    text = (resources.files(__name__) / file).read_text("ascii")
    for key, value in {"FILE": source.prefix, **given}.items():
        text = text.replace(f"@{key}@", str(value))
    return text.replace("NAME_", f"{source.prefix.upper()}_").replace("name_", f"{source.prefix}_")


def numbers(kind: str, name: str, values: Sequence[Any]) -> str:
    """A constant array of whole numbers, or of what else is written as it is."""
    lines, line = [], ""
    for value in values:
        if len(line) + len(str(value)) > 92:
            lines.append(line)
            line = ""
        line += f" {value},"
    lines.append(line)
    body = "\n".join(f"   {one}" for one in lines).rstrip(",")
    return f"static const {kind} {name}[{len(values)}] = {{\n{body}\n}};\n"


def floats(values: Any) -> list[str]:
    """Numbers as float32."""
    return [float_text(one) for one in np.asarray(values, np.float32).ravel().tolist()]


def string(text: str) -> str:
    """A text as a string of C, in UTF-8."""
    parts = []
    for byte in text.encode("utf-8", "surrogateescape"):
        plain = 32 <= byte < 127 and byte not in b'"\\?'
        parts.append(chr(byte) if plain else f"\\{byte:03o}")
    return f'"{"".join(parts)}"'
