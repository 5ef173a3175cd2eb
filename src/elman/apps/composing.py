"""`elman generate` of a model of music: notes as text as they are made, files, or an object a line.

{"prompt": "", "seed": 1, "piece": {"division": 4, "length": 64, "tracks": [...]}}
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from elman import decode
from elman.apps.console import warn
from elman.data.symbolic.record import to_record
from elman.data.symbolic.timing import bars, seconds
from elman.tasks.music.composing import output
from elman.tasks.music.composing.options import Composing
from elman.wording import counted

if TYPE_CHECKING:
    from elman.data.symbolic.piece import Piece
    from elman.run.api import Run
    from elman.tasks.music.composing.place import Composition


@dataclass(frozen=True)
class Asked:
    """What `elman generate` is asked for, beside how a piece is composed; what texts are asked for
    in the same words, `Writing` has checked."""

    prompt: str
    output: tuple[Path, ...]
    samples: int
    state: Path | None
    save_state: Path | None
    as_json: bool

    def __post_init__(self) -> None:
        output.check(self.output)


def write(trained: Run, asked: Asked, how: Composing, out: TextIO) -> None:
    """Make the pieces that are asked for.

    The first is drawn by the seed given, the others by seeds drawn from it. KeyboardInterrupt on
    Ctrl-C, once what was made by then has been written and the place kept.
    """
    place = None if asked.state is None else trained.load_state(asked.state)
    said = set[str]()
    seeds = decode.seeds(decode.Sampling(seed=how.seed))
    for k, seed in enumerate(itertools.islice(seeds, asked.samples), 1):
        values = {f.name: getattr(how, f.name) for f in dataclasses.fields(how)} | {"seed": seed}
        made = trained.composition(asked.prompt, place, **values)
        stopped = _played(made, asked, out, said, last=k == asked.samples)
        for path in asked.output:
            own = output.numbered(path, k, asked.samples)
            _say(output.write(made.piece, own), said=said)
            warn(f"{own}: {told(made.piece)}, seed {seed}")
        if asked.as_json:
            record: dict[str, Any] = {"prompt": asked.prompt, "seed": seed}
            print(json.dumps(record | {"piece": to_record(made.piece)}), file=out, flush=True)
        if asked.save_state is not None:
            trained.save_state(made.place, asked.save_state)
        if stopped:
            raise KeyboardInterrupt


def _played(made: Composition, asked: Asked, out: TextIO, said: set[str], *, last: bool) -> bool:
    """Make the piece, showing it where that is asked for; whether Ctrl-C ended it."""
    shown = not asked.output and not asked.as_json
    try:
        for line in made:
            _say(*made.told, said=said)
            if shown:
                print(line, file=out, flush=True)
    except KeyboardInterrupt:
        return True
    _say(*made.told, said=said)
    if shown and not last:
        print(file=out, flush=True)
    return False


def _say(*lines: str, said: set[str]) -> None:
    """Tell what was not told before."""
    for line in lines:
        if line and line not in said:
            said.add(line)
            warn(line)


def told(piece: Piece) -> str:
    """How long a piece is, in a few words."""
    count = sum(1 for _ in bars(piece))
    lasts = seconds(piece)(piece.length)
    return f"{counted(count, 'bar')}, {counted(piece.count, 'note')}, {lasts:.1f} seconds"
