"""What a trained classifier answers, row by row, in the form of the data that it learnt from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from torch import nn

from elman.data.labelled import files as labelled_files
from elman.data.labelled.roles import LabelRoles, Wanted
from elman.data.labelled.several import Several
from elman.data.tables.content import BadRows
from elman.tasks import prediction
from elman.tasks.classify.data import Encoder
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.reading import settled
from elman.tasks.classify.scores import probabilities
from elman.tasks.prediction import Answer
from elman.tasks.task import Kept

PREDICTED, PROBABILITY = "predicted", "probability"


def predict(
    model: nn.Module, kept: Kept, options: ClassifyOptions, device: str, data: Sequence[str],
    out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    assert isinstance(model, Classifier)
    classes, encoder, roles = settled(kept)
    answer = Answering(model, encoder, classes, roles, device)
    tables = prediction.tables(data, roles, texts=encoder.vocabulary is not None)
    if tables:
        prediction.answer_rows(tables, answer, out, bad)
    else:
        read = labelled_files.read(data, roles, bad, Wanted(labelled=False))
        prediction.answer_examples(read, answer, out, bad)


@dataclass(frozen=True)
class Answering:
    """A trained model and what it needs to answer."""

    model: Classifier
    encoder: Encoder
    classes: Sequence[str]
    roles: LabelRoles
    device: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The class and its probability; of labels in columns of their own, these for each."""
        if self.roles.several is not None and self.roles.several.form == "columns":
            return tuple(f"{kind}_{label}" for kind in (PREDICTED, PROBABILITY)
                         for label in self.classes)  # fmt: skip
        return (PREDICTED, PROBABILITY)

    def __call__(self, sequences: Sequence[Any]) -> list[Answer]:
        answers: list[Answer] = []
        inputs, places = [], []
        for k, sequence in enumerate(sequences):
            try:
                inputs.append(self.encoder.encode(sequence))
                places.append(k)
                answers.append("")
            except ValueError as error:
                answers.append(str(error))
        if inputs:
            texts = [sequences[k] for k in places]
            found = probabilities(self.model, inputs, self.device, texts=texts)
            for k, chances in zip(places, found, strict=True):
                answers[k] = self._answer(chances)
        return answers

    def _answer(self, chances: NDArray[np.float64]) -> Answer:
        several = self.roles.several
        if several is None:
            best = int(chances.argmax())
            cells: list[Any] = [self.classes[best], rounded(chances[best])]
        else:
            cells = self._several(several, chances)
        return dict(zip(self.columns, cells, strict=True))

    def _several(self, several: Several, chances: NDArray[np.float64]) -> list[Any]:
        told = self.model.answers(chances)
        if several.form == "columns":
            said = [several.yes if yes else several.no for yes in told]
            return [*said, *map(rounded, chances)]
        chosen = np.flatnonzero(told).tolist()
        labels = [self.classes[k] for k in chosen]
        each = [rounded(chances[k]) for k in chosen]
        if several.form == "list":
            return [labels, each]
        return [several.written(labels), several.written(list(map(str, each)))]


def rounded(chance: float) -> float:
    """To six digits, never up to 1."""
    return math.floor(float(chance) * 1e6) / 1e6
