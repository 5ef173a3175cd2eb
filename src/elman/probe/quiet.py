"""A model asked without a trace: in evaluation mode, and afterwards as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Meanwhile in evaluation mode; modes and random numbers are put back.

    PyTorch's own layers run without cuDNN, which has no backward pass in evaluation mode.
    TypeError: not a module.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"a torch.nn.Module is needed, got {type(model).__name__}")
    modes = [(module, module.training) for module in model.modules()]
    devices = {p.device for p in model.parameters() if p.is_cuda}
    with torch.random.fork_rng(devices=list(devices)), torch.backends.cudnn.flags(enabled=False):
        try:
            model.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training
