"""Which arrays of a file belong to which layer, in the order in which Keras has them.

Keras 3:  layers/lstm_1/cell/vars/0 …   by the class of a layer and its number among its like
Keras 2:  the attribute weight_names of the group lstm_1, by the layer's own name
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from elman.errors import UserError
from elman.importing.hdf5 import Floats, Hdf5
from elman.importing.keras.config import Config

INSIDE = ("cell", "layer", "forward_layer", "backward_layer")  # in the order of a layer's weights
MOST = 64  # arrays of a layer


def of_layers(file: Hdf5, layers: Mapping[str, Config], where: str) -> dict[str, list[Floats]]:
    """The arrays of each layer by its name. UserError: a type that is not read."""
    if any(path.startswith("layers/") for path in file.attributes):
        return _by_class(file, layers)
    root = "model_weights" if "model_weights" in file.attributes else ""
    if not listed(file, root, "layer_names"):
        raise UserError(f"{where}: holds no weights that Keras saved")
    return {layer.name: named(file, f"{root}/{layer.name}".lstrip("/"), layer.where)
            for layer in layers.values()}  # fmt: skip


def _by_class(file: Hdf5, layers: Mapping[str, Config]) -> dict[str, list[Floats]]:
    seen, found = Counter[str](), dict[str, list[Floats]]()
    for layer in layers.values():
        stem = snake_case(layer.kind)
        path = f"layers/{stem}_{seen[stem]}" if seen[stem] else f"layers/{stem}"
        seen[stem] += 1
        told = file.attributes.get(f"{path}/vars", {}).get("name", layer.name)
        if told != layer.name:
            raise layer.error(f'the file has the weights of "{told}" in its place; damaged')
        found[layer.name] = _below(file, path, layer.where)
    return found


def _below(file: Hdf5, path: str, where: str) -> list[Floats]:
    """Those of the cell or the wrapped layers where there are such, else a layer's own.

    A layer that has a cell keeps its state among its own, which is no weight.
    """
    inner = [f"{path}/{part}" for part in INSIDE if f"{path}/{part}" in file.attributes]
    if f"{path}/forward_layer" in inner and f"{path}/layer" in inner:
        inner.remove(f"{path}/layer")  # Keras 2 keeps the layer that was wrapped, without weights
    if inner:
        return [array for part in inner for array in _below(file, part, where)]
    return own(file, path, where)


def own(file: Hdf5, path: str, where: str) -> list[Floats]:
    """A layer's own arrays in a file of Keras 3."""
    paths = (f"{path}/vars/{k}" for k in range(MOST))
    return [_array(file, p, where) for p in paths if p in file.arrays or p in file.odd]


def named(file: Hdf5, group: str, where: str) -> list[Floats]:
    """Those that the group's weight_names tell, in their order."""
    return [_array(file, f"{group}/{name}", where) for name in listed(file, group, "weight_names")]


def listed(file: Hdf5, group: str, attribute: str) -> list[str]:
    """An attribute that is a list, whole or in pieces."""
    told = file.attributes.get(group, {})
    if attribute in told:
        return list(told[attribute])
    pieces = itertools.takewhile(told.__contains__, (f"{attribute}{k}" for k in itertools.count()))
    return [name for piece in pieces for name in told[piece]]


def _array(file: Hdf5, path: str, where: str) -> Floats:
    if path in file.odd:
        raise UserError(
            f"{where}: its weights are of the type {file.odd[path]}; save it with those of float32"
        )
    if path not in file.arrays:
        raise UserError(f"{where}: its weights are missing ({path})")
    array = file.arrays[path]
    if not np.isfinite(array).all():
        raise UserError(f"{where}: its weights are not all finite numbers ({path})")
    return array


def snake_case(name: str) -> str:
    """As Keras names things after their class: SimpleRNN → simple_rnn."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
