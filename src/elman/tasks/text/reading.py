"""Texts, from data to token ids."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from elman.data import source
from elman.data.tables.content import BadRows
from elman.data.texts.text import TextReading, encode_corpus, encode_with
from elman.data.texts.vocabulary import Vocabulary, from_json
from elman.errors import UserError
from elman.options import make
from elman.tasks.task import Kept
from elman.tasks.text.data import TextData
from elman.tasks.text.options import TextOptions
from elman.wording import counted


def read(data: Sequence[str], options: TextOptions, validation: float) -> TextData:
    """The validation part is the end of the text."""
    corpus = encode_corpus(
        source.resolve(data),
        level=options.level,
        limit=options.vocabulary,
        lowercase=options.lowercase,
        strip_digits=options.strip_digits,
        reading=TextReading(encoding=options.encoding, column=options.column),
        processes=processes(),
    )
    tokens = len(corpus.ids)
    cut = int(tokens * (1 - validation))
    if cut < 2:
        raise UserError(
            f"{corpus.sources[0].shown}: too little text: {counted(tokens, 'token')}, "
            f"of which {cut} for training; give at least 2"
        )
    if validation and tokens - cut < 2:
        raise UserError(
            f"{corpus.sources[0].shown}: too little text: {tokens} tokens leave "
            f"{tokens - cut} for validation; give more text, or --validation 0"
        )
    return TextData(corpus, cut)


def unseen(data: Sequence[str], kept: Kept, bad: BadRows) -> TextData:
    vocabulary, reading = settled(kept)
    corpus = encode_with(
        vocabulary, source.resolve(data), reading=reading, bad=bad, processes=processes()
    )
    return TextData(corpus, 0)


def processes() -> int:
    """How many may encode a text: one for each thread that training may have on this machine, as
    other ranks wait meanwhile."""
    there = os.environ.get("LOCAL_WORLD_SIZE", "")
    return torch.get_num_threads() * (int(there) if there.isdigit() else 1)


def settled(kept: Kept) -> tuple[Vocabulary, TextReading]:
    """Vocabulary and reading of a trained model. UserError where they are damaged."""
    vocabulary = vocabulary_of(kept)
    return vocabulary, make(TextReading, kept.get("reading", {}), where="preprocessing.json")


def vocabulary_of(kept: Kept) -> Vocabulary:
    """The vocabulary of a trained model. UserError where it is damaged."""
    vocabulary = kept.get("vocabulary")
    if not isinstance(vocabulary, dict):
        raise UserError("preprocessing.json: damaged (no vocabulary in it)")
    return from_json(vocabulary)
