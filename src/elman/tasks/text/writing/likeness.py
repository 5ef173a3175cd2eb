"""How like held-out text a generated one is, and how like one another several of them are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from elman.data.batching import Tokens
from elman.data.texts.vocabulary import Vocabulary
from elman.tasks.bleu import installed, tokenizer
from elman.wording import counted

SAMPLES = 8
LENGTH = {"characters": 300, "bytes": 300, "words": 60, "bpe": 100}  # tokens of a sample
REFERENCES = 100  # at most, evenly spread over the held-out text
SECONDS = 2.0  # after which no further sample is made
INSTALL = "BLEU and self-BLEU of what it writes need sacrebleu: pip install 'elman[metrics]'."


@dataclass(frozen=True)
class Likeness:
    """BLEU against held-out text and self-BLEU, in [0, 100]: of what was written, and of as many
    pieces of the held-out text itself."""

    written: tuple[float, float]
    held_out: tuple[float, float]
    samples: int
    length: int  # tokens of each

    def __str__(self) -> str:
        (bleu, own), (other, others) = self.written, self.held_out
        return (
            f"{counted(self.samples, 'sample')} of {counted(self.length, 'token')} each: BLEU "
            f"against held-out text {bleu:.1f} (held-out text against the rest of it {other:.1f}), "
            f"self-BLEU among the samples {own:.1f} (held-out text {others:.1f}). A lower BLEU "
            "than the held-out text's means that word for word it is less like the text, a higher "
            "self-BLEU that it repeats itself more than people do."
        )


def likeness(
    write: Callable[[int], str], vocabulary: Vocabulary, ids: Tokens, first: int, stop: int
) -> Likeness | str:
    """Samples that `write`, given a number for each, makes, against the tokens `first` to `stop`.

    Both are counted on pieces of equal length: BLEU of all samples with every piece of held-out
    text as a reference, self-BLEU of each with the other samples as references (Zhu et al. 2018,
    arXiv:1802.01886). In words where it is not counted: without sacrebleu, or where there is too
    little held-out text or time.
    """
    if not installed():
        return INSTALL
    length = LENGTH[vocabulary.level]
    pieces = (stop - first) // length
    if pieces < 2 * SAMPLES:
        return (
            f"BLEU and self-BLEU are not counted: the held-out text has {counted(pieces, 'piece')} "
            f"of {length} tokens, which is fewer than {2 * SAMPLES}."
        )
    began, written = time.perf_counter(), list[str]()
    while len(written) < SAMPLES and time.perf_counter() - began < SECONDS:
        written.append(write(len(written)))
    if len(written) < 2:
        return "BLEU and self-BLEU are not counted: this model writes too slowly."
    chosen = np.linspace(0, pieces - 1, min(pieces, REFERENCES + len(written))).astype(np.int64)
    texts = [
        vocabulary.decode(ids.read(first + int(k) * length, length).tolist()) for k in chosen
    ]  # fmt: skip
    # The pieces that are judged beside the samples, evenly spread, are no references.
    judged = np.linspace(0, len(texts) - 1, len(written)).astype(np.int64).tolist()
    references = [text for k, text in enumerate(texts) if k not in judged]
    held_out = [texts[k] for k in judged]
    kind = tokenizer(references)
    return Likeness(
        (bleu(written, references, kind), self_bleu(written, kind)),
        (bleu(held_out, references, kind), self_bleu(held_out, kind)),
        len(written),
        length,
    )


def bleu(texts: Sequence[str], references: Sequence[str], kind: str) -> float:
    """BLEU of all texts together, each with all of the references."""
    from sacrebleu.metrics.bleu import BLEU

    streams = [[reference] * len(texts) for reference in references]
    score: float = BLEU(tokenize=kind, force=True).corpus_score(texts, streams).score
    return score


def self_bleu(texts: Sequence[str], kind: str) -> float:
    """The mean BLEU of each text with the others as its references."""
    others = [[*texts[:k], *texts[k + 1 :]] for k in range(len(texts))]
    return float(np.mean([bleu([t], rest, kind) for t, rest in zip(texts, others, strict=True)]))
