"""The recurrent encoder-decoder as PyTorch's users write it: torch.nn alone, padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from elman.bench.peers import elman_translation
from elman.bench.peers.elman_translation import COMPARED
from elman.bench.peers.prepared import Prepared
from elman.bench.sentences import BEAM, EMBEDDING, SOURCE, TARGET, Ids, sentences, to_write
from elman.bench.work import Work

NOTHING = -100  # the class that a loss leaves out
END = TARGET - 1
LAYERS: dict[str, type[nn.LSTM | nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


def prepare(work: Work) -> Prepared:
    model = Plain(work)
    model.load_state_dict(elman_translation.translator(work).state_dict())
    return training(model, work) if work.kind == "translate" else writing(model.eval(), work)


class Plain(nn.Module):
    """The model of `elman.tasks.translate`, its parameters under the same names."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        H, M, layer = work.H, 2 * work.H, LAYERS[work.cell]
        self.fed = work.variant == "fed"
        self.target = nn.Embedding(TARGET, EMBEDDING)
        self.source = nn.Embedding(SOURCE, EMBEDDING)
        self.encoder = layer(EMBEDDING, H, batch_first=True, bidirectional=True)
        width = EMBEDDING + (EMBEDDING if self.fed else 0)
        self.decoder = layer(width, H, batch_first=True)
        self.states = 2 if work.cell == "lstm" else 1
        self.bridge: Any = nn.Module()
        self.bridge.maps = nn.ModuleList(
            [nn.ModuleList(nn.Linear(self.states * M, H) for _ in range(self.states))]
        )
        attends = work.variant != "first"
        self.attention: Any = nn.Module() if attends else None
        if self.attention is not None:
            self.attention.key = nn.Linear(M, H, bias=False)
        self.readout = nn.Linear(H + M if attends else H, EMBEDDING)
        self.output = nn.Linear(EMBEDDING, TARGET)
        self.output.weight = self.target.weight

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Any, Any]:
        """Tokens [B, S] → memory, keys and mask of the attention; the decoder's first state."""
        packed = pack_padded_sequence(
            self.source(source), lengths, batch_first=True, enforce_sorted=False
        )
        y, state = self.encoder(packed)
        memory, _ = pad_packed_sequence(y, batch_first=True)
        states = state if self.states > 1 else (state,)
        joined = torch.cat([half for s in states for half in s], -1)
        made = [linear(joined)[None] for linear in self.bridge.maps[0]]
        first = (made[0].tanh(), *made[1:])
        keys = mask = None
        if self.attention is not None:
            keys = self.attention.key(memory)
            mask = torch.arange(source.shape[1]) >= lengths[:, None]
        return (memory, keys, mask), first if self.states > 1 else first[0]

    def read_out(self, y: Tensor, source: Any) -> Tensor:
        """The decoder's outputs [B, T, H] → what scores are made from [B, T, E]."""
        memory, keys, mask = source
        if keys is not None:
            scores = torch.bmm(y, keys.mT).masked_fill(mask[:, None], -torch.inf)
            y = torch.cat([y, torch.bmm(scores.softmax(-1), memory)], -1)
        read: Tensor = self.readout(y).tanh()
        return read

    def forward(self, source: Tensor, lengths: Tensor, before: Tensor) -> Tensor:
        """Scores [B, T, V]."""
        read, state = self.encode(source, lengths)
        x, outs = self.target(before), list[Tensor]()
        if not self.fed:
            y, _ = self.decoder(x, state)
            outs = [self.read_out(y, read)]
        found = x.new_zeros(len(x), 1, EMBEDDING)
        for now in x.split(1, 1) if self.fed else ():
            y, state = self.decoder(torch.cat([now, found], -1), state)
            found = self.read_out(y, read)
            outs.append(found)
        scores: Tensor = self.output(torch.cat(outs, 1))
        return scores


def training(model: Plain, work: Work) -> Prepared:
    weights = dict(model.named_parameters())
    batches = []
    for sources, targets in sentences(work):
        source, lengths = side_by_side([np.append(ids, SOURCE - 1) for ids in sources])
        before, _ = side_by_side([np.insert(ids, 0, END) for ids in targets])
        after, _ = side_by_side([np.append(ids, END) for ids in targets], NOTHING)
        batches.append((source, lengths, before, after))

    def once() -> Sequence[Tensor]:
        losses = []
        for source, lengths, before, after in batches:
            scores = model(source, lengths, before)
            loss = F.cross_entropy(scores.flatten(0, 1), after.flatten(), ignore_index=NOTHING)
            gradients = torch.autograd.grad(loss, list(weights.values()))
            losses.append(loss.detach())
        found = dict(zip(weights, gradients, strict=True))
        return torch.stack(losses), *(found[name] for name in COMPARED)

    return Prepared(once, comparable=True)


def writing(model: Plain, work: Work) -> Prepared:
    x, lengths = side_by_side([np.append(ids, SOURCE - 1) for ids in to_write(work)])
    width = BEAM if work.variant == "beam" else 1

    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        return (best_scores(model, x, lengths, work.T, width),)

    return Prepared(once, comparable=True)


def best_scores(model: Plain, x: Tensor, lengths: Tensor, steps: int, width: int) -> Tensor:
    """The log probability [B] of the best of `width` hypotheses of so many tokens and an end."""
    B = len(x)
    source, state = model.encode(x, lengths)
    if width > 1:
        source = tuple(part.repeat_interleave(width, 0) for part in source)
        state = each(state, lambda s: s.repeat_interleave(width, 1))
    tokens = torch.full((B * width, 1), END)
    totals = torch.full((B, width), -torch.inf)
    totals[:, 0] = 0.0
    written = torch.empty(B * width, 0, dtype=torch.int64)
    first = width * torch.arange(B)[:, None]
    for step in range(steps + 1):
        y, state = model.decoder(model.target(tokens), state)
        log_p = model.output(model.read_out(y, source)).log_softmax(-1).view(B, width, TARGET)
        if step == steps:
            best: Tensor = (totals + log_p[:, :, END]).amax(1)
            return best
        log_p[:, :, END] = -torch.inf
        totals, at = (totals[:, :, None] + log_p).flatten(1).topk(width)
        tokens = (at % TARGET).view(-1, 1)
        if width > 1:
            rows = (first + at // TARGET).flatten()
            state = each(state, lambda s, rows=rows: s[:, rows])
            written = written[rows]
        written = torch.cat([written, tokens], 1)
    raise AssertionError


def each(state: Any, change: Any) -> Any:
    return tuple(change(s) for s in state) if isinstance(state, tuple) else change(state)


def side_by_side(sequences: Sequence[Ids], padding: int = 0) -> tuple[Tensor, Tensor]:
    """[B, T] and the lengths [B]."""
    rows = [torch.from_numpy(ids) for ids in sequences]
    return pad_sequence(rows, True, padding), torch.tensor([len(ids) for ids in sequences])
