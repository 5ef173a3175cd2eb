"""MIDI: what is written is read again, what is wrong is mended by the stated rules and counted."""

from __future__ import annotations

import random
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from midi_bytes import a_piece, chunk, event, meta, midi, of, off, on

from elman.data.symbolic.account import Account
from elman.data.symbolic.midi import notes
from elman.data.symbolic.midi.chunks import parse
from elman.data.symbolic.midi.reading import SMPTE, SPLIT, read_midi
from elman.data.symbolic.midi.writing import write_midi
from elman.data.symbolic.piece import Metre, Note, Piece, Tempo, Track
from elman.errors import UserError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "music"


def read(data: bytes) -> tuple[Piece, Account]:
    account = Account()
    return read_midi(data, "x", account), account


def notes_of(*events: bytes) -> tuple[list[tuple[int, int]], Counter[str]]:
    """Start and end of all notes of a file of one track, and what was mended."""
    piece, account = read(of(*events))
    return [(n.start, n.end) for track in piece.tracks for n in track.notes], account.mended


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_is_read_as_the_same_piece(seed: int) -> None:
    piece = a_piece(random.Random(seed))
    again, account = read(write_midi(piece))
    assert again == piece
    assert again.key == piece.key
    assert not account.mended and not account.left_out
    assert (account.notes, account.tracks) == (piece.count, len(piece.tracks))


@pytest.mark.parametrize("seed", range(0, 60, 7))
def test_another_reader_finds_the_same_notes_in_what_is_written(seed: int) -> None:
    symusic = pytest.importorskip("symusic")
    piece = a_piece(random.Random(seed))
    score = symusic.Score.from_midi(write_midi(piece))
    assert score.tpq == piece.division
    assert counted(piece) == theirs(score)


def test_what_ends_is_written_before_what_begins_with_it() -> None:
    """Players that know one note of a pitch at a time would else end the second at once."""
    touching = Track((Note(0, 10, 60), Note(10, 10, 60), Note(20, 5, 60)))
    (_, events) = parse(write_midi(Piece("x", 4, (touching,), 30)), "x").tracks
    kinds = [status & 0xF0 for _, status, _, _ in events.channel.tolist()]
    assert kinds == [0xC0, 0x90, 0x80, 0x90, 0x80, 0x90, 0x80]


def counted(piece: Piece) -> Counter[tuple[int, ...]]:
    return Counter(
        (track.is_drum, 0 if track.is_drum else track.program, *note)
        for track in piece.tracks
        for note in track.notes
    )


def theirs(score: object) -> Counter[tuple[int, ...]]:
    """The notes that symusic finds; those of no length with one tick."""
    return Counter(
        (t.is_drum, 0 if t.is_drum else t.program, n.time, max(n.duration, 1), n.pitch, n.velocity)
        for t in score.tracks  # type: ignore[attr-defined]
        for n in t.notes
    )


