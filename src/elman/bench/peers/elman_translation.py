"""Elman's task `translate`: its training step and its search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from elman.bench.peers.prepared import Prepared
from elman.bench.sentences import BEAM, EMBEDDING, SOURCE, TARGET, Ids, sentences, to_write
from elman.bench.work import Work
from elman.data.batching import padded
from elman.search import Search
from elman.tasks.translate.finding import write
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.packed import Packed, packed
from elman.tasks.translate.training import Batch, loss

COMPARED = ("encoder.weight_hh_l0", "decoder.weight_ih_l0", "readout.weight")  # their gradients


def prepare(work: Work) -> Prepared:
    return training(work) if work.kind == "translate" else writing(work)


def translator(work: Work) -> Translator:
    """The same model in every process: `variant` is the form, or how it is searched."""
    torch.manual_seed(0)
    options = TranslateOptions(
        cell=(work.cell,), hidden_size=(work.H,), embedding=EMBEDDING, dropout=0.0,
        token_dropout=0.0, weight_drop=0.0, label_smoothing=0.0,
        context="first" if work.variant == "first" else "attention",
        input_feeding=work.variant == "fed",
    )  # fmt: skip
    model = Translator(options, (SOURCE - 1, TARGET - 1), (None, None))
    # Sharper than at the start of training, so that hypotheses differ.
    torch.nn.init.normal_(model.output.weight)
    return model


def training(work: Work) -> Prepared:
    """Forward, loss and backward of every batch, without an update of the weights."""
    model = translator(work)
    weights = dict(model.named_parameters())
    batches = [batch(*pairs) for pairs in sentences(work)]

    def once() -> Sequence[Tensor]:
        losses = []
        for each in batches:
            total, count, _ = loss(model, each, None, "cpu")
            gradients = torch.autograd.grad(
                total / count, list(weights.values()), allow_unused=True
            )
            losses.append(total.detach() / count)
        found = dict(zip(weights, gradients, strict=True))
        return torch.stack(losses), *(found[name] for name in COMPARED)

    return Prepared(once, comparable=True)


def batch(sources: Sequence[Ids], targets: Sequence[Ids]) -> Batch:
    """As the task makes it: each side is closed by its end, the last id."""
    source, source_lengths = padded([np.append(ids, SOURCE - 1) for ids in sources])
    before, target_lengths = padded([np.insert(ids, 0, TARGET - 1) for ids in targets])
    target = np.concatenate([np.append(ids, TARGET - 1) for ids in targets])
    return Batch(source, source_lengths, before, target_lengths, torch.from_numpy(target))


def writing(work: Work) -> Prepared:
    """Encode a batch and write T tokens and an end for each sentence, to the best scores.

    Weights are packed each time, as for a first batch."""
    model = translator(work).eval()
    x, lengths = padded([np.append(ids, SOURCE - 1) for ids in to_write(work)])
    how = Search(beam=BEAM if work.variant == "beam" else 1, min_length=work.T)

    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        source, end, most = model.encode(x, lengths), TARGET - 1, [work.T] * len(x)
        made = packed(model)
        decoder = made if isinstance(made, Packed) else model
        found = write([decoder], [source], end, how, max_lengths=most)
        return (torch.tensor([best.log_probability for best, *_ in found]),)

    return Prepared(once, comparable=True)
