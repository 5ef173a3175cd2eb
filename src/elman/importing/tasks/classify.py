"""A classifier of texts or of sequences of numbers as a run of the task `classify`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from elman.data.labelled.roles import LabelRoles
from elman.data.texts.vocabulary import Words
from elman.errors import UserError
from elman.importing.network import Network
from elman.importing.tasks import symbols
from elman.importing.tasks.made import Made
from elman.importing.tasks.spine import INSTEAD, Pooling, Spine, spine_of
from elman.importing.tasks.symbols import Symbols
from elman.tasks.classify.data import Encoder
from elman.tasks.classify.options import ClassifyOptions

LONGEST = 2_000  # steps read of a sequence where the file fixes no number
TRIED = 8  # sequences by which run and network are compared
STEPS = 40


def made(
    network: Network, vocabulary: str | None, names: Sequence[str], *, lowercase: bool
) -> Made:
    """UserError: a network that is no classifier, or a vocabulary or classes that do not fit."""
    spine, where = spine_of(network), network.account.source
    weight, bias = _as_classes(spine, where)
    classes = symbols.classes(names, len(weight))
    known = _known(spine, vocabulary, where, lowercase=lowercase)
    longest = spine.steps or LONGEST
    options = ClassifyOptions(
        **spine.options(), level=None if known is None else _level(known), longest=longest,
        lowercase=known is not None and known.vocabulary.lowercase, pooling=_pooling(spine, where),
        token_dropout=0.0, bag="none", kernels=0, members=1, folds=0,
    )  # fmt: skip
    tensors = {f"reader.recurrent.{name}": value for name, value in spine.recurrent().items()}
    if known is not None and spine.embedding is not None:
        tensors["reader.embedding.weight"] = known.rows(spine.embedding)
    tensors |= {"output.weight": weight, "output.bias": bias}
    width = spine.inputs
    encoder = Encoder(None, torch.zeros(width).numpy(), torch.ones(width).numpy(), width, longest)
    if known is not None:
        encoder = Encoder(known.vocabulary, None, None, 0, longest)
    preprocessing = {
        "classes": list(classes), "encoder": encoder.to_json(), "reading": LabelRoles().to_json(),
        "bag": None, "kernels": None, "folds": None, "sha256": [],
    }  # fmt: skip
    remarks = list(known.remarks) if known else ["numbers are read as they are, not scaled"]
    if known is not None and spine.steps and not spine.masks:
        remarks.append(
            f"the network was made for {spine.steps} steps and does not mask; the run adds no "
            "padding to shorter texts"
        )

    def differs(model: nn.Module) -> float:
        steps = spine.steps or STEPS
        if known is None:
            draw = torch.Generator().manual_seed(0)
            theirs = ours = torch.randn(TRIED, steps, width, generator=draw)
        else:
            ours, theirs = known.drawn((TRIED, steps), masked=spine.masks)
        said, _ = network(theirs)
        own = model(ours, torch.full((TRIED,), steps)).softmax(-1)
        return float((own - spine.probabilities(said)).abs().max())

    named = {f"members.0.{name}": value for name, value in tensors.items()}
    return Made("classify", options, preprocessing, named, differs, tuple(remarks))


def _as_classes(spine: Spine, where: str) -> tuple[Tensor, Tensor]:
    """The dense layer with a row a class: of one output, the second class against a score of 0."""
    one = len(spine.weight) == 1
    fits = ("sigmoid", "linear") if one else ("softmax", "log_softmax", "linear")
    if spine.activation not in fits:
        raise UserError(
            f"{where}: {len(spine.weight)} outputs that end with {spine.activation}; a classifier "
            f"ends with {' or '.join(fits[:-1])}, or bare; {INSTEAD}"
        )
    if not one:
        return spine.weight, spine.bias
    rows = torch.cat([torch.zeros_like(spine.weight), spine.weight])
    return rows, torch.cat([torch.zeros_like(spine.bias), spine.bias])


def _known(
    spine: Spine, vocabulary: str | None, where: str, *, lowercase: bool
) -> Symbols | None:  # fmt: skip
    if spine.embedding is None:
        if vocabulary is not None:
            raise UserError(f"--vocabulary {vocabulary}: the network reads numbers, not ids")
        return None
    if vocabulary is None:
        raise UserError(
            f"{where}: reads ids; give the vocabulary that it was trained with as --vocabulary"
        )
    return symbols.read(vocabulary, len(spine.embedding), lowercase=lowercase)


def _level(known: Symbols) -> Literal["characters", "words"]:
    return "words" if isinstance(known.vocabulary, Words) else "characters"


def _pooling(spine: Spine, where: str) -> Pooling:
    if spine.pooling is None:
        raise UserError(f"{where}: scores every step; a classifier scores one; {INSTEAD}")
    return spine.pooling
