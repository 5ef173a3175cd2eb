"""Frames composed: rules are kept, lengths are exact, notes end, and going on equals one go."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_composers import HEADS, composer, log_p, sounding

from elman.data.symbolic.grid import Grid, to_frames
from elman.data.symbolic.piece import Metre, Note, Piece, Tempo, Track
from elman.data.symbolic.theory.counterpoint import parallels
from elman.decode import Sampling
from elman.errors import UserError
from elman.run import place as places
from elman.tasks.music.composing import ending
from elman.tasks.music.composing.choosing import Chance, choose, without
from elman.tasks.music.composing.frames import FrameComposition
from elman.tasks.music.composing.limits import Way
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.past import frozen
from elman.tasks.music.composing.rules import Rules, name_of, voice_index
from elman.tasks.music.frames.heads.head import SILENCE
from elman.tasks.music.options import HeadName

LOWEST, PITCHES = 50, 17


def made(
    head: HeadName, voices: int, seed: int, asked: Composing, sure: float = 3.0
) -> FrameComposition:
    """A composition, begun and ended."""
    own = composer(head, voices, seed, LOWEST, PITCHES, sure=sure)
    found = own.compose(asked, own.begin(), seed)
    assert isinstance(found, FrameComposition)
    lines = list(found)
    assert len(lines) == found.end
    return found


def drawn_rules(draw: random.Random, voices: int) -> str:
    """Some rules that can be kept together."""
    parts = [f"metre {draw.choice(['4/4', '3/4', '2/4', '6/8'])}"]
    low = LOWEST + draw.randrange(3)
    parts += [f"range {low}-{draw.randint(low + 12, LOWEST + 16)}"] * draw.randint(0, 1)
    parts += [f"key {draw.choice('ABCDEFG')}{draw.choice(['', '#', 'b'])} "
              f"{draw.choice(['major', 'minor', 'dorian'])}"] * draw.randint(0, 1)  # fmt: skip
    parts += [f"at most {draw.randint(2, 4)} notes"] * draw.randint(0, 1)
    parts += [f"no repeat {draw.randint(1, 2)} bars"] * draw.randint(0, 1)
    parts += [f"forbidden {name_of(draw.randint(50, 66))}"] * draw.randint(0, 1)
    parts += ["no parallels"] * (voices > 0 and draw.random() < 0.5)
    if voices and draw.random() < 0.7:
        parts.append(f"soprano {draw.randint(55, 58)}-66; voice 2 51-{draw.randint(60, 66)}")
    rules = Composing(keep="; ".join(parts)).rules
    fits = [p for p in range(55, 61) if rules.allows(p)]
    for bar, pitch in zip((1, 2), draw.sample(fits, 2), strict=True):
        if draw.random() < 0.7:
            parts.append(f"required {name_of(pitch)} at bar {bar} beat {draw.randint(1, 2)}")
    return "; ".join(parts)


def check_rules(piece: Piece, rules: Rules, bar: int, beat: int) -> None:
    """Every rule, by the notes of the piece alone."""
    steps = sounding(piece)
    assert all(rules.allows(pitch) for step in steps for pitch in step)
    for limit in rules.ranges:
        if limit.voice:
            own = piece.tracks[voice_index(limit.voice, len(piece.tracks))]
            assert all(limit.low <= note.pitch <= limit.high for note in own.notes)
    for required in rules.required:
        assert required.pitch in steps[(required.bar - 1) * bar + int(required.beat - 1) * beat]
    if rules.most is not None:
        assert max(map(len, steps)) <= rules.most
    if rules.no_repeat:
        rows = [tuple(track_step) for track_step in voice_rows(piece)]
        size = rules.no_repeat * bar
        runs = [tuple(rows[k : k + size]) for k in range(len(rows) - size + 1)]
        assert len(set(runs)) == len(runs)
    if rules.no_parallels:
        sung = voice_rows(piece)
        assert not parallels(sung, 7) and not parallels(sung, 0)


def voice_rows(piece: Piece) -> list[list[int]]:
    """What each step holds, voice by voice where there are voices."""
    if not piece.voices:
        return sounding(piece)
    columns = [sounding(replace(piece, tracks=(track,))) for track in piece.tracks]
    return [[step[0] if step else -1 for step in row] for row in zip(*columns, strict=True)]


def check_notes(piece: Piece) -> None:
    """No note hangs, none is without length, none overlaps another of its pitch and track."""
    for track in piece.tracks:
        ends: dict[int, int] = {}
        for note in track.notes:
            assert note.length >= 1 and note.start >= 0 and note.end <= piece.length
            assert note.start >= ends.get(note.pitch, 0)
            ends[note.pitch] = note.end


@pytest.mark.parametrize(("head", "voices"), HEADS)
@pytest.mark.parametrize("seed", range(5))
def test_rules_are_kept(head: HeadName, voices: int, seed: int) -> None:
    draw = random.Random(f"{seed} {head}")
    keep = drawn_rules(draw, voices)
    temperature = draw.choice([0.0, 0.7, 1.0, 3.0])
    top_p = draw.choice([1.0, 0.5])
    asked = Composing(bars=3, keep=keep, temperature=temperature, top_p=top_p, seed=seed)
    found = made(head, voices, seed, asked, sure=draw.choice([1.0, 4.0]))
    measure = found.limits.measure
    check_rules(found.piece, asked.rules, measure.bar, int(measure.beat_steps))
    check_notes(found.piece)
    assert found.piece.metres[0][1:] == asked.rules.metre
    assert found.piece.length == 3 * measure.bar


@pytest.mark.parametrize(("head", "voices"), HEADS)
@pytest.mark.parametrize("most", [0, 1, 2])
def test_at_most_so_many_notes(head: HeadName, voices: int, most: int) -> None:
    """An untrained model would have more; what is required is among them."""
    keep = f"at most {most} notes" + ("; required E4 at bar 2" if most else "")
    steps = sounding(made(head, voices, 1, Composing(bars=2, keep=keep), sure=1.0).piece)
    assert max(map(len, steps)) == most
    assert not most or 64 in steps[8]


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_the_likeliest_frames_are_those_of_the_head(head: HeadName, voices: int) -> None:
    own = composer(head, voices, 3, sure=4.0)
    found = own.compose(Composing(steps=9, temperature=0.0), own.begin(), 1)
    list(found)
    context, state = own.network.begin(1, own.usual)
    for step, frame in enumerate(found.place.history):
        assert bool((own.network.head.likeliest(context)[0] == frame).all())
        contexts, state = own.network.read(frame[None, None], step, own.usual, state)
        context = contexts[0]
    assert torch.allclose(context[0], found.place.scores, atol=1e-6)


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_a_greedy_model_does_not_go_round_in_circles(head: HeadName, voices: int) -> None:
    """The likeliest frames alone come to a circle, where what is further back is not looked at; by
    the rule none may come twice."""
    free = made(head, voices, 6, Composing(bars=6, temperature=0.0))
    rows = voice_rows(free.piece)
    assert len({tuple(row) for row in rows[-16:]}) < 16
    kept = made(head, voices, 6, Composing(bars=6, temperature=0.0, keep="no repeat 1 bar"))
    check_rules(kept.piece, kept.asked.rules, 8, 2)
    assert kept.piece.tracks != free.piece.tracks


@pytest.mark.parametrize(("head", "voices"), HEADS)
@pytest.mark.parametrize("how", ["plain", "rules", "ending"])
def test_going_on_equals_one_go(tmp_path: Path, head: HeadName, voices: int, how: str) -> None:
    keep = "key F major; no repeat 1 bar" if how == "rules" else ""
    bars, ends = (3, True) if how == "ending" else (3, False)
    own = composer(head, voices, 2, sure=3.0)
    asked = Composing(keep=keep, ending=ends, ending_tries=3)
    whole = own.compose(replace(asked, bars=2 + bars, tempo=77.0), own.begin(), 7)
    lines = list(whole)
    first = own.compose(Composing(bars=2, keep=keep, tempo=77.0), own.begin(), 7)
    begun = list(first)
    places.save_in_piece(first.place, tmp_path / "state")
    # As in another process: the model is the same, nothing else.
    again = composer(head, voices, 2, sure=3.0)
    kept = places.load_in_piece(tmp_path / "state", again, "cpu")
    second = again.compose(replace(asked, bars=bars), kept, 7)
    assert begun + list(second) == lines
    assert second.piece == whole.piece
    assert torch.equal(second.place.scores, whole.place.scores)


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_what_is_there_when_it_is_stopped(head: HeadName, voices: int) -> None:
    own = composer(head, voices, 4, sure=3.0)
    whole = own.compose(Composing(steps=20), own.begin(), 3)
    list(whole)
    for count in (0, 1, 7):
        part = own.compose(Composing(steps=20), own.begin(), 3)
        list(itertools.islice(part, count))
        check_notes(part.piece)
        assert part.piece.length == count
        assert torch.equal(part.place.history, whole.place.history[:count])


def test_a_place_of_another_model_is_refused(tmp_path: Path) -> None:
    own = composer("voices", 3, 1)
    first = own.compose(Composing(steps=3), own.begin(), 1)
    list(first)
    path = tmp_path / "state"
    places.save_in_piece(first.place, path)
    for other in (
        composer("voices", 2, 1),
        composer("chain", 0, 1),
        composer("voices", 3, 1, 50, 9),
    ):
        with pytest.raises(UserError, match=r"another one|does not know"):
            places.load_in_piece(path, other, "cpu")
    *_, (past,) = first.place.state  # the frames that later steps look back on
    unknown = [*first.place.state[:-1], (past.clamp(max=-1) - 1,)]
    places.save_in_piece(replace(first.place, state=unknown), path)
    with pytest.raises(UserError, match="damaged"):
        places.load_in_piece(path, own, "cpu")
    wrong = {"beats": 0, "unit": "4", "pickup": -1, "tempo": float("inf")}
    for name, value in wrong.items():
        places.save_in_piece(replace(first.place, known={name: value}), path)
        with pytest.raises(UserError, match=f"damaged .{name}"):
            places.load_in_piece(path, own, "cpu")


@pytest.mark.parametrize(("head", "voices"), HEADS)
@pytest.mark.parametrize("key", ["G major", "E minor", ""])
def test_an_ending_is_the_tonic_held_for_a_beat(head: HeadName, voices: int, key: str) -> None:
    asked = Composing(bars=3, ending=True, ending_tries=5, keep=f"key {key}" if key else "")
    found = made(head, voices, 6, asked)
    if not key:
        assert "ends in " in found.told[-1]
        key = found.told[-1].removeprefix("ends in ").split(",")[0]
    classes, root = ending.chord(key)
    *_, before, last = sounding(found.piece)
    assert before == last  # two steps are a beat
    assert {pitch % 12 for pitch in last} <= classes and last[0] % 12 == root
    assert found.piece.length == 24
    check_notes(found.piece)


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_an_ending_repeats_nothing(head: HeadName, voices: int) -> None:
    """The likeliest frames come to a circle before the last two bars begin."""
    asked = Composing(
        bars=5, ending=True, temperature=0.0, keep="key G major; no repeat 1 bar"
    )  # fmt: skip
    found = made(head, voices, 5, asked)
    check_rules(found.piece, asked.rules, 8, 2)


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_more_tries_end_better(head: HeadName, voices: int) -> None:
    """The model finds the last chord no less likely where more ways were tried, and of many tries
    mostly likelier than of one."""
    gains = []
    for seed in range(8):
        costs = []
        for tries in (1, 4):
            asked = Composing(bars=2, ending=True, ending_tries=tries, keep="key D major")
            found = made(head, voices, seed, asked)
            frames, own = found.place.history, found.composer
            costs.append(log_p(own, frames[:-2]) - log_p(own, frames))
        assert costs[1] <= costs[0] + 1e-4
        gains.append(costs[0] - costs[1])
    assert max(gains) > 0.01


def test_lengths_in_seconds_and_steps_and_bars_after_a_pickup() -> None:
    own = composer("chain", 0, 1)
    for asked, steps in (
        (Composing(seconds=3.0, tempo=80.0), 8),
        (Composing(steps=5), 5),
        (Composing(bars=2), 16),
        (Composing(bars=0), 0),
        (Composing(), 128),
        (Composing(bars=2, keep="metre 3/8"), 6),
    ):
        found = own.compose(asked, own.begin(), 1)
        assert isinstance(found, FrameComposition)
        assert found.end == steps
    piece = prompt(pickup=2)
    place = own.read(piece)
    found = own.compose(Composing(bars=2), place, 1)
    list(found)
    # 2 steps of a pickup, a bar, half a bar; the bar that was begun is the first of two.
    assert len(place.history) == 14 and found.piece.length == 2 + 8 + 16
    assert found.piece.pickup == 2 and found.piece.tempos == (Tempo(0, 77.0),)


def prompt(pickup: int = 0, voices: bool = False) -> Piece:
    """Seven quarters of two lines, four ticks a quarter, two of them a step."""
    high = tuple(Note(4 * k, 4, 60 + k) for k in range(7))
    low = tuple(Note(8 * k, 8 if k < 3 else 4, 52 + k) for k in range(4))
    mid = (Note(0, 28, 57),)
    lines = (high, mid, low) if voices else (tuple(sorted(high + low)),)
    return Piece(
        "tune.mid", 4, tuple(Track(notes) for notes in lines), 28, (Tempo(0, 77.0),),
        (Metre(0, 4, 4),), pickup=2 * pickup, voices=voices,
    )  # fmt: skip


@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_a_prompt_is_gone_on_from(head: HeadName, voices: int) -> None:
    own = composer(head, voices, 3)
    piece = prompt(voices=bool(voices))
    place = own.read(piece)
    found = own.compose(Composing(bars=1), place, 1)
    assert len(list(found)) == 2
    begun = sounding(found.piece)[:14]
    steps = to_frames(piece, Grid(2)).sounding
    assert begun == [step.nonzero()[0].tolist() for step in steps]
    assert own.told == []
    contexts, state = own.network.begin(1, own.usual)
    contexts, _ = own.network.read(place.history[:, None], 0, own.usual, state)
    assert torch.allclose(contexts[-1, 0], place.scores, atol=1e-6)


def test_chords_go_to_voices_by_height() -> None:
    own = composer("voices", 3, 1)
    chords = ((), (55,), (55, 60), (52, 55, 60), (51, 52, 55, 60))
    notes = tuple(Note(2 * k, 2, p) for k, chord in enumerate(chords) for p in chord)
    place = own.read(Piece("x", 4, (Track(notes),), 2 * len(chords)))
    rows = [[-1, -1, -1], [5, -1, -1], [10, -1, 5], [10, 5, 2], [10, 5, 1]]
    assert place.history.tolist() == rows
    assert own.told[-1] == "1 note left out: more than 3 at a time"


def test_what_a_prompt_loses_is_told() -> None:
    notes = (Note(0, 4, 55), Note(1, 2, 90), Note(4, 4, 60), Note(4, 4, 62), Note(4, 4, 64),
             Note(4, 4, 65))  # fmt: skip
    piece = Piece("x.mid", 4, (Track(notes), Track((Note(0, 1, 40),), is_drum=True)), 8)
    for head, voices in HEADS:
        own = composer(head, voices, 1)
        place = own.read(piece)
        told = "\n".join(own.told)
        assert "moved to the grid" in told and "the model knows D3 to F#4" in told
        assert "drum" in told
        assert ("more than 3 at a time" in told) == bool(voices)
        own.check(place)


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        ("required G6 at bar 1", "the model knows D3 to F#4"),
        ("required E4 at bar 9", "not among the bars that are made"),
        ("required E4 at bar 1 beat 5", "beat 5"),
        ("required E4 at bar 1 beat 1.25", "beat 5/4"),
        ("metre 3/16", "no whole number of steps"),
        ("required D4, E4, F4 at bar 1; at most 2 notes", "cannot sound there"),
        ("soprano 50-66; voice 9 50-66", "voice"),
        ("tenor 50-66", "voice"),
        ("soprano 50-52; alto 50-52; bass 50-52; required E4 at bar 1", "cannot sound there"),
    ],
)
@pytest.mark.parametrize(("head", "voices"), [("voices", 3), ("chain", 0)])
def test_what_cannot_be_kept_is_told(
    head: HeadName, voices: int, keep: str, told: str
) -> None:  # fmt: skip
    own = composer(head, voices, 1)
    with pytest.raises(UserError) as error:
        own.compose(Composing(bars=2, keep=keep), own.begin(), 1)
    no_voices = not voices and "soprano" in keep
    assert ("has no voices" if no_voices else told) in str(error.value)


@pytest.mark.parametrize(("head", "voices"), [("independent", 0), ("chain", 0)])
def test_parallels_are_those_of_voices(head: HeadName, voices: int) -> None:
    own = composer(head, voices, 1)
    with pytest.raises(UserError, match="--keep no parallels: the model's music has no voices"):
        own.compose(Composing(bars=2, keep="no parallels"), own.begin(), 1)


def test_nothing_is_left_that_may_come() -> None:
    """One note that may sound or not: the runs of two steps without repeat come to an end."""
    own = composer("chain", 0, 1, per_quarter=1, bars=(2,))
    keep = "range 60-60; metre 2/4; no repeat 1 bar"
    found = own.compose(Composing(steps=50, keep=keep), own.begin(), 1)
    with pytest.raises(UserError, match="nothing is left that may come; loosen a rule"):
        list(found)
    check_rules(found.piece, Composing(keep=keep).rules, 2, 1)
    rows = [tuple(step) for step in sounding(found.piece)]
    runs = set(itertools.pairwise(rows))
    assert {(rows[-1], ()), (rows[-1], (60,))} <= runs


@pytest.mark.parametrize("most", [None, 1, 2])
def test_ways_without_a_frame_are_all_others(most: int | None) -> None:
    draw = random.Random(1)
    for head, voices in (("chain", 0), ("voices", 2)):
        own = composer(head, voices, 1, pitches=4).network.head  # type: ignore[arg-type]
        if voices:
            every = [torch.tensor(f) for f in itertools.product(range(-1, 4), repeat=2)]
            allowed = torch.tensor([[True, True, False, True], [True, False, True, True]])
            way = Way(allowed, torch.tensor([SILENCE, draw.choice([SILENCE, 2])]))
        else:
            every = [torch.tensor(f) for f in itertools.product([False, True], repeat=4)]
            way = Way(torch.tensor([True, True, False, True]), torch.tensor([False] * 4))
        for frame in filter(way.admits, every):
            parts = without(own, way, frame, most)
            for other in every:
                count = len([n for n in frozen(other) if n >= 0])
                fits = way.admits(other) and (most is None or count <= most)
                found = any(part.admits(other) for part in parts)
                if frozen(other) == frozen(frame):
                    assert not found
                elif fits:
                    assert found


@pytest.mark.parametrize(("head", "voices"), [("chain", 0), ("voices", 2)])
def test_barred_frames_never_come(head: HeadName, voices: int) -> None:
    """All frames but one are barred: that one comes, by chance or greedily."""
    own = composer(head, voices, 1, pitches=3, sure=4.0)
    context, _ = own.network.begin(1, own.usual)
    if voices:
        every = [torch.tensor(f) for f in itertools.product(range(-1, 3), repeat=2)]
        way = Way(torch.ones(2, 3, dtype=torch.bool), torch.full((2,), SILENCE))
    else:
        every = [torch.tensor(f) for f in itertools.product([False, True], repeat=3)]
        way = Way(torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool))
    with torch.no_grad():
        nats = own.network.head.nats(context.expand(len(every), -1), torch.stack(every)).tolist()
    ranked = [frame for _, frame in sorted(zip(nats, every, strict=True), key=lambda one: one[0])]
    for temperature in (0.0, 1.0):
        sampling = Sampling(temperature)
        barred = {frozen(f) for f in ranked[:2]}
        for step in range(5):
            found = choose(own.network.head, context[0], [way], None, barred, sampling,
                           Chance(1, step))  # fmt: skip
            assert found is not None and frozen(found) not in barred
        all_of_them = {frozen(f) for f in every}
        assert choose(own.network.head, context[0], [way], None, all_of_them, sampling,
                      Chance(1, 0)) is None  # fmt: skip
