"""The regressor: layers over the sequence from a first state, and values at its steps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.layers.recurrent import Recurrent
from elman.tasks.reader import Pool, Reader
from elman.tasks.regress.data import Encoder, Scale
from elman.tasks.regress.options import RegressOptions
from elman.tasks.task import State

ENCODED = 64  # units between static columns and the first state


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


class Regressor(nn.Module):
    """Vectors, and with feedback the targets of the step before → `Reader` → linear output.

    Where one value a sequence is told, a `Pool` stands before the output. Inputs and values are
    scaled, what is known at the start is not.
    """

    def __init__(self, options: RegressOptions, encoder: Encoder) -> None:
        super().__init__()
        assert options.dropout is not None and options.initial_state is not None  # by the plan
        inputs, self.targets = len(encoder.x.mean), len(encoder.y.mean)
        self.dropout = options.dropout
        self.feedback, self.noise = options.feedback, options.feedback_noise
        self.reader = Reader(options, inputs + self.targets if self.feedback else inputs)
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

    def forward(self, x: Tensor, lengths: Tensor, known: Tensor) -> Tensor:
        """`x` [B, T, I], with feedback [B, T, I + O]; `lengths` [B] on the CPU; `known` [B, S].

        → [B, T, O], or [B, O] where one value a sequence is told.
        """
        if self.training and self.noise:
            own, past = torch.split(x, [x.shape[-1] - self.targets, self.targets], -1)
            x = torch.cat([own, past + self.noise * torch.randn_like(past)], -1)
        y, alive = self.reader(x, lengths, None if self.start is None else self.start(known))
        if self.pool is not None:
            y = self.pool(y, alive)
        told: Tensor = self.output(F.dropout(y, self.dropout, self.training))
        return told

    def run_freely(self, x: Tensor, known: Tensor) -> Tensor:
        """`x` [B, T, I] and `known` [B, S] → [B, T, O], its own values fed back from step to step.

        A sequence of unequal length may stand in padding after its end: what is told there is
        nothing, and changes nothing before.
        """
        state = None if self.start is None else self.start(known)
        told, past = [], x.new_zeros(len(x), self.targets)
        for now in x.unbind(1):
            y, state = self.reader.recurrent(torch.cat([now, past], -1)[None], state)
            assert isinstance(y, Tensor)
            past = self.output(y[0])
            told.append(past)
        return torch.stack(told, 1)
