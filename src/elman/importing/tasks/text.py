"""A language model of characters or words as a run of the task `text`."""

from __future__ import annotations

import torch
from torch import nn

from elman.errors import UserError
from elman.importing.network import Network
from elman.importing.tasks import symbols
from elman.importing.tasks.made import Made
from elman.importing.tasks.spine import INSTEAD, Spine, spine_of
from elman.tasks.text.options import TextOptions

WINDOW = 64  # steps of a window that the file does not fix
TRIED = (8, 50)  # sequences and steps by which run and network are compared


def made(network: Network, vocabulary: str, *, lowercase: bool) -> Made:
    """UserError: a network that is no language model, or a vocabulary that is not its own."""
    spine, where = spine_of(network), network.account.source
    size = len(spine.weight)
    _check(spine, size, where)
    known = symbols.read(vocabulary, size, lowercase=lowercase)
    window = spine.steps or WINDOW
    both = any(spine.options()["bidirectional"])
    options = TextOptions(
        level="characters" if known.vocabulary.level == "characters" else "words",
        lowercase=known.vocabulary.lowercase, sequence_length=window, tie_weights=False,
        windows=spine.steps is not None and spine.pooling == "last" and not both,
        **spine.options(),
    )  # fmt: skip
    recurrent = spine.recurrent()
    if spine.embedding is None:  # a column for each symbol
        ends = ("weight_ih_l0", "weight_ih_l0_reverse")
        recurrent |= {n: known.rows(recurrent[n].T).T for n in ends if n in recurrent}
    tensors = {f"recurrent.{name}": value for name, value in recurrent.items()}
    if spine.embedding is not None:
        tensors["embedding.weight"] = known.rows(spine.embedding)
    tensors["output.weight"], tensors["output.bias"] = known.scores(spine.weight, spine.bias)
    remarks = list(known.remarks)
    if options.windowed:
        remarks.append(f"each token is told from the {window} before it, which are read anew")
    if spine.masks:
        remarks.append("the id 0, which Keras passed over, is read as any other")

    def differs(model: nn.Module) -> float:
        ours, theirs = known.drawn(TRIED, masked=spine.masks)  # [B, T]
        x = theirs if spine.embedding is not None else torch.eye(size)[theirs]
        scores, _ = network(x)
        own, _ = model(ours.T)
        last = own if own.dim() == 2 else own[-1]
        scored = spine.probabilities(scores[:, -1] if scores.dim() == 3 else scores)
        found = last.softmax(-1)[:, known.first :]
        return float((found - scored[:, known.ids[known.first :]]).abs().max())

    preprocessing = {
        "vocabulary": known.vocabulary.to_json(), "reading": {}, "sha256": "", "tokens": 0, "cut": 0
    }  # fmt: skip
    return Made("text", options, preprocessing, tensors, differs, tuple(remarks))


def _check(spine: Spine, size: int, where: str) -> None:
    read = spine.inputs if spine.embedding is None else len(spine.embedding)
    if read != size:
        raise UserError(
            f"{where}: reads {read:,} symbols and scores {size:,}: no language model; {INSTEAD}"
        )
    if spine.activation not in ("linear", "softmax", "log_softmax"):
        raise UserError(
            f"{where}: ends with {spine.activation}; a language model ends with softmax, or bare"
        )
    both = any(len(layer.ways) > 1 for layer in spine.layers)
    if spine.pooling not in (None, "last") or (both and spine.pooling is None):
        raise UserError(
            f"{where}: scores {'every step of what it reads both ways' if both else 'a mean'}: "
            f"no language model; {INSTEAD}"
        )
