"""An export as one C file and its header, and an example that uses them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elman.errors import UserError
from elman.export.c import compiler
from elman.export.c.around import around
from elman.export.c.compiler import Size
from elman.export.c.functions import Functions, write_functions
from elman.export.c.names import RESERVED
from elman.export.c.source import Source
from elman.export.program import Export, How, Written

LICENCE = "SPDX-License-Identifier: Apache-2.0"
TOOLS = "For tools:"
MICROCONTROLLER = "arm-none-eabi-gcc"


def write(export: Export, folder: Path, how: How) -> Written:
    """UserError: a name that C does not allow, no compiler."""
    made = Made(export, how)
    sizes = _sizes(made)
    texts = made.texts(sizes)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    told = [f"{size.told()}; {made.state_bytes:,} bytes of state" for size in sizes]
    told.append(
        made.around if isinstance(made.around, str) else f"{how.name}_main.c answers standard input"
    )
    return Written(tuple(texts), tuple(told))


class Made:
    """An export as text. UserError: a name that C does not allow."""

    def __init__(self, export: Export, how: How) -> None:
        if how.name in RESERVED:
            raise UserError(f"--name {how.name}: is a word of C; choose another")
        self.export, self.how = export, how
        source = Source(how.name, how.precision)
        self.functions: list[tuple[str, Functions]] = []
        for name, program in export.programs.items():
            prefix = how.name if len(export.programs) == 1 else f"{how.name}_{name}"
            self.functions.append((name, write_functions(source, prefix, program)))
        self.around = around(export.task, source, export.surroundings, dict(self.functions))
        self.body = source.text()

    @property
    def state_bytes(self) -> int:
        return sum(one.state_bytes for _, one in self.functions)

    def texts(self, sizes: Sequence[Size] = ()) -> dict[str, str]:
        """Files by their names; `sizes` are told in the header."""
        name, known = self.how.name, self.around
        beside = "" if isinstance(known, str) else known.header
        texts = {
            f"{name}.h": _header(self.export, self.how, self.functions, beside, sizes),
            f"{name}.c": _source(name, self.body),
        }
        if not isinstance(known, str):
            texts[f"{name}_main.c"] = known.main
        return texts


def _sizes(made: Made) -> list[Size]:
    """As compilers at hand make it: this machine's, and one for microcontrollers."""
    name = made.how.name
    with tempfile.TemporaryDirectory(prefix="elman-") as place:
        folder = Path(place)
        for file, text in made.texts().items():
            (folder / file).write_text(text, encoding="utf-8")
        found = [
            compiler.size(folder / f"{name}.c", folder, compiler.compiler()),
            compiler.size(folder / f"{name}.c", folder, MICROCONTROLLER, *compiler.CORTEX_M4),
        ]
    return [one for one in found if one is not None]


def _source(name: str, body: str) -> str:
    includes = f'#include "{name}.h"\n\n#include <math.h>\n'
    return f"/* {name}.c, see {name}.h.  {LICENCE} */\n{includes}\n{body}"


def _header(
    export: Export, how: How, functions: Sequence[tuple[str, Functions]], beside: str,
    sizes: Sequence[Size],
) -> str:  # fmt: skip
    name, guard = how.name, f"{how.name.upper()}_H"
    version = importlib.metadata.version("elman")
    title = [
        f"{name}.h: a network for the task {export.task}, written by Elman {version}.",
        "",
        f"{LICENCE} (the functions; the weights are of whoever trained them)",
        f"weights: {how.precision}, sha256 {_hash(export)}",
        *(line for size in sizes for line in textwrap.wrap(size.told(), 92)),
        "",
        "C99, <math.h> alone. Nothing is allocated; all that changes stands in the state, and any",
        "number of states may be in use at once. Vectors are float, one after the other.",
        "tanh and exp are this file's own, within 3 units in the last place;",
        f"-D{how.name.upper()}_MATH_H takes those of <math.h>.",
        "NaN that goes in comes out; an id beyond the last gives NaN.",
    ]
    lines = [f"{' *' if k else '/*'} {line}".rstrip() for k, line in enumerate(title)]
    lines += [
        " */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        "#include <stddef.h>",
        "#include <stdint.h>",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
    ]
    for program, one in functions:
        if len(functions) > 1:
            lines += ["", f"/* ---- The program {program} ".ljust(92, "-") + " */"]
        lines += ["", one.header]
    if beside:
        lines += ["", "/* ---- Around it ".ljust(92, "-") + " */", "", beside.rstrip()]
    lines += ["", "#ifdef __cplusplus", "}", "#endif", ""]
    lines += [f"/* {TOOLS}"]
    lines += [json.dumps(one) for one in ({"task": export.task}, *_interface(functions))]
    lines += [" */", "#endif", ""]
    return "\n".join(lines)


def _interface(functions: Sequence[tuple[str, Functions]]) -> list[dict[str, Any]]:
    """What `library.open_written` has to know of each program."""
    return [
        {
            "program": program,
            "name": one.name,
            "mode": one.mode,
            "parameters": {name: vars(p) for name, p in one.parameters.items()},
            "state_bytes": one.state_bytes,
            "states": {state: one.fields[field] for state, field in one.carried.items()},
            "room": one.room,
        }
        for program, one in functions
    ]


def _hash(export: Export) -> str:
    """Of all weights, in the order of their names."""
    found = hashlib.sha256()
    for program in export.programs.values():
        for name in sorted(program.weights):
            found.update(name.encode())
            found.update(program.weights[name].tobytes())
    return found.hexdigest()
