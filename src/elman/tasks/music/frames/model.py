"""The network of frames: what sounded before in, recurrent layers, a head that tells the step; or
several networks."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman.errors import UserError
from elman.layers.regularize import locked_dropout
from elman.tasks import ensemble
from elman.tasks.music.frames.data import SILENT, FrameReading, reading_from_json
from elman.tasks.music.frames.heads import make_head
from elman.tasks.music.frames.heads.head import Head
from elman.tasks.music.frames.heads.together import Together
from elman.tasks.music.frames.lookback import LookBack
from elman.tasks.music.options import OCTAVE, MusicOptions
from elman.tasks.reader import recurrent
from elman.tasks.settling import check_settled
from elman.tasks.task import Kept, State


class FrameNetwork(nn.Module):
    """What is read of steps → `Recurrent` → dropout → context, which the head reads.

    The context [C] is what the last layer puts out, beside what was read: so what stays as it was,
    or comes again, is told directly.
    """

    def __init__(self, options: MusicOptions, inputs: int, pitches: int, voices: int) -> None:
        super().__init__()
        assert options.dropout is not None and options.head and options.head_size  # by the plan
        self.dropout, self.locked = options.dropout, options.locked_dropout
        self.input_dropout = options.input_dropout
        self.recurrent = recurrent(options, inputs)
        self.context_size = self.recurrent.output_size + inputs
        self.head = make_head(
            options.head, self.context_size, pitches, voices, options.head_size, options.dropout
        )

    def own_contexts(
        self, x: Tensor, state: State | None = None, sizes: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Contexts of steps by what is read of them, and the state of the recurrent layers."""
        read = x
        if self.input_dropout:
            read = locked_dropout(x, self.input_dropout, training=self.training, batch_sizes=sizes)
        y, after = self.recurrent(read if sizes is None else PackedSequence(read, sizes), state)
        out = y.data if isinstance(y, PackedSequence) else y
        if self.locked:
            out = locked_dropout(out, self.dropout, training=self.training, batch_sizes=sizes)
        else:
            out = nn.functional.dropout(out, self.dropout, self.training)
        return torch.cat([out, x], -1), after


@final
class FrameModel(FrameNetwork):
    """Frame before, place of the step → `FrameNetwork`; there may be several `beside` it, trained
    side by side, that answer `together`.

    What a step is told from: the notes of the frame before [P] and the pitch classes among them
    [12], the same of each frame that it looks back on, and the kind of place that the step itself
    has. The contexts of several networks stand one after the other.

    The state is that of the recurrent layers, network after network, and, of a model that looks
    back, a last part of one tensor: the frames [R, B, …] that later steps will look back on.
    """

    form = "frames"
    features: Tensor
    classes: Tensor

    def __init__(self, reading: FrameReading, options: MusicOptions) -> None:
        pitches, voices = reading.pitches, reading.voices
        in_voices = options.head == "voices"
        heard = (voices * (pitches + 1) if in_voices else pitches) + OCTAVE
        inputs = heard * (1 + len(options.looks_back)) + reading.features.shape[1]
        super().__init__(options, inputs, pitches, voices)
        self.reading, self.in_voices = reading, in_voices
        features = torch.from_numpy(reading.features)
        self.register_buffer("features", features, persistent=False)
        classes = torch.arange(reading.lowest, reading.highest + 1)[:, None] % OCTAVE
        classes = (classes == torch.arange(OCTAVE)).float()  # [P, 12]
        self.register_buffer("classes", classes, persistent=False)
        self.back = LookBack(reading, options.looks_back) if options.looks_back else None
        others = range(1, options.members or 1)
        self.beside = nn.ModuleList(FrameNetwork(options, inputs, pitches, voices) for _ in others)

    @property
    def networks(self) -> list[FrameNetwork]:
        """All that answer together."""
        return [self, *(other for other in self.beside if isinstance(other, FrameNetwork))]

    @property
    def together(self) -> Head:
        """What tells frames by contexts: the head, or those of all networks."""
        heads = [network.head for network in self.networks]
        return heads[0] if len(heads) == 1 else Together(heads)

    def forward(
        self, before: Tensor, places: Tensor, state: State | None = None,
        sizes: Tensor | None = None,
    ) -> tuple[Tensor, State]:  # fmt: skip
        """The contexts of steps, and the state after them.

        `before` [T, B, P] bool, of the head `voices` [T, B, V] int64: the frame before each step,
        of silence before the first of a piece; `places` [T, B]: the kind of place of each, by
        `FrameReading.places`. → [T, B, C]. With `sizes` [T], how many pieces have each step, all
        of them are packed rows [N, …]. Hand the state back to go on.
        """
        if self.back is None:
            return self.contexts(self.inputs(before, None, places), state, sizes)
        if state is None:
            rows = places.shape[1] if sizes is None else int(sizes[0])
            past = self.silence(self.back.reach, rows)
        else:
            *state, (past,) = state
        earlier, past = self.back(before, places, past, sizes)
        context, after = self.contexts(self.inputs(before, earlier, places), state, sizes)
        return context, [*after, (past,)]

    def contexts(
        self, x: Tensor, state: State | None = None, sizes: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """The contexts of steps by what is read of them, `inputs`; the state is that of the
        recurrent layers alone."""
        networks, each, after = self.networks, [], State()
        states = ensemble.states(state, len(networks))
        for network, own in zip(networks, states, strict=True):
            context, then = network.own_contexts(x, own, sizes)
            each.append(context)
            after += then
        return each[0] if len(each) == 1 else torch.cat(each, -1), after

    def inputs(self, before: Tensor, earlier: Tensor | None, places: Tensor) -> Tensor:
        """What is read of steps [...]: `before` [..., P] or [..., V], the frame before each,
        `earlier` [..., L, P] or [..., L, V], those that it looks back on, and `places` [...]."""
        parts = [self._heard(before), self.features[places]]
        if earlier is not None:
            parts.insert(1, self._heard(earlier).flatten(-2))
        return torch.cat(parts, -1)

    def _heard(self, frames: Tensor) -> Tensor:
        """The notes of frames, and the pitch classes among them."""
        kind = self.features.dtype
        if not self.in_voices:
            notes = frames.to(kind)
            return torch.cat([notes, notes @ self.classes], -1)
        pitches = self.reading.pitches
        told = torch.where(frames == SILENT, pitches, frames)
        each = nn.functional.one_hot(told, pitches + 1).to(kind)  # [..., V, P + 1]
        classes = each[..., :-1].sum(-2) @ self.classes
        return torch.cat([each.flatten(-2), classes], -1)

    def silence(self, *shape: int) -> Tensor:
        """Frames [*shape, …] in which nothing sounds: what stands before a piece."""
        device = self.features.device
        if self.in_voices:
            return torch.full((*shape, self.reading.voices), SILENT, device=device)
        return torch.zeros(*shape, self.reading.pitches, dtype=torch.bool, device=device)


def build(kept: Kept, options: MusicOptions) -> FrameModel:
    check_settled(options, "hidden_size", "dropout", "weight_drop", "head", "head_size")
    reading = reading_from_json(kept.get("reading"))
    if options.head == "voices" and not reading.voices:
        raise UserError("options.toml: damaged (the head voices, of pieces without voices)")
    return FrameModel(reading, options)
