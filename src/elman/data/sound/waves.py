"""Clips decoded once: their samples at one rate, in a file that is read clip by clip."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.cache import cache_folder, in_use, kept_bytes, prune, replacing, touch
from elman.data.sound import audio
from elman.data.sound.audio import Opened
from elman.data.sound.clips import Clip, Recording
from elman.data.tables.content import BadRows
from elman.errors import RunError, UserError

Floats = NDArray[np.float32]

FORMAT = 2  # raised whenever the same clips would be decoded otherwise
LOUDEST = 32767
CLIPPED = 0.999  # of the largest value there is: samples beyond it were cut off
SILENT = 0.001  # root mean square of full scale below which a clip is silence: -60 dB


@dataclass(frozen=True)
class Heard:
    """What decoding told of a clip: the doctor's page is made of it."""

    rate: int  # of the recording
    channels: int
    samples: int  # at the rate asked for
    clipped: float  # share of samples at the end of the scale
    loudness: float  # root mean square, of full scale
    digest: str  # equal for equal samples

    @property
    def silent(self) -> bool:
        return self.loudness < SILENT


class Waves:
    """The samples of clips, as 16 bits in one file; read, not mapped, as token ids are.

    `heard` tells of each clip. Not for several threads at once.
    """

    def __init__(self, path: Path, heard: Sequence[Heard]) -> None:
        self.heard = tuple(heard)
        self.lengths = np.array([one.samples for one in heard], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self._stream = path.open("rb", buffering=0)
        in_use(self._stream)
        weakref.finalize(self, self._stream.close)

    def __len__(self) -> int:
        return len(self.heard)

    def read(self, k: int) -> Floats:
        """The samples of clip k, float32 [S] in [-1, 1]."""
        self._stream.seek(2 * int(self._starts[k]))
        data = self._stream.read(2 * int(self.lengths[k]))
        return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(LOUDEST)


def decoded(clips: Sequence[Clip], rate: int, bad: BadRows) -> tuple[list[int], Waves]:
    """The numbers of the clips that can be read, and their samples at this rate.

    What was decoded once is kept, as long as no file has changed. UserError: a clip that cannot be
    read, unless `bad` leaves it out.
    """
    folder = cache_folder() / "sound"
    key = _key(clips, rate)
    samples, facts = folder / f"{key}.s16", folder / f"{key}.json"
    try:
        if not (samples.exists() and facts.exists()):
            _decode(clips, rate, bad, samples, facts)
            prune(folder, kept_bytes())
        touch(samples)
        found = json.loads(facts.read_text(encoding="utf-8"))
        heard = [Heard(**one) for one in found["heard"]]
        if 2 * sum(one.samples for one in heard) != samples.stat().st_size:
            raise RunError(f"{samples}: damaged; delete it")
        for told in found["bad"]:
            bad.refuse(told)
        return found["kept"], Waves(samples, heard)
    except OSError as error:
        raise RunError(f"{error.filename or folder}: {error.strerror or error}") from error


def _decode(clips: Sequence[Clip], rate: int, bad: BadRows, samples: Path, facts: Path) -> None:
    kept: list[int] = []
    heard: list[dict[str, Any]] = []
    left_out: list[str] = []
    before: tuple[Recording, Opened] | None = None  # of which another stretch may follow
    with replacing(samples) as part, part.open("wb") as out, ExitStack() as held:
        for k, clip in enumerate(clips):
            try:
                if before is None or before[0] != clip.recording:
                    before = None
                    held.pop_all().close()
                    before = clip.recording, held.enter_context(audio.opened(clip.recording))
                told = before[1].about
                sound = before[1].read(clip.start, clip.stop, rate=rate)
            except UserError as error:
                line = str(error)
                line = line if line.startswith(clip.where) else f"{clip.where}: {line}"
                if not bad.skip:
                    bad.refuse(line)
                left_out.append(line)  # those are counted by whoever reads what was kept
                continue
            wave = sound.samples
            most = np.abs(wave)
            data = np.round(wave.clip(-1, 1) * LOUDEST).astype("<i2").tobytes()
            one = Heard(
                told.rate, told.channels, len(wave), float((most >= CLIPPED).mean()),
                float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))),
                hashlib.blake2b(data, digest_size=16).hexdigest(),
            )  # fmt: skip
            out.write(data)
            kept.append(k)
            heard.append(asdict(one))
    record = {"kept": kept, "heard": heard, "bad": left_out}
    with replacing(facts) as part:
        part.write_text(json.dumps(record), encoding="utf-8")


def _key(clips: Sequence[Clip], rate: int) -> str:
    digest = hashlib.sha256(f"{FORMAT} {rate}".encode())
    known: dict[Path, str] = {}
    for clip in clips:
        digest.update(f"{identity(clip.recording, known)} {clip.start} {clip.stop}".encode())
    return digest.hexdigest()[:40]


def identity(recording: Recording, known: dict[Path, str]) -> str:
    """Equal as long as the content is taken to be unchanged; `known` are files looked at before."""
    if recording.path not in known:
        try:
            status = recording.path.stat()
            size, changed = status.st_size, status.st_mtime_ns
        except OSError:
            size, changed = -1, 0  # reading will tell
        known[recording.path] = f"{recording.path.resolve()} {size} {changed}"
    return f"{known[recording.path]} {recording.member}"
