"""A file of Keras → a `Network`.

model.keras        config.json, metadata.json, model.weights.h5 in one archive
model.h5           the JSON in an attribute, arrays below model_weights
model.weights.h5   arrays alone; model.json, from model.to_json(), tells what they are of
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from elman.data.archives import BROKEN
from elman.errors import UserError
from elman.importing import hdf5
from elman.importing.hdf5 import Hdf5
from elman.importing.keras import alone, layers, weights
from elman.importing.keras.config import LONGEST, Model, Origin, model_of, parse
from elman.importing.network import Account, Network, Node, Plan, Ref
from elman.importing.pieces.piece import Piece
from elman.importing.pieces.plain import Embed, InTurn, Linear
from elman.importing.pieces.recurrent import Reading
from elman.importing.pytorch.chain import network_of as joined

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
RATIO = 100  # times that weights are larger than the archive holds them; Keras does not pack them
LARGEST = 4 << 30  # bytes of weights
NEWEST = 3  # major version


def load_keras_archive(path: Path) -> Network:
    """A .keras file. UserError: damaged, too large, or with layers that are not read."""
    where = str(path)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                config, metadata = (_text(archive, name, where) for name in (CONFIG, METADATA))
                _unpack(archive, Path(folder) / WEIGHTS, where)
        except BROKEN as error:
            raise UserError(f"{where}: not a readable .keras file ({error})") from None
        told = parse(metadata, where)
        version = told.get("keras_version") if isinstance(told, dict) else None
        model = model_of(parse(config, where), where)
        return network_of(model, hdf5.read(Path(folder) / WEIGHTS, where), version, where)


def load_hdf5(path: Path, json_of_model: Path | None, chain: Sequence[str]) -> Network:
    """An .h5 file. UserError: damaged, or weights alone without the model's JSON or its layers."""
    where = str(path)
    file = hdf5.read(path, where)
    about = {**file.attributes.get("model_weights", {}), **file.attributes[""]}
    if chain and "model_config" in about:
        raise UserError(f"{where}: --layers is for weights alone; this file tells its layers")
    if chain:
        return joined(alone.modules(file, where), path, chain)
    config, version = about.get("model_config"), about.get("keras_version")
    if json_of_model is not None:
        config, where = _read(json_of_model), str(json_of_model)
        told = parse(config, where)
        # Of weights alone, those of Keras 3 do not say which version wrote them.
        version = version or (told.get("keras_version") if isinstance(told, dict) else None)
    elif config is None:
        raise UserError(
            f"{where}: holds weights alone; write model.to_json() into a file and give it as "
            "--config, or name its layers in order as --layers"
        )
    return network_of(model_of(parse(config, where), where), file, version, str(path))


def network_of(model: Model, file: Hdf5, version: object, where: str) -> Network:
    """The network of a model with the arrays of a file."""
    told = re.match(r"\d{1,3}", version) if isinstance(version, str) else None
    keras = int(told.group()) if told else NEWEST
    if keras < 2:
        raise UserError(f"{where}: is of Keras {version}; load and save it with Keras 2 first")
    account = Account(where)
    arrays = weights.of_layers(file, model.layers, where)
    pieces = {
        name: layers.read(layers.Layer(config, arrays[name], keras, account))
        for name, config in model.layers.items()
    }
    sizes = {name: sum(array.size for array in own) for name, own in arrays.items()}
    plan = _plan(model, pieces, sizes, where)
    return Network(list(pieces.values()), plan, account)


def _plan(model: Model, pieces: Mapping[str, Piece], sizes: Mapping[str, int], where: str) -> Plan:
    """The calls in an order in which each has what goes into it. UserError: there is none."""
    numbers = {name: k for k, name in enumerate(pieces)}
    waiting = {(name, c): call for name in pieces for c, call in enumerate(model.calls[name])}
    nodes: list[Node] = []
    at: dict[tuple[str, int], int] = {}  # layer and call → node

    def there(origin: Origin) -> bool:
        return origin.layer in model.inputs or (origin.layer, origin.call) in at

    def ref(origin: Origin) -> Ref:
        if origin.layer in model.inputs:
            return Ref(-1, model.inputs.index(origin.layer))
        return Ref(at[origin.layer, origin.call], origin.k)

    while ready := [key for key, call in waiting.items() if all(map(there, call))]:
        for name, c in ready:
            inputs = tuple(map(ref, waiting.pop((name, c))))
            at[name, c] = len(nodes)
            kind, weights = model.layers[name].kind, 0 if c else sizes[name]
            nodes.append(Node(name, kind, numbers[name], inputs, weights))
    for origin in model.outputs:
        if not there(origin):
            raise UserError(f"{where}: damaged (nothing leads to the output {origin.layer[:60]})")
    guessed = _guessed(next(iter(pieces.values())))
    shapes = tuple(guessed if shape is None else shape for shape in model.shapes)
    return Plan(tuple(nodes), tuple(map(ref, model.outputs)), shapes)


def _guessed(first: nn.Module) -> tuple[int | None, ...]:
    """The shape of an input that the file does not tell, by the first layer."""
    if isinstance(first, InTurn):
        return _guessed(first.pieces[0])
    if isinstance(first, Reading):
        return (None, None, first.ways[0].layer.input_size)
    if isinstance(first, Linear):
        return (None, first.weight.shape[1])
    return (None, None) if isinstance(first, Embed) else (None, None, 1)


def _text(archive: zipfile.ZipFile, name: str, where: str) -> str:
    """A small member as text."""
    if name not in archive.namelist():
        raise UserError(f"{where}: not a .keras file: {name} is missing in it")
    with archive.open(name) as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise UserError(f"{where}: {name} in it is too large")
    return data.decode("utf-8", "replace")


def _unpack(archive: zipfile.ZipFile, to: Path, where: str) -> None:
    """The weights into a file of their own. UserError: missing, or packed as no model is."""
    if WEIGHTS not in archive.namelist():
        raise UserError(f"{where}: {WEIGHTS} is missing in it; save the model again with Keras 3")
    info = archive.getinfo(WEIGHTS)
    if info.file_size > LARGEST or info.file_size > RATIO * info.compress_size + (1 << 20):
        raise UserError(
            f"{where}: {WEIGHTS} in it would unpack to {info.file_size:,} bytes; not read"
        )
    with archive.open(info) as packed, to.open("wb") as out:
        shutil.copyfileobj(packed, out)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
