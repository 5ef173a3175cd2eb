"""The regressor: layers over the sequence from a first state, and values at its steps."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from elman.layers.recurrent import Recurrent
from elman.layers.regularize import dropout
from elman.tasks.reader import Pool, Reader
from elman.tasks.regress.data import Encoder, Scale
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.reading import encoder_of
from elman.tasks.settling import check_settled
from elman.tasks.task import Kept, State

ENCODED = 64  # units between static columns and the first state
SMALL = 0.1  # of the usual weights: a network beside a linear answer begins close to it


class Start(nn.Module):
    """What is known of a sequence at its start, [B, S] in the data's units → the first states.

    `given`: as they are, layer by layer, direction by direction, where their number is that of all
    states together; else scaled and mapped by V s + b. `encoded`: scaled, then V tanh(U s + a) + b.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, recurrent: Recurrent, scale: Scale, *, encoded: bool) -> None:
        super().__init__()
        both = [2 if both_ways else 1 for both_ways in recurrent.bidirectional]
        states = [len(cell.states) for cell in recurrent.cell]
        # Of each layer: its states, directions and units.
        self.shapes = list(zip(states, both, recurrent.hidden_size, strict=True))
        total = sum(n * D * H for n, D, H in self.shapes)
        width = len(scale.mean)
        self.register_buffer("mean", torch.tensor(scale.mean, dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(scale.deviation, dtype=torch.float32))
        self.inner = nn.Linear(width, ENCODED) if encoded else None
        direct = width == total and not encoded
        self.outer = None if direct else nn.Linear(ENCODED if encoded else width, total)

    def forward(self, known: Tensor) -> State:
        """One tensor [D, B, H] for each state of each layer."""
        if self.outer is not None:
            known = (known - self.mean) / self.deviation
            if self.inner is not None:
                known = torch.tanh(self.inner(known))
            known = self.outer(known)
        state: State = []
        parts = torch.split(known, [n * D * H for n, D, H in self.shapes], -1)
        for (n, D, H), part in zip(self.shapes, parts, strict=True):
            layer = part.reshape(len(part), n, D, H).permute(1, 2, 0, 3).contiguous()
            state.append(tuple(layer))
        return state


class Member(nn.Module):
    """Vectors, and with feedback the targets of the step before → `Reader` → linear output.

    Where one value a sequence is told, a `Pool` stands before the output. Inputs and values are
    scaled, what is known at the start is not. Where there is a linear answer, the network reads it
    beside its inputs and tells what it leaves over, in the units of `left`; how far the answer is
    trusted is learnt, from wholly on.
    """

    left: Tensor

    def __init__(self, options: RegressOptions, encoder: Encoder, number: int) -> None:
        super().__init__()
        assert options.dropout is not None and options.initial_state is not None  # by the plan
        inputs, self.targets = len(encoder.x.mean), len(encoder.y.mean)
        self.answer = number % len(encoder.linear) if encoder.linear else None
        self.dropout = options.dropout
        self.feedback, self.noise = options.feedback, options.feedback_noise
        inputs += self.targets if self.feedback else 0
        inputs += self.targets if self.answer is not None and encoder.every_step else 0
        self.reader = Reader(options, inputs)
        self.start: Start | None = None
        if options.initial_state in ("given", "encoded"):
            encoded = options.initial_state == "encoded"
            scale = encoder.static if encoded else encoder.state
            self.start = Start(self.reader.recurrent, scale, encoded=encoded)
        width = self.reader.output_size
        self.pool = (
            None
            if encoder.every_step
            else Pool(options.pooling, width, both_ways=self.reader.both_ways)
        )
        self.output = nn.Linear(width, self.targets)
        left = np.ones(self.targets) if self.answer is None else encoder.left[self.answer]
        self.register_buffer("left", torch.tensor(left, dtype=torch.float32))
        self.trust = None if self.answer is None else nn.Parameter(torch.ones(self.targets))
        if self.answer is not None:
            with torch.no_grad():
                self.output.weight.mul_(SMALL)
                self.output.bias.zero_()

    def forward(self, x: Tensor, lengths: Tensor, known: Tensor, linear: Tensor | None) -> Tensor:
        """As `Regressor.forward`."""
        if self.training and self.noise:
            own, past = torch.split(x, [x.shape[-1] - self.targets, self.targets], -1)
            x = torch.cat([own, past + self.noise * torch.randn_like(past)], -1)
        answer = None if self.answer is None or linear is None else linear[self.answer]
        if answer is not None and self.pool is None:
            x = torch.cat([x, answer], -1)
        y, alive = self.reader(x, lengths, None if self.start is None else self.start(known))
        if self.pool is not None:
            y = self.pool(y, alive)
        return self._told(dropout(y, self.dropout, training=self.training), answer)

    def run_freely(self, x: Tensor, known: Tensor, linear: Tensor | None) -> Tensor:
        """As `Regressor.run_freely`."""
        state = None if self.start is None else self.start(known)
        told, past = [], x.new_zeros(len(x), self.targets)
        for t, now in enumerate(x.unbind(1)):
            answer = None if self.answer is None or linear is None else linear[self.answer, :, t]
            parts = [now, past] if answer is None else [now, past, answer]
            y, state = self.reader.recurrent(torch.cat(parts, -1)[None], state)
            assert isinstance(y, Tensor)
            past = self._told(y[0], answer)
            told.append(past)
        return torch.stack(told, 1)

    def _told(self, y: Tensor, answer: Tensor | None) -> Tensor:
        told: Tensor = self.output(y)
        if answer is None or self.trust is None:
            return told
        return self.trust * answer + self.left * told


class Regressor(nn.Module):
    """Networks that each learn alone; what they tell is averaged.

    Where there are folds, network k has not seen the sequences of fold k modulo their number.
    """

    def __init__(self, options: RegressOptions, encoder: Encoder) -> None:
        super().__init__()
        self.feedback = options.feedback
        self.folds = options.folds or 0
        self.members = nn.ModuleList(Member(options, encoder, k) for k in range(options.members))

    def each(
        self, x: Tensor, lengths: Tensor, known: Tensor, linear: Tensor | None = None
    ) -> Tensor:
        """What each network tells by itself, [M, B, T, O] or [M, B, O]."""
        return torch.stack([member(x, lengths, known, linear) for member in self.members])

    def forward(
        self, x: Tensor, lengths: Tensor, known: Tensor, linear: Tensor | None = None,
        folds: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """`x` [B, T, I], with feedback [B, T, I + O]; `lengths` [B] on the CPU; `known` [B, S];
        `linear` [L, B, T, O] or [L, B, O] where there are linear answers; `folds` [B], -1 where all
        networks are asked.

        → [B, T, O], or [B, O] where one value a sequence is told.
        """
        return self._mean(self.each(x, lengths, known, linear), folds)

    def run_freely(
        self, x: Tensor, known: Tensor, linear: Tensor | None = None, folds: Tensor | None = None
    ) -> Tensor:
        """`x` [B, T, I], the others as for `forward` → [B, T, O]: each network reads its own
        values, from step to step.

        A sequence of unequal length may stand in padding after its end: what is told there is
        nothing, and changes nothing before.
        """
        each = [cast(Member, member).run_freely(x, known, linear) for member in self.members]
        return self._mean(torch.stack(each), folds)

    def asked(self, folds: Tensor) -> Tensor:
        """Which networks have not seen sequences of these folds [B], bool [M, B]."""
        own = torch.arange(len(self.members), device=folds.device) % max(self.folds, 1)
        return (own[:, None] == folds) | (folds < 0)

    def _mean(self, each: Tensor, folds: Tensor | None) -> Tensor:
        if folds is None:
            return each.mean(0)
        shares = self.asked(folds).to(each.dtype)
        shares = shares / shares.sum(0)
        return (shares.view(*shares.shape, *[1] * (each.dim() - 2)) * each).sum(0)


def build(kept: Kept, options: RegressOptions) -> Regressor:
    check_settled(options, "hidden_size", "dropout", "weight_drop", "initial_state")
    return Regressor(options, encoder_of(kept))
