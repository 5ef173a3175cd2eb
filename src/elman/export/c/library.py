"""A written file, compiled and called: what the certificate compares with the network."""

from __future__ import annotations

import ctypes
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.c.compiler import compiled
from elman.export.c.functions import Parameter
from elman.export.c.writing import TOOLS
from elman.export.program import Array, Arrays, Dim


def open_written(folder: Path, *options: str) -> dict[str, Called]:
    """The programs of a folder that `write` has filled, by their names. `options` are the
    compiler's. RunError: it refuses."""
    (header,) = folder.glob("*.h")
    _, *interface = interface_of(header)
    with tempfile.TemporaryDirectory(prefix="elman-") as place:
        out = Path(place) / f"{header.stem}.so"
        compiled([header.with_suffix(".c")], out, *(options or ("-O2",)), "-fPIC", "-shared")
        library = ctypes.CDLL(str(out))  # it stays when its file goes
    return {one.pop("program"): Called(library, **one) for one in interface}


def interface_of(header: Path) -> list[dict[str, Any]]:
    """What a header tells of the task, and of each of its programs."""
    text = header.read_text(encoding="utf-8")
    told = text.partition(f"/* {TOOLS}\n")[2].partition("\n */")[0]
    return [json.loads(line) for line in told.splitlines()]


class Called:
    """A `Runner` by ctypes: each row of a batch has a state of its own."""

    def __init__(
        self, library: ctypes.CDLL, *, name: str, mode: str,
        parameters: Mapping[str, Mapping[str, Any]], state_bytes: int, states: Mapping[str, int],
        room: Sequence[tuple[Dim, int]],
    ) -> None:  # fmt: skip
        self.library, self.name, self.mode = library, name, mode
        self.parameters = {key: Parameter(**one) for key, one in parameters.items()}
        self.state_bytes, self.states, self.room = state_bytes, states, room

    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """See `elman.export.program.Runner`."""
        made = []
        for row in range(len(next(iter(inputs.values())))):
            given = {name: values[row] for name, values in inputs.items()}
            first = None if states is None else {name: s[row] for name, s in states.items()}
            made.append(self.one(given, first))
        outputs, after = (
            {name: np.stack([one[k][name] for one in made]) for name in made[0][k]} for k in (0, 1)
        )
        return outputs, after

    def one(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """The same for one sequence: arrays without the axis of the batch."""
        timed = [name for name, p in self.parameters.items() if p.steps and not p.output]
        free = [name for name in timed if "T" in str(self.parameters[name].steps)]
        whole = max((len(inputs[name]) for name in free or timed), default=1)
        arrays = {
            name: np.zeros(_shape(p, whole), np.float32) if p.output
            else _given(p, inputs[name], whole)
            for name, p in self.parameters.items()
        }  # fmt: skip
        state = self.begun(arrays, states)
        self._run(state, int(inputs.get("lengths", np.int64(whole))), arrays)
        outputs = {name: arrays[name] for name, p in self.parameters.items() if p.output}
        return outputs, self._parted(state)

    def begun(self, inputs: Arrays, states: Arrays | None = None) -> Array:
        """The memory of a state at its beginning, NaN wherever `reset` puts nothing; with the
        `states` of the program that are given."""
        state = np.full(self.state_bytes // 4, np.nan, np.float32)
        if len(state):
            known = [
                self._argument(name, inputs[name])
                for name, p in self.parameters.items()
                if self.mode == "gather" and not p.many and not p.output
            ]
            self.call("reset", _pointer(state), *known)
        if states is not None:
            for name, part in self._parted(state, copied=False).items():
                part[:] = states[name]
        return state

    def call(self, verb: str, *arguments: Any) -> None:
        """A function of this program."""
        function = getattr(self.library, f"{self.name}_{verb}")
        function.restype = None
        function(*arguments)

    def _parted(self, state: Array, *, copied: bool = True) -> dict[str, Array]:
        """The states of the program, which are the first fields of the struct."""
        found, at = {}, 0
        for name, size in self.states.items():
            part = state[at : at + size]
            found[name] = part.copy() if copied else part
            at += size
        return found

    def _run(self, state: Array, steps: int, arrays: Arrays) -> None:
        free = any("T" in str(p.steps) for p in self.parameters.values())
        parameters = list(self.parameters.items())
        if self.mode == "gather":  # what is known was told to `reset`; answers come last
            parameters = [(n, p) for n, p in parameters if p.many or p.output]
            parameters.sort(key=lambda one: not one[1].many)
        arguments = [_pointer(state)] if len(state) else []
        arguments += [ctypes.c_size_t(steps)] if free or self.mode != "whole" else []
        arguments += [self._argument(name, arrays[name]) for name, _ in parameters]
        room = np.full(sum(_steps(n, steps) * width for n, width in self.room), np.nan, np.float32)
        arguments += [_pointer(room)] if len(room) else []
        self.call("run", *arguments)

    def _argument(self, name: str, values: Array) -> Any:
        p = self.parameters[name]
        return _pointer(values) if p.many or not p.whole_number else ctypes.c_int32(values.item())


def _given(p: Parameter, values: Array, steps: int) -> Array:
    """What is known of a whole sequence, but asked for at each step, is given at each."""
    repeated = np.stack([values] * steps) if p.many and not p.steps else values
    return np.ascontiguousarray(repeated, np.int32 if p.whole_number else np.float32)


def _shape(p: Parameter, steps: int) -> tuple[int, ...]:
    return (_steps(p.steps, steps), p.width) if p.steps else (p.width,)


def _steps(length: Dim, steps: int) -> int:
    """`T/4` of 10 steps: 3."""
    if isinstance(length, int):
        return length
    return -(-steps // int(length.partition("/")[2] or 1))


def _pointer(values: Array) -> Any:
    return values.ctypes.data_as(ctypes.c_void_p)
