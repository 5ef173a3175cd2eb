"""The tensors of a file by their names, in the order of the file. Nothing in it is executed."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from elman.data.archives import BROKEN
from elman.errors import UserError
from elman.options import shown

MOST_NUMBERS = 1 << 29  # in all tensors together: 2 GiB as float32
MOST_TENSORS = 100_000
DEEPEST = 4  # mappings within mappings, as in {"model": {"state_dict": …}}
PREFIXES = ("_orig_mod.", "module.", "model.")  # of compiled, distributed and wrapped models
NO_WEIGHTS = ("num_batches_tracked",)


def read(path: Path) -> dict[str, Tensor]:
    """All tensors of floats, as float32. UserError: damaged, no tensors, or a pickled model."""
    named = _safetensors(path) if path.suffix == ".safetensors" else dict(_pickled(path))
    found: dict[str, Tensor] = {}
    numbers = 0
    for name, tensor in named.items():
        if name.endswith(NO_WEIGHTS):
            continue
        numbers += tensor.numel()
        if numbers > MOST_NUMBERS or len(found) > MOST_TENSORS:
            raise UserError(f"{path}: more than {MOST_NUMBERS:,} numbers; no larger model is read")
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
            raise UserError(f"{path}: {name} is of {tensor.dtype}; save weights of float32")
        found[name] = tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        if not found[name].isfinite().all():
            raise UserError(f"{path}: {name} holds numbers that are not finite")
    if not found:
        raise UserError(f"{path}: holds no tensors; save model.state_dict()")
    return _bare(found)


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise UserError(f"{path}: not readable as safetensors ({error})") from None


def _pickled(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Of a file that torch.save made. Only tensors and plain containers are unpickled."""
    if zipfile.is_zipfile(path):
        _check_packed(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever damage or a stranger's pickle makes of it
        told = str(error)
        if "weights_only" in told or "Weights only" in told:
            raise UserError(
                f"{path}: holds more than tensors, which would have to be executed; save "
                "model.state_dict() instead of the model"
            ) from None
        raise UserError(
            f"{path}: not readable as a file of torch.save ({told.splitlines()[0][:100]})"
            if told else f"{path}: not readable as a file of torch.save"
        ) from None  # fmt: skip
    yield from _tensors(loaded, path)


def _check_packed(path: Path) -> None:
    """UserError where the archive would unpack to more than it holds: torch.save packs nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except BROKEN as error:
        raise UserError(f"{path}: not readable as a file of torch.save ({error})") from None
    if unpacked > 2 * path.stat().st_size + (1 << 20):
        raise UserError(
            f"{path}: would unpack to {unpacked:,} bytes, as no file of torch.save does"
        )


def _tensors(loaded: Any, path: Path, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Those of the mapping that is a state_dict: the first one with tensors, from outside in."""
    if not isinstance(loaded, Mapping):
        raise UserError(f"{path}: holds {shown(type(loaded).__name__)}; save model.state_dict()")
    own = {str(name): value for name, value in loaded.items() if isinstance(value, Tensor)}
    inner = [value for value in loaded.values() if isinstance(value, Mapping)]
    if own:
        yield from own.items()
    elif depth < DEEPEST:
        for mapping in inner:
            found = dict(_tensors(mapping, path, depth + 1))
            if found:
                yield from found.items()
                return


def _bare(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without what all of them begin with when a model was wrapped."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return _bare({name.removeprefix(prefix): value for name, value in tensors.items()})
    return tensors
