"""How well a text is foretold: nats a token, perplexity, bits a character."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from elman import metrics
from elman.errors import UserError
from elman.metrics import Scores
from elman.tasks.adapting import Adapting
from elman.tasks.task import Validation
from elman.tasks.text import costs, dynamic
from elman.tasks.text.costs import Costs
from elman.tasks.text.data import TextData
from elman.tasks.text.model import LanguageModel
from elman.tasks.text.ngrams import mixing
from elman.tasks.text.ngrams.mixing import Gate
from elman.tasks.text.options import TextOptions

SCORED, SCORED_WINDOWS = 1_000_000, 20_000  # tokens; windows of a model that reads both ways


def validate(model: nn.Module, dataset: TextData, options: TextOptions, device: str) -> Validation:
    first, stop = scored(dataset, options)
    blocks = _costs(model, dataset, options, device)
    if not isinstance(model, LanguageModel) or model.ngram is None:
        found = costs.summed(blocks, first, stop)
        return Validation(found.loss, scores_of(dataset, found.loss.mean), tally=found.tally)
    network, gate = costs.in_order(blocks, first, stop), Gate()
    mixed, alone = mixing.together(
        gate, model.ngram, network, dataset.corpus.ids, first, stop
    )  # fmt: skip
    model.gate.copy_(torch.from_numpy(gate.seen))
    found = costs.summed([network], first, stop)
    further = {"ngram_nats": float(alone.mean()), "mixture_nats": float(mixed.mean())}
    scores = scores_of(dataset, found.loss.mean) | further
    return Validation(found.loss, scores, tally=found.tally)


def adapted(
    model: nn.Module, dataset: TextData, options: TextOptions, training: TextData,
    device: str, how: Adapting,
) -> Scores:  # fmt: skip
    if options.windowed:
        raise UserError("--dynamic: not for a model that reads window by window")
    ids, (first, stop) = dataset.corpus.ids, scored(dataset, options)
    sizes = dynamic.sizes(model, training.corpus.ids, training.cut, device)
    pace = dynamic.Pace(sizes, how.dynamic_rate)
    learning = costs.in_order(
        dynamic.scored(model, ids, first, stop, device, pace), first, stop
    )  # fmt: skip
    found = {"dynamic_nats": float(learning.nats.mean())}
    if isinstance(model, LanguageModel) and model.ngram is not None:
        mixed, _ = mixing.together(Gate(), model.ngram, learning, ids, first, stop)
        found["dynamic_mixture_nats"] = float(mixed.mean())
    return found


def scored(dataset: TextData, options: TextOptions) -> tuple[int, int]:
    """The tokens of the validation part that are scored: those with enough text before them."""
    first = max(dataset.cut, options.sequence_length if options.windowed else 1)
    if dataset.cut == 0:  # not a training's validation part, but a text that the user asks about
        return first, dataset.tokens
    return first, min(dataset.tokens, first + (options.scored or SCORED))


def scores_of(dataset: TextData, nats: float) -> Scores:
    """Nats a token, perplexity, and bits a character, for comparing ways to cut a text.

    A token is taken for as many characters as it is on average in the whole text. Words leave
    whitespace and rare words unscored, so their bits are too low by what those would cost.
    """
    tokens_per_character = dataset.tokens / dataset.corpus.characters
    return {
        "nats": nats,
        "perplexity": metrics.perplexity(nats),
        "bits": metrics.bits(nats) * tokens_per_character,
    }


def _costs(
    model: nn.Module, dataset: TextData, options: TextOptions, device: str
) -> Iterator[Costs]:
    """What the scored tokens cost."""
    ids, (first, stop) = dataset.corpus.ids, scored(dataset, options)
    if options.windowed:
        return costs.windowed(model, ids, first, stop, device, options.sequence_length)
    return costs.carried(model, ids, first, stop, device)
