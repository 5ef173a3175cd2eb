"""Pieces become tokens and come back: what is lost is counted, and nothing else is."""

from __future__ import annotations

import random
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from event_pieces import held, piece, settings

from elman.data.symbolic import rolls
from elman.data.symbolic.abc.reading import read_abc
from elman.data.symbolic.account import Account
from elman.data.symbolic.midi.reading import read_midi
from elman.data.symbolic.piece import Note, Piece, Track
from elman.errors import UserError
from elman.tasks.music.events import tokens
from elman.tasks.music.events.choosing import chosen
from elman.tasks.music.events.data import fingerprint, settled
from elman.tasks.music.events.fitting import fitted, shifted, velocities
from elman.tasks.music.events.settings import DRUMS, KINDS, Settings, from_plain
from elman.tasks.music.events.tokens import tokenizer

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "music"
SETS = {
    "asap_midi_scores.zip": 4,
    "nottingham_midi.zip": 25,
    "nottingham_abc.zip": 1,
    "jsb-chorales-16th.json.gz": 1,
}
"""The four sets, and how many files of each are looked at."""


@pytest.mark.parametrize("seed", range(40))
def test_what_comes_back_is_the_fitted_piece_and_the_second_round_loses_nothing(seed: int) -> None:
    draw = random.Random(seed)
    own, one = settings(draw), piece(draw)
    known = tokenizer(own)
    ids, lost = known.encode(one)
    back = known.decode(ids)
    assert held(back) == [tuple(note) for note in fitted(one, own).notes]
    assert back.count == lost.notes - lost.gone == one.count - lost.gone
    again, second = known.encode(back)
    assert again.tolist() == ids.tolist()
    changed = (
        second.gone, second.shortened, second.clipped, second.lengthened, second.renamed,
        second.velocities, second.starts, second.ends, second.metres, second.barlines,
    )  # fmt: skip
    assert not any(changed)
    assert second.farthest < 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_all_that_is_lost_is_counted(seed: int) -> None:
    """The counts are those of a slow twin that looks at one note after the other, in fractions."""
    draw = random.Random(seed)
    own, one = settings(draw), piece(draw)
    lost = fitted(one, own).lost
    step = Fraction(1, own.grid)
    counts: Counter[str] = Counter()
    kept: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for track in one.tracks:
        name = DRUMS if track.is_drum else track.program
        for note in track.notes:
            if track.is_drum and DRUMS not in own.instruments:
                counts["drums"] += 1
                continue
            if not track.is_drum and own.instruments == (DRUMS,):
                counts["others"] += 1
                continue
            if not own.lowest <= note.pitch <= own.highest:
                counts["outside"] += 1
                continue
            counts["renamed"] += name not in own.instruments
            start, end = (Fraction(tick, one.division) for tick in (note.start, note.end))
            first, last = (int((time / step) + Fraction(1, 2)) for time in (start, end))
            counts["starts"] += first * step != start
            if last > first:
                counts["ends"] += last * step != end
                assert abs(last * step - end) <= step / 2
            else:
                counts["lengthened"] += 1
                last = first + 1
            assert abs(first * step - start) <= step / 2
            told = {DRUMS: DRUMS}.get(name) if track.is_drum else _nearest_program(name, own)
            assert told is not None
            kept.setdefault((told, note.pitch), []).append((first, last))
            loud = min(velocities(own), key=lambda v: (abs(v - note.velocity), v))
            counts["velocities"] += loud != note.velocity
    for notes in kept.values():
        ends: dict[int, int] = {}
        for first, last in notes:
            ends[first] = max(ends.get(first, 0), last)
        counts["joined"] += len(notes) - len(ends)
        starts = sorted(ends)
        for first, following in pairwise(starts):
            counts["shortened"] += ends[first] > following
            ends[first] = min(ends[first], following)
        if own.kind == "remi":
            counts["clipped"] += sum(ends[s] - s > own.longest for s in starts)
    for name_ in ("drums", "others", "outside", "renamed", "starts", "ends", "lengthened",
                  "velocities", "joined", "shortened", "clipped"):  # fmt: skip
        assert getattr(lost, name_) == counts[name_], name_


