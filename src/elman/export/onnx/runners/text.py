"""Write with the language model beside this file; NumPy and ONNX Runtime are all that it needs.

    python model.py --prompt "Once upon" --length 200 --temperature 0.8 --seed 1

From Python: `Writer(open_model()).write("Once upon", 200, Sampling(seed=1))` gives pieces of text.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.lines import JSON, answer_json, ending
from elman.export.onnx.runners.network import Array
from elman.export.onnx.runners.sampling import Sampling, choose, distribution, seed_of, uniform
from elman.export.onnx.runners.vocabulary import Decoder, Vocabulary

LAST = 8  # ids by which a text goes on without a seam
PART = 512  # tokens of a prompt that are read at once
LENGTH = 500  # tokens written if nothing else is asked for


class Reader:
    """A place in a text: what the network knows there, and its scores [V] of the next token."""

    def __init__(self, model: Model) -> None:
        self._network, self._window = model["model"], model.surroundings["window"]
        self._state: dict[str, Array] | None = None
        self._ids: list[int] = []
        self.scores = np.empty(0, np.float32)
        self.position, self.seen = 0, set[int]()

    def read(self, ids: Sequence[int]) -> None:
        """Go on over these ids, at least one."""
        self.position += len(ids)
        self.seen.update(ids)
        if self._window is not None:  # it reads both ways, and has no state
            self._ids = [*self._ids, *ids][-self._window :]
            outputs, _ = self._network.run({"tokens": np.array([self._ids])})
            self.scores = outputs["scores"][0]
            return
        for k in range(0, len(ids), PART):  # the scores of all tokens at once may be many
            tokens = np.array([ids[k : k + PART]])
            outputs, self._state = self._network.run({"tokens": tokens}, self._state)
        self.scores = outputs["scores"][0, -1]


class Writer:
    """A language model and its vocabulary."""

    def __init__(self, model: Model) -> None:
        self._model, told = model, model.surroundings
        self.vocabulary = Vocabulary(told["vocabulary"])
        self._begin, self._forbidden = told["begin"], told["forbidden"]

    def write(self, prompt: str, length: int, sampling: Sampling) -> Iterator[str]:
        """What follows the prompt, `length` tokens, piece by piece as they are made."""
        ids = self.vocabulary.encode(prompt)
        place, decoder = Reader(self._model), Decoder(self.vocabulary)
        place.read(ids or self._begin)
        for token in ids[-LAST:]:
            decoder.push(token)
        seed = seed_of(sampling)
        for _ in range(length):
            p = distribution(place.scores, place.seen, sampling, self._forbidden)
            token = choose(p, uniform(seed, place.position))
            yield decoder.push(token)
            place.read([token])

    def answer(self, question: dict[str, Any]) -> str:
        """What follows `prompt`; the other keys are options of `Sampling`, and `length`."""
        how = dict(question)
        prompt, length = how.pop("prompt", ""), how.pop("length", LENGTH)
        return "".join(self.write(prompt, length, Sampling(**how)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write with a language model.")
    parser.add_argument("--prompt", default="", help="text to go on from")
    parser.add_argument("--length", type=int, default=LENGTH, help="tokens to write")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest")
    parser.add_argument("--top-k", type=int, default=0, help="so many likeliest; 0 for all")
    parser.add_argument("--top-p", type=float, default=1.0, help="up to this probability")
    parser.add_argument("--repetition-penalty", type=float, default=1.0, help="1 for none")
    parser.add_argument("--seed", type=int, help="another one each time if not given")
    parser.add_argument("--json", action="store_true", help=JSON)
    asked = vars(parser.parse_args())
    as_json, prompt, length = (asked.pop(name) for name in ("json", "prompt", "length"))
    writer = Writer(open_model())
    with ending():
        if as_json:
            answer_json(writer.answer)
            return
        print(prompt, end="", flush=True)
        for piece in writer.write(prompt, length, Sampling(**asked)):
            print(piece, end="", flush=True)
        print()


if __name__ == "__main__":
    main()
