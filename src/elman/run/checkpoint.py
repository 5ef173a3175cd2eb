"""The full state of a training run in one file without pickle, replaced atomically.

Tensors stand under `model.`, `average.`, `optimizer.N.`, `carry.LAYER.STATE` and `random.`, those
of other processes than the first under `rank.R.carry.LAYER.STATE` and `rank.R.random.`; every plain
number stands in one JSON text in the file's own header.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from elman.errors import RunError, UserError
from elman.run.files import writing
from elman.tasks.task import Carry

Tensors: TypeAlias = dict[str, Tensor]


def weights_of(model: nn.Module) -> Tensors:
    """Every parameter and buffer once: tied weights appear under their first name only.

    Buffers that are not persistent are made anew with the model, and left out.
    """
    tensors, kept = dict(model.named_parameters()) | dict(model.named_buffers()), model.state_dict()
    return {name: tensor.detach() for name, tensor in tensors.items() if name in kept}


def check_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Refuse tensors unless every name and shape is the model's, which may be on `meta`."""
    own = weights_of(model)
    if own.keys() != tensors.keys():
        odd = sorted(own.keys() ^ tensors.keys())[0]
        raise UserError(f"{where}: does not fit the run's options (tensor {odd})")
    for name, tensor in own.items():
        given = tensors[name]
        if tensor.shape != given.shape or not given.is_floating_point():
            raise UserError(
                f"{where}: does not fit the run's options ({name} has shape {list(given.shape)}, "
                f"needs {list(tensor.shape)})"
            )


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Copy tensors into a model, refused unless every name and shape fits."""
    check_weights(model, tensors, where)
    with torch.no_grad():
        for name, tensor in weights_of(model).items():
            tensor.copy_(tensors[name])


def write(path: Path, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    """Write tensors and plain values beside `path`, flush them to the disk, and rename."""
    fresh = path.with_name(f".{path.name}.new")
    cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with writing(path):
        fresh.touch()
        mode = fresh.stat().st_mode
        try:
            save_file(cpu, fresh, metadata={"elman": json.dumps(dict(plain))})
        except SafetensorError as error:
            raise RunError(f"{path}: could not be written ({error})") from error
        fresh.chmod(mode)  # else no one but the user may read it
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(path)


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and plain values of a file that `write` made. Raises UserError if it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            plain = json.loads((file.metadata() or {}).get("elman", "{}"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; the run has no weights yet, or is damaged") from error
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error})") from error
    if not isinstance(plain, dict):
        raise UserError(f"{path}: damaged (its header is not an object)")
    return tensors, plain


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The state of an optimiser as named tensors; its settings come from the options."""
    return {
        f"optimizer.{index}.{key}": value
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave. Raises ValueError where a shape does not fit."""
    parameters = [p for part in optimizer.param_groups for p in part["params"]]
    state: dict[int, Tensors] = {}
    for name, tensor in group(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        if tensor.shape not in (parameters[int(index)].shape, torch.Size([])):
            raise ValueError(f"{name} has shape {list(tensor.shape)}")
        state.setdefault(int(index), {})[key] = tensor
    settings = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": settings})


def carry_tensors(carry: Carry) -> Tensors:
    """A carried state as named tensors, which may have shared one memory and must not in a file."""
    return {
        f"carry.{layer}.{index}": tensor.clone()
        for layer, states in enumerate(carry or ())
        for index, tensor in enumerate(states)
    }


def load_carry(tensors: Mapping[str, Tensor], device: str) -> Carry:
    """Put back what `carry_tensors` gave; None where nothing was carried."""
    layers: dict[int, dict[int, Tensor]] = {}
    for name, tensor in group(tensors, "carry.").items():
        layer, index = name.split(".")
        layers.setdefault(int(layer), {})[int(index)] = tensor.to(device)
    if not layers:
        return None
    return [tuple(layers[k][i] for i in sorted(layers[k])) for k in sorted(layers)]


def random_tensors(device: str) -> Tensors:
    """The states of PyTorch's global generators."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


def load_random(tensors: Mapping[str, Tensor], device: str) -> None:
    """Put back what `random_tensors` gave."""
    torch.set_rng_state(tensors["random.cpu"])
    if device.startswith("cuda") and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)


def of_ranks(each: Sequence[Mapping[str, Tensor]]) -> Tensors:
    """What each of several processes has for itself, by other names for all but the first."""
    return {
        f"rank.{rank}.{name}" if rank else name: tensor
        for rank, tensors in enumerate(each)
        for name, tensor in tensors.items()
    }


def ranks_in(names: Iterable[str]) -> int:
    """By how many processes a checkpoint was written, by the names of its tensors."""
    others = {name.split(".")[1] for name in names if name.startswith("rank.")}
    return 1 + len(others)


def of_rank(tensors: Mapping[str, Tensor], rank: int) -> Tensors:
    """What `of_ranks` was given of one process."""
    return group(tensors, f"rank.{rank}.") if rank else dict(tensors)


def group(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """The tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
