"""How right transcripts are, by words and characters; and classes, by clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from elman.chance import Tally, shares
from elman.errors import UserError
from elman.metrics import Loss, Scores
from elman.tasks.classes import scores_of, tally_of
from elman.tasks.speech.answering import said
from elman.tasks.speech.data import BLANK, Encoder, Part, SpeechData
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.model import recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.writing import Transcribing
from elman.tasks.task import Validation

INSTALL = "speech is scored by jiwer: pip install 'elman[audio]'"
FEW_WORDS = 1.5  # of a transcript on average, below which characters are counted first

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Of each transcript the words and characters that are wrong, and how many there are [N]."""

    words: Floats
    word_count: Floats
    characters: Floats
    character_count: Floats
    exact: Floats

    def scores(self, *, by_words: bool) -> Scores:
        """Word and character error rate, the one that counts first."""
        wer = float(self.words.sum() / max(1.0, self.word_count.sum()))
        cer = float(self.characters.sum() / max(1.0, self.character_count.sum()))
        first, second = ("wer", "cer") if by_words else ("cer", "wer")
        found = {"wer": wer, "cer": cer}
        exact = float(self.exact.mean()) if len(self.exact) else 0.0
        return {first: found[first], second: found[second], "exact": exact}

    def tally(self, *, by_words: bool) -> Tally:
        """What the first of them is counted from, clip by clip."""
        if by_words:
            return shares("clip", self.words, self.word_count)
        return shares("clip", self.characters, self.character_count)


def errors(true: Sequence[str], said: Sequence[str]) -> Errors:
    """The errors of transcripts, beside what was said; none of the true ones is empty.

    Substitutions, deletions and insertions, by jiwer, of words that spaces part, and of characters.
    """
    try:
        import jiwer
    except ImportError:
        raise UserError(INSTALL) from None
    rows = []
    for reference, answer in zip(true, said, strict=True):
        w = jiwer.process_words(reference, answer)
        c = jiwer.process_characters(reference, answer)
        rows.append(
            (
                w.substitutions + w.deletions + w.insertions,
                w.hits + w.substitutions + w.deletions,
                c.substitutions + c.deletions + c.insertions,
                c.hits + c.substitutions + c.deletions,
                reference == answer,
            )
        )
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Errors(*table.T)


def by_words(texts: Sequence[str]) -> bool:
    """Whether transcripts have words to count: Chinese has no spaces, commands one word."""
    return sum(len(text.split()) for text in texts) >= FEW_WORDS * max(1, len(texts))


def validate(
    decoding: SpeechDecoding, model: nn.Module, dataset: SpeechData, options: SpeechOptions,
    device: str,
) -> Validation:  # fmt: skip
    decoding.check_no_stream()
    decoding.check_mode(writes=dataset.encoder.mode == "transcribe")
    part = dataset.check
    if dataset.encoder.mode == "classify":
        chances, targets = probabilities(model, dataset, part, device), truth(part)
        scores = scores_of(chances, targets)
        loss = Loss(scores["nats"] * len(targets), len(targets))
        if decoding.threshold is not None:
            scores |= answered(chances, targets, decoding.threshold)
        return Validation(loss, scores, by_score=True, tally=tally_of(chances.argmax(1), targets))
    write = transcribing(model, dataset.encoder, decoding)
    answers, loss = [""] * len(part), Loss(0.0, 0)
    for k, log_p in said(model, dataset, part, device):
        answers[k] = write(log_p)[0].text
        loss += cost(log_p, part.targets[k])
    true = references(part, dataset.encoder)
    found, first = errors(true, answers), by_words(true)
    nats = {"nats": loss.mean} if loss.count else {}
    return Validation(
        loss, found.scores(by_words=first) | nats, by_score=True, tally=found.tally(by_words=first)
    )


def answered(chances: Floats, targets: NDArray[np.int64], threshold: float) -> Scores:
    """The share of clips of whose class the network is so sure, and of these the share of hits."""
    there = chances.max(1) >= threshold
    right = chances.argmax(1)[there] == targets[there]
    found = {"answered": float(there.mean())}
    return found | ({"answered_accuracy": float(right.mean())} if there.any() else {})


def transcribing(model: nn.Module, encoder: Encoder, decoding: SpeechDecoding) -> Transcribing:
    """What writes the transcripts of a model."""
    model = recogniser(model)
    return Transcribing(encoder, decoding, model.step_seconds, model.transcripts)


def references(part: Part, encoder: Encoder) -> list[str]:
    """The true transcripts, as answers are written."""
    return [encoder.clean(clip.text or "") for clip in part.clips]


def cost(log_p: Floats, symbols: NDArray[np.int64]) -> Loss:
    """What the true symbols cost, in nats; nothing where there are too few steps for them."""
    rows = torch.from_numpy(log_p)[:, None]
    symbols = symbols[symbols != BLANK]
    total = F.ctc_loss(
        rows, torch.from_numpy(symbols)[None], torch.tensor([len(log_p)]),
        torch.tensor([len(symbols)]), blank=BLANK, reduction="sum", zero_infinity=True,
    )  # fmt: skip
    return Loss(float(total), max(1, len(symbols)))


def probabilities(model: nn.Module, dataset: SpeechData, part: Part, device: str) -> Floats:
    """The probability of each class, [N, C]."""
    found = np.empty((len(part), len(dataset.encoder.labels)))
    for k, log_p in said(model, dataset, part, device):
        found[k] = np.exp(log_p)
    return found


def truth(part: Part) -> NDArray[np.int64]:
    """The number of each clip's label [N]."""
    return np.array([int(target[0]) for target in part.targets], dtype=np.int64)
