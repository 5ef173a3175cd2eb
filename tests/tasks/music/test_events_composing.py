"""Untrained models compose: whatever is asked for, every note that begins ends, rules are kept."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from event_pieces import composer, held, piece, settings

from elman.data.symbolic.piece import Piece
from elman.errors import UserError
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.events.composing import EventComposer
from elman.tasks.music.events.composition import EventComposition
from elman.tasks.music.events.playing import Here, Player
from elman.tasks.music.events.settings import DRUMS, Settings


def written(
    made: EventComposer, asked: Composing, seed: int, after: Any = None
) -> EventComposition:
    found = made.compose(asked, after or made.begin(), seed)
    list(found)
    return found


def check(one: Piece) -> None:
    """No note hangs, is empty, or overlaps another of its pitch and instrument."""
    for track in one.tracks:
        ends: dict[int, int] = {}
        for note in track.notes:
            assert note.length >= 1
            assert ends.get(note.pitch, 0) <= note.start
            assert note.end <= one.length
            ends[note.pitch] = note.end


@pytest.mark.parametrize("seed", range(30))
def test_any_model_at_any_temperature_for_any_length(seed: int) -> None:
    draw = random.Random(seed)
    own = settings(draw, metres=draw.choice((("4/4",), ("3/4", "6/8", "1/4"))), grid=4)
    made = composer(own, seed, sure=draw.choice((0.0, 1.0, 30.0)))
    length: dict[str, Any] = draw.choice(
        ({"bars": draw.randint(0, 6)}, {"seconds": draw.uniform(0, 6)},
         {"steps": draw.randint(0, 60)}, {})
    )  # fmt: skip
    temperature = draw.choice((0.0, 0.3, 1.0, 5.0, 1e5))
    asked = Composing(**length, temperature=temperature, top_p=draw.choice((0.2, 1.0)))
    found = written(made, asked, seed)
    one = found.piece
    check(one)
    made.check(found.place)
    if "seconds" in length:
        tempo = one.tempos[0].quarters_per_minute
        assert one.length == round(length["seconds"] * tempo / 60 * own.grid)
    if "bars" in length and own.barred:
        bars = [made.tokenizer.tokens[k].metre for k in found.place.history.tolist()]
        bars = [metre for metre in bars if metre]
        assert len(bars) == length["bars"]
        assert one.length == sum(map(own.bar_steps, bars))
    if "bars" in length and not own.barred:
        assert one.length == length["bars"] * own.bar_steps(own.metres[0])
    # Every note that has begun is in the piece.
    at = found.grammar.walked(found.place.history.tolist())
    begun = sorted((n[0], n[1], n[2]) for n in held(one))
    assert begun == sorted(at.begun)


@pytest.mark.parametrize("seed", range(12))
def test_in_two_goes_as_in_one(seed: int) -> None:
    draw = random.Random(seed)
    made = composer(settings(draw, grid=4, velocities=3), seed)
    name = draw.choice(("bars", "steps", "seconds"))
    first, second = draw.randint(1, 4), draw.randint(1, 4)
    scale = 20 if name == "steps" else 1
    rules = "no repeat 2 bars" if made.tokenizer.settings.barred and seed % 2 else ""

    def part(length: float) -> Composing:
        whole = int(length * scale) if name != "seconds" else length
        return Composing(**{name: whole}, keep=rules, tempo=120.0)  # type: ignore[arg-type]

    half = written(made, part(first), seed)
    both = written(made, part(second), seed, half.place)
    whole = written(made, part(first + second), seed)
    assert both.place.history.tolist() == whole.place.history.tolist()
    assert held(both.piece) == held(whole.piece)


@pytest.mark.parametrize("seed", range(6))
def test_in_two_goes_as_in_one_where_bars_are_tried_in_several_ways(seed: int) -> None:
    """There are so few bars that many come again."""
    made = composer(Settings("remi", 2, 60, 61, 2, metres=("1/4",)), seed)
    rules = "no repeat 1 bars"
    whole = written(made, Composing(bars=14, keep=rules), seed)
    for bars in range(1, 14):
        half = written(made, Composing(bars=bars, keep=rules), seed)
        made.check(half.place)
        both = written(made, Composing(bars=14 - bars, keep=rules), seed, half.place)
        assert both.place.history.tolist() == whole.place.history.tolist()


@pytest.mark.parametrize("seed", range(6))
def test_streamed_tokens_are_those_of_the_reference(seed: int) -> None:
    made = composer(settings(random.Random(seed), grid=4), seed)
    asked = Composing(steps=60, temperature=0.9, top_p=0.9, top_k=20)
    fast = written(made, asked, seed).place.history.tolist()
    assert (made.player._stream is None) == (made.player._step is not None) == bool(seed % 2)
    slow = EventComposer(made.tokenizer, _Plain(made.player.model, "cpu"))
    assert written(slow, asked, seed).place.history.tolist() == fast


class _Plain(Player):
    """A player that never streams."""

    _stream = _step = None


@pytest.mark.parametrize("seed", range(12))
def test_rules_are_kept(seed: int) -> None:
    draw = random.Random(seed)
    own = settings(draw, lowest=40, highest=80, instruments=(0,), metres=("4/4", "3/4"), grid=4)
    made = composer(own, seed)
    rules = "key D minor; range 45-70; at most 2 notes; forbidden A3"
    rules += "; metre 3/4; no repeat 1 bars" if own.barred else ""
    found = written(made, Composing(bars=6, keep=rules), seed)
    one = found.piece
    asked = Composing(keep=rules).rules
    assert all(asked.allows(pitch) and 45 <= pitch <= 70 for _, _, pitch, _, _ in held(one))
    for start, *_ in held(one):
        assert sum(n[0] <= start < n[3] for n in held(one)) <= 2
    if own.barred:
        assert [(m.beats, m.unit) for m in one.metres] == [(3, 4)]
        at = found.grammar.walked(found.place.history.tolist())
        bars = [
            tuple((n.start - start, n.pitch, n.end - n.start) for n in at.notes
                  if start <= n.start < start + 12)
            for start, _ in at.bars
        ]  # fmt: skip
        assert len(set(bars)) == len(bars) == 6


@pytest.mark.parametrize("seed", range(8))
def test_a_prompt_is_gone_on_from(seed: int) -> None:
    draw = random.Random(seed)
    own = settings(draw, lowest=40, highest=80, instruments=(0, 5), grid=4)
    made, prompt = composer(own, seed), piece(draw, 20, low=45, high=70)
    if not any(not t.is_drum and t.notes for t in prompt.tracks):
        return
    place = made.read(prompt)
    made.check(place)
    assert any("velocit" in line or "moved" in line or "tempo" in line for line in made.told)
    asked = Composing(bars=2)
    found = written(made, asked, seed, place)
    begun = {n[:3] for n in held(found.piece)}
    fitted = {n[:3] for n in held(made.tokenizer.decode(place.history.tolist()))}
    assert fitted <= begun
    assert found.piece.tempos[0].quarters_per_minute == prompt.tempos[-1].quarters_per_minute
    within = made.read(prompt, found.place)
    made.check(within)
    check(written(made, asked, seed, within).piece)


@pytest.mark.parametrize("seed", [2, 3, 34])
@pytest.mark.parametrize("rules", ["", "no repeat 1 bars"])
def test_an_ending_is_the_way_after_which_an_end_is_likeliest(rules: str, seed: int) -> None:
    own = Settings("remi", 4, 50, 70, 8, metres=("2/4",))
    made = composer(own, seed, sure=4.0)
    likely = []
    for tries in (1, 12):
        asked = Composing(bars=4, ending=True, ending_tries=tries, keep=rules)
        found = written(made, asked, 5)
        made.check(found.place)
        check(found.piece)
        assert found.piece.length == 4 * 8
        logits = found.place.scores.log_softmax(-1)
        likely.append(float(logits[made.tokenizer.end]))
    plain = written(made, Composing(bars=4, keep=rules), 5)
    assert likely[0] == pytest.approx(float(plain.place.scores.log_softmax(-1)[made.tokenizer.end]))
    assert likely[1] > likely[0]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Composing(keep="soprano 60-70"), "soprano: the model knows no voices"),
        (Composing(keep="no parallels"), "no parallels: the model knows no voices"),
        (Composing(keep="required C4 at bar 1"), "required: a model of frames can"),
        (Composing(keep="range 1-2"), "no pitch is left; the model knows those from 50 to 70"),
        (Composing(keep="metre 5/4"), "metre 5/4: the model knows 4/4"),
        (Composing(keep="at most 0 notes"), "needs one at least"),
        (Composing(seconds=3, ending=True), "--ending: needs a length in --bars"),
        (Composing(given=Path("x.mid")), "--given: a model of frames can"),
    ],
)
def test_what_cannot_be_kept_is_refused(asked: Composing, message: str) -> None:
    made = composer(Settings("remi", 4, 50, 70, 8), 0)
    with pytest.raises(UserError, match=message):
        made.compose(asked, made.begin(), 0)


def test_midi_like_tokens_know_no_bars() -> None:
    made = composer(Settings("midi-like", 4, 50, 70, 8), 0)
    for rules in ("metre 4/4", "no repeat 2 bars"):
        with pytest.raises(UserError, match="midi-like, tell no bars"):
            made.compose(Composing(keep=rules), made.begin(), 0)


def test_damaged_places_are_refused() -> None:
    made = composer(Settings("remi", 4, 50, 70, 8, instruments=(DRUMS, 0)), 0)
    place = written(made, Composing(bars=2), 0).place
    made.check(place)
    ids = place.history.tolist()
    wrong: list[list[int]] = [[], ids[1:], [*ids, 10**6], [*ids, -1], [*ids, ids[0]], ids[:2]]
    for history in wrong:
        with pytest.raises(UserError, match="damaged"):
            made.check(replace(place, history=torch.tensor(history, dtype=torch.int64)))
    for known in ({"tempo": "fast"}, {"tempo": 0}, {"until": -1}, {"until": "x"}, {"way": 10**9}):
        with pytest.raises(UserError, match="damaged"):
            made.check(replace(place, known=dict(place.known) | known))


def test_lines_tell_every_note_that_begins() -> None:
    for kind in ("remi", "midi-like"):
        made = composer(Settings(kind, 4, 50, 70, 8, velocities=2), 1)
        found = made.compose(Composing(bars=5), made.begin(), 2)
        lines = list(found)
        assert [int(line.split()[0]) for line in lines] == [1, 2, 3, 4, 5]
        names = [word for line in lines for word in line.split()[2:] if word[0].isalpha()]
        assert len(names) == found.piece.count


def test_interrupted_a_piece_is_whole() -> None:
    made = composer(Settings("midi-like", 4, 50, 70, 8, velocities=2), 1)
    found = made.compose(Composing(bars=50), made.begin(), 2)
    steps, choose = 0, made.player.choose

    def stopped(*args: Any) -> tuple[int, Here]:
        nonlocal steps
        steps += 1
        if steps == 61:
            raise KeyboardInterrupt
        return choose(*args)

    object.__setattr__(made.player, "choose", stopped)
    with pytest.raises(KeyboardInterrupt):
        list(found)
    check(found.piece)
    made.check(found.place)
    assert 50 < len(found.place.history) <= 61
