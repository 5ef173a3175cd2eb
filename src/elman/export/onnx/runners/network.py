"""A network in ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

Array = np.ndarray[Any, np.dtype[Any]]


class Network:
    """One .onnx file: inputs and states by name in, outputs and the states after out.

    `record` is what the file says of itself. Batch and time are free, 1 thread is enough for
    layers that read step by step.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.record = json.loads(self._session.get_modelmeta().custom_metadata_map["elman"])
        self._states: list[dict[str, Any]] = self.record["states"]
        before, after = ({state[side] for state in self._states} for side in ("before", "after"))
        names = [given.name for given in self._session.get_inputs()]
        self.inputs = [name for name in names if name not in before]
        self._outputs = [out.name for out in self._session.get_outputs() if out.name not in after]
        self._wanted = [*self._outputs, *(state["after"] for state in self._states)]

    def first_states(self, rows: int) -> dict[str, Array]:
        """The states of so many sequences before their first step, [rows, H] each."""
        return {
            state["name"]: np.tile(np.array(state["initial"], np.float32), (rows, 1))
            for state in self._states
        }

    def run(
        self, inputs: Mapping[str, Array], states: Mapping[str, Array] | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Inputs and states by name → outputs, and the states after. Without states a sequence
        begins."""
        if states is None:
            states = self.first_states(len(next(iter(inputs.values()))))
        given = {state["before"]: states[state["name"]] for state in self._states}
        made = self._session.run(self._wanted, {**inputs, **given})
        outputs, after = made[: len(self._outputs)], made[len(self._outputs) :]
        names = (state["name"] for state in self._states)
        return dict(zip(self._outputs, outputs, strict=True)), dict(zip(names, after, strict=True))
