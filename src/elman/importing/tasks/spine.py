"""What of a network a run can hold: ids or vectors, recurrent layers, a dense layer at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from elman import cells
from elman.errors import UserError
from elman.importing.network import Network, Ref
from elman.importing.pieces.piece import Plain
from elman.importing.pieces.plain import (
    Activation,
    Drop,
    Embed,
    InTurn,
    Last,
    Linear,
    Pooled,
    Same,
)
from elman.importing.pieces.recurrent import BothWays, Reading

INSTEAD = "no run can hold that; elman.load_foreign gives it as a module"
Pooling: TypeAlias = Literal["last", "mean", "max"]

LONGEST = 65_536  # steps of a window


@dataclass(frozen=True)
class Spine:
    """`pooling`: what becomes of the steps before the dense layer, none where each is scored.

    `weight` [O, W] and `bias` [O] are the dense layer's, `activation` comes after it. `steps` is
    the length of its input where the file fixes it.
    """

    embedding: Tensor | None  # [V, E]
    masks: bool
    layers: tuple[Reading, ...]
    pooling: Pooling | None
    weight: Tensor
    bias: Tensor
    activation: str
    steps: int | None

    @property
    def inputs(self) -> int:
        """How wide the recurrent layers' input is."""
        return self.layers[0].ways[0].layer.input_size

    def probabilities(self, said: Tensor) -> Tensor:
        """What the network put out [..., O] as probabilities, of one output those of two."""
        if len(self.weight) == 1:
            second = said.sigmoid() if self.activation == "linear" else said
            return torch.cat([1 - second, second], -1)
        if self.activation == "log_softmax":
            return said.exp()
        return said.softmax(-1) if self.activation == "linear" else said

    def options(self) -> dict[str, Any]:
        """The options of a stack of layers, as every task has them."""
        return {
            "cell": tuple(layer.ways[0].layer.cell[0].name for layer in self.layers),
            "hidden_size": tuple(layer.ways[0].layer.hidden_size[0] for layer in self.layers),
            "num_layers": len(self.layers),
            "bidirectional": tuple(isinstance(layer, BothWays) for layer in self.layers),
            "embedding": 0 if self.embedding is None else self.embedding.shape[1],
            "dropout": 0.0,
            "weight_drop": 0.0,
        }

    def recurrent(self) -> dict[str, Tensor]:
        """The weights of the layers by the names that `Recurrent` gives them."""
        return dict(self._recurrent())

    def _recurrent(self) -> Iterator[tuple[str, Tensor]]:
        for k, layer in enumerate(self.layers):
            for suffix, way in zip(("", "_reverse"), layer.ways, strict=False):
                own = dict(way.layer.named_parameters())
                rows = own["weight_hh_l0"].shape[0]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    given = own.get(f"{name}_l0")
                    value = torch.zeros(rows) if given is None else given.detach()
                    yield f"{name}_l{k}{suffix}", value


def spine_of(network: Network) -> Spine:
    """UserError where the network is anything else, saying which layer and what would fit."""
    where = network.account.source
    if len(network.plan.shapes) > 1 or len(network.plan.outputs) > 1:
        raise UserError(f"{where}: has several inputs or outputs; {INSTEAD}")
    embedding: Embed | None = None
    layers: list[Reading] = []
    pooling: Pooling | None = None
    dense: Linear | None = None
    activation = "linear"
    before = Ref(-1)
    for k, node in enumerate(network.plan.nodes):
        label = f'{where}: layer "{node.name}" ({node.kind})'
        if node.inputs != (before,):
            raise UserError(f"{label}: is not one of a chain; {INSTEAD}")
        before = Ref(k)
        for piece in _parts(network.piece(node)):
            if isinstance(piece, Drop | Same):
                continue
            if isinstance(piece, Embed) and not layers and embedding is None:
                embedding = piece
            elif isinstance(piece, Reading) and dense is None and pooling is None:
                layers.append(piece)
                _check(piece, label)
                pooling = None if piece.told.sequences else "last"
            elif isinstance(piece, Last | Pooled) and layers and pooling is None and dense is None:
                if isinstance(piece, Last) and isinstance(layers[-1], BothWays):
                    raise UserError(f"{label}: takes the last step of both directions; {INSTEAD}")
                pooling = "last" if isinstance(piece, Last) else piece.how
            elif isinstance(piece, Linear) and layers and dense is None:
                dense = piece
            elif isinstance(piece, Activation) and dense is not None and activation == "linear":
                activation = piece.name
            else:
                raise UserError(f"{label}: {INSTEAD}")
    if not layers or dense is None:
        raise UserError(f"{where}: ends without a dense layer after recurrent ones; {INSTEAD}")
    steps = network.plan.shapes[0][1] if len(network.plan.shapes[0]) > 1 else None
    bias = torch.zeros(len(dense.weight)) if dense.bias is None else dense.bias.detach()
    return Spine(
        None if embedding is None else embedding.weight.detach(),
        masks=embedding is not None and embedding.masks,
        layers=tuple(layers), pooling=pooling, weight=dense.weight.detach(), bias=bias,
        activation=activation, steps=None if steps is None else min(steps, LONGEST),
    )  # fmt: skip


def _parts(piece: Any) -> Iterator[Any]:
    """A piece, or those that it holds one after another."""
    if isinstance(piece, InTurn):
        for inner in piece.pieces:
            assert isinstance(inner, Plain)
            yield inner
    else:
        yield piece


def _check(layer: Reading, label: str) -> None:
    """UserError unless Elman's own stack has such a layer."""
    own: Mapping[str, Any] = {cell.name: cell for cell in cells.all()}
    for way in layer.ways:
        cell = way.layer.cell[0]
        if own.get(cell.name) != cell:
            raise UserError(f"{label}: has the activations of {cell.summary}; {INSTEAD}")
    if isinstance(layer, BothWays):
        if layer.merge != "concat":
            raise UserError(f"{label}: merges its directions by {layer.merge}; {INSTEAD}")
        there, back = layer.ways
        if there.layer.cell != back.layer.cell or there.layer.hidden_size != back.layer.hidden_size:
            raise UserError(f"{label}: its directions are not of one kind; {INSTEAD}")
        backwards = there.backwards
    else:
        backwards = layer.ways[0].backwards
    if backwards:
        raise UserError(f"{label}: reads from the end; {INSTEAD}")
