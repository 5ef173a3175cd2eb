"""Recordings and what is said in them, from data to a data set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from elman.data.sound import audio
from elman.data.sound import reading as sounds
from elman.data.sound.clips import Clip
from elman.data.sound.cut import cut
from elman.data.sound.options import CutOptions, SoundOptions
from elman.data.sound.reading import SoundReading
from elman.data.sound.waves import Waves, decoded
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.texts import vocabulary as vocabularies
from elman.data.texts.vocabulary import Vocabulary
from elman.errors import UserError
from elman.layers.sound import Moments
from elman.options import make, part
from elman.search.ctc import enough
from elman.tasks import naming
from elman.tasks.speech.data import (
    BLANK,
    Encoder,
    Floats,
    Hearing,
    Part,
    SpeechData,
    encoder_from_json,
    moments,
)
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.task import Kept
from elman.wording import counted

LOOKED_AT = 200  # recordings by whose headers the rate is chosen
HIGHEST = 16_000  # samples a second, above which speech tells little more
NARROW, WIDE = 40, 80  # bands up to 8,000 samples a second, and above
FEW_WORDS = 50  # different words up to which they are what is told, not their letters
OFTEN = 15  # times that each of so few words comes, on average, at least
STRIDE = 2  # frames of a step, by which it is told what is too short


def read(data: Sequence[str], options: SpeechOptions, validation: float) -> SpeechData:
    """Speakers are kept apart where that can be done; else the cut is drawn by names."""
    name, bad = naming.shown(data), BadRows(options.skip_bad_rows)
    written = part(TableOptions, options)
    found = sounds.read(data, bad, part(SoundOptions, options), written=written)
    held = None
    if options.validation_data is not None:
        named = [str(options.validation_data)]
        held = sounds.read(named, bad, written=written, known=found.reading)
    clips = [*found.items, *(() if held is None else held.items)]
    rate = options.rate or _rate(clips)
    kept, waves = decoded(clips, rate, bad)
    if not kept:
        raise bad.nothing_left(f"{data[0]}: no recording can be read")
    own = [k for k in kept if k < len(found.items)]
    share = 0.0 if held is not None else validation
    how = CutOptions(
        share, options.validation_speakers, options.validation_files, options.test_speakers,
        options.test_files,
    )  # fmt: skip
    alike = [one.digest for one, k in zip(waves.heard, kept, strict=True) if k < len(found.items)]
    parts = cut([found.items[k] for k in own], how, alike)
    places = {clip: place for place, clip in enumerate(kept)}
    train, check, test = ([own[k] for k in numbers.tolist()] for numbers in parts[:3])
    check += [k for k in kept if k >= len(found.items)]
    if validation and not check:
        raise UserError(
            f"{name}: {counted(len(own), 'clip')} are too few to hold some back; give more, a "
            "larger --validation, --validation-data, or --validation 0"
        )
    facts, warnings = [*found.facts, *parts.facts], [*found.warnings]
    train, told = _not_too_long(train, places, waves, rate, options.longest)
    warnings += told
    if not train:
        raise UserError(f"{name}: no clip of {options.longest:g} s or less to train on")
    mode = found.reading.mode
    normalise = options.normalise or ("training" if options.streaming else "level")
    hearing = Hearing(
        rate, options.mels or (NARROW if rate <= 8_000 else WIDE), options.window, options.hop,
        options.deltas, normalise,
    )  # fmt: skip
    if mode == "classify":
        labels = tuple(sorted({clips[k].label or "" for k in train}))
        if len(labels) < 2:
            raise UserError(f'{name}: one label only, "{labels[0]}"; nothing to learn')
        encoder = Encoder(hearing, labels)
    else:
        encoder = Encoder(hearing, (), _vocabulary([clips[k].text or "" for k in train], options))
        train, told = _not_too_short(train, clips, places, waves, encoder, _stride(options))
        warnings += told
        if not train:
            raise UserError(
                f"{name}: every clip is too short for its transcript; look whether "
                "the two belong together"
            )
    made = [_part(clips, numbers, places, encoder, bad) for numbers in (train, check, test)]
    dataset = SpeechData(
        name, made[0], made[1], waves, encoder, found.reading, bad,
        made[2] if test else None, tuple(facts), tuple(warnings), _noises(options, rate),
    )  # fmt: skip
    return by_speaker(dataset)


def unseen(data: Sequence[str], kept: Kept, bad: BadRows) -> SpeechData:
    encoder, reading = settled(kept)
    found = sounds.read(data, bad, known=reading)
    numbers, waves = decoded(found.items, encoder.hearing.rate, bad)
    if not numbers:
        raise bad.nothing_left(f"{data[0]}: no recording can be read")
    places = {clip: place for place, clip in enumerate(numbers)}
    check = _part(found.items, numbers, places, encoder, bad)
    if not len(check):
        raise bad.nothing_left(f"{data[0]}: nothing is left to score")
    name = naming.shown(data)
    return by_speaker(
        SpeechData(name, Part(), check, waves, encoder, reading, bad, facts=found.facts)
    )


def settled(kept: Kept) -> tuple[Encoder, SoundReading]:
    """Encoder and reading of a trained model. UserError where they are damaged."""
    reading = kept.get("reading")
    if not isinstance(reading, dict):
        raise UserError("preprocessing.json: damaged (no reading in it)")
    given = {name: value for name, value in reading.items() if value is not None}
    return encoder_from_json(kept.get("encoder")), make(SoundReading, given, where="reading")


def clip_seconds(kept: Kept) -> float:
    """How long half of the clips were at most that a model was trained on. UserError where that is
    missing, as in models of before, or damaged."""
    found = kept.get("clip_seconds")
    if not isinstance(found, int | float) or not 0.01 <= found <= 60:
        raise UserError(
            "preprocessing.json: does not tell how long clips are (clip_seconds, 0.01 to 60), by "
            "which commands are looked for in a stream; train anew"
        )
    return float(found)


def overlap(dataset: SpeechData, training: SpeechData) -> str:
    known, scored = training.sounds(training.train), dataset.sounds(dataset.check)
    return naming.trained_on(known, scored, "clip")


def by_speaker(dataset: SpeechData) -> SpeechData:
    """The same with the moments of each clip's speaker, where clips are normalised by them; a clip
    without a speaker is one of its own."""
    if dataset.encoder.hearing.normalise != "speaker":
        return dataset
    parts = [dataset.train, dataset.check, dataset.test or Part()]
    own = [moments(dataset, one, range(len(one))) for one in parts]
    total: dict[str, Moments] = {}
    for some, each in zip(parts, own, strict=True):
        for clip, one in zip(some.clips, each, strict=True):
            if clip.speaker:
                total[clip.speaker] = total[clip.speaker] + one if clip.speaker in total else one
    train, check, test = (
        replace(
            some,
            moments=tuple(
                total.get(clip.speaker, one) for clip, one in zip(some.clips, each, strict=True)
            ),
        )
        for some, each in zip(parts, own, strict=True)
    )
    return replace(dataset, train=train, check=check, test=None if dataset.test is None else test)


def _rate(clips: Sequence[Clip]) -> int:
    """The rate of most recordings, but no more than speech needs."""
    chosen = np.unique(np.linspace(0, len(clips) - 1, min(LOOKED_AT, len(clips))).astype(int))
    rates = Counter[int]()
    for k in chosen.tolist():
        try:
            rates[audio.about(clips[k].recording).rate] += 1
        except UserError:
            continue  # decoding will tell
    most = rates.most_common(1)
    return max(4_000, min(HIGHEST, most[0][0])) if most else HIGHEST


def _noises(options: SpeechOptions, rate: int) -> tuple[Floats, ...]:
    """What is mixed in while training. UserError: a recording that cannot be read."""
    if options.noise is None:
        return ()
    bad = BadRows(skip=False)
    found = sounds.read([str(options.noise)], bad, wanted=False)
    _, waves = decoded(found.items, rate, bad)
    return tuple(waves.read(k) for k in range(len(waves)))


def _not_too_long(
    numbers: list[int], places: dict[int, int], waves: Waves, rate: int, longest: float
) -> tuple[list[int], list[str]]:
    kept = [k for k in numbers if waves.lengths[places[k]] <= longest * rate]
    left = len(numbers) - len(kept)
    told = f"{counted(left, 'clip')} of more than {longest:g} s left out of training (--longest)"
    return kept, [told] if left else []


def _stride(options: SpeechOptions) -> int:
    """Frames of a step: as asked for, else as few as a plan may choose where there is no room."""
    if not options.convolution_stride:
        return STRIDE
    alone = len(options.convolution_stride) == 1
    count = len(options.convolutions or (0,)) if alone else 1
    return math.prod(options.convolution_stride * count)


def _not_too_short(
    numbers: list[int], clips: Sequence[Clip], places: dict[int, int], waves: Waves,
    encoder: Encoder, stride: int,
) -> tuple[list[int], list[str]]:  # fmt: skip
    """Without those that have fewer steps, of `stride` frames, than symbols, of which nothing can
    be learnt."""
    samples = torch.from_numpy(waves.lengths[[places[k] for k in numbers]])
    frames = encoder.hearing.features().frames(samples).tolist()
    kept, left = list[int](), list[int]()
    for k, count in zip(numbers, frames, strict=True):
        symbols = encoder.symbols(encoder.clean(clips[k].text or "")).tolist()
        (kept if enough(-(-count // stride), symbols) else left).append(k)
    if not left:
        return kept, []
    told = (
        f"{counted(len(left), 'clip')} too short for what is said in them left out of training, "
        f"such as {clips[left[0]].where}"
    )
    return kept, [told]


def _vocabulary(texts: Sequence[str], options: SpeechOptions) -> Vocabulary:
    """What transcripts are written with."""
    level = options.level
    if level is None:
        words = Counter(word for text in texts for word in text.split())
        few = len(words) <= FEW_WORDS and words.total() >= OFTEN * len(words)
        several = words.total() > len(texts)
        level = "words" if few and several else "characters"
    spaced = True if level == "words" else None
    return vocabularies.build(
        level, (f"{text} " for text in texts),
        limit=options.vocabulary, lowercase=options.lowercase, spaced=spaced,
    )  # fmt: skip


def _part(
    clips: Sequence[Clip], numbers: Sequence[int], places: dict[int, int], encoder: Encoder,
    bad: BadRows,
) -> Part:  # fmt: skip
    """Clips with what is to be told of them. UserError: a label or a symbol that training lacks,
    unless `bad` leaves such clips out."""
    known = {label: number for number, label in enumerate(encoder.labels)}
    kept, targets = [], []
    for k in numbers:
        clip = clips[k]
        if encoder.vocabulary is None:
            if (clip.label or "") not in known:
                bad.add(clip.where, f'label "{clip.label}" is not in the training data')
                continue
            targets.append(np.array([known[clip.label or ""]], dtype=np.int64))
        else:
            symbols = encoder.symbols(encoder.clean(clip.text or ""))
            if (symbols == BLANK).any():
                lacking = encoder.vocabulary.covers(encoder.clean(clip.text or ""))
                shown = " ".join(lacking[:5])
                bad.add(clip.where, f"its transcript has what the model never learnt: {shown}")
                continue
            targets.append(symbols)
        kept.append(k)
    at = np.array([places[k] for k in kept], dtype=np.int64)
    return Part(tuple(clips[k] for k in kept), at, tuple(targets))
