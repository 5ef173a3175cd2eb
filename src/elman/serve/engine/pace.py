"""How much of each text one call of the kernels takes on: little enough that others may join."""

from __future__ import annotations

import numpy as np

from elman.kernels.together import Ids

SHORT, LONG = 0.004, 0.012  # seconds of a call: below it may grow, above it shrinks
READ = 256  # tokens of prompts that a call reads at least, however few write


class Pace:
    """Steps of one call. They double while calls are short, so that few texts do not pay for a
    call at each token, and halve where they are long, so that nobody waits to join. Where more
    texts are there than before, they fall at once."""

    def __init__(self, most: int) -> None:
        self._most, self.steps = most, 1
        self._texts = 1  # of the last call

    def took(self, seconds: float) -> None:
        if seconds < SHORT:
            self.steps = min(2 * self.steps, self._most)
        elif seconds > LONG:
            self.steps = max(self.steps // 2, 1)

    def portions(self, unread: Ids, left: Ids, *, singly: bool) -> tuple[Ids, Ids]:
        """Of each text the tokens that are read and made by one call, from those that it has not
        read and may still make. `singly`: one step, as it may be some text's last.

        Readers go ahead of the others, as one waits for them before the first token: together
        they read about as many tokens as there are writers, so that they slow nobody by more than
        half.
        """
        if len(unread) > self._texts:
            self.steps = max(self.steps * self._texts // len(unread), 1)
        self._texts = len(unread)
        steps = 1 if singly else self.steps
        readers = int(np.count_nonzero(unread))
        each = max(max(len(unread) - readers, READ) // max(readers, 1), steps)
        return np.minimum(unread, each), np.minimum(left, steps)