def _nearest_program(name: int, own: Settings) -> int:
    tuned = [k for k in own.instruments if k != DRUMS]
    return (
        name if name in tuned else min(tuned, key=lambda k: (k // 8 != name // 8, abs(k - name), k))
    )


@pytest.mark.parametrize("seed", range(20))
def test_bars_are_whole_and_hold_every_note(seed: int) -> None:
    draw = random.Random(seed)
    own = settings(draw, kind="remi")
    fit = fitted(piece(draw), own)
    at = 0
    for start, metre in fit.bars:
        assert start == at
        assert metre in own.metres
        at += own.bar_steps(metre)
    if fit.notes:
        assert fit.bars[-1].start <= fit.notes[-1].start < at
    else:
        assert not fit.bars


@pytest.mark.parametrize("seed", range(20))
def test_transposed_tokens_are_those_of_the_transposed_piece(seed: int) -> None:
    draw = random.Random(seed)
    own = settings(draw, lowest=20, highest=110)
    fit, known = fitted(piece(draw, low=40, high=80), own), tokenizer(own)
    ids = known.encode_fitted(fit)
    down, up = known.room(ids)
    by = draw.randint(down, up)
    assert known.transposed(ids, by).tolist() == known.encode_fitted(shifted(fit, by)).tolist()
    pitches = [n.pitch for n in fit.notes if n.instrument != DRUMS]
    assert not pitches or (down, up) == (20 - min(pitches), 110 - max(pitches))
    if pitches:
        with pytest.raises(ValueError, match="lead beyond"):
            known.transposed(ids, up + 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETS)
def test_real_files_come_back(name: str, kind: str) -> None:
    """Each kind of token on some files of every set: pitches equal but for those counted as gone,
    and each start at most half a step away."""
    if not (SHARED / name).exists():
        pytest.skip("the shared data is not here")
    pieces = _some(name)
    own = chosen(pieces, kind, 12, None)  # type: ignore[arg-type]
    known = tokenizer(own)
    assert pieces
    for one in pieces:
        ids, lost = known.encode(one)
        back = known.decode(ids)
        pitches, kept = (Counter(n[2] for n in held(p)) for p in (one, back))
        assert sum((pitches - kept).values()) == lost.gone
        assert not kept - pitches
        shift = fitted(one, own).notes[0].start - _first(one, own)
        near = {
            (n.pitch, (2 * n.start * own.grid + one.division) // (2 * one.division) + shift)
            for t in one.tracks for n in t.notes
        }  # fmt: skip
        assert {(n[2], n[0]) for n in held(back)} == near
        assert known.encode(back)[0].tolist() == ids.tolist()


def _first(one: Piece, own: Settings) -> int:
    first = min(n.start for t in one.tracks for n in t.notes)
    return (2 * first * own.grid + one.division) // (2 * one.division)


def _some(name: str) -> list[Piece]:
    draw = random.Random(name)
    path, account = SHARED / name, Account()
    if name.endswith(".gz"):
        import gzip

        return draw.sample(rolls.read_json(gzip.decompress(path.read_bytes()), name, account), 12)
    with zipfile.ZipFile(path) as archive:
        members = [n for n in archive.namelist() if n.endswith((".mid", ".abc"))]
        files = [(n, archive.read(n)) for n in draw.sample(sorted(members), SETS[name])]
    if "abc" in name:
        return [p for n, data in files for p in read_abc(data.decode(), n, account)][:25]
    return [read_midi(data, n, account) for n, data in files]


def test_metres_of_one_length_stay_apart() -> None:
    own = Settings("remi", 4, 60, 72, 8, metres=("3/4", "6/8", "4/4"))
    notes = tuple(Note(k * 6, 2, 60 + k) for k in range(8))
    one = Piece("x", 4, (Track(notes),), 48)
    for metre in ("3/4", "6/8"):
        beats, unit = map(int, metre.split("/"))
        of_it = replace(one, metres=((one.metres and one.metres[0]) or _metre(0, beats, unit),))
        known = tokenizer(own)
        ids, lost = known.encode(of_it)
        assert {known.tokens[k].metre for k in ids} - {""} == {metre}
        assert known.decode(ids).metres == of_it.metres
        assert not lost.metres


def _metre(tick: int, beats: int, unit: int):  # type: ignore[no-untyped-def]
    from elman.data.symbolic.piece import Metre

    return Metre(tick, beats, unit)


def test_settings_are_what_pieces_need() -> None:
    notes = [Note(0, 480, 30, 90), Note(480, 960, 90, 90)]
    drums = Track((Note(0, 10, 36, 90),), 0, True)
    one = Piece("x", 480, (Track(tuple(notes), 40), drums), 1440)
    own = chosen([one], "remi", 12, None)
    assert (own.lowest, own.highest, own.instruments, own.velocities) == (30, 90, (DRUMS, 40), 0)
    assert own.longest == 24
    assert own.metres == ("4/4",)
    louder = replace(one, tracks=(Track((Note(0, 480, 30, 9), Note(480, 960, 90, 90))),))
    assert chosen([louder], "remi", 12, None).velocities == 16
    assert chosen([louder], "remi", 12, 0).velocities == 0
    with pytest.raises(UserError, match="no notes"):
        chosen([replace(one, tracks=())], "remi", 12, None)


# ---- What is kept with a model


@pytest.mark.parametrize("seed", range(10))
def test_the_tokenizer_is_made_anew_from_what_is_kept(seed: int) -> None:
    import json

    own = settings(random.Random(seed))
    kept = json.loads(
        json.dumps({"tokens": own.plain(), "vocabulary": fingerprint(tokenizer(own))})
    )
    assert settled(kept).settings == own


DAMAGE: list[tuple[str, object]] = [
    ("kind", "abc"), ("grid", 0), ("grid", 10**9), ("grid", "12"), ("grid", True), ("lowest", -1),
    ("highest", 128), ("longest", 10**12), ("velocities", 128), ("velocity", 0),
    ("instruments", []), ("instruments", [3, 1]), ("instruments", ["0"]), ("instruments", 0),
    ("metres", []), ("metres", ["4/4"] * 2), ("metres", ["4/0"]), ("metres", ["9" * 9 + "/4"]),
    ("metres", [None]), ("metres", ["1/64"]), ("metres", {"4/4": 1}), ("tempo", "fast"),
    ("tempo", float("nan")), ("tempo", 0), ("more", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), DAMAGE)
def test_damaged_settings_are_refused_in_a_line(name: str, value: object) -> None:
    own = Settings("remi", 12, 21, 108, 48).plain()
    with pytest.raises(UserError, match=r"preprocessing\.json: damaged"):
        from_plain(own | {name: value})
    if name in own:
        with pytest.raises(UserError, match=rf"preprocessing\.json: damaged .*{name}"):
            from_plain({k: v for k, v in own.items() if k != name})


@pytest.mark.parametrize("kept", [None, 3, [], "remi", {}])
def test_settings_that_are_none_are_refused(kept: object) -> None:
    with pytest.raises(UserError, match=r"preprocessing\.json: damaged"):
        from_plain(kept)


def test_tokens_of_another_miditok_are_refused() -> None:
    own = Settings("remi", 12, 21, 108, 48)
    kept = {"tokens": own.plain(), "vocabulary": fingerprint(tokenizer(own))}
    assert len(settled(kept)) == len(tokenizer(own))
    wrong = fingerprint(tokenizer(own)) | {"sha256": "0", "miditok": "9.9"}
    with pytest.raises(UserError, match=r"trained with 9\.9"):
        settled(kept | {"vocabulary": wrong})
    with pytest.raises(UserError, match="no vocabulary"):
        settled({"tokens": own.plain()})


def test_without_miditok_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "miditok", None)
    with pytest.raises(UserError, match=r"pip install 'elman\[music\]'"):
        tokens.Tokenizer(Settings("remi", 12, 21, 108, 48))
