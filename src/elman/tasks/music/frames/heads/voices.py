"""The voices of a step one after the other, the lowest first, each given those below it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from elman.layers.recurrent import Recurrent
from elman.layers.regularize import dropout
from elman.tasks.music.frames.heads.head import SILENCE, Ask, Head, Pick
from elman.tasks.task import State


@final
class Voices(Head):
    """p(frame) = Π_v p(pitch of v | voices below it, context): V softmaxes over P pitches, silence.

    A GRU starts from the context and reads the voices from the bass on, as in `Chain`. Voices may
    cross. Tokens: 0 … P - 1 are pitches, P is silence, and what stands before the lowest voice.
    """

    def __init__(
        self, context: int, pitches: int, voices: int, size: int, dropout: float
    ) -> None:  # fmt: skip
        super().__init__()
        self.pitches, self.voices, self.dropout = pitches, voices, dropout
        self.begin = nn.Linear(context, size)
        self.notes = nn.Embedding((pitches + 1) * voices, size)
        nn.init.normal_(self.notes.weight, std=0.3)
        self.layer = Recurrent(size, size, cell="gru")
        self.output = nn.Linear(size, pitches + 1)
        self.direct = nn.Linear(context, voices * (pitches + 1))

    def answers(self, context: Tensor, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """Of each voice its pitch, the highest voice first: [N, V]."""
        after = self._tokens(frames)  # [V, N], the lowest voice first
        before = torch.cat([torch.full_like(after[:1], self.pitches), after[:-1]])
        log_p, _ = self._next(context, before, None)
        return log_p.gather(-1, after[..., None])[..., 0].flip(0).T, None

    def ask(
        self, context: Tensor, last: Tensor, state: State | None, place: int
    ) -> tuple[Tensor, State]:
        """Of the pitch of the voice number `place` from below, or silence."""
        log_p, state = self._next(context, last[None], state, place)
        return log_p[0], state

    def _tokens(self, frames: Tensor) -> Tensor:
        return frames.masked_fill(frames == SILENCE, self.pitches).flip(1).T

    def _next(
        self, context: Tensor, before: Tensor, state: State | None, first: int = 0
    ) -> tuple[Tensor, State]:
        """Log probabilities [K, N, P + 1] of K voices from the `first` from below on, each after a
        token of `before` [K, N], and the state after them."""
        if state is None:
            state = [(self.begin(context).tanh()[None],)]
        places = torch.arange(first, first + len(before), device=before.device)
        told = before + places[:, None] * (self.pitches + 1)
        y, state = self.layer(told, state, embedding=self.notes.weight)
        assert isinstance(y, Tensor)
        y = dropout(y, self.dropout, training=self.training)
        direct = self.direct(context).unflatten(-1, (self.voices, -1))[:, places].transpose(0, 1)
        return (self.output(y) + direct).log_softmax(-1), state

    def draw_by(
        self, ask: Ask, context: Tensor, pick: Pick, allowed: Tensor | None,
        required: Tensor | None,
    ) -> Tensor:  # fmt: skip
        """As `draw`. Notes that are required, but given to no voice, go to the highest voices
        that are left. UserError is the caller's: more notes are required than there are voices."""
        frame, state = torch.full((self.voices,), SILENCE), None
        last = torch.tensor([self.pitches])
        for place in range(self.voices):
            voice = self.voices - 1 - place
            log_p, state = ask(context, last, state, place)
            may = self._may(frame, voice, allowed, required)
            token = pick(log_p[0].cpu().masked_fill(~may, -torch.inf))
            frame[voice] = SILENCE if token == self.pitches else token
            last = torch.tensor([token])
        return frame

    def _may(
        self, frame: Tensor, voice: int, allowed: Tensor | None, required: Tensor | None
    ) -> Tensor:
        """Which tokens a voice may have, bool [P + 1], those below it in `frame` being there."""
        may = torch.ones(self.pitches + 1, dtype=torch.bool)
        if allowed is not None:
            may[:-1] = allowed if allowed.dim() == 1 else allowed[voice]
        if required is None:
            return may
        if required.dtype != torch.bool:
            if required[voice] != SILENCE:
                may[:] = False
                may[required[voice]] = True
            return may
        wanted = required.clone()
        wanted[frame[frame != SILENCE]] = False
        may[:-1] |= wanted
        if int(wanted.sum()) > voice:  # as many as there are voices left: one of them it is
            may[:-1] = wanted
            may[-1] = False
        return may

    def likeliest_by(self, ask: Ask, context: Tensor) -> Tensor:
        found, state = [], None
        last = torch.full((len(context),), self.pitches, device=context.device)
        for place in range(self.voices):
            log_p, state = ask(context, last, state, place)
            last = log_p.argmax(-1)
            found.append(last)
        frames = torch.stack(found[::-1], -1)
        return frames.masked_fill(frames == self.pitches, SILENCE)
