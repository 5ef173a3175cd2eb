"""Models of frames, small and untrained, that compose; and what their pieces hold."""

from __future__ import annotations

import torch
from torch import Tensor

from elman.data.symbolic.piece import Piece
from elman.tasks.music.composing.frames import FrameComposer
from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.composing.network import Trained
from elman.tasks.music.composing.usual import usual_measure
from elman.tasks.music.frames.data import FrameReading
from elman.tasks.music.frames.heads.independent import Independent
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.options import HeadName, MusicOptions

BACKS = ((0.0,), (1.0,), (0.2, 2.5))  # bars that they look back
HEADS: tuple[tuple[HeadName, int], ...] = (("independent", 0), ("chain", 0), ("voices", 3))


def composer(
    head: HeadName, voices: int, seed: int, lowest: int = 50, pitches: int = 17,
    per_quarter: int = 2, bars: tuple[int, ...] = (8, 6), sure: float = 1.0, members: int = 0,
    even: bool = False,
) -> FrameComposer:  # fmt: skip
    """An untrained model, which looks back, and has one network or two if nothing else is asked
    for, as `seed` says; its scores are `sure` times as large as they come. `even`: notes that are
    told by themselves sound as often as not."""
    torch.manual_seed(seed)
    reading = FrameReading(per_quarter, lowest, lowest + pitches - 1, voices, bars)
    options = MusicOptions(
        head=head, head_size=6, hidden_size=(7,), cell=("gru",), dropout=0.0, weight_drop=0.0,
        lookback=BACKS[seed % len(BACKS)], members=members or 1 + seed % 2,
    )  # fmt: skip
    model = FrameModel(reading, options).eval()
    with torch.no_grad():
        for network in model.networks:
            for name, weight in network.head.named_parameters():
                if name.startswith(("output", "direct")):
                    weight.mul_(sure)
            if even and isinstance(network.head, Independent):
                network.head.output.bias.zero_()
    return FrameComposer(Trained(model), per_quarter, usual_measure(reading))


def sounding(piece: Piece) -> list[list[int]]:
    """The pitches that sound in each tick of a piece, those of all tracks, ascending."""
    steps: list[list[int]] = [[] for _ in range(piece.length)]
    for track in piece.tracks:
        for note in track.notes:
            for step in steps[note.start : note.end]:
                step.append(note.pitch)
    return [sorted(step) for step in steps]


def log_p(made: FrameComposer, frames: Tensor, measure: Measure | None = None) -> float:
    """The log probability of a piece [T, …] of the model, whole, in one pass."""
    network, measure = made.network, measure or made.usual
    contexts, state = network.begin(1, measure)
    if len(frames) > 1:
        later, _ = network.read(frames[:-1, None], 0, measure, state)
        contexts = torch.cat([contexts, later[:, 0]])
    with torch.no_grad():
        return -float(network.head.nats(contexts, frames).double().sum())
