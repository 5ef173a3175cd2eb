"""Weights of Keras without the model that they are of, as a model that is a class leaves them.

What there is are names and shapes, as in a state_dict: each layer becomes one of PyTorch's, and how
they are joined has to be told.

rnn/cell/vars/0 [I, G*H], 1 [H, G*H], 2 …      a recurrent layer, both ways in forward_layer …
fc/vars/0 [I, O], 1 [O]                        a dense layer
embedding/vars/0 [V, E]                        an embedding
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from elman.errors import UserError
from elman.importing.hdf5 import Floats, Hdf5
from elman.importing.keras import gates, weights
from elman.importing.pytorch.modules import Module

NUMBERED = {1: "rnn", 3: "gru", 4: "lstm"}


def modules(file: Hdf5, where: str) -> dict[str, Module]:
    """The layers by name. UserError: arrays that belong to none that is read."""
    found = dict[str, Module]()
    for name, direction, arrays in _layers(file, where):
        module = found.setdefault(name, Module(name))
        if len(arrays) > 1 and arrays[1].ndim == 2:
            _add_recurrent(module, direction, arrays, where)
        elif [a.ndim for a in arrays] == [2, 1]:
            module.tensors |= {"weight": torch.tensor(arrays[0].T), "bias": torch.tensor(arrays[1])}
        elif [a.ndim for a in arrays] == [2]:
            module.tensors["table"] = torch.tensor(arrays[0])
        else:
            shapes = [list(a.shape) for a in arrays]
            raise UserError(
                f"{where}: {name}: {shapes} is no layer that is read without its model; SimpleRNN, "
                "LSTM, GRU, Embedding and Dense are"
            )
    return found


def _layers(file: Hdf5, where: str) -> Iterator[tuple[str, str, list[Floats]]]:
    """Name, direction ("" or "_reverse") and arrays of each layer, or of each of its directions."""
    names = weights.listed(file, "", "layer_names")
    for name in names:
        arrays = weights.named(file, name, f"{where}: {name}")
        if len(arrays) in (4, 6):  # both directions
            half = len(arrays) // 2
            yield name, "", arrays[:half]
            yield name, "_reverse", arrays[half:]
        elif arrays:
            yield name, "", arrays
    if names:
        return
    for path in sorted(file.attributes):
        owner, _, last = path.rpartition("/")
        arrays = weights.own(file, owner, f"{where}: {owner}") if last == "vars" else []
        has_cell = f"{owner}/cell" in file.attributes  # what it keeps is its state
        if arrays and not has_cell and "seed_generator" not in owner:
            name = owner.removeprefix("layers/").removesuffix("/cell")
            direction = "_reverse" if name.endswith("/backward_layer") else ""
            name = name.removesuffix("/backward_layer").removesuffix("/forward_layer")
            yield name.replace("/", "."), direction, arrays


def _add_recurrent(module: Module, direction: str, arrays: Sequence[Floats], where: str) -> None:
    kernel, recurrent, *bias = arrays
    kind = NUMBERED.get(recurrent.shape[1] // max(1, len(recurrent)), "")
    fits = kind and kernel.ndim == 2 and kernel.shape[1] == recurrent.shape[1] and len(bias) < 2
    read = gates.weights(kind, kernel, recurrent, bias[0] if bias else None) if fits else None
    if read is None:
        raise UserError(f"{where}: {module.name}: its arrays are of no SimpleRNN, LSTM or GRU")
    module.reset_before = kind == "gru" and bool(bias) and not read.two_biases
    for name, value in vars(read.made).items():
        if value is not None:
            module.tensors[f"{name}_l0{direction}"] = value
