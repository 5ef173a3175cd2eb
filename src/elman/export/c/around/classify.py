"""A classifier: numbers or characters in, classes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from elman.export.c.around import Around, floats, numbers, piece, string
from elman.export.c.around.calling import room, whole_sequence
from elman.export.c.around.vocabularies import can_encode, encoder
from elman.export.c.functions import Functions
from elman.export.c.source import Source, indented

HEADER = """\
#define {upper}_CLASSES {classes}

/* The name of a class; "" where there is none. */
const char *{name}_class(int c);

/* The probability of each class, or of each label by itself, of what the network tells{beside}. */
void {name}_chances(const float *scores, const double *beside, double *chances);"""
NUMBERS = """\
/* A whole sequence [steps, {inputs}] as the network reads it. */
void {name}_scale(size_t steps, const double *raw, float *x);"""
BESIDE = """\
/* What a linear model tells beside the network, of scaled x [steps, {inputs}]. */
void {name}_beside(size_t steps, const float *x, double *scores);"""
TEXT = """\
/* The ids of a text in UTF-8 -> how many they are; there may be as many as the text has bytes.
 * 0 is what the model does not know. */
size_t {name}_encode(const char *text, size_t bytes, int32_t *ids);"""

READ_LINES = """\
if (fgets(text, sizeof text, stdin) == NULL)
    return 0;
steps = {name}_encode(text, strcspn(text, "\\n"), ids);
if (steps == 0)
    ids[steps++] = 0;
if (steps > MOST)
    steps = MOST;"""


def around(
    source: Source, surroundings: Mapping[str, Any], programs: Mapping[str, Functions]
) -> Around | str:
    how, beside = surroundings["encoder"], surroundings["beside"]
    vocabulary = how.get("vocabulary")
    if vocabulary is not None and not can_encode(vocabulary):
        return (
            f"texts are cut into {vocabulary['level']} outside of C: call it with ids of tokens"
            + ("" if beside is None else f"; the {beside['kind']} beside the network stay behind")
        )
    if vocabulary is not None and beside is not None:
        return f"the {beside['kind']} that answer beside the network stay behind: it answers alone"
    several = int(surroundings["several"] is not None)
    classes, model, name = surroundings["classes"], programs["model"], source.prefix
    inputs = 0 if vocabulary is not None else how["inputs"]
    told = {"name": name, "inputs": inputs, "upper": name.upper(), "classes": len(classes)}
    told["beside"] = "" if beside is None else " and of what is told beside"
    source.functions += [
        numbers("char *const", "classes", list(map(string, classes))),
        piece(source, "chances.c", SEVERAL=several, MIX=repr(surroundings["mix"] or 0.0)),
    ]
    if vocabulary is not None:
        source.functions.append(encoder(source, vocabulary))
        parts, form, arrays, rows = [TEXT], "a line of text", [], ""
        arrays = ["static char text[1 << 16];", "static int32_t ids[1 << 16];"]
        read, values = READ_LINES.format(**told), {"tokens": "ids", "scores": "scores"}
        calls = []
    else:
        source.functions.append(_scaling(source, how, inputs))
        parts = [NUMBERS]
        form = f"lines of {inputs} {'number' if inputs == 1 else 'numbers'}, and an empty line"
        arrays = [f"static double raw[MOST * {inputs}];", f"static float x[MOST * {inputs}];"]
        rows = f"\n{piece(source, 'rows.c')}"
        read, values = _rows(inputs), {"x": "x", "scores": "scores"}
        calls = [f"{name}_scale(steps, raw, x);"]
        if beside is not None:
            source.functions.append(_kernels(source, beside, inputs, len(classes)))
            parts.append(BESIDE)
            arrays.append(f"static double beside[{len(classes)}];")
            calls.append(f"{name}_beside(steps, x, beside);")
    calls += whole_sequence(model, values, "steps")
    calls.append(f"{name}_chances(scores, {'NULL' if beside is None else 'beside'}, chances);")
    main = piece(
        source, "classify_main.c", FORMAT=form, MOST=how["longest"],
        ANSWER="labels and their probabilities" if several else "a class and its probability",
        ARRAYS="\n".join([*arrays, *room(model, "MOST")]), ROWS=rows, SEVERAL=several,
        THRESHOLD=repr(surroundings["threshold"] or 0.0),
        READ="\n".join(indented(read.splitlines(), 2)), CALLS="\n".join(indented(calls, 2)),
    )  # fmt: skip
    return Around("\n\n".join([HEADER, *parts]).format(**told), main)


def asked(question: Any) -> tuple[list[str], str]:
    """Arguments and standard input of the example."""
    if isinstance(question, str):
        return [], " ".join(question.splitlines()) + "\n"
    rows = np.asarray(question, np.float32)
    lines = (" ".join(map(repr, row)) for row in rows.reshape(len(rows), -1).tolist())
    return [], "\n".join(lines) + "\n\n"


def answered(written: bytes) -> dict[str, Any]:
    """One class with its probability; of several labels at once lists of them."""
    parts = written.decode().rstrip("\n").split("\t")
    names, sure = parts[::2], list(map(float, parts[1::2]))
    if len(sure) == 1:
        return {"predicted": names[0], "probability": sure[0]}
    return {"predicted": names, "probability": sure}


def _rows(inputs: int) -> str:
    return "\n".join([
        f"double step[{inputs}];",
        f"while (next_row(step, {inputs}, steps == 0)) {{",
        "    if (steps < MOST)",
        f"        memcpy(raw + steps++ * {inputs}, step, sizeof step);",
        "}",
        "if (steps == 0)",
        "    return 0;",
    ])  # fmt: skip


def _scaling(source: Source, how: Mapping[str, Any], inputs: int) -> str:
    if how["scaling"] == "sequence":
        return piece(source, "by_itself.c", INPUTS=inputs)
    tables = [numbers("float", f"{part}_of_x", floats(how[part])) for part in ("mean", "scale")]
    return "\n".join([*tables, piece(source, "by_channel.c", INPUTS=inputs)])


def _kernels(source: Source, beside: Mapping[str, Any], inputs: int, classes: int) -> str:
    filters = np.asarray(beside["filters"], np.float32)  # [2, stretches, filters, inputs, 9]
    levels = np.asarray(beside["levels"], np.float32)  # [2, stretches, filters, levels]
    whole = bool((filters == np.round(filters)).all() and np.abs(filters).max() < 128)
    kind = "int8_t" if whole else "float"
    tables = [
        numbers("int32_t", "stretches_of_kernels", beside["stretches"]),
        numbers(
            kind,
            "filters_of_kernels",
            floats(filters) if not whole else filters.astype(int).ravel().tolist(),
        ),
        numbers("float", "levels_of_kernels", floats(levels)),
        numbers("float", "weights_of_kernels", floats(beside["weights"])),
        numbers("float", "shift_of_kernels", floats(beside["shift"])),
    ]
    body = piece(
        source, "kernels.c", INPUTS=inputs, CLASSES=classes, STRETCHES=filters.shape[1],
        FILTERS=filters.shape[2], LEVELS=levels.shape[3],
    )  # fmt: skip
    return "\n".join([*tables, body])
