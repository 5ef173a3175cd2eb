"""`fuse`: the recurrent layers of any PyTorch model, run by Elman's kernels.

A layer of `torch.nn` becomes one of `elman.nn` by a change of its class, and of nothing else. It
stays the same object, so whoever holds it, its parameters or its hooks notices nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from elman.layers.dropin import GRU, LSTM, RNN, who_runs

M = TypeVar("M", bound=nn.Module)

FUSED: dict[type[nn.Module], type[nn.Module]] = {nn.RNN: RNN, nn.LSTM: LSTM, nn.GRU: GRU}
PLAIN = {fused: layer for layer, fused in FUSED.items()}
NAMES = frozenset(layer.__name__ for layer in FUSED)


class Row(NamedTuple):
    """One recurrent layer of a model."""

    path: str  # as in `named_modules`; empty for the model itself
    layer: str  # "LSTM 80→256, 2 layers, both ways"
    fused: bool
    why: str  # what runs it as its weights are now, or why it was left as it is


@dataclass(frozen=True)
class Report:
    """Every recurrent layer of a model; `print` shows it as a table."""

    rows: tuple[Row, ...]

    @property
    def fused(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.fused)

    @property
    def left(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.fused)

    def __str__(self) -> str:
        if not self.rows:
            return "no recurrent layer"
        cells = [
            (row.path or "(the model)", row.layer, row.why if row.fused else f"left: {row.why}")
            for row in self.rows
        ]
        path, layer = (max(len(cell[k]) for cell in cells) for k in range(2))
        return "\n".join(f"{p:{path}}  {name:{layer}}  {why}" for p, name, why in cells)


def fuse(model: M) -> M:
    """Let Elman's kernels run every `nn.RNN`, `nn.LSTM` and `nn.GRU` in `model`, itself included.

    The model is changed in place and returned; `fused` tells what became of each layer. Parameters,
    `state_dict`, hooks, optimisers and wrappers made before stay as they are, and results are those
    of PyTorch but for float32's rounding. Calls that no kernel fits go to PyTorch as before.
    TypeError: not a module.
    """
    for module in _checked(model).modules():
        if type(module) in FUSED and _why_left(module) is None:
            module.__class__ = FUSED[type(module)]
    return model


def unfuse(model: M) -> M:
    """Undo `fuse`, in place: before TorchScript, quantisation or a pickle for others to read.

    Layers made as `elman.nn.RNN`, `LSTM` or `GRU` become those of `torch.nn` too.
    TypeError: not a module.
    """
    for module in _checked(model).modules():
        if type(module) in PLAIN:
            module.__class__ = PLAIN[type(module)]
    return model


def fused(model: nn.Module) -> Report:
    """Which recurrent layers of `model` Elman's kernels run, and why not the others.

    TypeError: not a module.
    """
    rows = []
    for path, module in _checked(model).named_modules():
        why = _why_left(module)
        if isinstance(module, (RNN, LSTM, GRU)):
            rows.append(Row(path, _described(module), True, who_runs(module)))
        elif why is not None:
            rows.append(Row(path, _described(module), False, why))
        elif type(module) in FUSED:
            rows.append(Row(path, _described(module), False, "elman.fuse would take it"))
    return Report(tuple(rows))


def _checked(model: object) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise TypeError(f"a torch.nn.Module is needed, got {type(model).__name__}")
    return model


def _why_left(module: nn.Module) -> str | None:
    """Why a recurrent layer stays as it is; None for those that go, and for all other modules."""
    kind = type(module)
    if isinstance(module, torch.jit.ScriptModule):
        return "compiled by TorchScript" if module.original_name in NAMES else None
    if kind.__module__.startswith("torch.ao."):
        return "quantised, with kernels of its own" if kind.__name__ in NAMES else None
    if isinstance(module, nn.RNNCellBase):
        return "a cell, which a loop in Python asks step by step"
    if not isinstance(module, nn.RNNBase):
        return None
    if kind not in FUSED:
        if parametrize.is_parametrized(module):
            return "its weights are parametrised; fuse first, parametrise then"
        return f"a class of its own, {kind.__module__}.{kind.__qualname__}"
    if module.proj_size:
        return "no kernel has a projection (proj_size)"
    if "forward" in vars(module):
        return "its forward was replaced"
    return None


def _described(module: nn.Module) -> str:
    """The kind and the sizes, "LSTM 80→256, 2 layers, both ways", as far as they are known."""
    name = module.original_name if isinstance(module, torch.jit.ScriptModule) else None
    words = [name or type(module).__name__]
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        words[0] += f" {module.input_size}→{module.hidden_size}"
    if isinstance(module, nn.RNNBase):
        if module.num_layers > 1:
            words.append(f"{module.num_layers} layers")
        if module.bidirectional:
            words.append("both ways")
    return ", ".join(words)
