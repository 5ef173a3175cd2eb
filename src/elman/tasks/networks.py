"""The options of a stack of recurrent layers, which every task's own options go on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from elman import cells
from elman.options import require, require_range

InitialState: TypeAlias = Literal["zero", "given", "learned", "encoded"]


@dataclass(frozen=True)
class StackOptions:
    """Options of a stack of recurrent layers, whatever their first state is.

    A class of options that goes on from these says which of them `initial_state` may be.

    Parameters
    ----------
    cell
        Cell of each layer, one for all or a list: lstm, or rnn,rnn,gru. See elman cells.
    hidden_size
        Units of each layer, one for all or a list: 512, or 100,50.
    num_layers
        Number of layers.
    bidirectional
        Which layers read both ways, one for all or a list. A language model with one reads a
        window and predicts the token after it.
    residual
        Add the input of a layer to its output where the widths allow it.
    layer_norm
        Normalise the gates inside the recurrence.
    dropout
        Share of units dropped between layers and before the output.
    input_dropout
        Share of the embedded (or one-hot) input dropped.
    locked_dropout
        Drop the same units at all time steps of a sequence.
    recurrent_dropout
        Share of hidden units hidden from the recurrent product, the same at all time steps.
    zoneout
        Share of state units that keep their old value at a step.
    weight_drop
        Share of recurrent weights dropped for a sequence.
    """

    cell: tuple[str, ...] = ("lstm",)
    hidden_size: tuple[int, ...] | None = None
    num_layers: int | None = None
    bidirectional: tuple[bool, ...] = (False,)
    residual: bool = False
    layer_norm: bool = False
    initial_state: InitialState | None = "zero"
    dropout: float | None = None
    input_dropout: float = 0.0
    locked_dropout: bool = False
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    weight_drop: float | None = None

    def __post_init__(self) -> None:
        require_range(self, ("hidden_size",), 1, 16_384)
        require_range(self, ("num_layers",), 1, 64)
        shares = ("dropout", "input_dropout", "recurrent_dropout", "zoneout", "weight_drop")
        require_range(self, shares, 0, 1, open_end=True)
        for name in ("cell", "hidden_size", "bidirectional"):
            value = getattr(self, name)
            require(self, name, value is None or len(value) > 0, "at least one value")
        for name in self.cell:
            cells.get(name)
        depths = {len(v) for v in (self.cell, self.hidden_size or (), self.bidirectional)} - {0, 1}
        depths |= {self.num_layers} if self.num_layers else set()
        if self.num_layers is None:
            object.__setattr__(self, "num_layers", max(depths, default=1))
        listed = ", ".join(str(d) for d in sorted(d for d in depths if d))
        require(
            self, "num_layers", len(depths) < 2, f"lists of one length; got layers for {listed}"
        )


@dataclass(frozen=True)
class NetworkOptions(StackOptions):
    """Options of a stack of recurrent layers that starts from zeros or from a learned state.

    Parameters
    ----------
    initial_state
        Start sequences from zeros or from a learned state.
    """

    initial_state: Literal["zero", "learned"] = "zero"
