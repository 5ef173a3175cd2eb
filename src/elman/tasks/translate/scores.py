"""BLEU, chrF and exact matches of translations, by sacrebleu where it is installed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman import metrics
from elman.chance import Tally, shares
from elman.data.batching import Buckets
from elman.data.texts.vocabulary import CJK
from elman.metrics import Loss, Scores
from elman.tasks.bleu import installed, tokenizer
from elman.tasks.task import Validation
from elman.tasks.translate.data import Paired
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.training import batch, loss
from elman.tasks.translate.writing import translated

Floats = NDArray[np.float64]

SCORED = 64  # pairs at once, where none is trained on
INSTALL = "BLEU and chrF need sacrebleu: pip install 'elman[metrics]'"
UNIT = "sentence"
FEW = 4  # words of a target on average below which BLEU, made of runs of four, says little
_CJK = re.compile(f"[{CJK}]")


def validate(
    decoding: Decoding, model: nn.Module, dataset: Paired, options: TranslateOptions, device: str
) -> Validation:
    held = range(dataset.trained, len(dataset.sources))
    found = _loss(model, dataset, held, device)
    best = translated(decoding, model, dataset, held, device)
    said = [translations[0].text for translations in best]
    scores, tally = scored(said, dataset.check.targets, lowercase=options.lowercase)
    nats = {"nats": found.mean, "perplexity": metrics.perplexity(found.mean)}
    counted = signatures(dataset.check.targets, lowercase=options.lowercase)
    return Validation(found, scores | nats, True, "; ".join(counted), tally)


def _loss(model: nn.Module, dataset: Paired, chosen: Sequence[int], device: str) -> Loss:
    order = Buckets(dataset.lengths(chosen), SCORED, seed=None)
    summed = Loss(0.0, 0)
    with torch.no_grad():
        for k in range(len(order)):
            total, count, _ = loss(
                model, batch(dataset, [chosen[place] for place in order[k]]), None, device
            )
            summed += Loss(float(total), count)
    return summed


class Scored(NamedTuple):
    """Scores, the one that decides first, and how that is counted from the sentences."""

    scores: Scores
    tally: Tally


def scored(said: Sequence[str], true: Sequence[str], *, lowercase: bool) -> Scored:
    """BLEU and chrF in [0, 100], and the share of exact matches, of translations and references.

    BLEU stands first, but for targets of fewer than four words on average. Without sacrebleu there
    are exact matches alone. `lowercase` compares without regard to case.
    """
    if lowercase:
        said, true = [s.lower() for s in said], [t.lower() for t in true]
    pairs = zip(said, true, strict=True)
    hits = np.array([_alike(s) == _alike(t) for s, t in pairs], dtype=np.float64)
    found = {"exact": float(hits.mean())}
    tally = shares(UNIT, hits, np.ones(len(hits)))
    if counters := _counters(true, lowercase=lowercase):
        of = {name: c.corpus_score(said, [true]).score for name, c in counters.items()}
        if short(true):
            return Scored(found | of, tally)
        return Scored(of | found, Tally(UNIT, _counts(said, true, lowercase), bleu))
    return Scored(found, tally)


def _counts(said: Sequence[str], true: Sequence[str], lowercase: bool) -> Floats:
    """What BLEU is counted from, of each sentence [N, 10]: the tokens of translation and reference,
    of n from 1 to 4 the n-grams that are right, and those that there are."""
    from sacrebleu.metrics.bleu import BLEU

    # The order changes no counts, but sentences without it are warned of.
    counter = BLEU(lowercase=lowercase, tokenize=tokenizer(true), effective_order=True)
    found = [counter.sentence_score(s, [t]) for s, t in zip(said, true, strict=True)]
    rows = [[one.sys_len, one.ref_len, *one.counts, *one.totals] for one in found]
    return np.array(rows, dtype=np.float64).reshape(-1, 10)


def bleu(sums: Floats) -> Floats:
    """BLEU in [0, 100] of such counts, added up, [..., 10] -> [...].

    Papineni et al. 2002, doi:10.3115/1073083.1073135; where no n-gram of some n is right, the share
    is 1/2, 1/4, ... of one, in turn (sacrebleu's smoothing "exp").
    """
    lengths, right, total = sums[..., :2], sums[..., 2:6], sums[..., 6:]
    none = right == 0
    instead = 0.5 ** np.cumsum(none, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(none, instead, right) / total
        brevity = np.minimum(0.0, 1 - lengths[..., 1] / lengths[..., 0])
        found: Floats = 100 * np.exp(brevity + np.log(precision).mean(-1))
    return np.where(none.all(-1) | (total == 0).any(-1), 0.0, found)


def likeness(said: Sequence[str], true: Sequence[str], *, lowercase: bool) -> Floats | None:
    """How much alike each translation and its reference are, chrF in [0, 100]; None without
    sacrebleu."""
    counters = _counters(true, lowercase=lowercase)
    if not counters:
        return None
    pairs = zip(said, true, strict=True)
    return np.array([counters["chrf"].sentence_score(s, [t]).score for s, t in pairs])


def signatures(true: Sequence[str], *, lowercase: bool) -> list[str]:
    """How sacrebleu counts for such references, a line a metric; empty where it is missing."""
    lines = []
    for name, counter in _counters(true, lowercase=lowercase).items():
        counter.corpus_score(true[:1], [true[:1]])  # without which it has no signature
        lines.append(f"{name} {counter.get_signature()}")
    return lines


def _counters(true: Sequence[str], *, lowercase: bool) -> dict[str, Any]:
    """sacrebleu's metrics for such references, by name; none where it is not installed."""
    if not installed():
        return {}
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return {
        "bleu": BLEU(lowercase=lowercase, tokenize=tokenizer(true), force=True),
        "chrf": CHRF(lowercase=lowercase),
    }


def short(true: Sequence[str]) -> bool:
    """Whether the references have fewer than four words on average, a Chinese character a word."""
    words = sum(len(text.split()) + len(_CJK.findall(text)) for text in true)
    return words < FEW * len(true)


def _alike(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
