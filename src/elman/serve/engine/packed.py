"""Texts whose steps go through the kernels together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import final

from elman.errors import UserError
from elman.kernels.stream import Stream
from elman.kernels.together import Advanced, Floats, Ids, Standing, Together
from elman.serve.contract import Asked
from elman.tasks.task import Cursor


@final
class Packed:
    """The texts of a model that can be streamed. They are the same to the bit in any company."""

    most = 32

    def __init__(self, stream: Stream, places: int, unknown: int | None) -> None:
        forbidden = () if unknown is None else (unknown,)
        self._together = Together(stream, places, most=self.most, forbidden=forbidden)
        self.bytes_of_a_text = self._together.bytes_of_a_place

    def enter(self, place: int, asked: Asked) -> None:
        after, together = asked.after, self._together
        standing = together.beginning()
        if after is not None:
            standing = Standing(after.state, after.logits, after.position, after.seen)
        chosen = dataclasses.asdict(asked.sampling)
        try:
            together.enter(place, standing, watched=asked.top is not None, **chosen)
            together.give(place, asked.prompt)
        except ValueError as error:
            raise UserError(f"the text cannot be gone on with: {error}") from None

    def unread(self, place: int) -> int:
        return self._together.unread(place)

    def logits(self, place: int) -> Floats:
        return self._together.logits(place)

    def advance(self, places: Ids, reads: Ids, writes: Ids) -> Advanced:
        return self._together.advance(places, reads, writes)

    def cursor(self, place: int, last: Sequence[int]) -> Cursor:
        stands = self._together.standing(place)
        state = [tuple(s[None] for s in layer) for layer in stands.state]  # [D = 1, B = 1, H]
        return Cursor(state, stands.logits, stands.seen, stands.position, tuple(last))
