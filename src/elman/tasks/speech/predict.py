"""Recordings, each with what was heard in it; and what is heard while somebody speaks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from torch import nn

from elman.data.sound import audio
from elman.data.sound import reading as sounds
from elman.data.sound.clips import Clip
from elman.data.sound.stream import incoming
from elman.data.tables.content import BadRows
from elman.data.tables.writer import Writer
from elman.errors import UserError
from elman.tasks.speech import state_file
from elman.tasks.speech.data import Floats
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.model import Recogniser, recogniser
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.reading import clip_seconds, settled
from elman.tasks.speech.scores import transcribing
from elman.tasks.speech.spotting import Spotted, Spotter
from elman.tasks.speech.transcription import BLOCK, named, transcripts
from elman.tasks.speech.writing import Transcribing
from elman.tasks.task import Kept


def predict(
    decoding: SpeechDecoding, model: nn.Module, kept: Kept, options: SpeechOptions, device: str,
    data: Sequence[str], out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    """A row of CSV for each clip: where it stands, what was heard, how sure that is, and of a
    transcript each word with its times in seconds. Of standard input, WAV or raw samples of 16
    bits, the text alone, as it is heard, or a row for each command."""
    encoder, known = settled(kept)
    decoding.check_mode(writes=encoder.mode == "transcribe")
    network = recogniser(model).cpu()
    write = transcribing(network, encoder, decoding)
    if list(data) == ["-"] and encoder.mode == "classify":
        decoding.check_no_state()
        _spot(Spotter(network, encoder, clip_seconds(kept), decoding.threshold), write, out)
        return
    if list(data) == ["-"]:
        _listen(network, write, out)
        return
    decoding.check_no_stream()
    spoken = encoder.mode == "transcribe"
    columns = ("where", "transcript" if spoken else "label", "confidence")
    writer = Writer(out, "csv", (*columns, "words") if spoken else columns, header=True)
    for clip in sounds.read(data, bad, known=known, wanted=False).items:
        try:
            rows = list(_rows(network, write, clip))
        except UserError as error:
            bad.add(clip.where, str(error).removeprefix(f"{clip.where}: "))
            continue
        for row in rows:
            writer.write(row)
        out.flush()


def _rows(model: Recogniser, write: Transcribing, clip: Clip) -> Iterator[dict[str, object]]:
    rate = write.encoder.hearing.rate
    waves = audio.blocks(clip.recording, BLOCK, rate, start=clip.start, stop=clip.stop)
    if model.mode == "classify":
        label, sure = named(model, write.encoder, waves, write.decoding.threshold)
        yield {"where": clip.where, "label": label, "confidence": f"{sure:.4g}"}
        return
    for found in transcripts(model, write, waves):
        times = [
            [word.text, round(word.start, 3), round(word.stop, 3), round(word.confidence, 4)]
            for word in found.words
        ]
        yield {
            "where": clip.where,
            "transcript": found.text,
            "confidence": f"{found.confidence:.4g}",
            "words": json.dumps(times, ensure_ascii=False),
        }


def _listen(model: Recogniser, write: Transcribing, out: TextIO) -> None:
    """What is heard of standard input, written as soon as it is certain; where the state is kept,
    what is not certain at the end waits there, and so does the end of the line."""
    how = write.decoding
    listener, decoder = state_file.begun(model, write), write.encoder.decoder()
    decoder(listener.said)  # as it was written before
    print(f"hearing, {listener.delay:.2g} s behind", file=sys.stderr)
    arriving = Arriving(incoming(sys.stdin.buffer, how.raw_rate, write.encoder.hearing.rate))
    for samples in arriving:
        if told := decoder(listener.hear(samples).symbols):
            out.write(told)
            out.flush()
    if how.save_state is None:
        out.write(decoder(listener.end().symbols) + "\n")
        out.flush()
    else:
        state_file.keep(listener, how.save_state)
    arriving.interrupt()


def _spot(spotter: Spotter, write: Transcribing, out: TextIO) -> None:
    """The commands that are heard on standard input, a row of CSV each as soon as it is certain."""
    how = write.decoding
    print(
        f"hearing windows of {spotter.window:.2g} s, {spotter.delay:.2g} s behind; give "
        "--threshold to be told more or fewer",
        file=sys.stderr,
    )
    writer = Writer(out, "csv", ("start", "stop", "label", "confidence"), header=True)
    out.flush()

    def tell(found: Sequence[Spotted]) -> None:
        for one in found:
            writer.write(
                {
                    "start": f"{one.start:.2f}", "stop": f"{one.stop:.2f}",
                    "label": one.label, "confidence": f"{one.confidence:.4g}",
                }
            )  # fmt: skip
            out.flush()

    arriving = Arriving(incoming(sys.stdin.buffer, how.raw_rate, write.encoder.hearing.rate))
    for samples in arriving:
        tell(spotter.hear(samples))
    tell(spotter.end())
    arriving.interrupt()


class Arriving:
    """Samples as they arrive. Ctrl-C, as a microphone is stopped, ends them; nothing catches it
    while a piece is heard."""

    def __init__(self, pieces: Iterator[Floats]) -> None:
        self._pieces, self._stopped = pieces, False

    def __iter__(self) -> Iterator[Floats]:
        while True:
            try:
                samples = next(self._pieces, None)
            except KeyboardInterrupt:
                samples, self._stopped = None, True
            if samples is None:
                return
            yield samples

    def interrupt(self) -> None:
        """KeyboardInterrupt where that was how they ended."""
        if self._stopped:
            raise KeyboardInterrupt
