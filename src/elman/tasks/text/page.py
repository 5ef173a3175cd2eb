"""What people read of a language model: the data doctor's page, a sample, and what it is like."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

from torch import nn

from elman import decode
from elman.data import doctor
from elman.data.doctor import Page
from elman.tasks.text.data import Start, TextData
from elman.tasks.text.options import TextOptions
from elman.tasks.text.writing import likeness, memorisation
from elman.tasks.text.writing.likeness import Likeness
from elman.tasks.text.writing.writer import writer_of
from elman.wording import counted

LONGEST_PROMPT = 1_000  # tokens before a sample
COMPARED = 100_000_000  # tokens in which copies are sought: 3 s


def examine(dataset: TextData) -> Page:
    corpus, vocabulary = dataset.corpus, dataset.vocabulary
    unit = "byte" if vocabulary.level == "bytes" else "character"
    more = len(corpus.sources) - 1
    shown = corpus.sources[0].shown + (f" and {more} more" if more else "")
    tokens = "" if dataset.tokens == corpus.characters else f"{counted(dataset.tokens, 'token')}, "
    headline = (
        f"{shown}: {counted(corpus.characters, unit)}, {tokens}"
        f"{counted(vocabulary.size, 'symbol')}; "
        f"the last {counted(dataset.tokens - dataset.cut, 'token')} for validation"
    )
    if vocabulary.level == "bytes":  # it may be no text
        return Page(headline, facts=corpus.facts())
    share = 1 - dataset.cut / dataset.tokens
    page = doctor.prose(headline, corpus.reading.text(corpus.sources), share)
    return replace(page, facts=(*corpus.facts(), *page.facts))


def sample(
    model: nn.Module, dataset: TextData, options: TextOptions, length: int, seed: int, device: str
) -> str:
    """What it writes after the end of the training part."""
    writer = writer_of(model, dataset.vocabulary, options, device)
    ids = dataset.corpus.ids
    before = ids.read(dataset.cut, min(options.sequence_length, LONGEST_PROMPT))
    cursor = writer.start((before if len(before) else ids.read(0, 1)).tolist())
    pieces = writer.write(cursor, length, decode.Sampling(seed=seed))
    return "".join(piece for piece, _ in pieces)


def remarks(
    model: nn.Module, dataset: TextData, options: TextOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """How much of the last sample is copied, how like people's text it is, and what to try next."""
    return [
        *_memorised(dataset, sample),
        *_likeness(model, dataset, options, device),
        *_next(options, folder),
    ]


def _memorised(dataset: TextData, sample: str) -> list[str]:
    ids = dataset.vocabulary.encode(sample)
    if len(ids) == 0:
        return []
    training = Start(dataset.corpus.ids, min(dataset.cut, COMPARED))
    whole = len(training) == dataset.cut
    where = "the training text" if whole else f"the first {COMPARED:,} tokens of the text"
    found = memorisation.memorisation(ids, training)
    copied = training.read(found.training_start, found.length)
    share = found.training_start / len(training)
    text = json.dumps(dataset.vocabulary.decode(copied.tolist()), ensure_ascii=False)
    return [
        f"Memorisation: the longest span that the last sample copies from {where} is "
        f"{counted(found.length, 'token')}, at token {found.training_start:,} "
        f"({share:.1%} of the way): `{text}`. {found.copied_share:.0%} of the sample stands in "
        f"copies of {found.span} tokens or more."
    ]


def _likeness(model: nn.Module, dataset: TextData, options: TextOptions, device: str) -> list[str]:
    """How like the held-out text it writes, from places spread over the training text."""
    if dataset.cut == dataset.tokens:
        return []
    writer, ids = writer_of(model, dataset.vocabulary, options, device), dataset.corpus.ids
    vocabulary = dataset.vocabulary
    length = likeness.LENGTH[vocabulary.level]

    def write(k: int) -> str:
        read = min(options.sequence_length, LONGEST_PROMPT, dataset.cut)
        place = (dataset.cut - read) * k // likeness.SAMPLES
        cursor = writer.start(ids.read(place, read).tolist())
        pieces = writer.write(cursor, length, decode.Sampling(seed=k))
        return "".join(piece for piece, _ in pieces)

    found = likeness.likeness(write, vocabulary, ids, dataset.cut, dataset.tokens)
    return [f"What it writes: {found}" if isinstance(found, Likeness) else found]


def _next(options: TextOptions, folder: Path) -> list[str]:
    """What has not been tried yet, with its command."""
    lines, place = [], shlex.quote(str(folder))
    if not options.mix_ngram:
        config = shlex.quote(str(folder / "options.toml"))
        lines.append(
            "Network and n-gram model as one are mostly better than either: "
            f"`elman train text --config {config} --mix-ngram`."
        )
    if not options.windowed:
        lines.append(
            "A text that differs from the one trained on is foretold better by a model that goes "
            f"on learning from what it has read: `elman evaluate {place} DATA --dynamic`."
        )
    return lines
