"""What people read of a translator: the data doctor's page, samples, its worst mistakes, where it
looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from elman.data import doctor
from elman.data.doctor import Page
from elman.tasks.translate import pictures
from elman.tasks.translate.data import Paired
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.pictures import looked
from elman.tasks.translate.scores import INSTALL, likeness, signatures
from elman.tasks.translate.writing import Translation, translated
from elman.wording import counted

SHOWN = 5  # sentences of a sample
LISTED = 10  # sentences, evenly spread
READ = 200  # sentences among which the worst mistakes are looked for
WORST = 5
DRAWN = 4  # matrices of attention
WIDEST = 40  # tokens of a side of such a matrix


def examine(dataset: Paired) -> Page:
    page = doctor.paired(
        dataset.name, dataset.train, dataset.check,
        [len(ids) - 1 for ids in dataset.sources], [len(ids) - 1 for ids in dataset.targets],
        left_out=dataset.bad.told("pair"),
    )  # fmt: skip
    source, target = dataset.encoder.source, dataset.encoder.target
    fact = f"read as {source.level}, {source.size:,} different ones known"
    if target is source:
        fact += ", the same on both sides"
    elif target.level == source.level:
        fact += f" in sources, {target.size:,} in targets"
    else:
        fact += f"; targets as {target.level}, {target.size:,}"
    if dataset.test is not None:
        fact += (
            f"; {counted(len(dataset.test.check), 'pair')} kept from every choice, for the "
            "final scores"
        )
    parted = dataset.encoder.segmentation
    return replace(page, facts=(*page.facts, fact, *([parted] if parted else [])))


def sample(
    decoding: Decoding, model: nn.Module, dataset: Paired, options: TranslateOptions, length: int,
    seed: int, device: str,
) -> str:  # fmt: skip
    held = len(dataset.sources) - dataset.trained
    if not length or not held:
        return ""
    draw = np.random.default_rng(seed)
    chosen = dataset.trained + draw.choice(held, min(SHOWN, held), replace=False)
    found = translated(decoding, model, dataset, chosen.tolist(), device)
    lines = []
    for k, (best, *_) in zip(chosen.tolist(), found, strict=True):
        lines += [
            f"  {dataset.source(k)}",
            f"> {best.text}",
            f"= {dataset.truth(k)}",
            "",
        ]
    return "\n".join(lines)


def remarks(
    decoding: Decoding, model: nn.Module, dataset: Paired, options: TranslateOptions, device: str,
    sample: str, folder: Path,
) -> list[str]:  # fmt: skip
    """Some of what it writes of the validation part, its worst mistakes, where attention looks."""
    if dataset.trained == len(dataset.sources):
        return []
    assert isinstance(model, Translator)
    looks = model.attention is not None

    def best(chosen: Sequence[int]) -> list[Translation]:
        found = translated(decoding, model, dataset, chosen, device, attention=looks)
        return [translations[0] for translations in found]

    return remarks_on(dataset, best, folder, lowercase=options.lowercase)


def remarks_on(
    dataset: Paired, translate: Callable[[Sequence[int]], list[Translation]], folder: Path, *,
    lowercase: bool,
) -> list[str]:  # fmt: skip
    """Lines of Markdown on the validation part; pictures that they show are drawn into `folder`.

    `translate` gives the best translation of each of these pairs, with its attention.
    """
    held = range(dataset.trained, len(dataset.sources))
    read = held[:: max(1, len(held) // READ)][:READ]
    best = dict(zip(read, translate(read), strict=True))
    spread = read[:: max(1, len(read) // LISTED)][:LISTED]
    signed = signatures(dataset.check.targets, lowercase=lowercase)
    lines = [f"Counted by sacrebleu: {'; '.join(signed)}." if signed else INSTALL, ""]
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
    matrices = [
        looked(dataset.encoder, dataset.sources[k], best[k])
        for k in spread
        if best[k].attention is not None
    ]
    chosen = [one for one in matrices if 2 < len(one.target) <= WIDEST >= len(one.source)]
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
