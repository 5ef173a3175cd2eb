"""A state_dict tells what weights there are, not how they are joined: the order is found, or told.

`layers` is a list such as embedding, lstm, last, fc1, relu, fc2: names of modules, and between them
`last` (what each direction put out at its own last step), `end` (the last step of the output),
`mean`, `max` or an activation. `rnn:relu` is an nn.RNN with
its other nonlinearity.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from elman.errors import UserError, unknown_name
from elman.importing.network import Account, Network, Node, Plan, Ref
from elman.importing.pieces import activations
from elman.importing.pieces.piece import Piece
from elman.importing.pieces.plain import Activation, Last, Pooled
from elman.importing.pytorch import tensors
from elman.importing.pytorch.modules import Module, modules, pieces
from elman.wording import listed

MOST_SEARCHED = 8  # modules whose order is looked for
STEPS = ("last", "end", "mean", "max")
NONLINEARITIES = ("tanh", "relu")


def load_pytorch(path: Path, layers: Sequence[str]) -> Network:
    """UserError: damaged, modules that are not read, or an order that is not clear."""
    return network_of(modules(tensors.read(path)), path, layers)


def network_of(found: Mapping[str, Module], path: Path, layers: Sequence[str]) -> Network:
    """The modules, joined as `layers` tells or as their widths fit. UserError as above."""
    account = Account(str(path))
    try:
        given = list(layers) or _ordered(found, account)
        named = {part.partition(":")[0] for part in given}
        account.left_out += [f"{n}: not named in --layers" for n in found if n not in named]
        return _network(given, found, account)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _network(given: Sequence[str], found: Mapping[str, Module], account: Account) -> Network:
    made: list[tuple[str, str, Piece]] = []
    shape: tuple[int | None, ...] | None = None
    for k, part in enumerate(given):
        name, _, nonlinearity = part.partition(":")
        if name not in found:
            made.append((name, name, _between(name, found)))
            continue
        kind = _kind(found[name], first=shape is None)
        if nonlinearity and (kind != "recurrent" or nonlinearity not in NONLINEARITIES):
            raise UserError(
                f"--layers {part}: only an nn.RNN has one, {' or '.join(NONLINEARITIES)}"
            )
        last = kind == "recurrent" and given[k + 1 : k + 2] == ["last"]
        made += pieces(found[name], kind, nonlinearity or "tanh", last=last)
        if shape is None:
            width, _ = found[name].widths(kind)
            shape = (None, None, width) if width else (None, None)
    if shape is None:
        raise UserError("--layers: names no module of the file")
    # A recurrent module that put out its last step has done what `last` asks for.
    made = [item for k, item in enumerate(made) if item[1] != "last" or not _done(made[k - 1][2])]
    nodes = tuple(
        Node(name, kind, k, (Ref(k - 1),), sum(p.numel() for p in piece.parameters()))
        for k, (name, kind, piece) in enumerate(made)
    )
    plan = Plan(nodes, (Ref(len(nodes) - 1),), (shape,))
    return Network([piece for *_, piece in made], plan, account)


def _done(piece: Piece) -> bool:
    told = getattr(piece, "told", None)
    return told is not None and not told.sequences


def _between(name: str, found: Mapping[str, Module]) -> Piece:
    """What stands between modules, by its name."""
    if name in ("last", "end"):
        return Last()
    if name in STEPS:
        return Pooled("mean" if name == "mean" else "max")
    known = [*found, *STEPS, *activations.FUNCTIONS]
    if name not in activations.FUNCTIONS and name not in activations.OTHER_NAMES:
        raise UserError(f"--layers: {unknown_name('layer', name, known)}")
    return Activation(activations.named(name))


def _kind(module: Module, *, first: bool) -> str:
    """A table is of ids where it comes first, else a linear layer without bias."""
    kind = module.kind
    if kind == "other":
        shapes = {name: list(t.shape) for name, t in module.tensors.items()}
        raise UserError(
            f"{module.name or 'the file'}: {shapes} is no layer that is read; RNN, LSTM, GRU, "
            "Embedding, Linear, LayerNorm and BatchNorm1d are"
        )
    if kind == "table":
        return "embedding" if first else "linear"
    return kind


def _ordered(found: Mapping[str, Module], account: Account) -> list[str]:
    """The order of the file where widths fit in it, else the only one in which they do."""
    for module in found.values():
        _kind(module, first=False)
    order = list(found)
    # Where a module may be a table of ids, it comes first; else vectors of any width may go in.
    begin = 0 if any(module.kind in ("table", "embedding") for module in found.values()) else None
    if not _fit(found, order, begin):
        order = _only_order(found, begin)
    account.assumed.append(
        f"the order {', '.join(order)}, every step put out, nothing between them: a state_dict "
        "does not tell; --layers can (embedding,lstm,last,fc1,relu,fc2)"
    )
    if any(module.kind == "recurrent" and _is_rnn(module) for module in found.values()):
        account.assumed.append("tanh in nn.RNN; --layers can tell relu (rnn:relu)")
    return order


def _fit(found: Mapping[str, Module], order: Sequence[str], width: int | None) -> bool:
    """Whether each module takes the width that comes out of the one before."""
    for k, name in enumerate(order):
        a, b = found[name].widths(_kind(found[name], first=k == 0))
        if width not in (None, a):
            return False
        width = b
    return True


def _only_order(found: Mapping[str, Module], begin: int | None) -> list[str]:
    if len(found) > MOST_SEARCHED:
        raise UserError(f"{len(found)} modules; say in which order as --layers A,B,C")
    orders = [o for o in itertools.permutations(found) if _fit(found, o, begin)]
    if not orders:
        widths = ", ".join(
            f"{name} {a or 'ids'} → {b}"
            for name, module in found.items()
            for a, b in [module.widths(_kind(module, first=module.kind == "table"))]
        )
        raise UserError(f"its layers fit in no order ({widths}); say which as --layers A,B,C")
    if len(orders) > 1:
        raise UserError(
            f"its layers fit in several orders ({listed([','.join(o) for o in orders], 3)}); say "
            "which as --layers A,B,C"
        )
    return list(orders[0])


def _is_rnn(module: Module) -> bool:
    way = module.layers()[0][""]
    return way["weight_hh"].shape[0] == way["weight_hh"].shape[1]
