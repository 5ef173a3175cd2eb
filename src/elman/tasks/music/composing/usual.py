"""The bars in which a model's music is by default."""

from __future__ import annotations

from elman.errors import UserError
from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.frames.data import FrameReading

METRES = ((4, 4), (3, 4), (2, 4), (6, 8), (3, 8), (2, 2), (3, 2), (9, 8), (12, 8))


def usual_measure(reading: FrameReading) -> Measure:
    """4/4 where the data has it or tells no metre, else the first of some metres that it has."""
    for beats, unit in METRES:
        try:
            measure = Measure(reading.per_quarter, beats, unit)
        except UserError:
            continue
        if not reading.bars or measure.bar in reading.bars:
            return measure
    return Measure(reading.per_quarter)
