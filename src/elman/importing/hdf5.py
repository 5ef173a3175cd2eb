"""The arrays of an HDF5 file, read in a process of its own: the C library may break down on a
damaged file, and an abort there becomes one line here.

python -m elman.importing.hdf5 model.h5 arrays.safetensors
"""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from elman.errors import UserError

Floats = NDArray[np.float32]

PATIENCE_S = 600.0
MOST_NUMBERS = 1 << 29  # in all arrays together: 2 GiB as float32
MOST_OBJECTS = 100_000
DEEPEST = 64
PACKED = 1100  # times that deflate makes numbers smaller at most
MEMORY = 6 << 30  # bytes of the process that reads
FILTERS = frozenset({1, 2, 3})  # deflate, shuffle, checksum: those that HDF5 itself holds
OPTIMIZERS = frozenset({"optimizer", "optimizer_weights", "_optimizer"})  # groups not read
KEPT = ("layer_names", "weight_names", "model_config", "keras_version", "name")


@dataclass(frozen=True)
class Hdf5:
    """What a file holds: arrays by their path, as `layers/lstm/cell/vars/0`; by the path of each
    group, which is empty for the file itself, attributes; and what is no array of floats."""

    arrays: dict[str, Floats]
    attributes: dict[str, dict[str, Any]]
    odd: dict[str, str]  # path → type


def read(path: Path, shown: str) -> Hdf5:
    """All arrays of floats as float32, and the attributes that Keras writes.

    UserError: h5py is missing, a damaged file, links out of it, or more numbers than are read.
    """
    if importlib.util.find_spec("h5py") is None:
        raise UserError(f"{shown}: needs h5py to be read; pip install 'elman[keras]'")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "arrays.safetensors"
        command = [sys.executable, "-P", "-W", "ignore", "-m", __name__, str(path), str(out)]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
        except subprocess.TimeoutExpired:
            raise UserError(f"{shown}: {DAMAGED}") from None
        if ended.returncode:
            told = ended.stdout.decode(errors="replace").strip()
            raise UserError(f"{shown}: {told or DAMAGED}")
        return _handed_over(out, shown)


DAMAGED = "not a readable HDF5 file; save the model again"


def _handed_over(path: Path, shown: str) -> Hdf5:
    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            told = json.loads((file.metadata() or {})["elman"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(f"{shown}: {DAMAGED}") from error
    return Hdf5(arrays, told["attributes"], told["odd"])


# ---- From here on in the process that reads


def main(path: Path, out: Path) -> None:
    """Reads all of a file and hands it over; a line on standard output says why it cannot."""
    import h5py

    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with h5py.File(path, "r") as file:
            found = _contents(file)
    except UserError as error:
        print(error)
        sys.exit(UserError.exit_code)
    except Exception:  # whatever the C library makes of damage
        print(DAMAGED)
        sys.exit(UserError.exit_code)
    told = json.dumps({"attributes": found.attributes, "odd": found.odd})
    save_file(found.arrays, out, metadata={"elman": told})


def _contents(file: Any) -> Hdf5:
    import h5py

    found = Hdf5({}, {"": _attributes(file)}, {})
    numbers = 0
    for path, item in _objects(file):
        if isinstance(item, h5py.Group):
            found.attributes[path] = _attributes(item)
        elif isinstance(item, h5py.Dataset):
            if item.dtype.kind != "f" or item.dtype.itemsize > 8:
                found.odd[path] = str(item.dtype)
                continue
            numbers += _checked_size(path, item)
            if numbers > MOST_NUMBERS:
                raise UserError(f"more than {MOST_NUMBERS:,} numbers; no larger model is read")
            with np.errstate(over="ignore"):  # what is infinite is told with the layer's name
                found.arrays[path] = np.ascontiguousarray(item[()], np.float32)
    return found


def _objects(file: Any) -> Iterator[tuple[str, Any]]:
    """Every group and array with its path, those of optimisers left out."""
    import h5py

    waiting: list[tuple[str, Any]] = [("", file)]
    count = 0
    while waiting:
        path, group = waiting.pop()
        for name in group:
            count += 1
            inner = f"{path}/{name}" if path else str(name)
            if count > MOST_OBJECTS or inner.count("/") > DEEPEST:
                raise UserError("more or deeper groups than any model has")
            if not path and name in OPTIMIZERS:
                continue
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise UserError(f"{inner} is a link; only what the file itself holds is read")
            item = group[name]
            yield inner, item
            if isinstance(item, h5py.Group):
                waiting.append((inner, item))


def _checked_size(path: str, item: Any) -> int:
    """The numbers of an array. UserError where the file does not hold them itself."""
    layout = item.id.get_create_plist()
    filters = [layout.get_filter(k)[0] for k in range(layout.get_nfilters())]
    if item.external or item.is_virtual:
        raise UserError(f"{path} lies in another file; only what the file itself holds is read")
    if not FILTERS.issuperset(filters):
        raise UserError(f"{path} is packed in a way that is not read; save the model again")
    numbers: int = math.prod(item.shape)
    held = item.id.get_storage_size() * (PACKED if filters else 1)
    if numbers * item.dtype.itemsize > held:
        raise UserError(f"{path} should hold {numbers:,} numbers, but they are not in the file")
    return numbers


def _attributes(group: Any) -> dict[str, Any]:
    """Those that Keras writes; long lists come in pieces, as weight_names0, weight_names1, …"""
    found: dict[str, Any] = {}
    for name in group.attrs:
        stem = name.rstrip("0123456789")
        if stem not in KEPT:
            continue
        if math.prod(group.attrs.get_id(name).shape) > MOST_OBJECTS:
            raise UserError(f"its attribute {name} is too long for a model's")
        value = group.attrs[name]
        found[name] = [_text(v) for v in value.ravel()] if hasattr(value, "ravel") else _text(value)
    return found


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
