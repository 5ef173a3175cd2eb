"""Sound of pieces: the notes that are played are the peaks of its spectrum; none is clipped."""

from __future__ import annotations

import random
import stat
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from elman.data.symbolic.piece import Note, Piece, Tempo, Track
from elman.errors import RunError, UserError
from elman.tasks.music.composing import output, synthesis
from elman.tasks.music.composing.synthesis import RATE_HZ, synthesise


def piece_of(*notes: Note, drums: bool = False, tempo: float = 60.0, length: int = 0) -> Piece:
    """A piece of one track, four ticks a quarter; by default a quarter is a second."""
    end = max([length, *(note.end for note in notes)])
    track = Track(tuple(sorted(notes)), is_drum=drums)
    return Piece("x", 4, (track,), end, (Tempo(0, tempo),))


def power(samples: NDArray[np.int16], hertz: float) -> float:
    """How strong a sound is within a quarter tone of a frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    near = np.abs(np.log2(np.maximum(frequencies, 1) / hertz)) < 1 / 48
    return float(spectrum[near].max())


def hertz(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


@pytest.mark.parametrize("pitch", range(36, 97, 5))
def test_a_note_is_at_its_pitch(pitch: int) -> None:
    samples = synthesise(piece_of(Note(0, 4, pitch)))
    spectrum = np.abs(np.fft.rfft(samples[:RATE_HZ] * np.hanning(RATE_HZ)))
    assert abs(float(spectrum.argmax()) / hertz(pitch) - 1) < 0.01  # 1 Hz a place
    # Partials stand at whole multiples, fainter and fainter.
    first = power(samples, hertz(pitch))
    assert 1e-4 < power(samples, 2 * hertz(pitch)) / first < 1
    assert power(samples, 1.5 * hertz(pitch)) / first < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_the_peaks_are_the_notes_that_are_played(seed: int) -> None:
    draw = random.Random(seed)
    chord = sorted(draw.sample(range(48, 73), 3))
    samples = synthesise(piece_of(*(Note(0, 4, pitch) for pitch in chord)))
    strengths = {pitch: power(samples, hertz(pitch)) for pitch in range(40, 80)}
    weakest = min(strengths[pitch] for pitch in chord)
    partials = {round(p + 12 * np.log2(k)) for p in chord for k in range(1, 11)}
    assert all(strengths[p] < weakest / 100 for p in strengths if p not in partials)


def test_notes_sound_when_they_are_played() -> None:
    """A note in the third second: silence, its sound, and silence once it has been let go."""
    samples = synthesise(piece_of(Note(8, 4, 69), length=20)).astype(float)
    assert len(samples) == pytest.approx(5.08 * RATE_HZ, abs=2)
    assert not samples[: 2 * RATE_HZ].any() and not samples[int(3.1 * RATE_HZ) :].any()
    assert np.abs(samples[2 * RATE_HZ : int(2.05 * RATE_HZ)]).max() > 1000
    fast = synthesise(piece_of(Note(8, 4, 69), tempo=120.0, length=20))
    assert len(fast) == pytest.approx(2.58 * RATE_HZ, abs=2)
    assert not fast[:RATE_HZ].any() and fast[RATE_HZ : int(1.05 * RATE_HZ)].any()


def test_louder_keys_are_louder() -> None:
    loudness = [
        int(np.abs(synthesise(piece_of(Note(0, 4, 60, velocity))).astype(int)).max())
        for velocity in (1, 20, 60, 100, 127)
    ]
    assert loudness == sorted(set(loudness)) and loudness[0] > 0


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_clipped(seed: int) -> None:
    """However many notes together, the largest sample is a decibel below what would be clipped."""
    draw = random.Random(seed)
    notes = [Note(0, draw.randint(1, 9), p, 127) for p in draw.sample(range(30, 100), 50)]
    samples = synthesise(piece_of(*notes))
    assert samples.dtype == np.int16
    assert np.abs(samples.astype(int)).max() == pytest.approx(0.89 * 32767, abs=2)
    quiet = synthesise(piece_of(Note(0, 4, 60, 40)))
    assert np.abs(quiet.astype(int)).max() < 6000  # is not made louder


def test_no_clicks() -> None:
    """Notes begin and end at zero: no sample jumps further than the sound itself moves."""
    for note in (Note(0, 1, 45, 127), Note(0, 8, 72, 127), Note(0, 1, 90, 127)):
        samples = synthesise(piece_of(note)).astype(int)
        assert abs(samples[0]) < 50 and abs(samples[-1]) < 50
        highest = 2 * np.pi * hertz(note.pitch) / RATE_HZ * np.abs(samples).max()
        assert np.abs(np.diff(samples)).max() < 10 * highest


def test_drums_are_noise_and_always_the_same() -> None:
    piece = piece_of(Note(0, 1, 35, 100), Note(4, 1, 42, 100), drums=True)
    samples = synthesise(piece)
    assert np.array_equal(samples, synthesise(piece))
    low, high = samples[:RATE_HZ].astype(float), samples[RATE_HZ:].astype(float)
    assert np.abs(low).max() > 1000 and np.abs(high).max() > 1000

    def centre(part: NDArray[np.float64]) -> float:
        spectrum = np.abs(np.fft.rfft(part)) ** 2
        return float((np.fft.rfftfreq(len(part), 1 / RATE_HZ) * spectrum).sum() / spectrum.sum())

    assert centre(low) < 0.5 * centre(high)


def test_a_piece_of_hours_is_refused() -> None:
    with pytest.raises(UserError, match="an hour at most"):
        synthesise(piece_of(Note(0, 4, 60), length=4 * 3601))


def test_a_piece_without_notes_is_silence() -> None:
    samples = synthesise(Piece("x", 4, (), 4, (Tempo(0, 60.0),)))
    assert len(samples) > RATE_HZ and not samples.any()


def test_the_file_is_what_was_made(tmp_path: Path) -> None:
    piece = piece_of(Note(0, 4, 64), Note(2, 4, 67))
    path = tmp_path / "x.wav"
    assert output.write(piece, path) == ""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 44_100)
    read, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE_HZ and np.array_equal(read, synthesise(piece))
    assert [p.name for p in tmp_path.iterdir()] == ["x.wav"]


def test_fluidsynth_plays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that writes down how it was called: fluidsynth itself is not on this machine."""
    program, font = tmp_path / "bin" / "fluidsynth", tmp_path / "a.sf2"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@" > "$0.called"\ncp "$7" "$3"\n')
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    font.touch()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("ELMAN_SOUNDFONT", str(font))
    told = output.write(piece_of(Note(0, 4, 64)), tmp_path / "x.wav")
    assert told == f"played by fluidsynth with {font}"
    called = Path(f"{program}.called").read_text().split()
    assert called[:2] == ["-ni", "-F"] and called[3:6] == ["-r", "44100", str(font)]
    assert (tmp_path / "x.wav").read_bytes()[:4] == b"MThd"  # what it was given to play
    program.write_text("#!/bin/sh\necho no sound >&2\nexit 3\n")
    with pytest.raises(RunError, match="no sound"):
        output.write(piece_of(Note(0, 4, 64)), tmp_path / "y.wav")
    assert not (tmp_path / "y.wav").exists()
    monkeypatch.delenv("ELMAN_SOUNDFONT")
    monkeypatch.setattr(synthesis, "FONTS", ())
    assert synthesis.fluidsynth() is None
