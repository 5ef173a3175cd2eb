"""Texts of models that the kernels cannot stream together: each is taken on alone, by
`elman.decode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch

from elman import decode
from elman.errors import ElmanError
from elman.kernels.together import Advanced, Floats, Ids
from elman.serve.contract import Asked
from elman.tasks.task import Cursor, State

READ = 64  # tokens that are read at once, always: other numbers of rows might round otherwise


@dataclass
class _Text:
    asked: Asked
    unread: list[int]
    cursor: Cursor | None  # None: nothing was read yet


@final
class OneByOne:
    """Texts by the reference, one after the other: in any company they are those that they are
    alone, since no product is shared."""

    most = 1

    def __init__(
        self, step: decode.Step[State], write: decode.Step[State], unknown: int | None
    ) -> None:
        """`step` reads a text from its beginning; `write` goes on from where one stands."""
        self._step, self._write_on = step, write
        self._forbidden = () if unknown is None else (unknown,)
        self._texts: dict[int, _Text] = {}

    def enter(self, place: int, asked: Asked) -> None:
        self._texts[place] = _Text(asked, list(asked.prompt), asked.after)

    def unread(self, place: int) -> int:
        return len(self._texts[place].unread)

    def logits(self, place: int) -> Floats:
        cursor = self._texts[place].cursor
        assert cursor is not None
        return _floats(cursor)

    def advance(self, places: Ids, reads: Ids, writes: Ids) -> Advanced:
        tokens, logits, errors = [], [], []
        for place, count in zip(places.tolist(), writes.tolist(), strict=True):
            made: list[int] = []
            rows: list[Floats] = []
            told: Exception | None = None
            try:
                self._read(self._texts[place], rows)
                if not self.unread(place):
                    self._write(self._texts[place], count, made, rows)
            except ElmanError as error:
                told = error
            tokens.append(made)
            watched = self._texts[place].asked.top is not None and rows
            logits.append(np.stack(rows) if watched else None)
            errors.append(told)
        return Advanced(tokens, logits, errors)

    def cursor(self, place: int, last: Sequence[int]) -> Cursor:
        cursor = self._texts.pop(place).cursor
        assert cursor is not None
        return replace(cursor, last=tuple(last))

    def _read(self, text: _Text, rows: list[Floats]) -> None:
        """Up to READ tokens; one by one where each one's logits are wanted."""
        now, text.unread = text.unread[:READ], text.unread[READ:]
        at_once = 1 if text.asked.echo and text.asked.top is not None else READ
        for k in range(0, len(now), at_once):
            self._on(text, now[k : k + at_once])
            assert text.cursor is not None
            rows += [_floats(text.cursor)] * len(now[k : k + at_once])

    def _write(self, text: _Text, count: int, made: list[int], rows: list[Floats]) -> None:
        sampling = text.asked.sampling
        assert sampling.seed is not None
        for _ in range(count):
            assert text.cursor is not None
            at = text.cursor
            p = decode.distribution(at.logits, at.seen, sampling, self._forbidden)
            made.append(decode.choose(p, decode.uniform(sampling.seed, at.position)))
            text.cursor = decode.advance(self._write_on, at, made[-1:])
            rows.append(_floats(text.cursor))

    def _on(self, text: _Text, ids: list[int]) -> None:
        if text.cursor is None:
            text.cursor = decode.start(self._step, [], ids)
        else:
            text.cursor = decode.advance(self._step, text.cursor, ids)


def _floats(cursor: Cursor) -> Floats:
    found: Floats = cursor.logits.detach().cpu().to(torch.float32).numpy()
    return found
