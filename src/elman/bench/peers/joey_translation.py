"""JoeyNMT's recurrent model (Kreutzer et al. 2019, arXiv:1907.12484), by its own functions.

Its output is as wide as its layers, not as its embeddings, and an LSTM's bridge sees h alone: its
numbers are others. It has no form without attention, and decodes from the same one in each search.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from joeynmt.batch import Batch
from joeynmt.model import Model, build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary
from torch import Tensor

from elman.bench.peers.prepared import Prepared
from elman.bench.sentences import BEAM, EMBEDDING, SOURCE, TARGET, Ids, sentences, to_write
from elman.bench.work import Work

SPECIAL = SimpleNamespace(
    unk_token="<unk>", unk_id=0, pad_token="<pad>", pad_id=1, bos_token="<s>", bos_id=2,
    eos_token="</s>", eos_id=3, sep_token=None, sep_id=None, lang_tags=[],
)  # fmt: skip


def prepare(work: Work, threads: int) -> Prepared | None:
    torch.set_num_threads(threads)
    match work.kind, work.variant:
        case "translate", "attention" | "fed":
            return training(work)
        case "write-sentences", _:
            return writing(work)
    return None


def model(work: Work) -> Model:
    embeddings = {"embedding_dim": EMBEDDING, "dropout": 0.0}
    common = {
        "type": "recurrent", "rnn_type": work.cell, "num_layers": 1, "hidden_size": work.H,
        "embeddings": embeddings, "dropout": 0.0,
    }  # fmt: skip
    feeding = {
        "attention": "luong",
        "init_hidden": "bridge",
        "input_feeding": work.variant == "fed",
    }
    made = build_model(
        {
            "encoder": {**common, "bidirectional": True},
            "decoder": {**common, **feeding, "hidden_dropout": 0.0},
            "tied_softmax": work.H == EMBEDDING,
        },
        vocabulary(SOURCE),
        vocabulary(TARGET),
    )
    made.loss_function = ("crossentropy", 0.0)
    return made


def vocabulary(size: int) -> Vocabulary:
    made = Vocabulary([], SPECIAL)
    made._itos += [str(k) for k in range(len(made), size)]  # add_tokens looks through all each time
    return made


def batch(sources: Sequence[Ids], targets: Sequence[Ids] | None) -> Batch:
    """Its own batches: longest source first, a start before and an end after each target."""
    order = sorted(range(len(sources)), key=lambda k: -len(sources[k]))
    source = [[*sources[k].tolist(), SPECIAL.eos_id] for k in order]
    target: list[list[int]] = []
    if targets is not None:
        target = [[SPECIAL.bos_id, *targets[k].tolist(), SPECIAL.eos_id] for k in order]
    return Batch(
        src=side_by_side(source), src_length=torch.tensor([len(ids) for ids in source]),
        src_prompt_mask=None, trg=side_by_side(target) if target else None, trg_prompt_mask=None,
        indices=torch.arange(len(source)), device=torch.device("cpu"), pad_index=SPECIAL.pad_id,
        eos_index=SPECIAL.eos_id,
    )  # fmt: skip


def side_by_side(rows: Sequence[Sequence[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[SPECIAL.pad_id] * (longest - len(row))] for row in rows])


def training(work: Work) -> Prepared:
    made = model(work)
    weights = list(made.parameters())
    batches = [batch(*pairs) for pairs in sentences(work)]

    def once() -> Sequence[Tensor]:
        losses = []
        for each in batches:
            total, *_ = made(return_type="loss", **vars(each))
            torch.autograd.grad(total / each.ntokens, weights)
            losses.append(total.detach() / each.ntokens)
        return (torch.stack(losses),)

    return Prepared(once)


def writing(work: Work) -> Prepared:
    made = model(work).eval()
    sources = batch(to_write(work), None)
    size = BEAM if work.variant == "beam" else 1

    def once() -> Sequence[object]:
        # The last of the steps may only end where all have as many tokens.
        written, _, _ = search(made, sources, work.T + 1, size, 1.0, min_output_length=work.T)
        return (written,)

    return Prepared(once)
