"""Tell what is heard with the model beside this file, by NumPy and ONNX Runtime alone.

    python model.py clip.wav other.wav

Files are WAV of 16 bits at the rate of the model. With --json a line of standard input is
{"samples": [0.01, …]}. From Python: `Listener(open_model()).tell(samples)` is a transcript, or the
name of a class.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.lines import JSON, answer_json, ending
from elman.export.onnx.runners.network import Array
from elman.export.onnx.runners.sound import Hearing, pieces, read_wav
from elman.export.onnx.runners.vocabulary import Vocabulary

BLANK = 0


class Listener:
    """A network that writes what is said, or names what is heard."""

    def __init__(self, model: Model) -> None:
        self._network, told = model["model"], model.surroundings
        self.hearing = Hearing(told)
        self.labels: list[str] = told["labels"]
        self._vocabulary: Vocabulary | None = None
        self._whole: bool = not told["pieces"]
        self._between: str = told["between"]
        if told["vocabulary"] is not None:
            self._vocabulary, self._shift = Vocabulary(told["vocabulary"]), told["shift"]

    def tell(self, samples: Array) -> str:
        """Of samples [S], float in [-1, 1] at the rate of `hearing`."""
        samples = np.asarray(samples, np.float32)
        parts = [samples] if self._whole else list(pieces(samples, self.hearing.rate))
        if self._vocabulary is None:
            return self._named(parts)
        said = [self._transcript(part) for part in parts]
        return self._between.join(text for text in said if text)

    def _heard(self, samples: Array, output: str) -> Array:
        x = self.hearing.features(samples)
        outputs, _ = self._network.run({"x": x[None], "lengths": np.array([len(x)])})
        return np.asarray(outputs[output][0], np.float64)

    def _named(self, parts: list[Array]) -> str:
        """The class that all pieces tell together, weighed by their samples."""
        total = np.zeros(len(self.labels))
        for part in parts:
            scores = self._heard(part, "scores")
            total += max(1, len(part)) * (scores - np.logaddexp.reduce(scores))
        return self.labels[int(total.argmax())]

    def _transcript(self, samples: Array) -> str:
        """The likeliest symbol of each step, runs made one, blanks left out ("best path decoding",
        Graves et al. 2006, doi:10.1145/1143844.1143891)."""
        assert self._vocabulary is not None
        best = self._heard(samples, "log_p").argmax(1)
        begins = np.append(True, best[1:] != best[:-1])
        symbols = best[begins & (best != BLANK)] - self._shift
        return self._vocabulary.decode(symbols.tolist()).strip()

    def answer(self, question: dict[str, Any]) -> str:
        """Of {"samples": [S]}."""
        return self.tell(np.array(question["samples"], np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description="Tell what is heard in recordings.")
    parser.add_argument("files", nargs="*", type=Path, help="WAV of 16 bits")
    parser.add_argument("--json", action="store_true", help=JSON)
    asked = parser.parse_args()
    listener = Listener(open_model())
    with ending():
        for file in asked.files:
            print(file, listener.tell(read_wav(file, listener.hearing.rate)), sep="\t", flush=True)
        if asked.json:
            answer_json(listener.answer)


if __name__ == "__main__":
    main()
