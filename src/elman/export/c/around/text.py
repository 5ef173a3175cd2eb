"""A language model that writes: characters or bytes, and how the next one is chosen."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

from elman.export.c.around import Around, numbers, piece
from elman.export.c.around.vocabularies import can_encode, decoder, encoder, symbols
from elman.export.c.functions import Functions
from elman.export.c.source import Source

WINDOW = """\
static int32_t window[{size}]; /* the newest tokens: the model reads both ways */
static size_t held;{workspace}

static void push(int32_t token)
{{
    if (held == {size})
        for (size_t i = 1; i < held; i++)
            window[i - 1] = window[i];
    else
        held++;
    window[held - 1] = token;
}}"""


def around(
    source: Source, surroundings: Mapping[str, Any], programs: Mapping[str, Functions]
) -> Around | str:
    vocabulary = surroundings["vocabulary"]
    if not can_encode(vocabulary):
        return (
            f"texts of {vocabulary['level']} are cut and joined outside of C: "
            "call it with ids of tokens"
        )
    texts = symbols(vocabulary)
    source.functions += [
        numbers("int32_t", "forbidden", surroundings["forbidden"] or [-1]),
        encoder(source, vocabulary),
        decoder(source, texts),
        piece(source, "choose.c"),
    ]
    unknown = " 0 is\n * what the model does not know." if vocabulary["level"] != "bytes" else ""
    header = piece(
        source, "text.h", SYMBOLS=len(texts), LONGEST=max(map(len, texts)), UNKNOWN=unknown
    )
    begin = ", ".join(map(str, surroundings["begin"]))
    window = surroundings["window"]
    parts = _stream(source.prefix) if window is None else _windowed(programs["model"], window)
    return Around(header, piece(source, "text_main.c", BEGIN=begin, **parts))


def asked(question: Mapping[str, Any]) -> tuple[list[str], str]:
    """Arguments and standard input of the example."""
    names = ("length", "seed", "temperature", "top_k", "top_p", "repetition_penalty")
    usual = {"length": 500, "seed": 0, "top_k": 0}
    return [repr(question.get(name, usual.get(name, 1.0))) for name in names], question["prompt"]


def answered(written: bytes) -> str:
    """The text, without a character that has only begun."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(written)


def _stream(name: str) -> dict[str, str]:
    """What the example does with a model that carries its state on."""
    return {
        "STATE": f"static {name}_state state;",
        "START": f"    {name}_reset(&state);",
        "READ": f"        {name}_step(&state, ids[position], scores);",
        "SCORES": "",
        "NEXT": f"        {name}_step(&state, token, scores);",
    }


def _windowed(model: Functions, size: int) -> dict[str, str]:
    """What it does with one that is given the newest tokens each time."""
    workspace, room = "", ""
    if model.room:
        workspace = f"\nstatic float workspace[{model.name.upper()}_WORKSPACE({size})];"
        room = ", workspace"
    return {
        "STATE": WINDOW.format(size=size, workspace=workspace),
        "START": "",
        "READ": "        push(ids[position]);",
        "SCORES": f"        {model.name}_run(held, window, scores{room});",
        "NEXT": "        push(token);",
    }
