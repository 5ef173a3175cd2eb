"""What `elman bench` is asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from elman.bench import peers, rows
from elman.errors import UserError, unknown_name
from elman.options import require, require_range

CELLS = (*rows.RECURRENT, *rows.LINEAR)
LARGEST = 8192  # hidden units; a layer of that size holds 2 GB of weights


@dataclass(frozen=True)
class BenchOptions:
    """What is measured, and how often.

    Args:
        rows: Measure these rows only: limits, train, infer, packed, regularised, tokens, linear,
            stream, translate, speech, busy.
        cells: Some of lstm,gru,rnn, and of mingru,minlstm,hgrn, which the row linear has.
        precision: Some of float32,bf16; bf16 in the rows train, infer and packed alone. Else what
            the processor multiplies.
        sizes: Hidden sizes, such as 64,256; the input is as wide. Else each row has its own.
        threads: Numbers of threads, such as 1,2. Else one, and all that PyTorch takes.
        peers: Some of torch,torch-bf16,torch-compile,keras,jax,onnx,joey. Else all that are
            installed.
        repeats: Rounds; in each everybody runs once. Else 9.
        quick: LSTM and minGRU, H 64 and 256, float32, 16 steps, 3 rounds, unless told otherwise:
            about a minute.
        busy: Measure beside one spinning process a core, too.
        baseline: A bench.json of this machine: tell what was faster there, and end with code 1 if
            anything was.
        output: Folder for bench.json and bench.png; else the first free one of runs/bench.
    """

    rows: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    precision: tuple[str, ...] | None = None
    sizes: tuple[int, ...] | None = None
    threads: tuple[int, ...] | None = None
    peers: tuple[str, ...] | None = None
    repeats: int | None = None
    quick: bool = False
    busy: bool = False
    baseline: Path | None = None
    output: Path | None = None

    def __post_init__(self) -> None:
        _known("row", self.rows, rows.NAMES)
        _known("cell", self.cells, CELLS)
        _known("precision", self.precision, rows.PRECISIONS)
        _known("peer", self.peers, tuple(p.name for p in peers.PEERS))
        for name in ("rows", "cells", "precision", "sizes", "threads"):
            require(self, name, getattr(self, name) != (), "at least one")
        for row in self.rows or ():
            own = rows.CELLS.get(row)
            if self.cells and own and not set(self.cells) & set(own):
                raise UserError(f"--cells {','.join(self.cells)}: row {row} has {', '.join(own)}")
            if self.precision == ("bf16",) and row not in rows.IN_BF16:
                raise UserError(f"--precision bf16: row {row} has float32")
        require_range(self, ("sizes",), 1, LARGEST)
        require_range(self, ("repeats",), 1, 1000)
        cores = usable_cores()
        for threads in self.threads or ():
            if not 1 <= threads <= cores:
                raise UserError(
                    f"--threads {threads}: needs a value from 1 to {cores} (cores here)"
                )


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _known(kind: str, names: tuple[str, ...] | None, choices: tuple[str, ...]) -> None:
    for name in names or ():
        if name not in choices:
            raise unknown_name(kind, name, choices)
