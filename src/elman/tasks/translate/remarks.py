"""What a report says of a translator: some of what it wrote, its worst mistakes, where it looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from elman.tasks.translate import pictures
from elman.tasks.translate.data import Paired
from elman.tasks.translate.pictures import Looked
from elman.tasks.translate.scores import INSTALL, likeness, signatures
from elman.tasks.translate.writing import Translation

LISTED = 10  # sentences, evenly spread
READ = 200  # sentences among which the worst mistakes are looked for
WORST = 5
DRAWN = 4  # matrices of attention
WIDEST = 40  # tokens of a side of such a matrix


def remarks(
    dataset: Paired, translated: Callable[[Sequence[int]], list[Translation]], folder: Path, *,
    lowercase: bool,
) -> list[str]:  # fmt: skip
    """Lines of Markdown on the validation part; pictures that they show are drawn into `folder`.

    `translated` gives the best translation of each of these pairs, with its attention.
    """
    held = range(dataset.trained, len(dataset.sources))
    read = held[:: max(1, len(held) // READ)][:READ]
    best = dict(zip(read, translated(read), strict=True))
    spread = read[:: max(1, len(read) // LISTED)][:LISTED]
    counted = signatures(dataset.check.targets, lowercase=lowercase)
    lines = [f"Counted by sacrebleu: {'; '.join(counted)}." if counted else INSTALL, ""]
    lines += ["Some pairs for validation, what was written, what it should be:", ""]
    lines += _listed(dataset, best, spread)
    said, true = [best[k].text for k in read], [dataset.truth(k) for k in read]
    alike = likeness(said, true, lowercase=lowercase)
    if alike is not None:
        order = np.argsort(alike, kind="stable")[:WORST].tolist()
        worst = [read[place] for place in order if said[place] != true[place]]
        if worst:
            lines += ["", f"The worst of {len(read)}, those least like what they should be:", ""]
            lines += _listed(dataset, best, worst)
    looked = [_looked(dataset, k, best[k]) for k in spread if best[k].attention is not None]
    chosen = [one for one in looked if 2 < len(one.target) <= WIDEST >= len(one.source)]
    if chosen and pictures.draw(chosen[:DRAWN], folder / "attention.svg"):
        lines += ["", "Where attention looks, a row for each token written:", ""]
        lines += ["![shares of the source's tokens](attention.svg)"]
    return [*lines, ""]


def _listed(dataset: Paired, best: dict[int, Translation], chosen: Sequence[int]) -> list[str]:
    lines = []
    for k in chosen:
        lines += [
            f"- `{dataset.source(k)}`", f"  - `{best[k].text}`", f"  - `{dataset.truth(k)}`"
        ]  # fmt: skip
    return lines


def _looked(dataset: Paired, k: int, best: Translation) -> Looked:
    """Tokens of both sides and the attention between them; the end of the source is a stop."""
    assert best.attention is not None
    encoder = dataset.encoder
    source = [*(encoder.source.symbol(int(t)) for t in dataset.sources[k][:-1]), "■"]
    target = [encoder.target.symbol(t) for t in best.tokens]
    return Looked(source, target, best.attention.numpy())
