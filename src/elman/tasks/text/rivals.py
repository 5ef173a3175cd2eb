"""What a language model has to beat, scored on the tokens that it is scored on."""

from __future__ import annotations

from elman.tasks.rivals import Rival
from elman.tasks.text.data import TextData
from elman.tasks.text.ngrams import ngram
from elman.tasks.text.ngrams.ngram import NGram
from elman.tasks.text.options import TextOptions
from elman.tasks.text.passages import Passages
from elman.tasks.text.scores import scored, scores_of

COUNTED = 3_000_000  # tokens that the n-gram model learns from: 7 s, 200 MB
FREQUENCIES = "the frequencies of tokens"
UNIFORM = "a guess among all symbols alike"


def rivals(dataset: TextData, options: TextOptions, training: TextData) -> list[Rival]:
    """The n-gram model first: on the training part it is never behind its own first order."""
    first, stop = scored(dataset, options)
    text, symbols = dataset.corpus.ids, dataset.vocabulary.size
    learnt = learn(training, options)

    def rival(name: str, found: Passages, *, guess: bool = False) -> Rival:
        return Rival(name, scores_of(dataset, found.loss.mean), found.tally, guess)

    frequencies = learnt.model.of_first_order()
    return [
        rival(str(learnt), ngram.score(learnt.model, text, first, stop)),
        rival(FREQUENCIES, ngram.score(frequencies, text, first, stop)),
        rival(UNIFORM, ngram.guess(symbols, first, stop), guess=True),
    ]


def learn(training: TextData, options: TextOptions) -> NGram:
    """The n-gram model of a training part, or of as much of its end as the plan allows."""
    vocabulary = training.vocabulary
    return ngram.learn(
        training.corpus.ids,
        training.cut,
        vocabulary.size,
        highest_order=ngram.HIGHEST_ORDER[vocabulary.level],
        limit=options.counted or COUNTED,
    )
