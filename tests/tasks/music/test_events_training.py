"""Training sees every token once, each piece from a fresh state; scores are of whole pieces."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
import torch
from event_pieces import piece, settings

from elman.data.symbolic.piece import Note, Piece, Track
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.tasks.music.data import Parts
from elman.tasks.music.events import reading, rivals, scores, training
from elman.tasks.music.events.data import EventData, Tune
from elman.tasks.music.events.model import EventModel, EventModels, as_text, build
from elman.tasks.music.options import MusicOptions
from elman.tasks.text.model import LanguageModel


def data(seed: int, pieces: int = 9, **options: object) -> tuple[EventData, MusicOptions]:
    draw = random.Random(seed)
    made = [piece(draw, 40, low=45, high=75) for _ in range(pieces)]
    cut = pieces * 2 // 3
    options.setdefault("transpose", 0)
    own = MusicOptions(
        form="events", hidden_size=(6,), cell=("gru",), embedding=0, dropout=0.0, weight_drop=0.0,
        sequence_length=draw.randint(1, 40), steps_per_quarter=4,
        tokens=draw.choice(("remi", "midi-like")), **options,  # type: ignore[arg-type]
    )  # fmt: skip
    parts = Parts("drawn", tuple(made[:cut]), tuple(made[cut:]), BadRows(False))
    return reading.read(parts, own), own


def model(dataset: EventData, options: MusicOptions, seed: int = 0) -> EventModel | EventModels:
    torch.manual_seed(seed)
    made = build(dataset.preprocessing(), options).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn_like(parameter))  # a learned state is zero at first
    return made.double()


@pytest.mark.parametrize("seed", range(12))
def test_an_epoch_holds_every_token_once(seed: int) -> None:
    dataset, options = data(seed)
    batch_size = random.Random(seed).randint(1, 12)
    epoch = training.epoch(dataset, options, batch_size, seed, seed % 3)
    pairs: Counter[tuple[int, int]] = Counter()
    for k in range(len(epoch)):
        x, y, counts, _ = epoch[k]
        pairs.update(zip(x[counts].tolist(), y[counts].tolist(), strict=True))
    wanted = Counter(
        pair for tune in dataset.train for pair in zip(tune.ids, tune.ids[1:], strict=False)
    )
    assert pairs == wanted
    lengths = [sum(s.stop - s.first for s in stream) for stream in epoch.streams]
    longest = max(s.stop - s.first for stream in epoch.streams for s in stream)
    assert max(lengths) - min(lengths) <= 2 * longest
    with pytest.raises(IndexError):
        epoch[len(epoch)]


@pytest.mark.parametrize("state", ["zero", "learned"])
@pytest.mark.parametrize("seed", range(6))
def test_windows_cost_what_whole_pieces_cost(seed: int, state: str) -> None:
    """The state is carried from window to window of a piece, and no further."""
    dataset, options = data(seed, initial_state=state, members=1 + seed % 3)
    own = model(dataset, options)
    assert len(own.networks) == 1 + seed % 3
    epoch = training.epoch(dataset, options, 3, seed, 0)
    if any(s.first for stream in epoch.streams for s in stream):
        epoch = training.epoch(dataset, options, 1, seed, 0)  # there no piece is cut
    total, count, carry = 0.0, 0, None
    for k in range(len(epoch)):
        batch = epoch[k]
        if not batch.counts.any():
            continue
        cost, n, carry = training.loss(own, batch, carry, "cpu")
        total, count = total + float(cost.detach()), count + n
    assert count == dataset.tokens
    alone = [_alone(network, tune) for network in own.networks for tune in dataset.train]
    assert total == pytest.approx(sum(alone) / len(own.networks), rel=1e-9)


def _alone(own: LanguageModel, tune: Tune) -> float:
    """The nats of a piece, whole, alone, in one pass."""
    ids = torch.from_numpy(tune.ids)
    with torch.no_grad():
        log_p = own(ids[:-1, None])[0][:, 0].log_softmax(-1)
    return -float(log_p[torch.arange(len(ids) - 1), ids[1:]].sum())


def test_moves_are_all_keys_and_stay_within_the_pitches() -> None:
    draw = np.random.default_rng(0)
    every = reading.keys(MusicOptions())
    assert {training.move((-20, 20), every, draw) for _ in range(400)} == set(range(-6, 6))
    assert {training.move((-2, 1), every, draw) for _ in range(100)} == {-2, -1, 0, 1}
    near = reading.keys(MusicOptions(transpose=1))
    assert {training.move((-9, 9), near, draw) for _ in range(100)} == {-1, 0, 1}
    assert training.move((-9, 9), reading.keys(MusicOptions(transpose=0)), draw) == 0


def test_pieces_are_moved_anew_in_each_epoch_into_any_key() -> None:
    dataset, options = data(1, transpose=12)
    assert dataset.settings.lowest == 45 - 6
    assert dataset.settings.highest == 75 + 5
    epochs = [training.epoch(dataset, options, 2, 5, k) for k in (0, 1, 0)]
    assert epochs[0].moves != epochs[1].moves
    assert epochs[0].moves == epochs[2].moves
    moved = {m for k in range(60) for m in training.epoch(dataset, options, 2, 5, k).moves}
    assert moved == set(range(-6, 6))


@pytest.mark.parametrize("seed", range(4))
def test_validation_is_of_each_piece_alone(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "STEPS", random.Random(seed).randint(1, 60))
    dataset, options = data(seed, 15, members=1 + seed % 2)
    own = model(dataset, options)
    found = scores.validate(own, dataset, options, "cpu")
    alone = [_alone(own, tune) for tune in dataset.check]
    tokens = sum(len(t) - 1 for t in dataset.check)
    assert found.loss.count == tokens
    assert found.loss.total == pytest.approx(sum(alone), rel=1e-9)
    names = {"nats": tokens, "nats_a_note": sum(t.notes for t in dataset.check),
             "nats_a_quarter": sum(t.quarters for t in dataset.check)}  # fmt: skip
    assert found.scores == pytest.approx({n: sum(alone) / count for n, count in names.items()})
    assert found.tally is not None
    assert found.tally.unit == "piece"
    assert found.tally.sums[:, 0].tolist() == pytest.approx(alone)


def test_fewer_pieces_are_scored_where_that_is_asked_for() -> None:
    dataset, options = data(3, 30)
    most = dataset.check[0].foretold + 10
    some = scores.scored(dataset, MusicOptions(scored=most))
    assert 0 < len(some) < len(dataset.check)
    assert {tune.digest() for tune in some} <= {tune.digest() for tune in dataset.check}
    assert len(scores.scored(dataset, MusicOptions(scored=1))) == 1
    assert scores.scored(dataset, options) == dataset.check


def test_rivals_are_scored_on_the_same_tokens() -> None:
    dataset, options = data(4, 20)
    found = rivals.rivals(dataset, options, dataset)
    assert "Kneser-Ney" in found[0].name
    V, tokens = len(dataset.tokenizer), sum(t.foretold for t in dataset.check)
    guess = found[-1]
    assert guess.guess
    assert guess.scores["nats"] == pytest.approx(math.log(V))
    ids = np.concatenate([t.ids for t in dataset.train])
    frequency = Counter(ids.tolist())
    assert found[1].scores["nats"] < guess.scores["nats"]
    assert found[0].scores["nats"] <= found[1].scores["nats"]
    assert all(r.tally is not None and len(r.tally.sums) == len(dataset.check) for r in found)
    assert all(r.tally.sums[:, 1].sum() == tokens for r in found if r.tally is not None)
    assert frequency.total() == sum(len(t) for t in dataset.train)


def test_what_is_lost_is_told_and_pieces_without_notes_are_no_data() -> None:
    drums = Piece("d", 4, (Track((Note(0, 1, 36),), 0, True),), 4)
    one = Piece("x", 4, (Track((Note(0, 4, 60), Note(1, 1, 61, 3)), 0),), 8)
    empty = Piece("e", 4, (), 4)
    bad = BadRows(False)
    made = reading.read(Parts("p", (one,), (one, empty), bad), MusicOptions(form="events"))
    assert len(made.check) == 1
    kept = made.preprocessing()
    found = reading.unseen(Parts("q", (), (drums, one), bad), kept)
    assert [t.name for t in found.check] == ["x"]
    assert any("drums left out" in line for line in found.warnings)
    with pytest.raises(UserError, match="no piece with a note that the model knows"):
        reading.unseen(Parts("q", (), (drums,), bad), kept)
    with pytest.raises(UserError, match="no notes"):
        reading.read(Parts("p", (empty,), (), bad), MusicOptions(form="events"))
    assert "was trained on" in reading.overlap(found, made)
    assert as_text(MusicOptions(embedding=3)).embedding == 3
    assert settings(random.Random(0)).plain()
