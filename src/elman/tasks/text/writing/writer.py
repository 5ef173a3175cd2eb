"""A language model that writes: text in and out, `decode` in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from elman import decode
from elman.data.texts.vocabulary import Vocabulary
from elman.errors import UserError
from elman.tasks.task import Cursor, Kept, State
from elman.tasks.text.model import LanguageModel
from elman.tasks.text.ngrams import mixing
from elman.tasks.text.ngrams.mixing import Gate
from elman.tasks.text.options import TextOptions
from elman.tasks.text.reading import vocabulary_of
from elman.tasks.text.writing import streaming


def writer(model: nn.Module, kept: Kept, options: TextOptions, device: str) -> Writer:
    return writer_of(model, vocabulary_of(kept), options, device)


def writer_of(
    model: nn.Module, vocabulary: Vocabulary, options: TextOptions, device: str
) -> Writer:
    """A writer with this vocabulary."""
    return Writer(stepper(model, options, device), vocabulary, model)


@dataclass(frozen=True)
class Writer:
    """A model step by step, and the vocabulary of what it reads and writes.

    `model` is the same one, to be streamed if it can be.
    """

    step: decode.Step[State]
    vocabulary: Vocabulary
    model: nn.Module | None = None

    def read(self, prompt: str, after: Cursor | None = None) -> Cursor:
        """The place after `prompt`, going on from `after`. Unknown symbols are read as `<unk>`.

        Without a prompt and a place to go on from, the text begins as after a line break, or,
        where the model has never seen one, after its most frequent symbol.
        """
        ids = self.vocabulary.encode(prompt).tolist()
        if after is not None:
            return decode.advance(self.step, after, ids) if ids else after
        if not ids:
            # It is not in the text: no space follows it.
            return replace(self.start(beginning(self.vocabulary)), last=())
        return self.start(ids)

    def start(self, ids: list[int]) -> Cursor:
        """The place after `ids`, at least one, at the beginning of a text."""
        return decode.start(self.step, [], ids)

    def write(
        self,
        cursor: Cursor,
        length: int,
        sampling: decode.Sampling,
        weights: decode.Weights = "float32",
    ) -> Iterator[tuple[str, Cursor]]:
        """`length` tokens as text, piece by piece as they are made, each with the place after it.

        Pieces written on from the last place continue these without a seam. So a character that
        is not finished at the end is not written: its beginning stays in the place, and its end
        may come. `<unk>` is never written.

        `weights` says how the model's weights are stored meanwhile; they are copied at the first
        piece. UserError: other than float32 for a model that cannot be streamed.
        """
        decoder = self.vocabulary.decoder()
        for token in cursor.last:
            decoder.push(token)
        unknown = self.vocabulary.unknown
        forbidden = () if unknown is None else (unknown,)
        for token, place in self._generate(cursor, length, sampling, forbidden, weights):
            yield decoder.push(token), place

    def _generate(
        self,
        cursor: Cursor,
        length: int,
        sampling: decode.Sampling,
        forbidden: tuple[int, ...],
        weights: decode.Weights,
    ) -> Iterator[tuple[int, Cursor]]:
        writing = streaming.writing(self.model, weights)
        if not isinstance(writing, str):
            return writing(cursor, length, sampling, forbidden)
        if weights != "float32":
            raise UserError(f"--weights {weights}: this model is written with float32: {writing}")
        return decode.generate(self.step, cursor, length, sampling, forbidden)

    def unknown(self, text: str) -> list[str]:
        """The symbols of a text that the model does not know, in the order they come."""
        return self.vocabulary.covers(text)


def beginning(vocabulary: Vocabulary) -> list[int]:
    """The ids that a text without a beginning goes on from: a line break or, where the model has
    never seen one, its most frequent symbol."""
    known = not vocabulary.covers("\n")
    return (vocabulary.encode("\n").tolist() if known else []) or [1]


def stepper(model: nn.Module, options: TextOptions, device: str) -> decode.Step[State]:
    """A `decode.Step` over a language model; an empty state is that at the beginning of a text.

    The state is the recurrent one; of a windowed model, the last window of tokens. A model with an
    n-gram model beside it writes by both.
    """

    @torch.no_grad()
    def carried(ids: Tensor, state: State) -> tuple[Tensor, State]:
        scores, after = model(ids.to(device)[:, None], state or None)
        return scores[-1, 0], after

    @torch.no_grad()
    def windowed(ids: Tensor, state: State) -> tuple[Tensor, State]:
        before = [tokens for part in state for tokens in part]
        seen = torch.cat([*before, ids.to(device)])[-options.sequence_length :]
        scores, _ = model(seen[:, None])
        return scores[0], [(seen,)]

    step = windowed if options.windowed else carried
    if isinstance(model, LanguageModel) and model.ngram is not None:
        return mixing.stepper(step, model.ngram, Gate(model.gate.cpu().numpy()))
    return step
