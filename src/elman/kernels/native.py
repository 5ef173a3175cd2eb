"""The extension: whether it is there, what of it this processor runs, and the checks of tensors.

`ELMAN_KERNELS` chooses: `off`, `portable`, `avx2` or `avx512`; without it, the last that runs here.
Those that multiply bf16 go with the last one; `ELMAN_PRECISION=float32` leaves them out.
"""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.errors import UserError

CHOICES = ("off", "portable", "avx2", "avx512")
PRECISIONS = ("float32", "bf16")


class Available(NamedTuple):
    """What runs: a name out of `CHOICES`, or None; and why this and no other."""

    instruction_set: str | None
    why: str


@functools.cache
def extension() -> Any:
    """The compiled module, or the sentence that says why there is none."""
    try:
        return importlib.import_module("elman.kernels._native")
    except ImportError as error:
        return f"the extension cannot be loaded: {error}"


@functools.cache
def available() -> Available:
    """What runs on this machine. UserError: `ELMAN_KERNELS` names nothing that does."""
    asked = os.environ.get("ELMAN_KERNELS", "")
    if asked and asked not in CHOICES:
        raise UserError(f'ELMAN_KERNELS is "{asked}"; give {", ".join(CHOICES)}, or leave it out')
    if asked == "off":
        return Available(None, "ELMAN_KERNELS is off")
    native = extension()
    if isinstance(native, str):
        return Available(None, native)
    runnable = native.names()
    if not asked:
        return Available(runnable[-1], f"this processor runs {', '.join(runnable)}")
    if asked not in runnable:
        raise UserError(
            f"ELMAN_KERNELS is {asked}, but this processor runs {', '.join(runnable)}; "
            "give one of them, or leave it out"
        )
    return Available(asked, f"ELMAN_KERNELS is {asked}")


@functools.cache
def available_half() -> Available:
    """What multiplies bf16 on this machine. UserError: as `available`, or `ELMAN_PRECISION`."""
    precision = os.environ.get("ELMAN_PRECISION") or "bf16"
    if precision not in PRECISIONS:
        raise UserError(
            f'ELMAN_PRECISION is "{precision}"; give {" or ".join(PRECISIONS)}, or leave it out'
        )
    runs, why = available()
    if runs is None:
        return Available(None, why)
    if precision == "float32":
        return Available(None, "ELMAN_PRECISION is float32")
    native = extension()
    if runs != native.names()[-1]:
        return Available(None, why)
    halves = native.half_names()
    if not halves:
        return Available(None, "this processor has no instructions for bf16 that Elman uses")
    return Available(halves[-1], f"this processor runs {', '.join(halves)}")


def instruction_sets() -> tuple[str, ...]:
    """Every build of the kernels that this processor can run; none without the extension."""
    native = extension()
    return () if isinstance(native, str) else tuple(native.names())


def half_instruction_sets() -> tuple[str, ...]:
    """Every build that multiplies bf16 and that this processor can run."""
    native = extension()
    return () if isinstance(native, str) else tuple(native.half_names())


def which(instruction_set: str | None, half: bool = False) -> str:
    """The instruction set asked for, or the one that runs. ValueError: none does."""
    if instruction_set:
        return instruction_set
    name, why = available_half() if half else available()
    if name is None:
        raise ValueError(f"no kernel runs here: {why}")
    return name


def check(name: str, tensor: Tensor, *shape: int, dtype: torch.dtype = torch.float32) -> None:
    if tensor.dtype != dtype or not tensor.is_cpu:
        what = str(dtype).removeprefix("torch.")
        raise ValueError(f"{name} must be {what} on a CPU, got {tensor.dtype} on {tensor.device}")
    if tensor.shape != shape or not tensor.is_contiguous():
        how = "" if tensor.is_contiguous() else ", not contiguous"
        raise ValueError(f"{name} must be contiguous {list(shape)}, got {list(tensor.shape)}{how}")


def check_ints(name: str, tensor: Tensor) -> None:
    if tensor.dtype != torch.int64 or not tensor.is_cpu:
        raise ValueError(f"{name} must be int64 on a CPU, got {tensor.dtype} on {tensor.device}")
    if tensor.dim() != 1 or not tensor.is_contiguous():
        raise ValueError(f"{name} must be a contiguous row, got {list(tensor.shape)}")


def check_sizes(**sizes: int) -> None:
    """The extension divides by sizes and reads the first step: there must be one of everything."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")


def address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


extension()  # here, so that a child forked from now on knows that it was
