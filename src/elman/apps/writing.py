"""`elman generate`: texts of a model on standard output, as they are made or an object a line.

{"prompt": "Mar", "text": "garet", "seed": 1, "tokens": 6}
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from elman import decode
from elman.apps.console import warn
from elman.errors import UserError
from elman.options import require, require_range

if TYPE_CHECKING:
    from elman.run.api import Run
    from elman.tasks.task import Cursor

NAMED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
ESCAPE = re.compile(r"\\(?:([ntr\\])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))")


@dataclass(frozen=True)
class Writing:
    """What `elman generate` is asked for, beside how tokens are chosen."""

    prompt: str
    length: int
    stop: tuple[str, ...]
    samples: int
    state: Path | None
    save_state: Path | None
    weights: decode.Weights
    as_json: bool

    def __post_init__(self) -> None:
        require_range(self, ("length",), 0, 10_000_000)
        require_range(self, ("samples",), 1, 10_000_000)
        require(self, "stop", all(self.stop), "at least one character")
        kept = self.save_state
        fits = "a file in a folder that exists"
        there = kept is None or (kept.parent.is_dir() and not kept.is_dir())
        require(self, "save_state", there, fits)
        one = kept is None or self.samples == 1
        require(self, "save_state", one, "one text, or piece, to keep the end of: --samples 1")


def write(trained: Run, asked: Writing, sampling: decode.Sampling, out: TextIO) -> None:
    """Write the texts that are asked for to `out`.

    The first is drawn by the seed given, the others by seeds drawn from it. KeyboardInterrupt on
    Ctrl-C, once the line has been ended and the place kept.
    """
    unknown = trained.unknown(asked.prompt)
    if unknown:
        told = [s if s.isprintable() else ascii(s)[1:-1] for s in unknown[:20]]
        more = " …" if len(unknown) > 20 else ""
        warn(f"the model has never seen: {' '.join(told)}{more}; read as <unk>")
    after = None if asked.state is None else trained.load_state(asked.state)
    start = trained.read(asked.prompt, after)
    for seed in itertools.islice(decode.seeds(sampling), asked.samples):
        chosen = dataclasses.replace(sampling, seed=seed)
        place, stopped = _one(trained, asked, chosen, out, start)
        if asked.save_state is not None:
            trained.save_state(place, asked.save_state)
        if stopped:
            raise KeyboardInterrupt


def _one(
    trained: Run, asked: Writing, sampling: decode.Sampling, out: TextIO, start: Cursor
) -> tuple[Cursor, bool]:
    """One text: the place at its end, and whether Ctrl-C ended it."""
    place, text = start, list[str]()
    if not asked.as_json:
        out.write(asked.prompt)
        out.flush()
    try:
        pieces = trained.stream(start, asked.length, sampling, asked.weights, asked.stop)
        for piece, after in pieces:
            place = after
            if asked.as_json:
                text.append(piece)
            else:
                out.write(piece)
                out.flush()
    except KeyboardInterrupt:
        if not asked.as_json:
            out.write("\n")
            out.flush()
        return place, True
    if asked.as_json:
        record = {
            "prompt": asked.prompt, "text": "".join(text), "seed": sampling.seed,
            "tokens": place.position - start.position,
        }  # fmt: skip
        out.write(json.dumps(record, ensure_ascii=False))
    out.write("\n")
    out.flush()
    return place, False


def unescaped(text: str) -> str:
    r"""A text from a command line, where \n, \t, \r, \\, \x41 and \u4e00 stand for characters.

    UserError: a lone surrogate.
    """

    def character(found: re.Match[str]) -> str:
        name, byte, code = found.groups()
        return NAMED[name] if name else chr(int(byte or code, 16))

    made = ESCAPE.sub(character, text)
    if any("\ud800" <= c <= "\udfff" for c in made):
        raise UserError(f"--stop {ascii(text)[1:-1]}: needs whole characters")
    return made
