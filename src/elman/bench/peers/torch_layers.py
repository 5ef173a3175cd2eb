"""torch.nn, and what Elman's layers, asked the same way, share with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elman.bench.peers import log_space, torch_speech, torch_steps, torch_translation
from elman.bench.peers.prepared import Prepared
from elman.bench.work import VOCABULARY, Numbers, Work, lengths, numbers, tokens

Kinds: TypeAlias = Mapping[str, Callable[[int, int], nn.Module]]  # of I and H
LAYERS: Mapping[str, type[nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def prepare(work: Work, threads: int) -> Prepared | None:
    torch.set_num_threads(threads)
    if work.kind in ("translate", "write-sentences"):
        return torch_translation.prepare(work)
    if work.kind in ("hear", "transcribe", "features"):
        return torch_speech.prepare(work)
    if work.kind == "tokens":
        layer = with_weights(LAYERS[work.cell](work.H, work.H), numbers(work))
        return training_on_tokens(layer, work, lambda ids, table: layer(F.embedding(ids, table))[0])
    if work.kind == "linear":
        return log_space.prepare(work)
    if work.kind == "step":
        layer = with_weights(LAYERS[work.cell](work.H, work.H), numbers(work))
        return torch_steps.stepping(layer, work)
    if work.kind == "write":
        return torch_steps.writing(*torch_steps.writer(LAYERS[work.cell], work), work)
    return prepare_layer(work, LAYERS)


def prepare_layer(work: Work, kinds: Kinds) -> Prepared | None:
    """`work` with a layer of `kinds`, which is asked as torch.nn's."""
    given = numbers(work)
    layer = with_weights(kinds[work.cell](work.H, work.H), given)
    x, dy = torch.from_numpy(given.x), torch.from_numpy(given.dy)
    match work.kind:
        case "train":
            return training(layer, x, dy, comparable=True)
        case "infer":
            return inference(layer, x)
        case "packed":
            alive = lengths(work)
            return training_packed(
                layer, pack_padded_sequence(x, alive), pack_padded_sequence(dy, alive)
            )
    return None


def with_weights(layer: nn.Module, given: Numbers) -> nn.Module:
    weights = (given.weight_ih, given.weight_hh, given.bias_ih, given.bias_hh)
    for parameter, values in zip(layer.parameters(), weights, strict=True):
        parameter.data.copy_(torch.from_numpy(values))
    return layer


def training(layer: nn.Module, x: Tensor, dy: Tensor, *, comparable: bool) -> Prepared:
    """Forward and backward, with the gradient of the input."""
    inputs, gradients = [x.requires_grad_(), *layer.parameters()], backward_from(dy)

    def once() -> Sequence[Tensor]:
        y, _ = layer(x)
        dx, *_ = gradients(y, inputs)
        return y.detach(), dx

    return Prepared(once, comparable)


def backward_from(dy: Tensor) -> Callable[[Tensor, Sequence[Tensor]], Sequence[Tensor]]:
    """gradients(y, inputs), where `dy` is the gradient of y and gets its type at the first call."""

    def gradients(y: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        nonlocal dy
        dy = dy.to(y.dtype)
        return torch.autograd.grad(y, inputs, dy)

    return gradients


def inference(layer: nn.Module, x: Tensor) -> Prepared:
    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        return (layer(x)[0],)

    return Prepared(once, comparable=True)


def training_packed(layer: nn.Module, x: PackedSequence, dy: PackedSequence) -> Prepared:
    rows = x.data.requires_grad_()
    inputs, gradients = [rows, *layer.parameters()], backward_from(dy.data)

    def once() -> Sequence[Tensor]:
        y, _ = layer(PackedSequence(rows, x.batch_sizes))
        dx, *_ = gradients(y.data, inputs)
        return y.data.detach(), dx

    return Prepared(once, comparable=True)


def training_on_tokens(
    layer: nn.Module, work: Work, read: Callable[[Tensor, Tensor], Tensor]
) -> Prepared:
    """`read(ids, table)` → y, and back to the rows of the table and the weights of the layer."""
    given = numbers(work)
    table = torch.from_numpy(given.x).flatten(0, 1)[:VOCABULARY].clone().requires_grad_()
    ids, dy = torch.from_numpy(tokens(work)), torch.from_numpy(given.dy)
    inputs = [table, *layer.parameters()]

    def once() -> Sequence[Tensor]:
        y = read(ids, table)
        dtable, *_ = torch.autograd.grad(y, inputs, dy)
        return y.detach(), dtable

    return Prepared(once, comparable=True)
