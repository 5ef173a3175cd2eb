"""Stretches of recordings, held against how long these are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.data.sound import audio
from elman.data.sound.audio import SLACK_S
from elman.data.sound.clips import Clip, Recording
from elman.data.tables.content import BadRows
from elman.errors import UserError

MOST = 10_000  # recordings up to which a length that is told is held against the header
WHOLE = 0.001  # seconds from the end that are as good as the end


def checked(clips: Sequence[Clip], bad: BadRows) -> Iterator[Clip]:
    """The clips that lie within their recordings; one that ends with its recording has no `stop`.

    The header of each recording is read once, which takes a fifth of a millisecond and more. So a
    clip that is a whole recording is left to its decoding, and where there are more than `MOST`
    recordings, one of which a length is told alone, as NeMo writes it, is too.
    """
    told = {clip.recording for clip in clips if clip.start != 0 or clip.stop is not None}
    many = len(told) > MOST
    seconds: dict[Recording, float | UserError] = {}
    for clip in clips:
        if clip.start == 0 and (clip.stop is None or (many and clip.stop > 0)):
            yield clip
            continue
        if clip.recording not in seconds:
            seconds[clip.recording] = _seconds(clip.recording)
        length = seconds[clip.recording]
        if isinstance(length, UserError):
            bad.refuse(f"{clip.where}: {length}")
        elif wrong := _wrong(clip, length):
            bad.add(clip.where, wrong)
        elif clip.stop is not None and clip.stop > length - WHOLE:
            yield replace(clip, stop=None)
        else:
            yield clip


def _seconds(recording: Recording) -> float | UserError:
    try:
        found = audio.about(recording)
    except UserError as error:
        return error
    return found.frames / found.rate


def _wrong(clip: Clip, length: float) -> str:
    """What is wrong with a stretch, if anything is."""
    ends = f"where {clip.recording.shown} has {length:,.2f} s"
    if clip.start < 0:
        return f"begins at {clip.start:g} s; times count from 0"
    if clip.stop is not None and clip.stop <= clip.start:
        return f"ends at {clip.stop:g} s, and begins at {clip.start:g} s"
    if clip.start >= length:
        return f"begins at {clip.start:,.2f} s, {ends}"
    if clip.stop is not None and clip.stop > length + SLACK_S:
        return f"ends at {clip.stop:,.2f} s, {ends}"
    return ""
