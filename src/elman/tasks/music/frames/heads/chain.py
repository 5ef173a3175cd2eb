"""The notes of a step one after the other, from below, each given those before it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman.layers.recurrent import Recurrent
from elman.layers.regularize import dropout
from elman.tasks.music.frames.heads.head import Ask, Head, Pick
from elman.tasks.task import State

NEVER = -torch.inf


@final
class Chain(Head):
    """p(frame) = Π_j p(q_j | q_1 < … < q_j-1, context), the last of them the end of the frame.

    A GRU starts from the context and reads the notes one by one; what comes next is a softmax over
    the pitches above the last one and the end. After Walder 2016, arXiv:1606.01368, and the
    RNN-NADE of Boulanger-Lewandowski et al. 2012, arXiv:1206.6392, which goes through all pitches.

    Tokens: 0 … P - 1 are pitches, P is the end, and what stands before the first note.
    """

    above: Tensor

    def __init__(self, context: int, pitches: int, size: int, dropout: float) -> None:
        super().__init__()
        self.pitches, self.dropout = pitches, dropout
        self.begin = nn.Linear(context, size)
        self.notes = nn.Embedding(pitches + 1, size)
        nn.init.normal_(self.notes.weight, std=0.3)
        self.layer = Recurrent(size, size, cell="gru")
        self.output = nn.Linear(size, pitches + 1)
        self.direct = nn.Linear(context, pitches + 1, bias=False)
        tokens = torch.arange(pitches + 1)
        above = tokens[None, :] > tokens[:, None]  # [after, next]
        above[:, pitches] = above[pitches, :] = True
        self.register_buffer("above", above, persistent=False)

    def answers(self, context: Tensor, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        before, after, rows, sizes = links(frames)
        log_p = self._next(self._states(context, before, rows, sizes), context, before, rows)
        return log_p.gather(-1, after[:, None])[:, 0], rows

    def _states(self, context: Tensor, before: Tensor, rows: Tensor, sizes: Tensor) -> Tensor:
        """What the GRU puts out at each link, [L, S]."""
        start = self.begin(context[rows[: int(sizes[0])]]).tanh()[None]
        y, _ = self.layer(PackedSequence(before, sizes), [(start,)], embedding=self.notes.weight)
        assert isinstance(y, PackedSequence)
        data: Tensor = y.data
        return data

    def _next(self, states: Tensor, context: Tensor, before: Tensor, rows: Tensor) -> Tensor:
        """Log probabilities of the next token at each link, [L, P + 1]."""
        states = dropout(states, self.dropout, training=self.training)
        scores: Tensor = self.output(states) + self.direct(context)[rows]
        return scores.masked_fill(~self.above[before], NEVER).log_softmax(-1)

    def ask(
        self, context: Tensor, last: Tensor, state: State | None, place: int
    ) -> tuple[Tensor, State]:
        """Of the next token; before the first note `last` is the end."""
        if state is None:
            state = [(self.begin(context).tanh()[None],)]
        y, state = self.layer(last[None], state, embedding=self.notes.weight)
        assert isinstance(y, Tensor)
        return self._next(y[0], context, last, torch.arange(len(last))), state

    def draw_by(
        self, ask: Ask, context: Tensor, pick: Pick, allowed: Tensor | None,
        required: Tensor | None,
    ) -> Tensor:  # fmt: skip
        end = self.pitches
        frame = torch.zeros(end, dtype=torch.bool)
        last, state = end, None
        while last != end or state is None:
            log_p, state = ask(context, torch.tensor([last]), state, int(frame.sum()))
            may = torch.ones(end + 1, dtype=torch.bool)
            if allowed is not None:
                may[:end] = allowed
            if required is not None:
                may[:end] |= required
                wanted = required.nonzero()[:, 0]
                wanted = wanted[wanted > (-1 if last == end else last)]
                if len(wanted):  # nothing that is required is passed over
                    may[int(wanted[0]) + 1 :] = False
            last = pick(log_p[0].cpu().masked_fill(~may, NEVER))
            if last != end:
                frame[last] = True
        return frame

    def likeliest_by(self, ask: Ask, context: Tensor) -> Tensor:
        end, found = self.pitches, torch.zeros(len(context), self.pitches + 1, dtype=torch.bool)
        found = found.to(context.device)
        rows = torch.arange(len(context), device=context.device)
        last, state, place = torch.full_like(rows, end), None, 0
        while len(rows):
            log_p, state = ask(context[rows], last, state, place)
            last = log_p.argmax(-1)
            found[rows, last] = True
            on = last != end
            rows, last, place = rows[on], last[on], place + 1
            state = [tuple(s[:, on] for s in layer) for layer in state]
        return found[:, :end]


def links(frames: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The links of the chains of rolls [N, P], as packed sequences are laid out: of each the token
    before it, the token after it, and its frame, all [L]; and how many there are of each place.

    A frame of n notes has n + 1 links; the longest chains come first.
    """
    count, end = frames.shape
    notes = frames.sum(1)
    order = notes.argsort(descending=True, stable=True)
    row, pitch = frames[order].nonzero(as_tuple=True)  # by frame, then from below
    lengths = notes[order] + 1
    place = torch.arange(len(row), device=row.device) - (lengths - 1).cumsum(0)[row]
    place = place + (lengths - 1)[row]  # 0, 1, … within its frame
    longest = int(lengths[0]) if count else 0
    tokens = torch.full((count, longest + 1), end, dtype=torch.int64, device=frames.device)
    tokens[row, place + 1] = pitch
    alive = torch.arange(longest, device=frames.device)[:, None] < lengths  # [longest, N]
    sizes = alive.sum(1).cpu()
    before, after = tokens[:, :-1].T[alive], tokens[:, 1:].T[alive]
    return before, after, order.expand(longest, -1)[alive], sizes
