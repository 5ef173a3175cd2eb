"""What a translator is made of, and how it is trained, by the data and the time that there are."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from elman.tasks.pace import expectation, fitting
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan
from elman.tasks.translate.data import Paired
from elman.tasks.translate.model import build
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.shortlist import wanted
from elman.tasks.translate.training import epoch, loss


class Size(NamedTuple):
    """Units of a layer of the encoder, in each direction, and of the decoder; width of the
    embeddings; tokens of targets from which so many learn something more."""

    encoder: int
    decoder: int
    embedding: int
    tokens: int


# Letters are all known and all matter: what keeps words from being learnt by heart hurts.
WORDS: Final = (Size(512, 512, 512, 4_000_000), Size(256, 256, 256, 0), Size(128, 256, 128, 0))
LETTERS: Final = (Size(256, 256, 64, 0), Size(128, 128, 64, 0))
WANTED: Final = 10  # passes that words are to have at least, rather than more units
TOGETHER: Final = 250  # tokens of targets in a batch, of 128 units: many updates teach most
SEEN: Final = 6_000_000  # tokens of targets after which the learning rate has fallen
PASSES: Final = (8, 30)  # the fewest and the most that these may be
MEMBERS: Final = 4  # networks at most, of which each makes all of these passes in the time


def passes(tokens: int) -> int:
    """How many passes data of so many tokens of targets wants."""
    return int(np.clip(round(SEEN / max(1, tokens)), *PASSES))


def dropout(units: int, seen: float) -> float:
    """The share to be dropped of a model of words with so many units, seen so many times: a small
    one that sees each pair a few times cannot learn them by heart."""
    return round(float(np.clip(0.025 * seen * units / 256, 0.05, 0.3)), 2)


def plan(dataset: Paired, options: TranslateOptions, budget: Budget) -> Plan[TranslateOptions]:
    words = dataset.encoder.target.level != "characters"
    tokens = sum(map(len, dataset.targets[: dataset.trained]))
    wants = passes(tokens)
    scoring = "multiplicative" if words else "additive"
    rest = settle(
        options, attention=scoring if options.context == "attention" else None, weight_drop=0.0,
        shortlist=wanted(dataset.encoder.target.size + 1), label_smoothing=0.1 if words else 0.0,
    )  # fmt: skip

    def together(one: TranslateOptions) -> int:
        """Pairs in a batch; a larger network reads more at once for what a step costs it."""
        assert one.hidden_size
        of_words = TOGETHER * max(one.hidden_size) // 128 * dataset.trained // tokens
        return budget.batch_size or max(
            8, min(of_words if words else 32, dataset.trained // 100, 512)
        )

    def sized(one: Size, seen: float) -> TranslateOptions:
        units = options.hidden_size or (one.encoder,)
        return settle(
            rest, hidden_size=units,
            decoder_hidden_size=(one.decoder,) if options.hidden_size is None else None,
            embedding=one.embedding, dropout=dropout(max(units), seen) if words else 0.1,
            token_dropout=0.05 if words and seen > WANTED else 0.0,
        )  # fmt: skip

    seen, members = float(budget.epochs or wants), options.members or 1
    sizes = [one for one in (WORDS if words else LETTERS) if tokens >= one.tokens]
    if options.hidden_size is not None:
        sizes = [next((s for s in sizes if s.encoder <= max(options.hidden_size)), sizes[-1])]
    for one in sizes:  # the largest for which there is time
        chosen = sized(one, seen)
        model = build(dataset.preprocessing(), chosen)
        first = epoch(dataset, chosen, together(chosen), 0, 0)
        if budget.seconds is None:
            break
        epochs = fitting(loss, model, first, budget)
        if options.members is None:
            members = int(np.clip(epochs // wants, 1, MEMBERS))
        chosen = sized(one, min(epochs, seen))
        if epochs >= (WANTED if words else 2 * WANTED):
            break
    chosen = settle(chosen, members=members)
    if members > 1:
        model = build(dataset.preprocessing(), chosen)
    assert chosen.hidden_size
    large = max(chosen.hidden_size) > 128
    rate = budget.learning_rate or (2e-3 if large else 4e-3 if words else 3e-3)
    how = {
        "first": "the encoder's last state as first state",
        "each": "the encoder's last state at every step",
        "attention": f"{chosen.attention} attention",
    }
    why = (
        (f"{members} times " if members > 1 else "")
        + f"{'/'.join(chosen.cell)} of {', '.join(map(str, chosen.hidden_size))} units, "
        f"{how[chosen.context]}, dropout {chosen.dropout:g}: "
        + expectation(loss, model, first, budget, wants)
    )
    return Plan(chosen, together(chosen), rate, why, wants)
