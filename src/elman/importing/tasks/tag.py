"""A tagger, which scores labels at every step, as a run of the task `tag`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import torch
from torch import nn

from elman.data.tags.sentence import TagRoles
from elman.data.texts.vocabulary import UNKNOWN, Characters, Words
from elman.errors import UserError
from elman.importing.network import Network
from elman.importing.tasks import symbols
from elman.importing.tasks.made import Made
from elman.importing.tasks.spine import INSTEAD, Spine, spine_of
from elman.tasks.tag.data import Encoder, Inputs
from elman.tasks.tag.options import TagOptions

LONGEST = 500  # tokens of a sentence where the file fixes no number
TRIED = (8, 30)  # sentences and tokens by which run and network are compared


def made(
    network: Network, vocabulary: str | None, names: Sequence[str], *, lowercase: bool
) -> Made:
    """UserError: a network that is no tagger, or a vocabulary or labels that do not fit."""
    spine, where = spine_of(network), network.account.source
    table = _checked(spine, where)
    if vocabulary is None:
        raise UserError(
            f"{where}: reads ids; give the vocabulary that it was trained with as --vocabulary"
        )
    known = symbols.read(vocabulary, len(table), lowercase=lowercase)
    labels = symbols.classes(names, len(spine.weight))
    # A sentence comes in tokens: a character is one like any other.
    listed = known.vocabulary
    assert isinstance(listed, Words | Characters)
    words = Words(listed.symbols, listed.lowercase, spaced=True)
    longest = spine.steps or LONGEST
    options = TagOptions(
        **spine.options(), lowercase=words.lowercase, longest=longest, characters=0,
        token_dropout=0.0,
    )  # fmt: skip
    tensors = {f"reader.recurrent.{name}": value for name, value in spine.recurrent().items()}
    tensors |= {"embedding.weight": known.rows(table)}
    tensors |= {"output.weight": spine.weight, "output.bias": spine.bias}

    def differs(model: nn.Module) -> float:
        ours, theirs = known.drawn(TRIED, masked=spine.masks)
        B, T = TRIED
        one = torch.zeros(1, 1, dtype=torch.int64)
        inputs = Inputs(ours, torch.full((B,), T), torch.zeros_like(ours), one, torch.ones(1).int())
        said, _ = network(theirs)
        own = model(inputs).softmax(-1).reshape(said.shape)
        return float((own - spine.probabilities(said)).abs().max())

    encoder = Encoder(words, Characters((UNKNOWN,)), longest)
    preprocessing = {
        "labels": list(labels), "encoder": encoder.to_json(), "reading": asdict(TagRoles()),
        "sha256": [],
    }  # fmt: skip
    remarks = [remark for remark in known.remarks if not remark.startswith("words are")]
    return Made("tag", options, preprocessing, tensors, differs, tuple(remarks))


def _checked(spine: Spine, where: str) -> torch.Tensor:
    """The embedding. UserError: there is none, or the network scores no labels at every step."""
    if spine.embedding is None:
        raise UserError(f"{where}: reads numbers; a tagger reads ids; {INSTEAD}")
    if spine.pooling is not None:
        raise UserError(f"{where}: scores one step; a tagger scores every one; {INSTEAD}")
    if spine.activation not in ("linear", "softmax", "log_softmax"):
        raise UserError(
            f"{where}: ends with {spine.activation}; a tagger ends with softmax, or bare; {INSTEAD}"
        )
    return spine.embedding
