"""`load_foreign`: whatever kind of file it is, by its content, as a `Network`."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from elman.errors import UserError
from elman.importing.network import Network

HDF5 = b"\x89HDF\r\n\x1a\n"
KINDS = ".keras, .h5, .hdf5 of Keras, .safetensors, .pt, .pth of PyTorch"


def load_foreign(
    path: str | Path, *, layers: Sequence[str] = (), config: str | Path | None = None
) -> Network:
    """A network that Keras or PyTorch saved: `y, state = elman.load_foreign("model.keras")(x)`.

    For weights alone of Keras, `config` is the JSON that `model.to_json()` gives. `layers` are the
    modules of weights alone in order, and what stands between them, as
    ["embedding", "lstm", "last", "fc"]; of a state_dict found from their sizes if not given.

    UserError: a file of another kind, a damaged one, layers that are not read or do not fit one
    another. Nothing in the file is executed.
    """
    path = Path(path)
    told = None if config is None else Path(config)
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5))
    except OSError as error:
        hint = "; give the .keras file, not a folder of TensorFlow" if path.is_dir() else ""
        raise UserError(f"{path}: cannot be read ({error.strerror}){hint}") from None
    if start == HDF5:
        network = _keras_hdf5(path, told, layers)
    elif start[:2] == b"PK" and path.suffix not in (".pt", ".pth") and _holds_keras(path):
        _refuse_layers(path, layers)
        from elman.importing.keras.loading import load_keras_archive

        network = load_keras_archive(path)
    elif path.suffix in (".safetensors", ".pt", ".pth", ".bin", ".ckpt"):
        from elman.importing.pytorch.chain import load_pytorch

        network = load_pytorch(path, layers)
    else:
        raise UserError(f"{path}: is none of {KINDS}")
    network.shapes()  # layers that do not fit one another are told now, not at the first use
    return network


def _keras_hdf5(path: Path, config: Path | None, layers: Sequence[str]) -> Network:
    from elman.importing.keras.loading import load_hdf5

    return load_hdf5(path, config, layers)


def _refuse_layers(path: Path, layers: Sequence[str]) -> None:
    if layers:
        raise UserError(f"{path}: --layers is for weights alone; this file tells its layers")


def _holds_keras(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "config.json" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return path.suffix == ".keras"
