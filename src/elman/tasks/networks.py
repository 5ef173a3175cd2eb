"""The options of a stack of recurrent layers, which every task's own options go on from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from elman import cells
from elman.options import require, require_range, shown

InitialState: TypeAlias = Literal["zero", "given", "learned", "encoded"]
Norm: TypeAlias = Literal["batch", "layer"]  # those of `layers.convolution`, without PyTorch


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
        lists = (self.cell, self.hidden_size or (), self.bidirectional or ())
        depths = {len(v) for v in lists} - {0, 1}
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


@dataclass(frozen=True)
class FrontOptions:
    """Options of convolutions in front of a stack of recurrent layers, for sequences of numbers.

    Parameters
    ----------
    convolutions
        Filters of each convolution in front of the recurrent layers, a list: 64,128,64; 0 for none.
    convolution_width
        Steps that a filter sees, one for all convolutions or a list.
    convolution_stride
        By how many steps a filter moves on, one for all convolutions or a list; above 1 the layers
        after it have so many times fewer steps to read.
    convolution_norm
        Norm after each convolution: over all steps of a batch, or over the filters of a step.
    causal
        Let filters see no step that is still to come, so that steps can be read as they arrive.
    """

    convolutions: tuple[int, ...] | None = None
    convolution_width: tuple[int, ...] | None = None
    convolution_stride: tuple[int, ...] | None = None
    convolution_norm: Norm = "batch"
    causal: bool = False

    @property
    def fronted(self) -> bool:
        """Whether there are convolutions, once that is settled."""
        return bool(self.convolutions) and self.convolutions != (0,)

    @property
    def stride(self) -> int:
        """Steps of a sequence that one step of the layers stands for, once that is settled."""
        if not self.fronted or not self.convolutions or not self.convolution_stride:
            return 1
        given = self.convolution_stride
        return math.prod(given * len(self.convolutions) if len(given) == 1 else given)

    def check_front(self) -> None:
        """UserError where they do not fit together."""
        filters, names = self.convolutions, ("convolution_width", "convolution_stride")
        require_range(self, ("convolutions",), 0, 4096)
        require_range(self, names, 1, 4096)
        fits = "a number of filters for each convolution, or 0 alone"
        alone = filters is None or filters == (0,) or (len(filters) > 0 and min(filters) > 0)
        require(self, "convolutions", alone, fits)
        for name in names:
            listed = getattr(self, name)
            require(self, name, listed != (), "at least one value")
            told = filters == (0,) and listed is not None
            require(self, name, not told, "convolutions, which --convolutions 0 leaves out")
            fitting = filters is None or listed is None or len(listed) in (1, len(filters))
            require(
                self, name, fitting, f"one value, or as many as --convolutions {shown(filters)}"
            )
