"""A tagger: the tokens of a sentence in, a label for each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from elman.export.c.around import Around, numbers, piece, string
from elman.export.c.around.calling import room, whole_sequence
from elman.export.c.around.vocabularies import code_point, encoder, looker
from elman.export.c.functions import Functions
from elman.export.c.source import Source, indented

HEADER = """\
#define {upper}_LABELS {labels}

/* A label by its number; "" where there is none. */
const char *{name}_label(int k);

/* The id of a token in UTF-8; 0 is what the model does not know. */
int32_t {name}_look_up(const char *token, size_t bytes);"""
ENCODE = """\
/* The ids of the letters of a token -> how many they are; as many as it has bytes at most. */
size_t {name}_encode(const char *text, size_t bytes, int32_t *ids);"""
LABEL = """\
const char *{name}_label(int k)
{{
    return k < 0 || k >= {upper}_LABELS ? "" : labels[k];
}}
"""


def around(
    source: Source, surroundings: Mapping[str, Any], programs: Mapping[str, Functions]
) -> Around:
    labels, letters, name = surroundings["labels"], surroundings["letters"], source.prefix
    told = {"name": name, "upper": name.upper(), "labels": len(labels)}
    tagger, spelling = programs["tagger"], programs.get("spelling")
    source.functions += [
        numbers("char *const", "labels", list(map(string, labels))),
        LABEL.format(**told),
        code_point(source) if letters is None else encoder(source, letters),
        looker(source, surroundings["words"]),
    ]
    values = {"tokens": "tokens", "spelt": "spelt", "scores": "scores"}
    arrays, spell, width = room(tagger, "MOST"), "", 0
    if spelling is not None:
        width = spelling.parameters["spelt"].width
        calls = whole_sequence(spelling, {"letters": "ids", "spelt": "told"}, "steps", "letter_")
        spell = piece(source, "spell.c", CALLS="\n    ".join(calls))
        arrays += room(spelling, "LETTERS", "letter_")
    main = piece(
        source, "tag_main.c", LONGEST=surroundings["longest"], LETTERS=surroundings["spelt"],
        SPELT=width, ARRAYS="\n".join(arrays), SPELL=spell,
        SPELT_TOKEN=f"            spell(token, spelt + steps * {width});" if width else "",
        CALLS="\n".join(indented(whole_sequence(tagger, values, "steps"))),
    )  # fmt: skip
    header = [HEADER, *([ENCODE] if letters is not None else [])]
    return Around("\n\n".join(header).format(**told), main)


def asked(question: Sequence[str]) -> tuple[list[str], str]:
    """Arguments and standard input of the example."""
    return [], " ".join(question) + "\n"


def answered(written: bytes) -> list[str]:
    return written.decode().split()