@pytest.mark.skipif(not SHARED.is_dir(), reason="without the shared data")
@pytest.mark.parametrize("name", ["nottingham_midi.zip", "asap_midi_scores.zip"])
def test_another_reader_finds_the_same_in_real_files_but_for_what_was_mended(name: str) -> None:
    symusic = pytest.importorskip("symusic")
    with zipfile.ZipFile(SHARED / name) as archive:
        members = [member for member in archive.namelist() if member.endswith(".mid")]
        for member in members[:: len(members) // 12]:
            data = archive.read(member)
            piece, account = read(data)
            both = theirs(symusic.Score.from_midi(data)), counted(piece)
            mended = sum(
                account.mended[reason] for reason in (notes.OVERLAPPING, notes.TWICE, notes.HANGING)
            )
            for one, other in (both, both[::-1]):
                assert (one - other).total() <= mended, member
            assert both[0].total() - piece.count == account.mended[notes.TWICE], member
            again, nothing = read(write_midi(piece))
            assert again == piece and not nothing.mended


def test_a_status_that_is_left_out_is_the_last_one() -> None:
    piece, _ = read(of(on(0, 60), event(10, 64, 64), event(10, 60, 0), event(5, 64, 0)))
    assert [tuple(note)[:3] for note in piece.tracks[0].notes] == [(0, 20, 60), (10, 15, 64)]


def test_notes_without_an_end_end_with_their_bar_or_where_they_begin_again() -> None:
    hanging = notes.HANGING
    late = meta(4000, 1, b"")
    assert notes_of(on(480, 60), late) == ([(480, 1920)], Counter({hanging: 1}))
    waltz = meta(0, 0x58, bytes([3, 2, 24, 8]))
    assert notes_of(waltz, on(1500, 60), late)[0] == [(1500, 2880)]
    assert notes_of(on(480, 60), on(20, 60), late)[0] == [(480, 500), (500, 1920)]
    ended = notes_of(on(0, 60), on(100, 60), off(50, 60), late)
    assert ended == ([(0, 100), (100, 150)], Counter({hanging: 1}))
    all_off = event(30, 0xB0, 123, 0)
    assert notes_of(on(480, 60), all_off, late)[0] == [(480, 510)]
    assert notes_of(on(480, 60))[0] == [(480, 1920)], "a track may end before its notes do"


def test_overlapping_notes_end_where_the_next_begins() -> None:
    assert notes_of(on(0, 60), on(50, 60), off(50, 60), off(50, 60)) == (
        [(0, 50), (50, 150)], Counter({notes.OVERLAPPING: 1})
    )  # fmt: skip
    assert notes_of(on(0, 60), on(0, 60), off(50, 60), off(50, 60)) == (
        [(0, 100)], Counter({notes.TWICE: 1})
    )  # fmt: skip
    touching = notes_of(on(0, 60), on(50, 60), off(0, 60), off(50, 60))
    assert touching == ([(0, 50), (50, 100)], Counter())


def test_notes_of_no_length_are_given_a_tick() -> None:
    assert notes_of(on(7, 60), off(0, 60)) == ([(7, 8)], Counter({notes.NO_LENGTH: 1}))
    assert notes_of(on(7, 60), on(0, 60, 0))[0] == [(7, 8)]


def test_ends_without_a_note_are_counted() -> None:
    told = notes_of(off(0, 60), on(7, 61), off(3, 61), off(0, 61))
    assert told == ([(7, 10)], Counter({notes.NO_NOTE: 2}))


def test_a_track_is_split_by_channel_and_programme() -> None:
    piece, account = read(
        of(
            event(0, 0xC0, 5), on(0, 60), event(10, 0xC0, 7), off(10, 60), on(0, 60), off(9, 60),
            on(0, 40, channel=9), off(1, 40, channel=9),
        )
    )  # fmt: skip
    found = [(t.program, t.is_drum, [n[:3] for n in t.notes]) for t in piece.tracks]
    assert found == [
        (5, False, [(0, 20, 60)]), (7, False, [(20, 9, 60)]), (0, True, [(29, 1, 40)])
    ]  # fmt: skip
    assert account.mended == {SPLIT: 1} and account.tracks == 3


def test_a_programme_may_be_told_in_another_track() -> None:
    piece, _ = read(midi(chunk(event(0, 0xC3, 41)), chunk(on(0, 60, channel=3), off(5, 60, 3))))
    assert piece.tracks[0].program == 41


def test_a_short_first_bar_is_a_pickup() -> None:
    one, four = bytes([1, 2, 24, 8]), bytes([4, 2, 24, 8])
    piece, _ = read(of(meta(0, 0x58, one), meta(480, 0x58, four), on(0, 60), off(480, 60)))
    assert piece.pickup == 480 and piece.metres == (Metre(0, 4, 4),)
    piece, _ = read(of(meta(0, 0x58, four), meta(1920, 0x58, one), on(0, 60), off(480, 60)))
    assert piece.pickup == 0 and piece.metres == (Metre(0, 4, 4), Metre(1920, 1, 4))


def test_times_in_frames_a_second_are_kept() -> None:
    piece, account = read(
        midi(chunk(on(0, 60), off(25 * 40 * 3, 60)), division=bytes([256 - 25, 40]))
    )
    assert account.mended == {SMPTE: 1} and piece.tempos == (Tempo(0, 60.0),)
    assert piece.tracks[0].notes[0].length / piece.division == 3  # quarters of a second each


def test_what_gives_no_note_is_counted() -> None:
    told = Counter(
        {"controllers": 1, "sustain pedal up or down": 1, "pitch bends": 1, "lyrics": 1,
         "messages to instruments": 1, "chunks of an unknown kind": 1, "changes of pressure": 1}
    )  # fmt: skip
    data = midi(
        chunk(
            event(0, 0xB0, 7, 1), event(0, 0xB0, 64, 127), event(0, 0xE0, 0, 3), meta(0, 5, b"la"),
            event(0, 0xF0, 2, 1, 0xF7), event(0, 0xD0, 9), event(0, 0xE0, 0, 64), on(0, 60),
            off(1, 60),
        )
    )  # fmt: skip
    strange = b"XFIH\0\0\0\3abc"
    _, account = read(data[:14] + strange + data[14:])
    assert account.unused == told


def test_a_wrapped_file_is_read() -> None:
    inner = of(on(0, 60), off(10, 60))
    whole = b"RIFF" + (len(inner) + 12).to_bytes(4, "little") + b"RMIDdata"
    wrapped = whole + len(inner).to_bytes(4, "little") + inner
    assert read(wrapped)[0] == read(inner)[0]


NOTE = on(0, 60) + off(10, 60)
MANY = b"".join(on(0, 60, channel=k % 9) + off(10, 60, k % 9) for k in range(9))


def damaged() -> Iterator[tuple[str, bytes, str]]:
    yield "text", b"hello", "not MIDI"
    yield "nothing", b"", "not MIDI"
    yield "cut header", of(NOTE)[:9], "cut short at byte 9"
    yield "cut track", of(NOTE)[:-3], "cut short at byte"
    yield "fewer tracks", b"MThd\0\0\0\6\0\1\0\3\1\xe0" + chunk(NOTE), "1 tracks of 3"
    yield "a billion ticks", of(on(0, 60), off((1 << 28) - 1, 60)), "lasts 268,435,455 ticks"
    yield "zero division", midi(chunk(NOTE), division=b"\0\0"), "division of 0"
    yield "odd frames", midi(chunk(NOTE), division=b"\x80\x01"), "128 frames a second"
    yield "200 tracks", midi(*[chunk(NOTE)] * 200), "200 tracks with notes, more than 128"
    yield "empty tracks", midi(*[chunk()] * 5), "holds no note"
    yield "format 2", midi(chunk(NOTE), chunk(NOTE), form=2), "format 2"
    lies = bytearray(of(NOTE, NOTE))
    lies[21] = 9  # of the length of the track
    yield "a length that lies", bytes(lies), "goes on behind its track"
    yield "a long number", of(b"\xff\xff\xff\xff\x00" + NOTE[1:]), "more than 4 bytes"
    yield "a million events", of(meta(0, 1, b"") * 1_000_001, NOTE), "more than 1,000,000 events"
    yield (
        "a million notes",
        of(on(0, 60), b"\x00\x3c\x40" * 1_000_000),
        "more than 1,000,000 events",
    )
    yield "no status", of(bytes([0, 60, 64])), "without its status"
    yield "not a pitch", of(on(0, 60), bytes([5, 0x90, 200, 64])), "above 127"
    yield "stray byte", of(NOTE, bytes([0, 0xF4])), "0xf4"
    yield "too large", of(NOTE) + bytes(1 << 24), "more than a MIDI file"


@pytest.mark.parametrize(
    ("data", "why"), [case[1:] for case in damaged()], ids=[case[0] for case in damaged()]
)
def test_what_is_damaged_is_told_in_a_line(data: bytes, why: str) -> None:
    account = Account()
    with pytest.raises(UserError, match=r"^x[:,] .*") as caught:
        read_midi(data, "x", account)
    assert why in str(caught.value) and "\n" not in str(caught.value)
    assert account == Account(), "what was refused is counted nowhere"


@pytest.mark.parametrize("seed", range(8))
def test_no_bytes_end_in_anything_but_a_piece_or_a_line(seed: int) -> None:
    draw = random.Random(seed)
    start = write_midi(a_piece(draw))
    for _ in range(40):
        data = bytearray(start[: draw.randrange(len(start))] if draw.random() < 0.3 else start)
        for _ in range(draw.choice((0, 1, 3))):
            at = draw.randrange(len(data) + 1)
            if draw.random() < 0.5:
                data[at : at + 1] = bytes([draw.randrange(256)])
            else:
                data[at : at + draw.randrange(4)] = draw.randbytes(draw.randrange(4))
        try:
            piece = read_midi(bytes(data), "x", Account())
        except UserError as error:
            assert str(error).startswith("x")
            continue
        check(piece)
        again = read_midi(write_midi(piece), "x", Account())
        assert (again.tracks, again.length) == (piece.tracks, piece.length)


def check(piece: Piece) -> None:
    """What every piece promises."""
    assert piece.count
    for track in piece.tracks:
        assert [n[0::2] for n in track.notes] == sorted(n[0::2] for n in track.notes)
        last: dict[int, Note] = {}
        for note in track.notes:
            assert 0 <= note.start < note.end <= piece.length
            assert 0 <= note.pitch < 128 and 1 <= note.velocity < 128
            assert note.pitch not in last or last[note.pitch].end <= note.start
            last[note.pitch] = note
