"""Who must see every operator of PyTorch, and would miss what a kernel of Elman's does instead."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

_PLAIN = (Tensor, nn.Parameter)


def watcher() -> str | None:
    """What follows the operators of this thread just now, or None.

    A trace would take a kernel's result for a constant, a transform would find no rule for it, and
    a tangent would be lost.
    """
    if torch.compiler.is_compiling():
        return "the compiler cannot look into Elman's"
    if torch._C._is_tracing():
        return "a trace records PyTorch's operators alone"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "torch.func transforms PyTorch's operators alone"
    if forward_ad._current_level >= 0:
        return "forward-mode gradients pass through PyTorch's operators alone"
    if torch._C._len_torch_dispatch_stack() > 0:
        return "a dispatch mode watches PyTorch's operators"
    return None


def plain(tensor: Tensor) -> bool:
    """Whether a tensor is no more than its numbers: no subclass, sparse or lazily negated."""
    return type(tensor) in _PLAIN and tensor.layout is torch.strided and not tensor.is_neg()
