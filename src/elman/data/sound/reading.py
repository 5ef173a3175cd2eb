"""Recordings and what is said in them, from whatever files and folders hold them.

metadata.csv  wavs/a.wav          a table, or Kaldi's, or lhotse's, with paths
a.wav  a.txt                      a text beside each
yes/a.wav  no/b.wav               a folder a class
0_george_12.wav                   names that tell
speech.zip                        any of these, read without unpacking
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from elman.data import source
from elman.data.archives import printable
from elman.data.sound import lengths, parts, tree
from elman.data.sound.clips import Clip, Mode, Recording
from elman.data.sound.columns import NO_COLUMNS, Columns
from elman.data.sound.layouts import beside, cuts, folders, id_lines, kaldi, tables
from elman.data.sound.layouts.found import Found
from elman.data.sound.members import holds_members
from elman.data.sound.names import NamePattern
from elman.data.sound.options import SoundOptions
from elman.data.sound.tree import Tree, is_sound
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.errors import UserError
from elman.wording import counted

NOTHING = SoundOptions()  # asked
HOW_WRITTEN = TableOptions()
PLAIN = "recordings alone"
FEW = 0.05  # different transcripts a clip up to which they may be meant as labels
FITS = (
    "a table with their paths and transcripts (metadata.csv, JSON lines, wav.scp and text), a .txt "
    "beside each, a folder a class (two or more), or "
    '--name-pattern "{label}_{speaker}_{index}" would fit'
)


@dataclass(frozen=True)
class SoundReading:
    """What was understood: how clips lie, what they are for, and which column is what. Kept with a
    model as plain values."""

    layout: str = ""
    mode: Mode = "transcribe"
    name_pattern: str | None = None
    audio_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    speaker_column: str | None = None
    start_column: str | None = None
    stop_column: str | None = None
    duration_column: str | None = None

    @property
    def columns(self) -> Columns:
        """The columns of a table."""
        return Columns(
            self.audio_column, self.text_column, self.label_column, self.speaker_column,
            self.start_column, self.stop_column, self.duration_column,
        )  # fmt: skip


@dataclass(frozen=True)
class Clips:
    """Clips in the order of the data, and what is to be told of them."""

    items: tuple[Clip, ...]
    reading: SoundReading
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.items)

    def pick(self, indices: Sequence[int]) -> Clips:
        """Those of these numbers."""
        return replace(self, items=tuple(self.items[k] for k in indices))


def read(
    data: Sequence[str], bad: BadRows, asked: SoundOptions = NOTHING, *,
    written: TableOptions = HOW_WRITTEN, known: SoundReading | None = None, wanted: bool = True,
) -> Clips:  # fmt: skip
    """The clips that all items of data hold: folders, zips, tars, tables, recordings, globs, names.

    `written` is how tables are; `known` is what was understood of the training data. Without
    `wanted`, as for prediction, clips need no transcript and no label, and their names say nothing.
    UserError: no such data; no transcripts; a bad row, unless `bad` leaves them out.
    """
    pattern = None if asked.name_pattern is None else NamePattern(asked.name_pattern)
    found: list[Found] = []
    for one in _trees(data):
        found.append(_found(one, asked, pattern, bad, written, known, wanted))
    clips = [clip for one in found for clip in one.clips]
    facts = [fact for one in found for fact in one.facts]
    mode = asked.mode or (known.mode if known is not None else _mode(clips))
    if wanted:
        clips, told = _for(mode, clips, bad)
        facts += told
    clips = list(_once(lengths.checked(clips, bad), bad))
    if not clips:
        raise bad.nothing_left(f"{data[0]}: holds no recordings that can be used")
    clips, told = parts.settled(clips)
    warnings = [warning for one in found for warning in one.warnings]
    warnings += _warnings(clips, mode, asked) if wanted and known is None else ()
    columns = next((one.columns for one in found if one.columns != NO_COLUMNS), NO_COLUMNS)
    reading = SoundReading(
        " and ".join(dict.fromkeys(one.layout for one in found)), mode,
        next((one.name_pattern for one in found if one.name_pattern), None),
        columns.audio, columns.text, columns.label, columns.speaker, columns.start, columns.stop,
        columns.duration,
    )  # fmt: skip
    return Clips(tuple(clips), reading, tuple(dict.fromkeys([*facts, *told])), tuple(warnings))


def _trees(data: Sequence[str]) -> Iterator[Tree]:
    """The items of data, recordings that are named one by one together."""
    files: list[Path] = []
    for item in data:
        for path, shown in _expanded(item):
            if path.is_dir():
                yield tree.of_folder(path, shown)
            elif is_sound(path.name):
                files.append(path)
            elif holds_members(path):
                yield tree.of_archive(path, shown)
            else:
                yield Tree(shown, path.parent, (path.name,), whole=False)
    yield from tree.of_files(files)


def _expanded(item: str) -> Iterator[tuple[Path, str]]:
    """The files and folders that an item of data means. UserError: there is none."""
    if item == "-":
        raise UserError("standard input holds no table of recordings; give a file or a folder")
    if not item.startswith("name:"):
        path = Path(item)
        try:
            there = path.exists() and bool(item)
        except (OSError, ValueError):
            there = False
        if there:
            yield path, printable(item)
            return
        # Path.glob refuses absolute patterns.
        if names := sorted(glob.glob(item, recursive=True)):  # noqa: PTH207
            yield from ((Path(name), printable(name)) for name in names)
            return
    for one in source.resolve([item]):  # or what is wrong with it
        yield one.path, one.shown


def _found(
    one: Tree, asked: SoundOptions, pattern: NamePattern | None, bad: BadRows,
    written: TableOptions, known: SoundReading | None, wanted: bool,
) -> Found:  # fmt: skip
    """The clips of one tree, by the first layout that fits it."""
    if wanted and pattern is not None and {"label", "text"} & set(pattern.told):
        return folders.by_pattern(one, pattern, bad)
    columns = NO_COLUMNS if known is None else known.columns
    refused: list[UserError] = []
    found = (
        kaldi.read(one, bad, wanted)
        or cuts.read(one, bad, wanted)
        or tables.read(one, asked, bad, written, columns, wanted, refused)
        or id_lines.read(one, bad, wanted)
        or beside.read(one, bad, wanted)
    )
    if found is None and one.sounds and wanted:
        if known is not None and known.name_pattern and known.layout == "name pattern":
            found = folders.by_pattern(one, NamePattern(known.name_pattern), bad)
        else:
            found = folders.read(one, bad)
            if found is not None:
                found = replace(found, warnings=[f"not used: {error}" for error in refused])
    if found is None and not wanted and one.sounds:
        whole = [Clip(one.where(name), one.recording(name)) for name in one.sounds]
        found = Found(PLAIN, whole)
    if found is None and refused:
        raise refused[0]
    if found is None and one.sounds:
        many = counted(len(one.sounds), "recording")
        shown = one.where(one.sounds[0]) if len(one.sounds) == 1 and not one.whole else one.shown
        raise UserError(f"{shown}: {many} without transcripts or labels; {FITS}")
    if found is None:
        raise UserError(
            f"{one.shown}: no recordings in it; looked for names that end in .wav, .flac, .ogg, "
            ".mp3, …"
        )
    found = replace(found, clips=parts.of_lists(one, found.clips))
    if pattern is None or not wanted:
        return found
    return _with_speakers(one, found, pattern, bad)


def _with_speakers(one: Tree, found: Found, pattern: NamePattern, bad: BadRows) -> Found:
    """The same with the speakers that names tell."""
    clips = []
    for clip in found.clips:
        own = clip.recording
        fields = pattern.read(own.member or own.path.as_posix())
        if fields is None:
            bad.add(clip.where, f"its name does not fit {pattern.written}")
        else:
            clips.append(replace(clip, speaker=fields["speaker"]))
    facts = [*found.facts, folders.told(pattern, clips)]
    return replace(found, clips=clips, facts=facts, name_pattern=pattern.written)


def _mode(clips: Sequence[Clip]) -> Mode:
    return "transcribe" if any(clip.text for clip in clips) or not clips else "classify"


def _for(mode: Mode, clips: Sequence[Clip], bad: BadRows) -> tuple[list[Clip], list[str]]:
    """The clips with what the mode needs of them, and what is to be told.

    Where all have only the other, labels are transcripts, or transcripts labels.
    """
    texts, labels = (any(getattr(clip, name) for clip in clips) for name in ("text", "label"))
    facts = []
    if mode == "transcribe":
        if labels and not texts:
            clips = [replace(clip, text=clip.label) for clip in clips]
            facts.append("transcripts: the labels, as there are no others")
        clips = [replace(clip, label=None) for clip in clips]
    else:
        if texts and not labels:
            clips = [replace(clip, label=clip.text) for clip in clips]
            facts.append("labels: the transcripts, as there are no others")
        clips = [replace(clip, text=None) for clip in clips]
    kept = []
    for clip in clips:
        if clip.text or clip.label:
            kept.append(clip)
        else:
            bad.add(clip.where, "an empty transcript" if mode == "transcribe" else "no label")
    what = "transcribe" if mode == "transcribe" else "classify, one label a clip"
    return kept, [*facts, f"mode: {what}"]


def _once(clips: Iterator[Clip], bad: BadRows) -> Iterator[Clip]:
    """The clips of which none stood there before."""
    seen: dict[tuple[Recording, float, float | None], str] = {}
    for clip in clips:
        own = clip.recording
        path = Path(os.path.abspath(own.path))  # noqa: PTH100 (a link is another file)
        key = Recording(path, own.member), clip.start, clip.stop
        if key in seen:
            bad.add(clip.where, f"the same clip as {seen[key]}")
            continue
        seen[key] = clip.where
        yield clip


def _warnings(clips: Sequence[Clip], mode: Mode, asked: SoundOptions) -> tuple[str, ...]:
    if mode == "transcribe" and asked.mode is None:
        different = len({clip.text for clip in clips})
        if different <= FEW * len(clips):
            return (
                f"{counted(different, 'different transcript')} only: --mode classify would take "
                "each as a label",
            )
    if mode == "classify" and len({clip.label for clip in clips}) == 1:
        return (f'one label only, "{clips[0].label}": nothing to tell apart',)
    return ()
