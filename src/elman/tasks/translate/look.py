"""What a translator is looked at with: pairs that it was not trained on."""

from __future__ import annotations

from elman.data.texts.vocabulary import Vocabulary
from elman.tasks.looking import Ints, Look, picked
from elman.tasks.translate.data import Paired
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.training import Batch, batch
from elman.wording import counted

END = "<end>"


def look(dataset: Paired, options: TranslateOptions, size: int, seed: int) -> Look[Batch]:
    """Pairs of the validation part, or of the training part where there is none. The steps are
    those of the source; `answers` what the decoder reads, the target's tokens so far."""
    held = len(dataset.check.sources)
    begin, count = (dataset.trained, held) if held else (0, dataset.trained)
    chosen = [begin + k for k in picked(count, size, seed)]
    encoder, part = dataset.encoder, "validation" if held else "training"
    written = [_shown(encoder.target, dataset.targets[k]) for k in chosen]
    return Look(
        batch(dataset, chosen),
        [_shown(encoder.source, dataset.sources[k]) for k in chosen],
        f"{counted(len(chosen), 'pair')} of the {part} part",
        labels=[[dataset.truth(k)] for k in chosen],
        answers=[[END, *tokens[:-1]] for tokens in written],
        unit="token",
    )


def _shown(side: Vocabulary, ids: Ints) -> list[str]:
    return [END if token == side.size else side.symbol(int(token)) for token in ids]
