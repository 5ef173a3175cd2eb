"""What was heard, over the sound that it was heard in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from elman.layers.sound import LOWEST_HZ, LogMel, mel
from elman.search.ctc import Word
from elman.tasks import drawing
from elman.tasks.speech.data import Floats, Hearing
from elman.tasks.speech.writing import Transcript

LONGEST = 15.0  # seconds that are shown
LETTER = 0.0075  # width of a letter, of the picture's
LINES = 6  # of words above one another
HZ = (100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000)  # marked


def draw_alignment(
    hearing: Hearing, wave: Floats, heard: Transcript, where: str, folder: Path
) -> list[str]:
    """The log-mel spectrogram of a clip with its words at their times, alignment.png.

    → lines of Markdown that show it; words that the font of pictures lacks stand in it by their
    numbers, and beside it in full. None without matplotlib.
    """
    if not drawing.possible():
        return []
    from matplotlib.figure import Figure

    wave = wave[: int(LONGEST * hearing.rate)]
    features = LogMel(hearing.rate, hearing.mels, hearing.window / 1000, hearing.hop / 1000)
    spectrum, _ = features(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
    seconds = len(wave) / hearing.rate
    shown = [word for word in heard.words if word.start < seconds]
    numbered = not _drawable("".join(word.text for word in shown))
    names = [str(k) if numbered else word.text for k, word in enumerate(shown, 1)]
    lines = _lines(shown, names, seconds)
    count = max(lines, default=0) + 1
    figure = Figure(figsize=(10, 3.4 + 0.25 * count), layout="constrained")
    above, picture = figure.subplots(2, 1, sharex=True, height_ratios=(count + 1, 13))
    picture.imshow(
        spectrum[0].numpy().T, origin="lower", aspect="auto", cmap="magma",
        extent=(0, seconds, 0, hearing.mels),
    )  # fmt: skip
    marks = {_height(hz, hearing): f"{hz:,}" for hz in HZ if hz < hearing.rate / 2}
    picture.set_yticks(list(marks), list(marks.values()))
    picture.set_ylabel("Hz")
    picture.set_xlabel("seconds")
    for word, name, line in zip(shown, names, lines, strict=True):
        above.axvspan(word.start, word.stop, color="tab:blue", alpha=0.15 + 0.6 * word.confidence)
        above.text(
            (word.start + word.stop) / 2, (line + 0.5) / count, name, ha="center", va="center",
            fontsize=8, parse_math=False, clip_on=True,
        )  # fmt: skip
        for edge in (word.start, word.stop):
            picture.axvline(edge, color="white", lw=0.5, alpha=0.6)
    above.set_yticks([])
    above.set_ylim(0, 1)
    above.set_xlim(0, seconds)
    what = "heard words; the surer, the darker" if shown else "nothing heard"
    above.set_title(f"{drawing.plain(Path(where).name)}: {what}", fontsize=9, parse_math=False)
    drawing.save(figure, folder / "alignment.png")
    told = ["![spectrogram, and the words heard in it](alignment.png)", ""]
    if numbered:
        listed = " ".join(f"{name} {word.text}" for name, word in zip(names, shown, strict=True))
        told += [f"The words by their numbers: {listed}", ""]
    return told


def _drawable(text: str) -> bool:
    """Whether the font of pictures has all letters of a text."""
    from matplotlib import font_manager, ft2font

    path = font_manager.findfont(font_manager.FontProperties())
    return set(map(ord, text)) <= ft2font.FT2Font(path).get_charmap().keys()


def _lines(words: Sequence[Word], names: Sequence[str], seconds: float) -> list[int]:
    """The line of each word, the lowest in which it touches none before it."""
    ends, found = list[float](), list[int]()
    for word, name in zip(words, names, strict=True):
        middle, half = (word.start + word.stop) / 2, (len(name) + 1) * LETTER * seconds / 2
        free = [line for line, end in enumerate(ends) if end <= middle - half]
        if not free and len(ends) < LINES:
            free = [len(ends)]
            ends.append(0.0)
        line = free[0] if free else min(range(len(ends)), key=ends.__getitem__)
        ends[line] = middle + half
        found.append(line)
    return found


def _height(hz: float, hearing: Hearing) -> float:
    """Where a pitch stands among bands, which lie equally far apart in mel."""
    low, high = mel(LOWEST_HZ), mel(hearing.rate / 2)
    return (mel(hz) - low) / (high - low) * (hearing.mels + 1) - 0.5
