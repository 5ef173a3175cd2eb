"""Pairs side by side, and what a batch of them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data.batching import WHOLE, Buckets, Share, padded
from elman.tasks import ensemble
from elman.tasks.ensemble import together
from elman.tasks.task import Carry, Epoch
from elman.tasks.translate.data import Paired
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.shortlist import Among, Shortlist, cross_entropy


class Batch(NamedTuple):
    """Pairs side by side: tokens of the source, those before each of the target's, and these."""

    source: Tensor  # [B, S] int64
    source_lengths: Tensor  # [B]
    before: Tensor  # [B, T] int64, begins with the end's id
    target_lengths: Tensor  # [B]
    target: Tensor  # [N] int64, sentence after sentence
    among: Among | None = None  # the tokens that they are scored among; None for all


def batch(dataset: Paired, chosen: Sequence[int]) -> Batch:
    """These pairs."""
    source, source_lengths = padded([dataset.sources[k] for k in chosen])
    targets = [dataset.targets[k] for k in chosen]
    before, target_lengths = padded([np.append(ids[-1:], ids[:-1]) for ids in targets])
    target = torch.from_numpy(np.concatenate(targets))
    return Batch(source, source_lengths, before, target_lengths, target)


@dataclass(frozen=True)
class Batches:
    """The training batches of one epoch. `seed` draws what targets are scored among."""

    dataset: Paired
    order: Buckets
    short: Shortlist | None
    seed: int

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: int) -> Batch:
        return self._batch(k, self.order[k].tolist(), WHOLE)

    def part(self, k: int, share: Share) -> Batch | None:
        chosen: list[int] = self.order[k].tolist()
        return self._batch(k, chosen, share) if share(chosen) else None

    def _batch(self, k: int, chosen: list[int], share: Share) -> Batch:
        """A share of these pairs, scored among what all of them are."""
        made = batch(self.dataset, share(chosen))
        if self.short is None:
            return made
        targets = [self.dataset.targets[n] for n in chosen]
        among = self.short.among(np.concatenate(targets), (self.seed, k))
        own = torch.cat(share(torch.split_with_sizes(among.target, [len(ids) for ids in targets])))
        return made._replace(among=among._replace(target=own))


def epoch(
    dataset: Paired, options: TranslateOptions, batch_size: int, seed: int, epoch: int
) -> Epoch[Batch]:
    draw = int(np.random.default_rng((seed, epoch)).integers(2**62))
    lengths = dataset.lengths(range(dataset.trained))
    order = Buckets(lengths, batch_size, seed=draw, tokens=dataset.tokens)
    return Batches(dataset, order, dataset.shortlist(options.shortlist or 0), draw)


def loss(model: nn.Module, batch: Batch, carry: Carry, device: str) -> tuple[Tensor, int, Carry]:
    """Of several networks what it costs each by itself in training, else what it costs them
    together."""
    assert isinstance(model, Translator)
    networks, count = model.networks, len(batch.target)
    if model.training or len(networks) == 1:
        each = [_cost(network, batch, device) for network in networks]
        return torch.stack(each).mean(), count, None
    scores = together([_scores(network, batch, device) for network in networks])
    return F.nll_loss(scores, batch.target.to(device), reduction="sum"), count, None


def _cost(model: Translator, batch: Batch, device: str) -> Tensor:
    smoothing = model.how.label_smoothing or 0.0 if model.training else 0.0
    if batch.among is None:
        scores, target = _scores(model, batch, device), batch.target.to(device)
        return F.cross_entropy(scores, target, reduction="sum", label_smoothing=smoothing)
    among = Among(*(part.to(device) for part in batch.among))
    scores = _scores(model, batch, device, among.ids)
    return cross_entropy(scores, among, model.output.out_features, smoothing)


def _scores(model: Translator, batch: Batch, device: str, ids: Tensor | None = None) -> Tensor:
    """Of the tokens `ids`, or of all, after each that stands before a target's."""
    source = model.encode(batch.source.to(device), batch.source_lengths)
    scores: Tensor = model(source, batch.before.to(device), batch.target_lengths, ids)
    return scores


def losses_apart(options: TranslateOptions) -> str:
    if options.scheduled_sampling:
        return "training guesses its inputs"
    if options.label_smoothing:
        return "training smooths its labels"
    return ensemble.losses_apart(options)
