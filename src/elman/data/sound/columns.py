"""Which column of a table is what, where rows stand for recordings.

audio_filepath, text, duration, offset      NeMo
file_name, transcription                    Hugging Face
client_id, path, sentence                   Common Voice
ID, wav, spk_id, wrd                        SpeechBrain
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elman.data.sound.options import SoundOptions
from elman.data.sound.tree import is_sound
from elman.data.tables.table import Row, Table

AUDIO = (
    "audio_filepath", "audio_file", "audio_path", "wav_path", "wav_filename", "slice_file_name",
    "file_name", "filename", "filepath", "file_path", "path", "wav", "audio", "file", "recording",
    "clip", "sound", "fname", "id", "utterance_id", "utt_id", "uttid", "name",
)  # fmt: skip
TEXT = (
    "text", "transcript", "transcription", "sentence", "normalized_text", "normalised_text",
    "normalized_transcription", "wrd", "words", "utterance", "raw_text", "raw_transcription",
    "orthographic", "orthography", "文本", "转写", "内容", "文字", "句子",
)  # fmt: skip
LABEL = (
    "label", "class", "class_name", "category", "keyword", "command", "digit", "word", "intent",
    "emotion", "target", "genre", "标签", "类别",
)  # fmt: skip
SPEAKER = (
    "speaker", "speaker_id", "client_id", "spk_id", "spk", "speaker_name", "reader_id", "说话人",
    "说话者",
)  # fmt: skip
START = ("offset", "start", "start_time", "begin", "onset")
STOP = ("stop", "end", "end_time", "stop_time")
DURATION = ("duration", "dur")
SLICED = "slice_file_name"  # its start and end count in a recording that is not there
HALF = 0.5  # distinct cells a row from which a column of words holds transcripts


@dataclass(frozen=True)
class Columns:
    """Names of columns; None is not there."""

    audio: str | None = None
    text: str | None = None
    label: str | None = None
    speaker: str | None = None
    start: str | None = None
    stop: str | None = None
    duration: str | None = None


NO_COLUMNS = Columns()


def columns_of(
    table: Table, rows: Sequence[Row], asked: SoundOptions, known: Columns,
    there: Callable[[str], bool],
) -> Columns | None:  # fmt: skip
    """What the columns of a table hold, by their names and the first rows; None where none holds
    recordings. `there` says whether a cell leads to one. UserError: no column of a name asked for.
    """
    audio = asked.audio_column and table.column(asked.audio_column)
    names = {_plain(name): name for name in reversed(table.columns)}
    audio = audio or _audio(table, rows, names, known, there)
    if audio is None:
        return None

    def named(choices: Sequence[str], kept: str | None, given: str | None = None) -> str | None:
        if given is not None:
            return table.column(given)
        if kept is not None and kept in table.columns:
            return kept
        found = (names[choice] for choice in choices if choice in names)
        return next((name for name in found if name != audio and _filled(rows, name)), None)

    text = named(TEXT, known.text, asked.text_column)
    label = named(LABEL, known.label, asked.label_column)
    speaker = named(SPEAKER, known.speaker, asked.speaker_column)
    if text is None and label is None:
        text, label = _by_cells(table, rows, {audio, speaker})
    sliced = _plain(audio) == SLICED
    start = None if sliced else named(START, known.start)
    stop = None if sliced else named(STOP, known.stop)
    return Columns(audio, text, label, speaker, start, stop, named(DURATION, known.duration))


def has_names(table: Table) -> bool:
    """Whether its columns have names of their own."""
    return table.header or table.form == "json"


def _audio(
    table: Table, rows: Sequence[Row], names: Mapping[str, str], known: Columns,
    there: Callable[[str], bool],
) -> str | None:  # fmt: skip
    """The column whose cells lead to recordings, or look as if they should."""
    if known.audio is not None and known.audio in table.columns:
        return known.audio
    usual = [names[name] for name in AUDIO if name in names]
    columns = [*usual, *(name for name in table.columns if name not in usual)]

    def most(name: str, holds: Callable[[str], bool]) -> bool:
        cells = [value for row in rows if isinstance(value := row.values.get(name), str) and value]
        return bool(cells) and 2 * sum(map(holds, cells)) > len(cells)

    by_end = (name for name in columns if most(name, is_sound))
    return next(by_end, None) or next((name for name in columns if most(name, there)), None)


def _by_cells(
    table: Table, rows: Sequence[Row], taken: set[str | None]
) -> tuple[str | None, str | None]:
    """The column of transcripts, or else that of labels, where no name says so: of a table without
    a header the last, as LJSpeech writes what is to be read last; else the only one left."""
    left = [
        name
        for name in table.columns
        if name not in taken and _filled(rows, name) and not _is(name, START + STOP + DURATION)
    ]
    if len(left) > 1 and has_names(table):
        return None, None
    cells = {name: [str(row.values.get(name) or "").strip() for row in rows] for name in left}
    worded = (name for name in reversed(left) if any(" " in cell for cell in cells[name]))
    many = (name for name in reversed(left) if len(set(cells[name])) > HALF * len(rows))
    text = next(worded, None) or next(many, None)
    return (text, None) if text is not None or not left else (None, left[-1])


def _filled(rows: Sequence[Row], name: str) -> bool:
    return any(_there(row.values.get(name)) for row in rows)


def _there(cell: Any) -> bool:
    return cell is not None and not isinstance(cell, dict | list) and bool(str(cell).strip())


def _is(name: str, choices: Sequence[str]) -> bool:
    return _plain(name) in choices


def _plain(name: str) -> str:
    return re.sub(r"[-\s]+", "_", name.strip().lower())
