"""What a run keeps beside a network's weights: the n-gram model that it is mixed with."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from elman.tasks.text.data import TextData
from elman.tasks.text.model import LanguageModel
from elman.tasks.text.ngrams import mixing
from elman.tasks.text.options import TextOptions
from elman.tasks.text.rivals import learn

FILES = {mixing.FILE: "counts of sequences of tokens, from which much of a small text can be read"}


def keep(dataset: TextData, options: TextOptions, folder: Path) -> None:
    if options.mix_ngram and not (folder / mixing.FILE).exists():
        mixing.keep(learn(dataset, options).model, folder)


def restore(model: nn.Module, options: TextOptions, folder: Path) -> None:
    if options.mix_ngram and isinstance(model, LanguageModel):
        model.ngram = mixing.kept(folder, model.vocabulary_size)
