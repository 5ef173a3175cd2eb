"""The network of the tasks that read whole sequences: layers over padded batches, and pooling."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman.layers.convolution import Convolutions
from elman.layers.recurrent import Recurrent
from elman.layers.regularize import dropout, locked_dropout
from elman.tasks.networks import FrontOptions, StackOptions
from elman.tasks.task import State

V = TypeVar("V")
Pooling: TypeAlias = Literal["last", "mean", "max", "attention"]


def recurrent(options: StackOptions, input_size: int) -> Recurrent:
    """The stack of layers that settled options ask for; a first state that is given or encoded is
    handed to its calls."""
    assert options.hidden_size and options.num_layers  # resolved by the task's plan
    assert options.dropout is not None and options.weight_drop is not None
    return Recurrent(
        input_size,
        _each(options.hidden_size),
        options.num_layers,
        cell=_each(options.cell),
        bidirectional=_each(options.bidirectional),
        residual=options.residual,
        initial_state="learned" if options.initial_state == "learned" else "zero",
        dropout=options.dropout,
        locked_dropout=options.locked_dropout,
        recurrent_dropout=options.recurrent_dropout,
        zoneout=options.zoneout,
        weight_drop=options.weight_drop,
        layer_norm=options.layer_norm,
    )


def front(options: FrontOptions, inputs: int) -> Convolutions | None:
    """The convolutions that settled options ask for; None for none."""
    if not options.fronted:
        return None
    assert options.convolutions and options.convolution_width and options.convolution_stride
    count = len(options.convolutions)
    widths, strides = (
        value * count if len(value) == 1 else value
        for value in (options.convolution_width, options.convolution_stride)
    )
    return Convolutions(
        inputs, options.convolutions, widths, strides, norm=options.convolution_norm,
        causal=options.causal,
    )  # fmt: skip


class Reader(nn.Module):
    """Sequences of unequal length → what the layers put out at each step.

    Input is float32 vectors [B, T, I], or with `symbols` int64 tokens [B, T], embedded (one-hot
    where `embedding` is 0). What is padding never enters: sequences are packed by their lengths.
    `spread` is the standard deviation of the embedding's random start.
    """

    def __init__(
        self, options: StackOptions, inputs: int = 0, symbols: int = 0, embedding: int = 0,
        spread: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_dropout, self.locked = options.input_dropout, options.locked_dropout
        self.symbols = symbols
        self.embedding = nn.Embedding(symbols, embedding) if symbols and embedding else None
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, std=spread)
        self.recurrent = recurrent(options, (embedding or symbols) if symbols else inputs)
        self.output_size = self.recurrent.output_size
        self.both_ways = self.recurrent.bidirectional[-1]

    def forward(
        self, x: Tensor, lengths: Tensor, state: State | None = None
    ) -> tuple[Tensor, Tensor]:
        """`x` as above, `lengths` [B] on the CPU, each from 1 to T, `state` as for `Recurrent`.

        → outputs [B, T, D*H], zero where there is padding, and which steps are none, bool [B, T].
        """
        if self.symbols and self.training and self.input_dropout:
            x = self._vectors(x)
        if x.is_floating_point() and self.input_dropout:
            x = self._drop(x, self.input_dropout)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        weight = None if self.embedding is None else self.embedding.weight
        y, _ = self.recurrent(packed, state, embedding=None if x.is_floating_point() else weight)
        assert isinstance(y, PackedSequence)
        padded, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        alive = torch.arange(x.shape[1]) < lengths[:, None]
        return padded, alive.to(padded.device)

    def _vectors(self, tokens: Tensor) -> Tensor:
        if self.embedding is not None:
            return F.embedding(tokens, self.embedding.weight)
        return F.one_hot(tokens, self.symbols).float()

    def _drop(self, x: Tensor, p: float) -> Tensor:
        if self.locked:
            return locked_dropout(x.transpose(0, 1), p, training=self.training).transpose(0, 1)
        return dropout(x, p, training=self.training)


class Pool(nn.Module):
    """The outputs of all steps [B, T, D*H] → one vector for each sequence [B, D*H].

    `last`: what each direction put out at its own last step. `mean` and `max`: over the steps.
    `attention`: a mean whose shares are softmax(v · tanh(A y)), learned (Yang et al. 2016,
    doi:10.18653/v1/N16-1174). Padding has no share in any of them.
    """

    def __init__(self, how: Pooling, width: int, *, both_ways: bool) -> None:
        super().__init__()
        self.how, self.both_ways = how, both_ways
        self.turned = nn.Linear(width, width) if how == "attention" else None
        self.asked = nn.Linear(width, 1, bias=False) if how == "attention" else None

    def forward(self, y: Tensor, alive: Tensor) -> Tensor:
        """`alive` [B, T]: which steps are no padding; each sequence has one at least."""
        if self.how == "last":
            ends = y[torch.arange(len(y)), alive.sum(1) - 1]
            if not self.both_ways:
                return ends
            half = y.shape[-1] // 2
            return torch.cat([ends[:, :half], y[:, 0, half:]], -1)
        if self.how == "max":
            return y.masked_fill(~alive[..., None], -torch.inf).amax(1)
        return (self.shares(y, alive)[..., None] * y).sum(1)

    def shares(self, y: Tensor, alive: Tensor) -> Tensor:
        """What part of the result each step has under `mean` and `attention`, [B, T]."""
        if self.turned is None or self.asked is None:
            return alive / alive.sum(1, keepdim=True)
        scores = self.asked(torch.tanh(self.turned(y))).squeeze(-1)
        return torch.softmax(scores.masked_fill(~alive, -torch.inf), -1)


def _each(values: tuple[V, ...]) -> V | tuple[V, ...]:
    return values[0] if len(values) == 1 else values
