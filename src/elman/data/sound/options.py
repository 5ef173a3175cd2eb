"""What may be asked of recordings: which column is what, how names are read, what is held back.

It imports no numpy, so that `--help` comes at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from elman.data.sound.clips import Mode


@dataclass(frozen=True)
class SoundOptions:
    """How recordings and what is said in them belong together. What is None is found and told.

    Parameters
    ----------
    audio_column
        Column of a table with the paths of the recordings.
    text_column
        Column with their transcripts.
    label_column
        Column with their labels.
    speaker_column
        Column with their speakers.
    name_pattern
        How the names of files are to be read: "{label}_{speaker}_{index}", "{text}", "{speaker}/*".
    mode
        transcribe (sound to text) or classify (one label a clip).
    """

    audio_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    speaker_column: str | None = None
    name_pattern: str | None = None
    mode: Mode | None = None


@dataclass(frozen=True)
class CutOptions:
    """What is kept from training.

    Parameters
    ----------
    validation
        Share of the clips that is kept to validate on.
    validation_speakers
        Speakers that are validated on; no others are.
    validation_files
        Names of recordings that are validated on, as patterns: "*_[0-4].wav".
    test_speakers
        Speakers that are kept for the test.
    test_files
        Names of recordings that are kept for the test, as patterns.
    """

    validation: float = 0.1
    validation_speakers: tuple[str, ...] = ()
    validation_files: tuple[str, ...] = ()
    test_speakers: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
