"""What answers beside the networks: of texts what they hold, of numbers fixed convolutions."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from elman.errors import UserError
from elman.tasks.classify.curves import kernels
from elman.tasks.classify.data import Encoder, Labelled, with_all
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.words import bag as bags
from elman.tasks.classify.words import grams_bag
from elman.tasks.classify.words.bag import Bag, Kind
from elman.tasks.classify.words.grams_bag import GramsBag
from elman.tasks.task import Kept

FEATURES = 5_000  # of fixed convolutions
WEIGHTS = 20_000_000  # of the linear models on them, all together


def counted(
    dataset: Labelled, kind: Kind | Literal["none", "ngrams"] | None
) -> tuple[Bag, ...] | tuple[GramsBag, ...]:
    """What the training texts hold, class by class; nothing where it is not to be counted."""
    known = dataset.encoder.vocabulary
    if known is None:
        if kind not in (None, "none"):
            raise UserError(f"--bag {kind}: needs texts; {dataset.name} has vectors")
        return ()
    if kind == "none":
        return ()
    parts, classes = with_all(dataset), len(dataset.classes)
    if kind in ("tokens", "pairs"):
        made = [
            bags.count(
                [dataset.inputs[k] for k in part], dataset.targets[part], classes, known.size, kind
            )
            for part in parts
        ]
        there = [bag for bag in made if bag is not None]
        return tuple(there) if len(there) == len(made) else ()
    texts = dataset.train.texts
    learnt = [
        grams_bag.learn([texts[k] for k in part], dataset.targets[part], classes) for part in parts
    ]
    found = [bag for bag in learnt if bag is not None]
    return tuple(found) if len(found) == len(learnt) else ()


def shape_of_kernels(dataset: Labelled, options: ClassifyOptions) -> kernels.Shape | None:
    """Which fixed convolutions read these sequences; None where none do."""
    if dataset.encoder.vocabulary is not None:
        if options.kernels:
            raise UserError(f"--kernels {options.kernels}: needs numbers; {dataset.name} has texts")
        return None
    chosen = options.kernels
    if chosen is None:
        chosen = 0 if dataset.encoder.pictured or options.class_weights else FEATURES
    if not chosen:
        return None
    models = len(with_all(dataset)) * len(dataset.classes)
    steps = int(np.median(dataset.lengths))
    return kernels.shape_of(dataset.encoder.inputs, steps, min(chosen, WEIGHTS // models))


class Beside(NamedTuple):
    """One kind of it at most. Of bags and of linear models on n-grams there are as many as there
    are folds, and one of everything."""

    bags: list[Bag]
    grams: list[GramsBag]
    kernels: kernels.Shape | None


def kept_beside(
    kept: Kept, options: ClassifyOptions, encoder: Encoder, classes: int, *, several: bool
) -> Beside:
    """That of a trained model. UserError where it is damaged."""
    size = encoder.vocabulary.size if encoder.vocabulary else 0
    own, shape = kept.get("bag"), kept.get("kernels")
    try:
        every = own if isinstance(own, list) else [own] if own is not None else []
        of_ngrams = [one for one in every if one["kind"] == GramsBag.kind]
        grams = [grams_bag.from_json(one, classes, several=several) for one in of_ngrams]
        counts = [
            bags.from_json(one, size, classes, several=several)
            for one in every
            if one["kind"] != GramsBag.kind
        ]
        fixed = None if shape is None else kernels.shape_from_json(shape, encoder.inputs)
        if sum(map(bool, (counts, grams, fixed))) > 1 or (grams and not encoder.vocabulary):
            raise ValueError("two models beside the network")
        if len(every) not in (0, options.folds + 1 if options.folds else 1):
            raise ValueError("counts of another number of folds")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"preprocessing.json: damaged ({error})") from None
    return Beside(counts, grams, fixed)
