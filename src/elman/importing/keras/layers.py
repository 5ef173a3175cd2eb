"""Each layer of Keras as a piece: `READ` says how, by the name of its class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
import torch
from torch import Tensor

from elman.errors import UserError, unknown_name
from elman.importing.hdf5 import Floats
from elman.importing.keras import gates
from elman.importing.keras.config import Config
from elman.importing.network import Account
from elman.importing.pieces import activations, cells
from elman.importing.pieces.piece import Piece, Plain
from elman.importing.pieces.plain import (
    Activation,
    BatchNorm,
    Drop,
    EachStep,
    Embed,
    How,
    InTurn,
    Joined,
    LayerNorm,
    Linear,
    Masked,
    Pooled,
    Rectified,
    Repeated,
    Reshaped,
    Same,
)
from elman.importing.pieces.recurrent import BothWays, Forward, Merge, OneWay, Told

MOST_REPEATED = 100_000


@dataclass
class Layer:
    """A layer to be read: its JSON, its arrays, the major version of Keras that wrote them, and the
    account of what is left out."""

    config: Config
    arrays: Sequence[Floats]
    keras: int
    account: Account

    def take(self, count: int) -> list[Floats]:
        """The first `count` arrays. UserError: the file has fewer."""
        if len(self.arrays) < count:
            raise self.config.error(
                f"needs {count} arrays of weights, the file has {len(self.arrays)} for it"
            )
        return list(self.arrays[:count])

    def check(self, array: Floats, shape: tuple[int | None, ...], what: str) -> None:
        """UserError unless the array has this shape, None for any size."""
        fits = len(array.shape) == len(shape) and all(
            b in (None, a) for a, b in zip(array.shape, shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if n is None else str(n) for n in shape)
            raise self.config.error(
                f"its {what} has the shape {list(array.shape)}; [{wanted}] would fit its settings"
            )

    def leave_out(self, what: str) -> None:
        self.account.left_out.append(f"{self.config.name}: {what}")

    def activation(self, key: str = "activation", otherwise: str = "linear") -> str:
        try:
            return activations.named(self.config.text(key, otherwise), self.keras)
        except UserError as error:
            raise (
                error if str(error).startswith(self.config.where) else self.config.error(str(error))
            ) from None


def read(layer: Layer) -> Piece:
    """The piece. UserError: a class or a setting that is not read, weights that do not fit."""
    config = layer.config
    if config.kind not in READ:
        raise config.error(
            f"{unknown_name('layer', config.kind, READ)}; load it with Keras, and save a model of "
            "layers that are read"
        )
    if config.values.get("quantization_config") is not None:
        raise config.error("its weights are quantised; save it with those of float32")
    return READ[config.kind](layer)


def embedding(layer: Layer) -> Piece:
    config, (weight,) = layer.config, layer.take(1)
    layer.check(weight, (config.whole("input_dim"), config.whole("output_dim")), "table")
    return Embed(tensor(weight), masks=config.flag("mask_zero", False))


def dense(layer: Layer) -> Piece:
    config, biased = layer.config, layer.config.flag("use_bias", True)
    kernel, *bias = layer.take(1 + biased)
    units = config.whole("units")
    layer.check(kernel, (None, units), "kernel")
    for array in bias:
        layer.check(array, (units,), "bias")
    linear = Linear(tensor(kernel.T), tensor(bias[0]) if bias else None)
    name = layer.activation()
    return linear if name == "linear" else InTurn(linear, Activation(name))


def recurrent(layer: Layer) -> Piece:
    config = layer.config
    told = Told(
        sequences=config.flag("return_sequences", False),
        states=config.flag("return_state", False),
        zeros=config.flag("zero_output_for_mask", False),
    )
    way = one_way(layer, layer.arrays)
    remark(layer)
    return Forward(way, told)


def one_way(layer: Layer, arrays: Sequence[Floats]) -> OneWay:
    """One direction of a recurrent layer."""
    config, cudnn = layer.config, layer.config.kind.startswith("CuDNN")
    kind = gates.KINDS[config.kind]
    config.refuse("time_major", False, "sequences are read batch first; load and save it so")
    biased = cudnn or config.flag("use_bias", True)
    if len(arrays) < 2 + biased:
        raise config.error(
            f"needs {2 + biased} arrays of weights, the file has {len(arrays)} for it"
        )
    units = config.whole("units")
    G = gates.GATES[kind]
    kernel, recurrent, *more = arrays[: 2 + biased]
    layer.check(kernel, (None, G * units), "kernel")
    layer.check(recurrent, (units, G * units), "recurrent kernel")
    after = cudnn or config.flag("reset_after", False)
    weights = gates.weights(kind, kernel, recurrent, more[0] if more else None)
    if weights is None:
        fits = gates.fitting(kind, units, reset_after=after)
        raise config.error(f"its bias has the shape {list(more[0].shape)}; {fits} would fit")
    if kind == "gru" and not after:
        if weights.two_biases:
            raise config.error("its bias is that of reset_after = true, which is false here")
        kind = "gru-reset-before"
    f = layer.activation("activation", "tanh")
    s = layer.activation("recurrent_activation", "sigmoid")
    cell = cells.of(kind, f, s)
    return OneWay(cell, weights.made, backwards=config.flag("go_backwards", False))


def remark(layer: Layer) -> None:
    """Tells what of a recurrent layer is of no use here."""
    config = layer.config
    for key in ("dropout", "recurrent_dropout"):
        if config.number(key, 0.0, 0, 1):
            layer.leave_out(f"{key} {config.number(key, 0.0):g} inside, of use in training alone")
    if config.flag("stateful", False):
        layer.account.assumed.append(
            f"{config.name}: is stateful; hand the state back to go on: network(x, state=state)"
        )


def bidirectional(layer: Layer) -> Piece:
    config, inner = layer.config, layer.config.inner("layer")
    if inner.kind not in gates.KINDS:
        raise config.error(f"wraps a {inner.kind}; {', '.join(gates.KINDS)} are read")
    merge = config.values.get("merge_mode", "concat")
    if merge is not None and merge not in get_args(Merge):
        raise config.error(str(unknown_name("merge_mode", str(merge)[:60], get_args(Merge))))
    back = config.inner("backward_layer") if config.values.get("backward_layer") else None
    if back is None:
        turned = not inner.flag("go_backwards", False)
        back = Config(inner.where, inner.kind, {**inner.values, "go_backwards": turned})
    elif back.kind not in gates.KINDS:
        raise config.error(f"wraps a {back.kind}; {', '.join(gates.KINDS)} are read")
    for key in ("return_sequences", "return_state"):
        if back.flag(key, False) != inner.flag(key, False):
            raise config.error(f"its two directions differ in {key}")
    # Keras 3 keeps the states of a stateful layer behind the weights of both.
    half = 2 + (inner.kind.startswith("CuDNN") or inner.flag("use_bias", True))
    there = Layer(inner, layer.arrays[:half], layer.keras, layer.account)
    back_half = Layer(back, layer.arrays[half:], layer.keras, layer.account)
    remark(there)
    told = Told(inner.flag("return_sequences", False), inner.flag("return_state", False))
    return BothWays(
        one_way(there, there.arrays), one_way(back_half, back_half.arrays),
        cast("Merge | None", merge), told,
    )  # fmt: skip


def time_distributed(layer: Layer) -> Piece:
    inner = layer.config.inner("layer")
    if inner.kind == layer.config.kind:  # a file may hold any number of them, one in the other
        raise layer.config.error(f"wraps a {inner.kind}, which is not read")
    piece = read(Layer(inner, layer.arrays, layer.keras, layer.account))
    if not isinstance(piece, Plain) or isinstance(piece, Embed | Masked):
        raise layer.config.error(f"wraps a {inner.kind}, which is not read at each step")
    # What acts on the last axis alone does at each step what it does anywhere.
    return EachStep(piece) if isinstance(piece, Reshaped | Repeated | Pooled) else piece


def dropout(layer: Layer) -> Piece:
    share = layer.config.number("rate", 0.0, 0, 1)
    return Drop(share, locked=layer.config.kind.startswith("Spatial"))


def left_out(layer: Layer) -> Piece:
    layer.leave_out(f"{layer.config.kind}, of use in training alone")
    return Same()


def layer_norm(layer: Layer) -> Piece:
    config = layer.config
    axis = config.values.get("axis", -1)
    last = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if last not in (-1, 2):
        raise config.error(f"axis = {axis}: only the last axis is normed here")
    if config.flag("rms_scaling", False):
        raise config.error("rms_scaling is not read")
    scale, center = config.flag("scale", True), config.flag("center", True)
    arrays = layer.take(scale + center)
    if not arrays:
        raise config.error("has neither scale nor center, so that its width is not known")
    width = arrays[0].shape[0] if arrays[0].ndim else 0
    for array in arrays:
        layer.check(array, (width,), "weights")
    gamma = tensor(arrays[0]) if scale else None
    beta = tensor(arrays[-1]) if center else None
    return LayerNorm(gamma, beta, width, config.number("epsilon", 1e-3, 0, 1))


def batch_norm(layer: Layer) -> Piece:
    config = layer.config
    axis = config.values.get("axis", -1)
    last = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if last not in (-1, 2):
        raise config.error(f"axis = {axis}: only the last axis is normed here")
    scale, center = config.flag("scale", True), config.flag("center", True)
    *own, mean, variance = layer.take(scale + center + 2)
    for array in (*own, mean, variance):
        layer.check(array, mean.shape if mean.ndim == 1 else (None,), "weights")
    factor = 1 / np.sqrt(variance.astype(np.float64) + config.number("epsilon", 1e-3, 0, 1))
    if not np.isfinite(factor).all():
        raise config.error("its variance is no variance (negative, or zero)")
    if scale:
        factor = factor * own[0]
    shift = own[-1] if center else np.zeros_like(mean)
    layer.leave_out("batch norm keeps the mean and variance of its training")
    return BatchNorm(*(tensor(a.astype(np.float32)) for a in (mean, factor, shift)))


def relu(layer: Layer) -> Piece:
    ceiling = layer.config.values.get("max_value")
    return Rectified(
        layer.config.number("negative_slope", 0.0),
        layer.config.number("threshold", 0.0),
        math.inf if ceiling is None else layer.config.number("max_value", 0.0),
    )


def leaky_relu(layer: Layer) -> Piece:
    key = "negative_slope" if "negative_slope" in layer.config.values else "alpha"
    return Rectified(layer.config.number(key, 0.3))


def softmax(layer: Layer) -> Piece:
    if layer.config.values.get("axis", -1) not in (-1, [-1]):
        raise layer.config.error("axis: only the last axis is read")
    return Activation("softmax")


def activation(layer: Layer) -> Piece:
    return Activation(layer.activation())


def masking(layer: Layer) -> Piece:
    return Masked(layer.config.number("mask_value", 0.0))


def repeat(layer: Layer) -> Piece:
    return Repeated(layer.config.whole("n", 1, MOST_REPEATED))


def flatten(layer: Layer) -> Piece:
    layer.config.refuse("data_format", "channels_last", "only channels_last is read")
    return Reshaped((-1,))


def reshape(layer: Layer) -> Piece:
    shape = layer.config.values.get("target_shape")
    if not isinstance(shape, list) or not all(type(n) is int and n >= -1 for n in shape):
        raise layer.config.error(f"target_shape = {shape}: needs a list of sizes")
    return Reshaped(shape)


def pooled(layer: Layer) -> Piece:
    layer.config.refuse("data_format", "channels_last", "only channels_last is read")
    layer.config.refuse("keepdims", False, "only keepdims = false is read")
    how: Literal["mean", "max"] = "mean" if "Average" in layer.config.kind else "max"
    return Pooled(how)


def joined(layer: Layer) -> Piece:
    if layer.config.kind == "Concatenate" and layer.config.values.get("axis", -1) not in (-1, 2):
        raise layer.config.error("axis: only the last axis is joined here")
    return Joined(JOINED[layer.config.kind], every=layer.keras < 3)


def tensor(array: Floats) -> Tensor:
    return torch.tensor(array)


JOINED: dict[str, How] = {
    "Concatenate": "concat",
    "Add": "sum",
    "Average": "mean",
    "Multiply": "product",
    "Maximum": "maximum",
}

READ: dict[str, Callable[[Layer], Piece]] = {
    "Embedding": embedding,
    **dict.fromkeys(gates.KINDS, recurrent),
    "Bidirectional": bidirectional,
    "Dense": dense,
    "TimeDistributed": time_distributed,
    "Activation": activation,
    "Softmax": softmax,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "Masking": masking,
    "RepeatVector": repeat,
    "Flatten": flatten,
    "Reshape": reshape,
    "LayerNormalization": layer_norm,
    "BatchNormalization": batch_norm,
    "GlobalAveragePooling1D": pooled,
    "GlobalMaxPooling1D": pooled,
    **dict.fromkeys(JOINED, joined),
    **dict.fromkeys(("Dropout", "SpatialDropout1D"), dropout),
    **dict.fromkeys(
        ("GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"), left_out
    ),
}
