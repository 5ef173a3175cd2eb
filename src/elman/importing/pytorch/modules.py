"""Tensors by their names → the modules that they belonged to, and each of these as pieces.

embedding.weight                                     a table of ids, or a linear layer without bias
lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_…    a recurrent layer, both ways with _reverse
fc.weight, fc.bias                                   a linear layer, or a norm where they are 1-D
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from elman.errors import UserError
from elman.importing.pieces import cells
from elman.importing.pieces.piece import Piece
from elman.importing.pieces.plain import BatchNorm, Embed, LayerNorm, Linear
from elman.importing.pieces.recurrent import BothWays, Forward, OneWay, Told, Weights

KINDS = {1: "rnn", 4: "lstm", 3: "gru"}  # by the number of gates
TITLES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
RECURRENT = re.compile(r"(weight|bias)_(ih|hh)(?:_l(\d+)(_reverse)?)?$")
EPSILON = 1e-5  # of PyTorch's norms, where it is not said otherwise
MOST_LAYERS = 64


@dataclass
class Module:
    """A module: its name, and its tensors by the names that PyTorch gives them; `table` is an
    embedding for certain."""

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    reset_before: bool = False  # of a GRU of Keras

    @property
    def kind(self) -> str:
        """recurrent, embedding, linear, norm, batch norm, or table: embedding or linear."""
        own = self.tensors
        if any(RECURRENT.fullmatch(name) for name in own):
            return "recurrent"
        if "running_mean" in own:
            return "batch norm"
        if own.keys() == {"table"}:
            return "embedding"
        weight = own.get("weight")
        if weight is None or own.keys() - {"weight", "bias"} or weight.dim() > 2:
            return "other"
        if weight.dim() < 2:
            return "norm"
        return "linear" if "bias" in own else "table"

    def widths(self, kind: str) -> tuple[int, int]:
        """The width that goes in, 0 for ids, and the width that comes out."""
        if kind == "recurrent":
            layers = self.layers()
            last = layers[max(layers)]
            return layers[0][""]["weight_ih"].shape[1], len(last) * last[""]["weight_hh"].shape[1]
        names = ("weight", "table", "running_mean")
        weight = next(self.tensors[name] for name in names if name in self.tensors)
        if kind in ("norm", "batch norm"):
            return weight.shape[0], weight.shape[0]
        return (0, weight.shape[1]) if kind == "embedding" else (weight.shape[1], weight.shape[0])

    def layers(self) -> dict[int, dict[str, dict[str, Tensor]]]:
        """Of a recurrent module: layer → direction ("" or "_reverse") → tensors by short names."""
        found: dict[int, dict[str, dict[str, Tensor]]] = {}
        for name, tensor in self.tensors.items():
            match = RECURRENT.fullmatch(name)
            if match is None:
                raise UserError(f"{self.name}.{name}: is no part of nn.RNN, nn.LSTM or nn.GRU")
            kind, side, layer, reverse = match.groups()
            ways = found.setdefault(int(layer or 0), {})
            ways.setdefault(reverse or "", {})[f"{kind}_{side}"] = tensor
        if sorted(found) != list(range(len(found))) or len(found) > MOST_LAYERS:
            raise UserError(f"{self.name}: layers are missing")
        for ways in found.values():
            for way in ways.values():
                self._check(way)
            if "" not in ways or len({way["weight_hh"].shape for way in ways.values()}) > 1:
                raise UserError(f"{self.name}: its two directions do not fit one another")
        return found

    def _check(self, way: Mapping[str, Tensor]) -> None:
        """UserError unless the shapes of one direction fit one another."""
        ih, hh = way.get("weight_ih"), way.get("weight_hh")
        if ih is None or hh is None or ih.dim() != 2 or hh.dim() != 2:
            raise UserError(f"{self.name}: weight_ih or weight_hh is missing or no matrix")
        rows, H = hh.shape
        if H == 0 or rows % H or rows // H not in KINDS or ih.shape[0] != rows:
            raise UserError(
                f"{self.name}: weight_ih {list(ih.shape)} and weight_hh {list(hh.shape)} are of no "
                "RNN, LSTM or GRU"
            )
        biases = [way.get("bias_ih"), way.get("bias_hh")]
        if biases != [None, None] and any(b is None or b.shape != (rows,) for b in biases):
            raise UserError(f"{self.name}: its biases do not fit its weights")


def modules(tensors: Mapping[str, Tensor]) -> dict[str, Module]:
    """The modules by name, in the order in which the file first names them."""
    found: dict[str, Module] = {}
    for name, tensor in tensors.items():
        owner, _, own = name.rpartition(".")
        found.setdefault(owner, Module(owner)).tensors[own] = tensor
    return found


def pieces(module: Module, kind: str, nonlinearity: str, *, last: bool) -> Iterator[
    tuple[str, str, Piece]
]:  # fmt: skip
    """Name, kind and piece of each layer of a module of this kind.

    `nonlinearity` is that of an nn.RNN, which no tensor tells; with `last` only the last step of a
    recurrent module is put out, of each direction its own last.
    """
    own = module.tensors
    if kind == "recurrent":
        yield from _recurrent(module, nonlinearity, last=last)
    elif kind == "embedding":
        yield module.name, "Embedding", Embed(own["table" if "table" in own else "weight"])
    elif kind == "norm":
        weight = own["weight"]
        norm = LayerNorm(weight, own.get("bias"), weight.shape[0], EPSILON)
        yield module.name, "LayerNorm", norm
    elif kind == "batch norm":
        yield module.name, "BatchNorm", _batch_norm(own)
    else:
        weight, bias = own["weight"], own.get("bias")
        if bias is not None and bias.shape != weight.shape[:1]:
            raise UserError(f"{module.name}: its bias does not fit its weight")
        yield module.name, "Linear", Linear(weight, bias)


def _recurrent(
    module: Module, nonlinearity: str, *, last: bool
) -> Iterator[tuple[str, str, Piece]]:
    layers = module.layers()
    for k, ways in layers.items():
        told = Told(sequences=not last or k < len(layers) - 1)
        directions = []
        for reverse, way in sorted(ways.items()):  # the forward one first
            rows, H = way["weight_hh"].shape
            kind = KINDS[rows // H]
            f = nonlinearity if kind == "rnn" else "tanh"
            cell = cells.of("gru-reset-before" if module.reset_before else kind, f, "sigmoid")
            directions.append(OneWay(cell, Weights(**way), backwards=bool(reverse)))
        name = module.name if len(layers) == 1 else f"{module.name}.{k}"
        there, *back = directions
        if not back:
            yield name, TITLES[kind], Forward(there, told)
        else:
            yield name, f"{TITLES[kind]} both ways", BothWays(there, back[0], "concat", told)


def _batch_norm(own: Mapping[str, Tensor]) -> Piece:
    mean, variance = own["running_mean"], own.get("running_var")
    weight, bias = own.get("weight"), own.get("bias")
    parts = [p for p in (variance, weight, bias) if p is not None]
    if variance is None or any(p.shape != mean.shape for p in parts) or (variance < 0).any():
        raise UserError("a batch norm's tensors do not fit one another")
    scale = (variance.double() + EPSILON).rsqrt()
    scale = (scale if weight is None else scale * weight).float()
    return BatchNorm(mean, scale, mean.new_zeros(mean.shape) if bias is None else bias)
