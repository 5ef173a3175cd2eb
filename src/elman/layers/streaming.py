"""A stack of layers for `elman.kernels.stream`: its weights as they are now, or why it has none."""

from __future__ import annotations

import torch

from elman import cells, kernels
from elman.kernels.stream import GATES, Weights
from elman.layers.recurrent import Recurrent

# Cells of the same name that someone else wrote are not these.
STREAMED = {cells.get(name): name for name in GATES}


def why_not(stack: Recurrent) -> str | None:
    """Why this stack cannot be streamed, in a few words; None where it can."""
    if stack.training:
        return "the model is in training mode"
    for layer in stack._layers:
        if layer.cell not in STREAMED:
            return f"the cell {layer.cell.name} cannot be streamed"
        if layer.bidirectional:
            return "a layer reads both ways"
        if layer.layer_norm:
            return "layer norm sits inside the recurrence"
    for parameter in stack.parameters():
        if parameter.dtype != torch.float32 or not parameter.is_cpu:
            return f"the weights are {parameter.dtype} on {parameter.device.type}"
    instruction_set, why = kernels.available()
    return why if instruction_set is None else None


def weights(stack: Recurrent) -> list[Weights]:
    """The weights of a stack that can be streamed, layer by layer; they are not copied."""
    found: list[Weights] = []
    for k, layer in enumerate(stack._layers):
        parts = {name: getattr(stack, f"{name}_l{k}").detach() for name in layer.shapes()}
        parts = {name: part.contiguous() for name, part in parts.items()}
        found.append(
            Weights(
                STREAMED[layer.cell],
                **parts,
                residual=stack.residual,
                zoneout=stack._shares.zoneout,
            )
        )
    return found
