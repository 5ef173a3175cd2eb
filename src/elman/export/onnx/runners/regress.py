"""Tell values of sequences with the model beside this file, by NumPy and ONNX Runtime alone.

    echo '{"x": [[0.1], [0.3]], "known": []}' | python model.py

`x` are the steps, in the order of the columns that the model was trained on, `known` what it starts
from. From Python: `Regressor(open_model()).tell(x, known)` is [T, O], or [O] where one value a
sequence is told.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.linear import linear_answer
from elman.export.onnx.runners.lines import answer_lines, written
from elman.export.onnx.runners.network import Array


class Regressor:
    """A regressor: all values are in the units of the data."""

    def __init__(self, model: Model) -> None:
        self._model, told = model, model.surroundings
        self._encoder, self._start, self._feedback = (
            told[name] for name in ("encoder", "start", "feedback")
        )
        self._linear = [linear_answer(record) for record in told["linear"]]
        self._outputs = len(self._encoder["y"]["mean"])

    def tell(self, x: Any, known: Any = ()) -> Array:
        """Of steps [T, I], and what is known at the start [S]."""
        steps = np.reshape(np.asarray(x, np.float64), (-1, len(self._encoder["x"]["mean"])))
        scaled = self._scaled("x", steps).astype(np.float32)
        start = np.asarray(known, np.float32)
        given = {"x": scaled[None]}
        given |= {f"linear_{k}": answer.astype(np.float32)[None]
                  for k, answer in enumerate(self._linear_answers(scaled, start))}  # fmt: skip
        network = self._model["model"]
        if not network.record["states"]:
            given["lengths"] = np.array([len(steps)])
            if self._start is not None:
                given["known"] = start[None]
            return self._back(network.run(given)[0]["y"][0])
        states = network.first_states(1)
        if "start" in self._model.networks:
            states |= self._model["start"].run({"known": start[None]})[0]
        parts = len(steps) if self._feedback else 1  # it reads what it told of the step before
        told = []
        for part in range(parts):
            at = slice(part, part + 1) if self._feedback else slice(None)
            outputs, states = network.run({name: v[:, at] for name, v in given.items()}, states)
            told.append(outputs["y"][0])
        return self._back(np.concatenate(told))

    def answer(self, question: dict[str, Any]) -> Any:
        """`x` and `known` → what is told, as lists."""
        return self.tell(question["x"], question.get("known", ())).tolist()

    def _linear_answers(self, scaled: Array, start: Array) -> list[Array]:
        knows = self._encoder["knows"]
        known = self._scaled(knows, start.astype(np.float64)) if knows else np.zeros(0)
        return [told(scaled.astype(np.float64), known) for told in self._linear]

    def _scaled(self, what: str, values: Array) -> Array:
        scale = self._encoder[what]
        return np.asarray((values - np.array(scale["mean"])) / np.array(scale["deviation"]))

    def _back(self, values: Array) -> Array:
        scale = self._encoder["y"]
        told = values.astype(np.float64) * np.array(scale["deviation"]) + np.array(scale["mean"])
        return np.asarray(told)


def main() -> None:
    regressor = Regressor(open_model())
    answer_lines("Tell values of sequences, one a line.", regressor.answer, json.loads, written)


if __name__ == "__main__":
    main()
