"""Frames: windows are the piece whole, padding is absent, and keys come round after twelve."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

from elman.data.symbolic.grid import Grid, to_frames
from elman.data.symbolic.piece import Metre, Note, Piece, Track
from elman.data.symbolic.timing import bar_ticks
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.options import make
from elman.tasks.music.frames import plan as frame_plan
from elman.tasks.music.frames import scores
from elman.tasks.music.frames.data import (
    FrameData,
    FrameReading,
    Score,
    reading_from_json,
    score_of,
)
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.frames.plan import plan
from elman.tasks.music.frames.reading import one_key, piece_of
from elman.tasks.music.frames.simple import (
    Again,
    Alone,
    Foretold,
    FrameBefore,
    FrameGrams,
    Placed,
    before_of,
)
from elman.tasks.music.frames.training import WHOLE, batch_of, contexts, epoch, loss
from elman.tasks.music.options import HeadName, MusicOptions
from elman.tasks.task import Budget

HEADS: tuple[HeadName, ...] = ("independent", "chain", "voices")
# Bars that are looked back, and how many networks there are.
BACKS = pytest.mark.parametrize(
    ("back", "members"), [((0.0,), 1), ((1.0,), 3), ((0.2, 0.5, 2.5), 1), ((0.2, 2.5), 2)]
)
ROUNDING = 1e-10  # of sums in float64, in another order
READING = FrameReading(2, lowest=40, highest=57, voices=3, bars=(6, 8))


@pytest.fixture(autouse=True, params=range(2))
def draw(request: pytest.FixtureRequest) -> Iterator[np.random.Generator]:
    torch.manual_seed(request.param)
    yield np.random.default_rng(request.param)


def settled(head: HeadName, **options: object) -> MusicOptions:
    own = {"head": head, "head_size": 6, "hidden_size": (5,), "dropout": 0.0, "weight_drop": 0.0}
    return make(MusicOptions, own | options)


def piece(draw: np.random.Generator, steps: int, *, voices: bool, name: str = "") -> Score:
    """Notes at random in the middle of the range, now and then silence."""
    bar = np.full(steps, 6)
    places = READING.places(np.arange(steps) % 6, bar)
    if voices:
        notes = draw.integers(4, READING.pitches - 4, (steps, READING.voices))
        return Score(name, np.where(draw.random(notes.shape) < 0.2, -1, notes), places)
    roll = draw.random((steps, READING.pitches)) < 0.2
    roll[:, :4] = roll[:, -4:] = False
    return Score(name, roll, places)


def pieces(draw: np.random.Generator, head: HeadName, lengths: Sequence[int]) -> list[Score]:
    return [piece(draw, n, voices=head == "voices", name=str(n)) for n in lengths]


def costs(model: FrameModel, group: Sequence[Score], steps: int) -> Tensor:
    """The nats of each step of pieces, read in windows of so many steps: [M, longest]."""
    longest = max(map(len, group))
    found, carry = torch.zeros(len(group), longest, dtype=torch.float64), None
    order = sorted(range(len(group)), key=lambda k: -len(group[k]))
    for at in range(0, longest, steps):
        batch = batch_of(
            [group[k] for k in order], READING.pitches, in_voices=model.in_voices, begin=at,
            steps=steps,
        )  # fmt: skip
        context, carry = contexts(model, batch, carry, "cpu")
        nats = model.together.nats(context, batch.frames).detach()
        for t, row in enumerate(torch.split(nats, batch.sizes.tolist())):
            found[order[: len(row)], at + t] = row
    return found


@BACKS
@pytest.mark.parametrize("head", HEADS)
def test_a_piece_in_windows_is_the_piece_whole(
    head: HeadName, back: tuple[float, ...], members: int, draw: np.random.Generator
) -> None:
    """Also beside others, of which some end, within a window and at its end."""
    group = pieces(draw, head, [7, 21, 14, 1, 10])
    model = FrameModel(READING, settled(head, lookback=back, members=members)).double().eval()
    whole = torch.cat([costs(model, [one], WHOLE)[0] for one in group])
    for steps in (1, 7, 8, WHOLE):
        found = costs(model, group, steps)
        each = torch.cat([row[: len(one)] for row, one in zip(found, group, strict=True)])
        torch.testing.assert_close(each, whole, rtol=0, atol=ROUNDING)


@BACKS
@pytest.mark.parametrize("head", HEADS)
def test_a_step_at_a_time_is_the_piece_at_once(
    head: HeadName, back: tuple[float, ...], members: int, draw: np.random.Generator
) -> None:
    (one,) = pieces(draw, head, [9])
    model = FrameModel(READING, settled(head, lookback=back, members=members)).double().eval()
    frames, state, found = torch.from_numpy(one.steps), None, list[float]()
    for t, frame in enumerate(frames):
        before = frames[t - 1][None, None] if t else model.silence(1, 1)
        place = READING.places(np.array([t % 6]), np.array([6]), t)
        context, state = model(before, torch.from_numpy(place)[None], state)
        found.append(model.together.nats(context[0], frame[None]).item())
    assert found == pytest.approx(costs(model, [one], WHOLE)[0].tolist(), abs=ROUNDING)


@BACKS
@pytest.mark.parametrize("head", HEADS)
def test_what_is_scored_does_not_depend_on_the_company(
    head: HeadName, back: tuple[float, ...], members: int, draw: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    group = pieces(draw, head, [5, 12, 3, 9])
    model = FrameModel(READING, settled(head, lookback=back, members=members)).double().eval()
    alone = [scores.tell(model, [one], "cpu") for one in group]
    monkeypatch.setattr(scores, "STEPS", 4)
    monkeypatch.setattr(scores, "AT_ONCE", 3)
    together = scores.tell(model, group, "cpu")
    for name in scores.Told._fields:
        each = [float(getattr(one, name)[0]) for one in alone]
        assert getattr(together, name).tolist() == pytest.approx(each, abs=ROUNDING)
    assert together.steps.tolist() == [5, 12, 3, 9]


@BACKS
@pytest.mark.parametrize("head", HEADS)
def test_all_pieces_of_two_steps_together_have_probability_one(
    head: HeadName, back: tuple[float, ...], members: int
) -> None:
    """Of a network of three pitches: the first frame and, after it, the second."""
    reading = FrameReading(1, lowest=60, highest=62, voices=2)
    model = FrameModel(reading, settled(head, lookback=back, members=members)).double().eval()
    if head == "voices":
        frames = np.array(list(itertools.product(range(-1, 3), repeat=2)))
    else:
        frames = np.array(list(itertools.product([False, True], repeat=3)))
    places = reading.places(np.zeros(2, np.int64), np.zeros(2, np.int64))
    group = [Score("", np.stack(both), places) for both in itertools.product(frames, repeat=2)]
    told = scores.tell(model, group, "cpu")
    assert np.exp(-told.nats).sum() == pytest.approx(1, abs=ROUNDING)


@pytest.mark.parametrize("head", HEADS)
def test_each_network_learns_what_it_would_alone(head: HeadName, draw: np.random.Generator) -> None:
    count = int(draw.integers(2, 5))
    several = FrameModel(READING, settled(head, members=count, lookback=(1.0,))).double()
    batch = batch_of(pieces(draw, head, [7, 4, 9]), READING.pitches, in_voices=head == "voices")
    total, steps, _ = loss(several, batch, None, "cpu")
    torch.autograd.backward(total)
    costs = list[float]()
    for k, network in enumerate(several.networks):
        alone = FrameModel(READING, settled(head, lookback=(1.0,))).double()
        own = {name: p for name, p in network.named_parameters() if not name.startswith("beside")}
        alone.load_state_dict(own)
        cost, read, _ = loss(alone, batch, None, "cpu")
        torch.autograd.backward(cost)
        costs.append(cost.item())
        assert read == steps
        for name, p in alone.named_parameters():
            grad = own[name].grad
            assert grad is not None and p.grad is not None and bool(p.grad.any()), (k, name)
            torch.testing.assert_close(grad, p.grad / count)
    assert total.item() == pytest.approx(sum(costs) / count)
    assert loss(several.eval(), batch, None, "cpu")[0].item() < total.item()  # they answer together


# ---- Looking back


@pytest.mark.parametrize("head", HEADS)
def test_a_step_looks_back_as_many_bars_as_asked_for(
    head: HeadName, draw: np.random.Generator
) -> None:
    """Bars of its own length, of four quarters where that is not known; before a piece is silence.
    In whatever stretches it is read, beside others that end."""
    backs = tuple((draw.integers(1, 12, 3) / 4).tolist())
    model = FrameModel(READING, settled(head, lookback=backs))
    look = model.back
    assert look is not None
    lengths = sorted(draw.integers(1, 40, 4).tolist(), reverse=True)
    group = pieces(draw, head, lengths)
    bars = [draw.choice([0, 6, 8], n) for n in lengths]
    wanted = []
    for one, each in zip(group, bars, strict=True):
        silence = model.silence().numpy()
        wanted.append([
            [one.steps[t - lag] if t >= lag else silence for lag in (
                max(1, round(back * (bar or 4 * READING.per_quarter))) for back in backs
            )]
            for t, bar in enumerate(each.tolist())
        ])  # fmt: skip
    placed = [READING.places(np.zeros_like(bar), bar) for bar in bars]
    steps = int(draw.integers(1, 45))
    past = model.silence(look.reach, len(group))
    for at in range(0, lengths[0], steps):
        there = [k for k, n in enumerate(lengths) if n > at]
        before, places = (
            pack_sequence([torch.from_numpy(own[k][at : at + steps]) for k in there])
            for own in ([before_of(one.steps) for one in group], placed)
        )
        found, past = look(before.data, places.data, past[:, : len(there)], before.batch_sizes)
        rows, _ = pad_packed_sequence(PackedSequence(found, before.batch_sizes))
        for n, k in enumerate(there):
            own = np.array(wanted[k][at : at + steps])
            assert np.array_equal(rows[: len(own), n].numpy(), own)


def test_pieces_are_looked_back_on_where_they_tell_bars_and_have_them() -> None:
    """Half of the pieces have twice as many bars as are gone back."""
    plain = np.zeros((40, READING.pitches), bool)
    for bar, length, wanted in ((6, 40, (0.5, 1, 2)), (8, 8, (0.5,)), (8, 7, (0,)), (0, 40, (0,))):
        places = READING.places(np.zeros(length, np.int64), np.full(length, bar))
        some = tuple(Score(str(k), plain[:length], places) for k in range(3))
        data = FrameData("", READING, some, (), BadRows(skip=False))
        budget = Budget(None, 1, None, None, "cpu")
        found = plan(data, settled("independent"), budget).options.lookback
        assert found == wanted
        assert plan(data, settled("chain", lookback=(3,)), budget).options.lookback == (3,)


@settings(max_examples=40)
@given(
    speed=st.floats(1e-3, 1e3), seconds=st.floats(1, 1e5), asked=st.sampled_from([None, 1, 3]),
    head=st.sampled_from(HEADS), few=st.booleans(),
)  # fmt: skip
def test_a_longer_training_has_more_networks_or_wider_ones(
    speed: float, seconds: float, asked: int | None, head: HeadName, few: bool
) -> None:
    """As many as make all passes in their share of the time; in epochs one. Of few steps they are
    first more, then wider; of many first wider."""
    group = pieces(np.random.default_rng(1), head, [20] * 9)
    data = FrameData("", READING, tuple(group), (), BadRows(skip=False))
    own = MusicOptions(head=head, members=asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_plan, "epoch_seconds", lambda *_: speed)
        patch.setattr(frame_plan, "expectation", lambda *_: "")
        patch.setattr(frame_plan, "FEW", 180 if few else 179)
        planned = plan(data, own, Budget(seconds, None, None, None, "cpu"))
        epochs = plan(data, own, Budget(None, 5, None, None, "cpu")).options
    found, widths = planned.options, frame_plan.WIDTHS
    assert found.members and found.hidden_size and planned.passes
    assert epochs.members == (asked or 1)
    assert planned.why.startswith(f"{found.members} times ") == (found.members > 1)
    room = frame_plan.SHARE * seconds / (planned.passes * speed)
    (width,) = found.hidden_size

    def fits(members: int, width: int) -> bool:
        return members * frame_plan._cost(width) <= room

    wider = widths[min(widths.index(width) + 1, len(widths) - 1)]
    assert fits(found.members, width) or width == min(widths)
    assert not fits(found.members, wider) or width == max(widths)
    if asked is not None:
        assert found.members == asked
        return
    first = min(width, frame_plan.WIDTH) if few else width
    assert not fits(found.members + 1, first) or found.members == frame_plan.MEMBERS
    if not few:
        assert not fits(1, wider) or width == max(widths)


# ---- Keys


@pytest.mark.parametrize("voices", [False, True])
def test_there_and_back_again_is_the_same_piece(voices: bool, draw: np.random.Generator) -> None:
    one = piece(draw, 11, voices=voices)
    down, up = one.room(READING.pitches)
    for k in range(down, up + 1):
        moved = one.transposed(k, READING.pitches)
        assert moved.room(READING.pitches) == (down - k, up - k)
        assert np.array_equal(moved.transposed(-k, READING.pitches).steps, one.steps)
    for k in (down - 1, up + 1):
        with pytest.raises(ValueError, match="moved by"):
            one.transposed(k, READING.pitches)


@pytest.mark.parametrize("voices", [False, True])
def test_twelve_semitones_by_steps_of_one_are_an_octave(
    voices: bool, draw: np.random.Generator
) -> None:
    low = Score(
        "", np.array([[0, 1, -1]]) if voices else np.eye(24, dtype=bool)[:3], np.zeros(3, int)
    )
    moved = low
    for _ in range(12):
        moved = moved.transposed(1, 24)
    assert np.array_equal(moved.steps, low.transposed(12, 24).steps)
    notes = [np.flatnonzero(one.roll(24).any(0)) % 12 for one in (low, moved)]
    assert np.array_equal(notes[0], notes[1])


@pytest.mark.parametrize("head", HEADS)
def test_pieces_are_moved_anew_in_each_epoch_and_never_out_of_range(
    head: HeadName, draw: np.random.Generator
) -> None:
    group = pieces(draw, head, [6] * 8)
    dataset = FrameData("", READING, tuple(group), (), BadRows(skip=False))
    moved = [
        epoch(dataset, settled(head, transpose=6), 3, 1, k).moves.tolist()  # type: ignore[attr-defined]
        for k in range(30)
    ]
    assert moved[0] != moved[1] and {k for each in moved for k in each} >= set(range(-4, 5))
    for number, score in enumerate(group):
        down, up = score.room(READING.pitches)
        assert all(down <= each[number] <= up for each in moved)
    still = epoch(dataset, settled(head, transpose=0), 3, 1, 0)
    assert not any(still.moves)  # type: ignore[attr-defined]
    sounding = [int((still[k].frames >= 1).sum()) for k in range(len(still))]
    assert len(sounding) == 3


def test_pieces_in_one_key_are_known_by_their_pitch_classes() -> None:
    from elman.data.symbolic.grid import Frames

    choose = random.Random(1)

    def tune(tonic: int) -> Frames:
        notes = np.zeros((60, 128), bool)
        for step in notes:
            step[60 + tonic + choose.choice([0, 0, 0, 2, 4, 4, 5, 7, 7, 9, 11])] = True
        return Frames("", notes)

    assert one_key([tune(0) for _ in range(12)])
    assert not one_key([tune(k) for k in range(12)])
    assert not one_key([tune(0)])


# ---- What is counted rather than trained


@pytest.mark.parametrize("voices", [False, True])
def test_simple_distributions_sum_to_one_over_all_frames(
    voices: bool, draw: np.random.Generator
) -> None:
    P, V = 4, 2
    if voices:
        frames = np.array(list(itertools.product(range(-1, P), repeat=V)))
    else:
        frames = np.array(list(itertools.product([False, True], repeat=P)))
    known = [frames[draw.integers(0, 6, 30)] for _ in range(12)]  # most frames are never seen
    for before in (frames[2], frames[-1]):
        own = FrameBefore.of(known, P).nats(frames, np.tile(before, (len(frames), 1)))
        assert np.exp(-own).sum() == pytest.approx(1, abs=ROUNDING)
    assert np.exp(-Alone.of(known, P).nats(frames)).sum() == pytest.approx(1, abs=ROUNDING)
    grams = FrameGrams.of(known, P)
    begun = known[0][:3]
    after = [grams.foretell(np.concatenate([begun, frame[None]])).nats[-1] for frame in frames]
    assert np.exp(-np.array(after)).sum() == pytest.approx(1, abs=ROUNDING)
    steps = int(draw.integers(1, 9))
    begun = np.concatenate([begun] * 4)[:steps]
    lags = np.sort(draw.integers(1, 6, (steps + 1, 3)))
    for again in (
        Again.of([Placed(piece, lags[:1].repeat(len(piece), 0)) for piece in known], P),
        Again(grams, *draw.random(2).tolist()),
    ):
        told = [Placed(np.concatenate([begun, frame[None]]), lags) for frame in frames]
        nats = [again.foretell(piece, grams.foretell(piece.steps)).nats for piece in told]
        assert np.exp(-np.array(nats)[:, -1]).sum() == pytest.approx(1, abs=ROUNDING)


def test_what_comes_again_costs_little_and_what_does_not_no_more(draw: np.random.Generator) -> None:
    """Pieces of phrases that each come three times, nobody's but their own; and of none at all."""
    P, phrase = 12, int(draw.integers(5, 12))

    def pieces(count: int, times: int) -> list[Placed]:
        made = []
        for _ in range(count):
            rolls = draw.random((4 * 3 // times, phrase, P)) < 0.3
            steps = np.concatenate([np.tile(roll, (times, 1)) for roll in rolls])
            lags = np.tile([phrase // 2, phrase, 2 * phrase], (len(steps), 1))
            made.append(Placed(steps, lags))
        return made

    for times in (3, 1):
        known, (other,) = pieces(20, times), pieces(1, times)
        own = Again.of(known, P)
        grams = own.grams.foretell(other.steps)
        told = own.foretell(other, grams)
        if times == 1:
            assert own.copies <= 0.02
            assert told.nats.mean() == pytest.approx(grams.nats.mean(), abs=0.05)
            continue
        assert told.nats.mean() < 0.5 * grams.nats.mean()
        third = np.arange(2 * phrase, 3 * phrase)
        assert told.nats[third[1:]].mean() < 0.5 < 4 < grams.nats[third[1:]].mean()
        assert (told.likeliest == other.steps)[third[1:]].all(1).mean() > 0.9


def test_what_nothing_foretells_costs_once(draw: np.random.Generator) -> None:
    """A frame less likely than any number can tell: what comes after it is told as ever."""
    steps, at = draw.random((12, 5)) < 0.5, int(draw.integers(1, 11))
    own = Again(FrameGrams.of([steps, ~steps], 5), *draw.uniform(0.1, 0.9, 2).tolist())
    costs = np.ones(12)
    costs[at] = 900.0
    lags = np.full((12, 1), 20)  # before the piece: nothing comes again but silence
    steps[:, 0] = True
    nats = own.foretell(Placed(steps, lags), Foretold(costs, steps)).nats
    assert 600 < nats[at] < np.inf and np.delete(nats, at).max() < 4


def test_n_grams_learn_what_the_frame_before_cannot(draw: np.random.Generator) -> None:
    cycle = np.eye(5, dtype=bool)[[0, 3, 1, 4, 2] * 8]
    known = [np.roll(cycle, k, 0) for k in range(12)]
    grams = FrameGrams.of(known, 5)
    told = grams.foretell(cycle)
    assert told.nats[2:].mean() < 0.1 < grams.before.nats(cycle, before_of(cycle)).mean()
    assert np.array_equal(told.likeliest[2:], cycle[2:])


# ---- What goes with a model


def test_a_reading_survives_being_written_and_damage_is_told() -> None:
    assert reading_from_json(READING.to_json()) == READING
    damaged: list[object] = [
        None, [], {}, READING.to_json() | {"bars": [10**9]}, READING.to_json() | {"lowest": 99},
        READING.to_json() | {"voices": "many"}, READING.to_json() | {"other": 1},
    ]  # fmt: skip
    for damage in damaged:
        with pytest.raises(UserError, match=r"preprocessing\.json"):
            reading_from_json(damage)


def test_places_tell_bar_and_quarter_apart() -> None:
    """A first step, places in bars that are known, and in those that are not."""
    features, bar = READING.features, np.array([6, 8, 7, 0, 6])
    kinds = READING.places(np.array([5, 5, 5, 0, 5]), bar, 3)
    assert len({*kinds.tolist()}) == 4 and kinds[0] == kinds[4]
    assert features[kinds][:, :2].argmax(1).tolist() == [1, 1, 1, 0, 1]
    assert [READING.bar_at(kind) for kind in kinds.tolist()] == [(6, 5), (8, 5), None, None, (6, 5)]
    first = READING.places(np.zeros(3, np.int64), np.full(3, 6))
    assert features[first][:, -1].tolist() == [1, 0, 0]


def test_a_score_keeps_its_metre_and_its_pickup() -> None:
    for metre, pickup in ((Metre(0, 6, 8), 1), (Metre(0, 4, 4), 0), (Metre(0, 3, 4), 5)):
        notes = tuple(Note(t, 1, 50 + t % 3) for t in range(20))
        piece = Piece("", 2, (Track(notes),), 20, metres=(metre,), pickup=pickup)
        frames = to_frames(piece, Grid(2))
        again = piece_of(score_of(frames, replace(READING, voices=0)), READING)
        assert again.pickup == pickup
        assert bar_ticks(2, again.metres[0]) == bar_ticks(2, metre)
        assert again.tracks[0].notes == notes
