"""Sentences again, each token with its label."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TextIO

from torch import nn

from elman.data import source
from elman.data.tables.arriving import STANDARD_INPUT, Arriving, standard_input
from elman.data.tables.content import BadRows
from elman.data.tags import reading as tagged
from elman.data.tags.sentence import Opened, TagRoles
from elman.tasks import prediction
from elman.tasks.tag.answering import AT_ONCE, answered
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.reading import settled
from elman.tasks.task import Kept


def predict(
    model: nn.Module, kept: Kept, options: TagOptions, device: str, data: Sequence[str],
    out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    labels, encoder, roles = settled(kept)
    for opened, arriving in _files(data, roles, out):
        for block in prediction.together(opened.pieces(bad), arriving, AT_ONCE):
            parts = encoder.cut([piece.sentence for piece in block if piece.sentence is not None])
            encoded = encoder.encode([part.tokens for part in parts])
            answers = answered(model, encoded, range(len(parts)), device)
            said = (labels[k] for answer in answers for k in answer.best)
            for piece in block:
                tokens = piece.sentence.tokens if piece.sentence is not None else []
                out.write(piece.answered(list(itertools.islice(said, len(tokens)))))
            out.flush()


def _files(
    data: Sequence[str], roles: TagRoles, out: TextIO
) -> Iterator[tuple[Opened, Arriving | None]]:
    """What is to be answered, one after the other; standard input comes alone."""
    if list(data) == ["-"]:
        arriving = standard_input(roles.encoding)
        yield tagged.open_stream(STANDARD_INPUT, arriving, roles), arriving
        return
    for k, one in enumerate(source.resolve(data)):
        opened = tagged.open_file(one, roles, labelled=False)
        if k and opened.roles.form == "conll":
            out.write("\n")  # else the sentence before would go on
        yield opened, None
