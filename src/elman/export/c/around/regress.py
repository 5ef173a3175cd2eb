"""A regressor: values in the units of the data, and the linear answers that the network reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elman.export.c.around import Around, numbers, piece
from elman.export.c.around.calling import ran, room, whole_sequence
from elman.export.c.functions import Functions
from elman.export.c.source import Source, indented

SCALING = """\
/* A step in the units of the data, as the network reads it; what it tells, in those units. */
void {0}_scale(const double *raw, float *x);
void {0}_unscale(const float *y, double *told);"""


def around(
    source: Source, surroundings: Mapping[str, Any], programs: Mapping[str, Functions]
) -> Around:
    encoder, model = surroundings["encoder"], programs["model"]
    inputs, outputs = (len(encoder[name]["mean"]) for name in ("x", "y"))
    source.functions += [
        *_scales(encoder, "x", "y"),
        piece(source, "scaled.c", INPUTS=inputs),
        piece(source, "unscaled.c", OUTPUTS=outputs),
    ]
    known = 0 if surroundings["start"] is None else len(encoder[surroundings["start"]]["mean"])
    linear = _Linear(source, encoder, surroundings["linear"])
    values = {"x": "x", "y": "y", "known": "known"}
    values |= {name: name for name in linear.names}
    arrays = [*room(model, "MOST"), *linear.arrays()]
    if known:
        arrays.append(f"static double raw_known[{known}];\nstatic float known[{known}];")
    calls = linear.calls(encoder)
    if "start" in programs:
        calls += _started(model, programs["start"])
        calls.append(ran(model, [values[name] for name in model.parameters], "steps"))
    else:
        calls += whole_sequence(model, values, "steps")
    read = [
        f"if (!next_row(raw_known, {known}, 1))",
        "    return 0;",
        f"for (int k = 0; k < {known}; k++)",
        "    known[k] = (float)raw_known[k];",
    ]
    shape = f"lines of {inputs} {'number' if inputs == 1 else 'numbers'}, one a step,"
    before = f"a line with the {known} numbers that it starts from, then " if known else ""
    main = piece(
        source, "regress_main.c", INPUTS=inputs, OUTPUTS=outputs,
        TOLD=int(encoder["every_step"]), FORMAT=f"{before}{shape}", ARRAYS="\n".join(arrays),
        ROWS=piece(source, "rows.c"), KNOWN="\n".join(indented(read, 2)) if known else "",
        FIRST="0" if known else "steps == 0", CALLS="\n".join(indented(calls, 2)),
        PREFIX=source.prefix,
    )  # fmt: skip
    header = "\n\n".join([SCALING.format(source.prefix), *linear.declared()])
    return Around(header, main)


def asked(question: Mapping[str, Any]) -> tuple[list[str], str]:
    """Arguments and standard input of the example."""
    known = [question["known"]] if question["known"] else []
    rows = [" ".join(map(repr, np.ravel(row).tolist())) for row in (*known, *question["x"])]
    return [], "\n".join(rows) + "\n\n"


def answered(written: bytes) -> list[Any]:
    """Values of each step; of a sequence that has one answer, those alone."""
    lines = written.decode().split("\n")
    rows = [[float(one) for one in line.split()] for line in lines if line]
    return rows if "" in lines[:-1] else rows[0]


def _scales(encoder: Mapping[str, Any], *names: str) -> list[str]:
    return [
        numbers("double", f"{part}_of_{name}", list(map(repr, encoder[name][part])))
        for name in names
        for part in ("mean", "deviation")
        if encoder[name][part]
    ]


def _started(model: Functions, start: Functions) -> list[str]:
    """The first states, which another program makes of what is known."""
    states = [f"state.{model.carried[name]}" for name, p in start.parameters.items() if p.output]
    return [
        f"{model.name}_reset(&state);",
        f"{start.name}_run({', '.join(['known', *states])});",
    ]


class _Linear:
    """The linear answers, each a function `name_linear_K`."""

    def __init__(
        self, source: Source, encoder: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
    ) -> None:
        self.prefix, self.every_step = source.prefix, encoder["every_step"]
        self.inputs, self.outputs = len(encoder["x"]["mean"]), len(encoder["y"]["mean"])
        self.knows: str = encoder["knows"] if records else ""
        self.known = len(encoder[self.knows]["mean"]) if self.knows else 0
        self.names = [f"linear_{k}" for k in range(len(records))]
        for name, record in zip(self.names, records, strict=True):
            source.functions.append(self._function(source, name, record))

    def _function(self, source: Source, name: str, record: Mapping[str, Any]) -> str:
        name = f"{source.prefix}_{name}"
        given = {"NAME": name, "INPUTS": self.inputs, "OUTPUTS": self.outputs, "KNOWN": self.known}
        if "order" in record:
            p, q, ahead = (int(n) for n in record["order"][:3])
            text = piece(source, "recursion.c", P=p, Q=q, AHEAD=ahead,
                         FARTHEST=repr(float(record["farthest"])), **given)  # fmt: skip
            parts: tuple[str, ...] = ("weights", "before")
        else:
            text = piece(source, "featured.c", LAST=int(record["form"][0]), **given)
            parts = ("mean", "deviation", "weights", "level")
        values = {part: [repr(one) for one in np.ravel(record[part]).tolist()] for part in parts}
        tables = [numbers("double", f"{name}_{part}", v or [0]) for part, v in values.items()]
        return "\n".join([*tables, text])

    def declared(self) -> list[str]:
        told = f"[steps, {self.outputs}]" if self.every_step else f"[{self.outputs}]"
        return [
            f"/* A linear answer, which the network reads: scaled x [steps, {self.inputs}], and s "
            f"[{self.known}],\n * what is known at the start, scaled -> y {told}. */\n"
            f"void {self.prefix}_{name}(size_t steps, const float *x, const double *s, float *y);"
            for name in self.names
        ]

    def arrays(self) -> list[str]:
        return [f"static float {name}[MOST * OUTPUTS];" for name in self.names]

    def calls(self, encoder: Mapping[str, Any]) -> list[str]:
        if not self.names:
            return []
        lines = [f"double s[{max(1, self.known)}] = {{0}};"]
        if self.knows:
            scales = zip(
                *(encoder[self.knows][part] for part in ("mean", "deviation")), strict=True
            )
            for k, (mean, deviation) in enumerate(scales):
                lines.append(f"s[{k}] = ((double)known[{k}] - {mean!r}) / {deviation!r};")
        return lines + [f"{self.prefix}_{name}(steps, x, s, {name});" for name in self.names]
