"""Calls of a program's functions, as statements of an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from elman.export.c.functions import Functions


def whole_sequence(
    program: Functions, values: Mapping[str, str], steps: str, own: str = ""
) -> list[str]:
    """From the beginning of a sequence to its outputs; `values` are the names of the arrays by
    those of the program's inputs and outputs."""
    parameters = list(program.parameters.items())
    begin = [f"&{own}state"] if program.fields else []
    lines = []
    if program.mode == "gather":  # what is known goes to the reset, answers come last
        known = [name for name, p in parameters if not p.many and not p.output]
        lines.append(_call(program, "reset", [*begin, *(values[name] for name in known)]))
        parameters = [(name, p) for name, p in parameters if name not in known]
        parameters.sort(key=lambda one: not one[1].many)
    elif program.fields:
        lines.append(_call(program, "reset", begin))
    return [*lines, ran(program, [values[name] for name, _ in parameters], steps, own)]


def ran(program: Functions, values: Sequence[str], steps: str, own: str = "") -> str:
    """The call of `run` alone."""
    free = any("T" in str(p.steps) for p in program.parameters.values())
    arguments = [f"&{own}state"] if program.fields else []
    arguments += [steps] if free or program.mode != "whole" else []
    arguments += [*values, f"{own}workspace"] if program.room else values
    return _call(program, "run", arguments)


def room(program: Functions, steps: str, own: str = "") -> list[str]:
    """What calls need: a state, a workspace; `own` begins their names."""
    lines = [f"static {program.name}_state {own}state;"] if program.fields else []
    if program.room:
        size = f"{program.name.upper()}_WORKSPACE({steps})"
        lines.append(f"static float {own}workspace[{size}];")
    return lines


def _call(program: Functions, verb: str, arguments: list[str]) -> str:
    return f"{program.name}_{verb}({', '.join(arguments)});"
