"""What a language model is looked at with: stretches of text, and the token after each step."""

from __future__ import annotations

import numpy as np
import torch

from elman.errors import UserError
from elman.tasks.looking import Look
from elman.tasks.text.data import TextData
from elman.tasks.text.options import TextOptions
from elman.tasks.text.training import Batch
from elman.wording import counted

WINDOWS = 2  # of training, so that what lies beyond one is seen
FEWEST, MOST = 128, 512  # steps
GIVEN = 4096  # steps of a text that is given to be looked at alone
UNITS = {"bytes": "byte", "characters": "character", "words": "word"}


def look(dataset: TextData, options: TextOptions, size: int, seed: int) -> Look[Batch]:
    """Stretches of the validation part, or of the whole text where there is none.

    One stretch of a text that was not trained on is all of it, up to `GIVEN` steps.
    """
    ids, window = dataset.corpus.ids, options.sequence_length
    held = dataset.tokens - dataset.cut
    begin = dataset.cut if held >= 2 else 0
    if dataset.tokens - begin < 2:
        raise UserError(f"too short to look at ({counted(dataset.tokens, 'token')})")
    part = "the text" if begin == 0 else "the validation part"
    wanted = window if options.windowed else min(max(WINDOWS * window, FEWEST), max(window, MOST))
    if size == 1 and not dataset.cut and not options.windowed:
        wanted = GIVEN
    # Half of a short part is enough for one stretch of several, so that they are not the same.
    share = 1 if options.windowed or size == 1 else 2
    steps = max(1, min(wanted, (dataset.tokens - begin - 1) // share))
    starts = np.random.default_rng(seed).integers(begin, dataset.tokens - steps, size)
    rows = np.stack([ids.read(int(start), steps + 1) for start in np.sort(starts)])
    x, y = torch.from_numpy(rows[:, :-1].T.copy()), torch.from_numpy(rows[:, 1:].T.copy())
    shown = [[dataset.vocabulary.symbol(int(token)) for token in row] for row in rows]
    unit = UNITS.get(dataset.vocabulary.level, "token")
    return Look(
        (x, y[-1].clone() if options.windowed else y),
        [row[:-1] for row in shown],
        f"{counted(size, 'stretch', 'stretches')} of {counted(steps, unit)} of {part}",
        labels=[row[-1:] if options.windowed else row[1:] for row in shown],
        unit=unit,
        truncation=None if options.windowed else window,
    )
