"""What hears: how recordings are read, what is heard of them, the network, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from elman.data.sound.clips import Mode
from elman.data.tables.options import TableOptions
from elman.options import require, require_files, require_range, shown
from elman.tasks.networks import FrontOptions, NetworkOptions
from elman.tasks.speech.decoding import SpeechDecoding

Normalise: TypeAlias = Literal["level", "clip", "speaker", "training"]

WIDTH = 9  # frames of a filter, if not given


@dataclass(frozen=True)
class SpeechOptions(NetworkOptions, FrontOptions, TableOptions):
    """Options of the task `speech`. Those left at None are chosen from the data and the time.

    Parameters
    ----------
    bidirectional
        Which layers read both ways, one for all or a list; all if not given, none with --streaming.
    causal
        Let filters see no step that is still to come; as with --streaming.
    mode
        Write what is said, or name the class of each clip; seen from the data if not given.
    audio_column
        Column of the recordings' names, in tables; guessed and told if not given.
    text_column
        Column of the transcripts, in tables; guessed and told if not given.
    label_column
        Column of the classes, in tables; guessed and told if not given.
    speaker_column
        Column of the speakers, in tables; guessed and told if not given.
    name_pattern
        What file names tell: {label}_{speaker}_{index}; guessed and told if not given.
    validation_data
        Data to validate on, instead of a share of DATA.
    validation_speakers
        Speakers whose clips are for validation, a list.
    validation_files
        Names of the files that are for validation, with * and ?.
    test_speakers
        Speakers whose clips are kept from every choice, for the final scores, a list.
    test_files
        Names of the files that are kept from every choice, with * and ?.
    rate
        Samples a second that are heard; that of most recordings, 16000 at most, if not given.
    longest
        Seconds of a clip that is trained on at most; longer ones are left out, and counted.
    mels
        Bands of the mel spectrum; 40 up to 8000 samples a second, else 80.
    window
        Milliseconds of a frame.
    hop
        Milliseconds from one frame to the next.
    deltas
        Add how the spectrum changes, over two frames to either side.
    normalise
        What a spectrum is measured by: the level of the clip, as loud as its loudest parts; or mean
        and spread of each band over the clip, over all clips of its speaker, or over the training
        part. The level if not given, the training part with --streaming.
    streaming
        Hear as one speaks: nothing looks ahead, so that sound can be read as it arrives.
    level
        What is written: characters, words (phones are such) or BPE; characters if not given, words
        where there are few of them.
    vocabulary
        Keep at most so many words, or BPE tokens.
    lowercase
        Turn transcripts into lower case.
    averages
        Frames over which the spectrum is averaged, to stand beside itself, a list: 4,12,96; none
        if not given. Noise hides less of an average, and one over a second tells a tone's pitch;
        but where transcripts are written, it may take longer until they are more than blanks.
    band_convolutions
        Filters of each convolution over time and bands, which come before the others and are the
        same at every pitch, a list: 16,32; 0 for none.
    band_convolution_width
        Frames that such a filter sees.
    band_pooling
        Add what such filters find at most and on average, at whatever pitch.
    pooling
        What makes one vector of all steps, to name a class.
    members
        Networks trained side by side to name classes, whose probabilities are averaged
        (arXiv:1612.01474).
    augment
        Change clips while training: speed, pauses, room, microphone, noise, loudness, and masks
        over the spectrum (arXiv:1904.08779); --augment=false leaves them as they are.
    noise
        Folder of recordings that are mixed in while training.
    """

    cell: tuple[str, ...] = ("gru",)
    # None is chosen by the plan, before any layer is made.
    bidirectional: tuple[bool, ...] | None = None  # type: ignore[assignment]

    mode: Mode | None = None
    audio_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    speaker_column: str | None = None
    name_pattern: str | None = None
    validation_data: Path | None = None
    validation_speakers: tuple[str, ...] = ()
    validation_files: tuple[str, ...] = ()
    test_speakers: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
    rate: int | None = None
    longest: float = 30.0
    mels: int | None = None
    window: float = 25.0
    hop: float = 10.0
    deltas: bool = False
    normalise: Normalise | None = None
    streaming: bool = False
    level: Literal["characters", "words", "bpe"] | None = None
    vocabulary: int | None = None
    lowercase: bool = False
    averages: tuple[int, ...] | None = None
    band_convolutions: tuple[int, ...] | None = None
    band_convolution_width: int | None = None
    band_pooling: bool | None = None
    pooling: Literal["last", "mean", "max", "attention"] | None = None
    members: int = 1
    augment: bool = True
    noise: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("rate",), 4_000, 48_000)
        require_range(self, ("longest",), 0.1, 600)
        require_range(self, ("mels",), 8, 256)
        require_range(self, ("window",), 5, 200)
        require_range(self, ("hop",), 1, 100)
        require(self, "hop", self.hop <= self.window, f"at most --window, {self.window:g}")
        require_range(self, ("vocabulary",), 2, 1_000_000)
        require_files(self, ("validation_data", "noise"))
        require_range(self, ("members",), 1, 64)
        require_range(self, ("averages",), 0, 1_000)
        some = self.averages is None or self.averages == (0,) or min(self.averages, default=0) > 0
        require(self, "averages", some, "a number of frames for each average, or 0 alone")
        require_range(self, ("band_convolutions",), 0, 256)
        require_range(self, ("band_convolution_width",), 1, 64)
        filters = self.band_convolutions
        alone = filters is None or filters == (0,) or min(filters, default=0) > 0
        require(
            self, "band_convolutions", alone, "a number of filters for each convolution, or 0 alone"
        )
        for name in ("band_convolution_width", "band_pooling"):
            asked = bool(getattr(self, name)) and filters == (0,)
            fits = "band convolutions, which --band-convolutions 0 leaves out"
            require(self, name, not asked, fits)
        self.check_front()
        self.check()
        if self.streaming:
            ahead = self.bidirectional is not None and any(self.bidirectional)
            require(self, "streaming", not ahead, "--bidirectional false")
            own = self.normalise in (None, "training")
            require(self, "streaming", own, "--normalise training: the end is not known yet")
            fits = "--convolution-norm batch"
            require(self, "streaming", self.convolution_norm == "batch", fits)
            widths, strides = self.convolution_width or (WIDTH,), self.convolution_stride or (1,)
            fits = f"at most --convolution-width {shown(widths)}, as --streaming reads step by step"
            if len(widths) in (1, len(strides)) or len(strides) == 1:
                count = max(len(widths), len(strides))
                each = (value * count if len(value) == 1 else value for value in (widths, strides))
                narrow = all(stride <= width for width, stride in zip(*each, strict=True))
                require(self, "convolution_stride", narrow, fits)


DECODING = SpeechDecoding


# What a search for settings varies where nothing is said.
SEARCHED = ("learning_rate", "batch_size", "hidden_size", "num_layers", "dropout")
