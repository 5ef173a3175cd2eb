"""The same sentences, spoken by noise, in every layout that recordings come in."""

from __future__ import annotations

import csv
import json
import random
import tarfile
import wave
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elman.data.sound.clips import Clip

RATE = 1000  # Hz; short files, for what is read here is how they lie
WORDS = ("one", "two", "red", "Öl", "很快", "don't", "“quoted”", "a,b", "semi;colon", "three")


@dataclass(frozen=True)
class Said:
    """One recording: the name without ending, who speaks, what is said, how many samples."""

    name: str
    speaker: str
    text: str
    samples: int


def draw_corpus(seed: int) -> list[Said]:
    """Names as LibriSpeech has them, so that every layout can hold them."""
    draw = random.Random(seed)
    said = []
    for speaker in draw.sample(range(10, 99), draw.randint(2, 4)):
        for number in range(draw.randint(2, 5)):
            words = draw.choices(WORDS, k=draw.randint(2, 6))
            name = f"{speaker}-{speaker + 7}-{number:04}"
            said.append(Said(name, str(speaker), " ".join(words), draw.randint(20, 90)))
    draw.shuffle(said)
    return said


def write_wav(path: Path, samples: int, rate: int = RATE) -> None:
    """Noise of so many samples, always the same for the same name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(random.Random(path.name).randbytes(2 * samples))


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    """A text, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def write_rows(path: Path, rows: Sequence[Sequence[object]], separator: str = ",") -> None:
    """A table with whatever quotation marks it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, delimiter=separator).writerows(rows)


def _wavs(folder: Path, said: Sequence[Said], below: str = "") -> None:
    for one in said:
        write_wav(folder / below / f"{one.name}.wav", one.samples)


def nemo(folder: Path, said: Sequence[Said]) -> None:
    """JSON lines, with the length of each."""
    _wavs(folder, said, "audio")
    lines = (
        {"audio_filepath": f"audio/{s.name}.wav", "duration": round(s.samples / RATE, 3),
         "text": s.text, "speaker": s.speaker}
        for s in said
    )  # fmt: skip
    write(folder / "manifest.json", "".join(json.dumps(line) + "\n" for line in lines))


def hugging_face(folder: Path, said: Sequence[Said]) -> None:
    """metadata.csv beside the recordings."""
    _wavs(folder, said)
    rows = [(f"{s.name}.wav", s.text, s.speaker) for s in said]
    write_rows(folder / "metadata.csv", [("file_name", "transcription", "speaker_id"), *rows])


def common_voice(folder: Path, said: Sequence[Said]) -> None:
    """A TSV that names what lies in clips/."""
    _wavs(folder, said, "clips")
    lines = [f"{s.speaker}\t{s.name}.wav\t{s.text}\t2\t0" for s in said]
    head = "client_id\tpath\tsentence\tup_votes\tdown_votes"
    write(folder / "validated.tsv", "\n".join([head, *lines]) + "\n")
    write(folder / "other.tsv", "\n".join([head, *lines[:1]]) + "\n")


def ljspeech(folder: Path, said: Sequence[Said]) -> None:
    """id|text|normalised, without a header."""
    _wavs(folder, said, "wavs")
    lines = (f"{s.name}|{s.text.upper()}|{s.text}\n" for s in said)
    write(folder / "metadata.csv", "".join(lines))


def kaldi(folder: Path, said: Sequence[Said]) -> None:
    """Tables by the id of an utterance."""
    _wavs(folder, said, "sound")
    for name, what in (
        ("wav.scp", lambda s: f"sound/{s.name}.wav"),
        ("text", lambda s: s.text),
        ("utt2spk", lambda s: s.speaker),
    ):
        lines = (f"{s.name} {what(s)}\n" for s in said)
        write(folder / "data" / "all" / name, "".join(lines))


def librispeech(folder: Path, said: Sequence[Said]) -> None:
    """speaker/chapter/, with the transcripts of each chapter."""
    chapters: dict[Path, list[str]] = {}
    for s in said:
        speaker, chapter, _ = s.name.split("-")
        below = folder / "part" / speaker / chapter
        write_wav(below / f"{s.name}.wav", s.samples)
        lines = chapters.setdefault(below / f"{speaker}-{chapter}.trans.txt", [])
        lines.append(f"{s.name} {s.text}\n")
    for path, lines in chapters.items():
        write(path, "".join(lines))


def texts_beside(folder: Path, said: Sequence[Said]) -> None:
    """a.wav and a.txt, and something to be passed over."""
    for s in said:
        write_wav(folder / s.speaker / f"{s.name}.wav", s.samples)
        write(folder / s.speaker / f"{s.name}.txt", f"{s.text}\r\n")
    write(folder / "README.txt", "What this is.\n")


def audacity(folder: Path, said: Sequence[Said]) -> None:
    """Labels of one stretch, as long as the recording."""
    _wavs(folder, said)
    for s in said:
        write(folder / f"{s.name}.txt", f"0.000000\t{s.samples / RATE:.6f}\t{s.text}\n")


def lhotse(folder: Path, said: Sequence[Said]) -> None:
    """Cuts with paths of another machine."""
    _wavs(folder, said, "store")
    cuts = [
        {"id": s.name, "start": 0, "duration": s.samples / RATE, "channel": 0,
         "supervisions": [{"id": s.name, "start": 0.0, "duration": s.samples / RATE,
                           "text": s.text, "speaker": s.speaker}],
         "recording": {"id": s.name, "sources": [
             {"type": "file", "channels": [0], "source": f"/elsewhere/set/store/{s.name}.wav"}]},
         "type": "MonoCut"}
        for s in said
    ]  # fmt: skip
    write(folder / "cuts.json", json.dumps(cuts))


LAYOUTS: Mapping[str, Callable[[Path, Sequence[Said]], None]] = {
    "NeMo lines": nemo,
    "table": hugging_face,
    "Common Voice": common_voice,
    "table without a header": ljspeech,
    "Kaldi": kaldi,
    "LibriSpeech": librispeech,
    "texts beside": texts_beside,
    "Audacity labels": audacity,
    "lhotse cuts": lhotse,
}
WITHOUT_SPEAKERS = ("table without a header", "texts beside", "Audacity labels")


def zipped(folder: Path, path: Path) -> Path:
    """The folder as a zip, with what a Mac leaves in it."""
    with zipfile.ZipFile(path, "w") as out:
        for file in folder.rglob("*"):
            if file.is_file():
                name = file.relative_to(folder.parent).as_posix()
                out.write(file, name)
                out.writestr(f"__MACOSX/{name}", b"no sound")
    return path


def tarred(folder: Path, path: Path) -> Path:
    """The folder as a tar, packed if its name says so."""
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as out:
        out.add(folder, folder.name)
    return path


def seen(clip: Clip) -> tuple[str, float, float | None, str | None, str | None, str, str]:
    """All of a clip but where it lies."""
    c = clip
    return c.recording.stem, c.start, c.stop, c.text, c.label, c.speaker, c.part
