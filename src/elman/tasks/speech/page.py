"""What people read of recordings and what hears them: the data doctor's page, and the report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from elman.data.doctor import Page
from elman.data.sound.clips import Clip
from elman.tasks import labelling
from elman.tasks.classes import confusion_of, mistakes
from elman.tasks.classes import counted as by_class
from elman.tasks.confusion import draw as draw_confusion
from elman.tasks.speech import pictures, rejection
from elman.tasks.speech.answering import said
from elman.tasks.speech.data import Part, SpeechData
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.model import recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.scores import (
    by_words,
    errors,
    probabilities,
    references,
    transcribing,
    truth,
)
from elman.wording import counted, listed, readable

CLIPPED = 0.001  # share of a clip's samples cut off from which it is told
WORST = 8  # clips with most errors shown
SHOWN = 5  # transcripts of a sample
LISTED = 12  # labels, or rare symbols, in a line
RARE = 10  # clips below which a class is hardly learnt


def examine(dataset: SpeechData) -> Page:
    """What was read, on one page; what matters first."""
    parts = [dataset.train, dataset.check, *([] if dataset.test is None else [dataset.test])]
    clips = [clip for part in parts for clip in part.clips]
    heard = [one for part in parts for one in dataset.heard(part)]
    warnings, facts = [*dataset.warnings, *dataset.bad.told("clip")], [*dataset.facts]
    if silent := [c for c, one in zip(clips, heard, strict=True) if one.silent]:
        warnings.append(f"{counted(len(silent), 'clip is', 'clips are')} silent: {_named(silent)}")
    if cut_off := [c for c, one in zip(clips, heard, strict=True) if one.clipped > CLIPPED]:
        warnings.append(
            f"{counted(len(cut_off), 'clip is', 'clips are')} too loud, its peaks cut off: "
            f"{_named(cut_off)}"
        )
    warnings += _twice(dataset)
    hearing = dataset.encoder.hearing
    rates = Counter(one.rate for one in heard)
    told = ", ".join(f"{rate:,} ({n:,})" for rate, n in rates.most_common())
    if set(rates) != {hearing.rate}:
        facts.append(f"samples a second: {told}; heard as {hearing.rate:,}")
    if several := sum(one.channels > 1 for one in heard):
        facts.append(f"{counted(several, 'clip')} of several channels: their mean is heard")
    lengths = np.concatenate([dataset.lengths(part) for part in parts]) / hearing.rate
    low, middle, high = np.quantile(lengths, [0, 0.5, 1])
    facts.append(f"lengths: {low:.2g} to {high:.3g} s, half below {middle:.2g} s")
    speakers = Counter(clip.speaker for clip in clips if clip.speaker)
    if speakers:
        facts.append(_speakers(dataset, speakers))
    facts += _transcripts(dataset) if dataset.encoder.vocabulary is not None else _labels(clips)
    minutes = sum(dataset.seconds(part) for part in parts) / 60
    amount = f"{minutes / 60:.2f} hours" if minutes >= 60 else f"{minutes:.1f} minutes"
    test = "" if dataset.test is None else f", {len(dataset.test):,} for testing"
    verb = "to be transcribed" if dataset.encoder.mode == "transcribe" else "to be named"
    headline = (
        f"{dataset.name}: {counted(len(clips), 'clip')} {verb}, {amount}; "
        f"{len(dataset.train):,} for training, {len(dataset.check):,} for validation{test}"
    )
    return Page(headline, tuple(warnings), tuple(facts))


def _transcripts(dataset: SpeechData) -> list[str]:
    known = dataset.encoder.vocabulary
    assert known is not None
    texts = [clip.text or "" for clip in dataset.train.clips]
    counts = Counter(symbol for target in dataset.train.targets for symbol in target.tolist())
    facts = [f"transcripts as {known.level}, {len(counts):,} different symbols"]
    once = [dataset.encoder.shown(s) for s, n in counts.items() if n == 1 and s]
    if once:
        facts.append(f"symbols that come once: {listed([repr(s)[1:-1] for s in once], LISTED)}")
    repeated = len(texts) - len(set(texts))
    if repeated:
        facts.append(f"{repeated:,} of {len(texts):,} transcripts for training are repeats")
    return facts


def _labels(clips: Sequence[Clip]) -> list[str]:
    counts = Counter(clip.label for clip in clips).most_common()
    facts = [f"classes: {listed([f'{label} ({n:,})' for label, n in counts], LISTED)}"]
    if rare := [f"{label} ({n})" for label, n in counts if n < RARE]:
        facts.append(f"classes of less than {RARE} clips: {listed(rare, LISTED)}")
    return facts


def _speakers(dataset: SpeechData, speakers: Counter[str]) -> str:
    learnt = {clip.speaker for clip in dataset.train.clips}
    scored = {clip.speaker for clip in (dataset.test or dataset.check).clips} - {""}
    both = learnt & scored
    told = f"speakers: {listed([f'{name} ({n:,})' for name, n in speakers.most_common()], LISTED)}"
    if not scored:
        return told
    if not both:
        new = listed(sorted(scored), LISTED)
        return f"{told}; those that are scored are not heard in training: {new}"
    return (
        f"{told}; {len(both)} of the {len(scored)} that are scored are heard in training too: "
        "the score says little of new voices"
    )


def _twice(dataset: SpeechData) -> list[str]:
    """Clips with the same samples on both sides of the cut."""
    seen = set(dataset.sounds(dataset.train))
    scored = dataset.test or dataset.check
    shared = sum(sound in seen for sound in dataset.sounds(scored))
    repeats = len(dataset.train) - len(seen)
    found = []
    if shared:
        found.append(f"{counted(shared, 'clip')} to be scored sound the same as clips trained on")
    if repeats:
        found.append(f"{repeats:,} of {len(dataset.train):,} clips for training are repeats")
    return found


def sample(
    decoding: SpeechDecoding, model: nn.Module, dataset: SpeechData, options: SpeechOptions,
    length: int, seed: int, device: str,
) -> str:  # fmt: skip
    """Some transcripts, each with what was said."""
    part = dataset.check if len(dataset.check) else dataset.train
    if not length or dataset.encoder.mode == "classify":
        return ""
    draw = np.random.default_rng(seed).choice(len(part), min(SHOWN, len(part)), replace=False)
    some, lines = part.pick(draw.tolist()), []
    write, true = transcribing(model, dataset.encoder, decoding), references(part, dataset.encoder)
    found = {k: write(log_p)[0].text for k, log_p in said(model, dataset, some, device)}
    for k, n in enumerate(draw.tolist()):
        lines += [f"> {found[k]}", f"= {true[n]}", ""]
    return "\n".join(lines)


def remarks(
    decoding: SpeechDecoding, model: nn.Module, dataset: SpeechData, options: SpeechOptions,
    device: str, sample: str, folder: Path,
) -> list[str]:  # fmt: skip
    """What was got wrong, by speaker and by clip; a spectrogram with what was heard in it."""
    dataset = dataset.tested() or dataset
    if not len(dataset.check):
        return []
    if dataset.encoder.mode == "classify":
        return _of_classes(model, dataset, device, folder)
    return _of_transcripts(decoding, model, dataset, device, folder)


def _of_transcripts(
    decoding: SpeechDecoding, model: nn.Module, dataset: SpeechData, device: str, folder: Path
) -> list[str]:
    part = dataset.check
    write, true = transcribing(model, dataset.encoder, decoding), references(part, dataset.encoder)
    began, found = time.perf_counter(), {}
    for k, log_p in said(model, dataset, part, device):
        found[k] = write(log_p)[0], log_p
    took = time.perf_counter() - began
    answers = [found[k][0].text for k in range(len(part))]
    counts, first = errors(true, answers), by_words(true)
    lines = [f"Heard at {dataset.seconds(part) / took:,.0f} times the speed of sound.", ""]
    if not any(answers):
        lines += [
            "It writes nothing at all, as every network with CTC does at first. Give it more time; "
            "if that does not help, look whether transcripts and recordings belong together.",
            "",
        ]
    wrong, total = (
        (counts.words, counts.word_count) if first else (counts.characters, counts.character_count)
    )
    lines += _by_speaker(part, wrong, total, "wer" if first else "cer")
    share = wrong / np.maximum(total, 1)
    worst = [int(k) for k in np.argsort(-share, kind="stable")[:WORST] if share[k] > 0]
    if worst:
        lines += ["Clips with most errors:", ""]
        lines += [
            f"- {part.clips[k].where} ({share[k]:.0%}): said `{_short(true[k])}`, heard "
            f"`{_short(answers[k])}`"
            for k in worst
        ]
        lines.append("")
    shown = worst[0] if worst else 0
    model = recogniser(model)
    lines += pictures.draw_alignment(
        model.hearing, dataset.wave(part, shown), found[shown][0], part.clips[shown].where, folder
    )
    return lines


def _of_classes(model: nn.Module, dataset: SpeechData, device: str, folder: Path) -> list[str]:
    part, labels = dataset.check, dataset.encoder.labels
    chances, targets = probabilities(model, dataset, part, device), truth(part)
    said_, sure = chances.argmax(1), chances.max(1)
    confusion = confusion_of(chances, targets)
    lines = labelling.table(by_class(confusion, labels), "class", "clips")
    lines += ["", *_by_speaker(part, (said_ != targets) * 1.0, np.ones(len(part)), "wrong")]
    if wrong := mistakes(chances, targets)[:WORST]:
        lines += ["Mistakes made with most confidence:", ""]
        lines += [
            f"- {part.clips[k].where}: {labels[targets[k]]}, heard as {labels[said_[k]]} "
            f"({sure[k]:.0%})"
            for k in wrong
        ]
        lines.append("")
    lines += rejection.told(model, dataset, sure, said_ == targets)
    if draw_confusion(confusion, labels, sure, said_ == targets, folder):
        lines += ["![classes taken for one another](confusion.png)", ""]
    return lines


def _by_speaker(part: Part, wrong: np.ndarray, total: np.ndarray, name: str) -> list[str]:
    """A table of the speakers' scores; none where fewer than two are known."""
    speakers = sorted({clip.speaker for clip in part.clips if clip.speaker})
    if len(speakers) < 2:
        return []
    lines = [f"| speaker | clips | {name} |", "|---|---|---|"]
    for speaker in speakers:
        own = [k for k, clip in enumerate(part.clips) if clip.speaker == speaker]
        rate = float(wrong[own].sum() / max(1.0, total[own].sum()))
        lines.append(f"| {speaker} | {len(own):,} | {readable(rate)} |")
    return [*lines, ""]


def _named(clips: Sequence[Clip]) -> str:
    return listed([clip.where for clip in clips], 3)


def _short(text: str) -> str:
    text = text.replace("`", "'")
    return text if len(text) <= 100 else f"{text[:97]}…"
