"""What a model of either form makes, for people to see: beside what is true, in pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from elman.data.built_in import canon_rules
from elman.data.symbolic.piece import Note, Piece, Track
from elman.data.symbolic.timing import bars
from elman.tasks import drawing
from elman.tasks.music import memorisation, pictures
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.place import Composer
from elman.tasks.music.histograms import Histogram, histograms, overlaps
from elman.wording import counted

ROLLS, HISTOGRAMS = "rolls.png", "histograms.png"
SHOWN = 64  # lines of a sample
PROMPT_BARS, MADE_BARS = 4, 12
SAMPLES = 5  # pieces made, from which it is told what they are like


class Made(NamedTuple):
    """Pieces that a model made: alone, and going on from a beginning that is not its own."""

    alone: list[Piece]
    prompt: Piece
    going_on: Piece
    true: Piece


def sample(composer: Composer, length: int, seed: int) -> str:
    """What it makes from nothing, as lines of text, `SHOWN` at most."""
    made = composer.compose(Composing(), composer.begin(), seed)
    return "\n".join(islice(made, min(length, SHOWN)))


def make(composer: Composer, true: Piece, seed: int) -> Made:
    """Pieces made from nothing, and one that goes on after the first bars of `true`."""
    alone = [
        _whole(composer, Composing(bars=PROMPT_BARS + MADE_BARS), seed + k) for k in range(SAMPLES)
    ]
    at = _cut(true)
    prompt = until(true, at)
    place = composer.read(prompt)
    made = composer.compose(Composing(bars=MADE_BARS), place, seed)
    for _ in made:
        pass
    return Made(alone, prompt, made.piece, until(true, at + _quarters(made.piece, prompt, true)))


def draw(made: Made, folder: Path) -> list[str]:
    """A picture of them, one below the other; lines of Markdown that show it."""
    marks = [made.prompt.length / made.prompt.division]
    rolls = [
        ("made from nothing", made.alone[0]),
        ("gone on with after the line", made.going_on),
        ("as it truly goes on", made.true),
    ]
    if not pictures.draw(rolls, folder / ROLLS, marks):
        return []
    return [f"![what it makes, and what is true]({ROLLS})", ""]


def compare(made: Sequence[Piece], known: Sequence[Piece], folder: Path) -> list[str]:
    """How like the pieces trained on those are that were made, and what they copy of them: lines of
    Markdown, with a picture."""
    own, other = histograms(made), histograms(known)
    shares = overlaps(own, other)
    copied = memorisation.memorisation(
        [memorisation.of_piece(piece) for piece in made],
        [memorisation.of_piece(piece) for piece in known],
    )
    lines = [
        f"Memorisation, of {counted(len(made), 'piece')} made from nothing and all that were "
        f"trained on, in any transposition: {copied.line}.",
        "",
        "What they have in common with the pieces trained on, as the area that two histograms "
        "share: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) + ".",
        "",
    ]
    if _histograms(own, other, folder / HISTOGRAMS):
        lines += [f"![pitch classes, intervals, durations, polyphony]({HISTOGRAMS})", ""]
    return lines


def rules(name: str, made: Sequence[Piece]) -> list[str]:
    """Of data of that name that was made by rules, how well pieces keep these."""
    if name != canon_rules.NAME:
        return []
    told = canon_rules.line(canon_rules.added(map(canon_rules.violations, made)))
    return [f"Of {counted(len(made), 'piece')} made from nothing, {told}.", ""]


def _histograms(
    made: Mapping[str, Histogram], known: Mapping[str, Histogram], path: Path
) -> bool:  # fmt: skip
    """Both sets of histograms, side by side; False without matplotlib."""
    if not drawing.possible():
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    for axes, (name, own) in zip(figure.subplots(2, 2).ravel(), made.items(), strict=False):
        for shift, one, label in ((-0.2, known[name], "trained on"), (0.2, own, "made")):
            places = [k + shift for k in range(len(one.labels))]
            axes.bar(places, one.shares, 0.4, label=label)
        axes.set_xticks(range(len(own.labels)), own.labels, fontsize=7)
        axes.set_title(name, fontsize=9, loc="left")
        axes.legend(fontsize=7, frameon=False)
    drawing.save(figure, path)
    return True


def _whole(composer: Composer, asked: Composing, seed: int) -> Piece:
    made = composer.compose(asked, composer.begin(), seed)
    for _ in made:
        pass
    return made.piece


def _quarters(made: Piece, prompt: Piece, true: Piece) -> int:
    """How much longer `made` is than its prompt, in ticks of `true`."""
    more = made.length / made.division - prompt.length / prompt.division
    return max(round(more * true.division), 0)


def _cut(piece: Piece) -> int:
    """The tick after the first bars; half of a piece that has no more."""
    begins = list(islice(bars(piece), PROMPT_BARS + 1))
    return round(begins[-1]) if len(begins) > PROMPT_BARS else max(piece.length // 2, 1)


def until(piece: Piece, tick: int) -> Piece:
    """The beginning of a piece; notes that sound on end there."""
    tick = min(tick, piece.length)
    return replace(
        piece,
        tracks=tuple(replace(track, notes=tuple(_ended(track, tick))) for track in piece.tracks),
        length=tick, pickup=min(piece.pickup, tick),
        metres=tuple(m for m in piece.metres if m.tick < tick),
        tempos=tuple(t for t in piece.tempos if t.tick < tick),
        chords=tuple(c for c in piece.chords if c.tick < tick),
    )  # fmt: skip


def _ended(track: Track, tick: int) -> Iterator[Note]:
    return (n._replace(length=min(n.end, tick) - n.start) for n in track.notes if n.start < tick)
