"""A language model of events token by token, each chosen among those that the grammar allows.

With a stack that can be streamed a token is chosen and read in one call of C++, as for texts, and
of several networks read by a stream of each; else by `elman.decode`, which is the reference: the
same tokens, but where rounding decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman import decode
from elman.decode import Sampling
from elman.kernels.stream import Stream
from elman.tasks.music.events.grammar import Mask
from elman.tasks.task import State
from elman.tasks.text.model import LanguageModel
from elman.tasks.text.writing import streaming

Ids = NDArray[np.int64]


class Here(NamedTuple):
    """A model that has read so many tokens: the logits [V] of the next one, and its state."""

    logits: Tensor
    state: State
    position: int


@dataclass(frozen=True)
class Player:
    """A model at work. It leaves every `Here` as it was."""

    model: LanguageModel
    device: str

    @cached_property
    def _stream(self) -> Stream | None:
        made = streaming.stream(self.model, "float32")
        return None if isinstance(made, str) else made

    @cached_property
    def _step(self) -> decode.Step[State] | None:
        made = streaming.stepper(self.model, "float32")
        return None if isinstance(made, str) else made

    @torch.no_grad()
    def read(self, ids: Ids, here: Here | None = None) -> Here:
        """After these tokens, one at least."""
        if here is not None and self._step is not None:
            logits, state = self._step(torch.from_numpy(np.asarray(ids, np.int64)), here.state)
            return Here(logits, state, here.position + len(ids))
        before = None if here is None else here.state
        tokens = torch.from_numpy(np.asarray(ids, np.int64))[:, None].to(self.device)
        scores, state = self.model(tokens, before)
        at = 0 if here is None else here.position
        return Here(scores[-1, 0].float().cpu(), state, at + len(ids))

    def choose(
        self, here: Here, allowed: Mask, sampling: Sampling, seed: int
    ) -> tuple[int, Here]:  # fmt: skip
        """One of the tokens that are `allowed` [V], and the place after it. The choice depends on
        the seed and the position alone."""
        forbidden = np.flatnonzero(~allowed).tolist()
        if self._stream is None:
            p = decode.distribution(here.logits, (), sampling, forbidden)
            token = decode.choose(p, decode.uniform(seed, here.position))
            return token, self.read(np.array([token]), here)
        made = self._stream.generate(
            1, here.logits.contiguous(),
            [tuple(s[0].contiguous() for s in layer) for layer in here.state], here.position,
            seed=seed, forbidden=forbidden, temperature=sampling.temperature,
            top_k=sampling.top_k, top_p=sampling.top_p,
        )  # fmt: skip
        if made.error is not None:
            raise made.error
        state: State = [tuple(s[:, None] for s in layer) for layer in made.states]
        return made.tokens[0], Here(made.logits[0], state, here.position + 1)
