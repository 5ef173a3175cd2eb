"""`RNN`, `LSTM` and `GRU`: those of `torch.nn`, run by Elman's kernels wherever one fits.

Each is a subclass of its namesake that differs in `forward` alone. Everything else, parameters,
checks of arguments, copies, pickles, is PyTorch's own; so is every call that no kernel of Elman's
fits, errors included. A layer of `torch.nn` thus turns into one of these, and back, by a change of
its class (`layers/fuse.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman import cells
from elman.kernels.sweeps import HALF
from elman.layers.precision import autocast
from elman.layers.recurrent import Sequences
from elman.layers.scan import UNPACKED, Direction, choose, fused, why_too_short
from elman.layers.watchers import plain, watcher

# PyTorch's `mode` of a layer → the cell.
CELLS = {
    "RNN_TANH": cells.get("rnn"),
    "RNN_RELU": cells.get("rnn-relu"),
    "LSTM": cells.get("lstm"),
    "GRU": cells.get("gru"),
}


@final
class RNN(nn.RNN):
    """`torch.nn.RNN`: the same arguments, parameters and numbers."""

    def forward(  # type: ignore[override]
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """`hx` and the state after are [L*D, B, H], or [L*D, H] for one sequence."""
        result = run(self, input, None if hx is None else (hx,))
        if result is None:
            return super().forward(input, hx)
        y, (h,) = result
        return y, h


@final
class LSTM(nn.LSTM):
    """`torch.nn.LSTM`: the same arguments, parameters and numbers."""

    def forward(  # type: ignore[override]
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """`hx` and the state after are `(h, c)`, each [L*D, B, H], or [L*D, H] for one sequence."""
        result = run(self, input, hx)
        if result is None:
            return super().forward(input, hx)
        y, (h, c) = result
        return y, (h, c)


@final
class GRU(nn.GRU):
    """`torch.nn.GRU`: the same arguments, parameters and numbers."""

    def forward(  # type: ignore[override]
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """`hx` and the state after are [L*D, B, H], or [L*D, H] for one sequence."""
        result = run(self, input, None if hx is None else (hx,))
        if result is None:
            return super().forward(input, hx)
        y, (h,) = result
        return y, h


for _layer in (RNN, LSTM, GRU):
    _layer.__module__ = "elman.nn"  # the public place, which a pickled model remembers


def run(
    layer: nn.RNNBase, input: Tensor | PackedSequence, hx: Sequence[Tensor] | None
) -> tuple[Tensor | PackedSequence, tuple[Tensor, ...]] | None:
    """A layer by Elman's kernels, `hx` one tensor for each of the cell's states; or None.

    None leaves the call to PyTorch: what no kernel fits, and whatever is wrong, so that the error
    is PyTorch's too.
    """
    if layer.proj_size or watcher() is not None:
        return None
    if not isinstance(input, PackedSequence) and input.dim() not in (2, 3):
        return None
    sequences = Sequences.of(input, batch_first=layer.batch_first)
    x, batch_sizes = sequences.x, sequences.batch_sizes
    steps, rows = (x if batch_sizes is None else batch_sizes).shape[0], sequences.rows
    cell = CELLS[layer.mode]
    # Asked first, as a short call would feel the time that the other questions take.
    if (
        cell.name in UNPACKED
        and why_too_short(len(cell.gates) * layer.hidden_size, len(cell.gates), steps, rows)
        is not None
    ):
        return None
    weights = layer.all_weights  # as they are now: norms and pruning set them anew at each call
    if not _fits(layer, sequences, hx, weights):
        return None
    directions = [_direction(*parts) for parts in weights]
    choice = choose(cell, directions, steps, rows)
    if not isinstance(choice.kernel, str):
        return None
    kept = _bf16_or_more(layer, sequences, hx)
    if hx is None:
        zero = x.new_zeros(len(weights), sequences.batch_size, layer.hidden_size)
        state = [zero] * len(cell.states)
    else:
        state = [sequences.take_state(s, len(weights), layer.hidden_size) for s in hx]
    D, after = (2 if layer.bidirectional else 1), []
    for k in range(0, len(weights), D):
        if k > 0:
            x = F.dropout(x, layer.dropout, layer.training)
        before = tuple(s[k : k + D] for s in state)
        x, last = fused(choice, x, batch_sizes, before, directions[k : k + D])
        after.append(last)
    if choice.numbers is HALF:
        x, after = x.to(kept), [tuple(s.to(kept) for s in last) for last in after]
    if D == 1 and layer.mode != "LSTM" and x.requires_grad:
        x = x.clone()  # the backward pass reads it, and PyTorch lets callers overwrite theirs
    final = tuple(
        sequences.give_state(torch.cat(parts) if len(parts) > 1 else parts[0])
        for parts in zip(*after, strict=True)
    )
    return sequences.give_output(x), final


def _bf16_or_more(
    layer: nn.RNNBase, sequences: Sequences, hx: Sequence[Tensor] | None
) -> torch.dtype:
    """The type of output and state that PyTorch gives where products are in bf16.

    Under autocast a GRU, and an LSTM on packed input, adds its products to the state that it was
    given; without one that is a zero of the input's type.
    """
    adds = layer.mode == "GRU" or (layer.mode == "LSTM" and sequences.batch_sizes is not None)
    if autocast() is None or not adds:
        return torch.bfloat16
    given = sequences.x.dtype if hx is None else hx[-1].dtype
    return torch.promote_types(given, torch.bfloat16)


def who_runs(layer: nn.RNNBase) -> str:
    """What runs a long enough batch of float32 with the weights as they are, and why."""
    weights = layer.all_weights
    if layer.proj_size:
        return "PyTorch's kernel: Elman's have no projection (proj_size)"
    if not all(plain(w) for parts in weights for w in parts):
        return "PyTorch's kernel: Elman's are for plain tensors"
    return choose(CELLS[layer.mode], [_direction(*parts) for parts in weights]).why


def _direction(
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
) -> Direction:
    """In the order of `all_weights`."""
    return Direction(weight_ih, weight_hh, bias_ih, bias_hh)


def _fits(
    layer: nn.RNNBase,
    sequences: Sequences,
    hx: Sequence[Tensor] | None,
    weights: list[list[nn.Parameter]],
) -> bool:
    """Whether these are tensors of the usual kind, none empty, of the sizes that the layer asks."""
    x, types = sequences.x, set[torch.dtype]()
    for tensors in ([x], () if hx is None else hx, *weights):
        for t in tensors:
            if not plain(t) or not t.is_cpu:
                return False
            types.add(t.dtype)
    # Autocast takes either type of numbers; without it there may be only one.
    if not types <= {torch.float32, torch.bfloat16} or (autocast() is None and len(types) > 1):
        return False
    dims = 3 if sequences.batch_sizes is None else 2
    if x.dim() != dims or x.shape[-1] != layer.input_size or x.numel() == 0:
        return False
    if hx is None:
        return True
    batch = [] if sequences.unbatched else [sequences.batch_size]
    shape = [len(weights), *batch, layer.hidden_size]
    states = len(CELLS[layer.mode].states)
    return len(hx) == states and all(list(s.shape) == shape for s in hx)
