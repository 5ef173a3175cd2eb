"""Label tokens with the model beside this file; NumPy and ONNX Runtime are all that it needs.

    echo "The dog barks ." | python model.py

A line is a sentence, its tokens apart by blanks; with --json it is a list of them. From Python:
`Tagger(open_model()).label([["The", "dog"]])` gives a list of labels for each sentence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.export.onnx.runners.folder import Model, open_model
from elman.export.onnx.runners.lines import answer_lines
from elman.export.onnx.runners.network import Array
from elman.export.onnx.runners.padding import padded
from elman.export.onnx.runners.vocabulary import Vocabulary

AT_ONCE = 64  # sentences


class Tagger:
    """A tagger, its labels, and its vocabularies of tokens and letters."""

    def __init__(self, model: Model) -> None:
        self._model, told = model, model.surroundings
        self.labels: list[str] = told["labels"]
        self._longest, self._spelt = told["longest"], told["spelt"]
        self._words = Vocabulary(told["words"])
        self._letters = None if told["letters"] is None else Vocabulary(told["letters"])

    def label(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """The labels of the tokens of each sentence; a long one is read in parts."""
        n = self._longest
        parts = [part[k : k + n] for part in sentences for k in range(0, len(part), n)]
        said = (label for k in range(0, len(parts), AT_ONCE)
                for labels in self._some(parts[k : k + AT_ONCE]) for label in labels)  # fmt: skip
        return [[next(said) for _ in sentence] for sentence in sentences]

    def _some(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        tokens, lengths = padded([np.array(self._words.look_up(one)) for one in sentences])
        inputs = {"tokens": tokens, "lengths": lengths}
        if self._letters is not None:
            inputs["spelt"] = self._spellings(sentences, self._letters)
        outputs, _ = self._model["tagger"].run(inputs)
        best = outputs["scores"].argmax(-1)
        return [[self.labels[k] for k in row[:end]]
                for row, end in zip(best, lengths, strict=True)]  # fmt: skip

    def _spellings(self, sentences: Sequence[Sequence[str]], letters: Vocabulary) -> Array:
        """What the letters of each token tell, [B, T, C]: each different token is read once."""
        number: dict[str, int] = {}
        places, _ = padded(
            [np.array([number.setdefault(token, len(number)) for token in one])
             for one in sentences]
        )  # fmt: skip
        spelt, half = self._spelt, self._spelt // 2
        ends = (token if len(token) <= spelt else token[:half] + token[-half:] for token in number)
        ids, lengths = padded([np.array(letters.encode(end)) for end in ends])
        outputs, _ = self._model["spelling"].run({"letters": ids, "lengths": lengths})
        return outputs["spelt"][places]


def main() -> None:
    tagger = Tagger(open_model())
    answer_lines(
        "Label the tokens of sentences, one a line.", lambda tokens: tagger.label([tokens])[0],
        str.split, " ".join,
    )  # fmt: skip


if __name__ == "__main__":
    main()
