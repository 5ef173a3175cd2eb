"""Tokens unfolded into text, as `Run.stream` does it, for whoever is handed them one by one."""

from __future__ import annotations

from collections.abc import Sequence

from elman.data.texts.vocabulary import Vocabulary
from elman.decode import LAST, Until


class Unfolding:
    """What tokens say, up to the first of `stops`, after a text whose last tokens are `last`."""

    def __init__(self, vocabulary: Vocabulary, last: Sequence[int], stops: Sequence[str]) -> None:
        self._decoder, self._until = vocabulary.decoder(), Until(stops)
        for token in last[-LAST:]:
            self._decoder.push(token)
        self.said = 0  # characters that the tokens stand for so far, those of a stop included

    @property
    def ended(self) -> bool:
        """Whether a stop has come."""
        return self._until.ended

    def push(self, token: int) -> str:
        """What is certain to be in the text now that this token has come."""
        piece = self._decoder.push(token)
        self.said += len(piece)
        return self._until.push(piece)

    def rest(self) -> str:
        """What was held back, of a text that ends without a stop."""
        return self._until.rest()

    def ends(self, token: int) -> bool:
        """Whether the text ends with this token."""
        self.push(token)
        return self.ended
