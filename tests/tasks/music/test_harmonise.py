"""Given voices are kept to the note; the beam finds the likeliest others, Gibbs sampling draws them
by their exact probabilities."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
import torch
from tiny_composers import HEADS, composer, sounding
from torch import Tensor

from elman.data.symbolic.grid import Grid
from elman.data.symbolic.midi.writing import write_midi
from elman.data.symbolic.piece import Metre, Note, Piece, Track
from elman.data.symbolic.theory.counterpoint import parallels
from elman.decode import Sampling
from elman.errors import UserError
from elman.tasks.music.composing.frames import FrameComposer
from elman.tasks.music.composing.harmonise import beam, gibbs
from elman.tasks.music.composing.harmonise.given import given
from elman.tasks.music.composing.limits import FREE, Limits
from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.composing.network import silent
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.past import frozen
from elman.tasks.music.composing.rules import Rules, parse
from elman.tasks.music.frames.heads.head import SILENCE
from elman.tasks.music.options import HeadName

SOPRANO = Track((Note(0, 2, 60), Note(2, 1, 62), Note(5, 3, 64), Note(8, 2, 60)))
BASS = Track((Note(0, 5, 52), Note(6, 4, 53)))


@pytest.fixture
def soprano(tmp_path: Path) -> Path:
    path = tmp_path / "soprano.mid"
    path.write_bytes(write_midi(Piece("s", 2, (SOPRANO,), 10, metres=(Metre(0, 3, 4),))))
    return path


@pytest.mark.parametrize("method", ["beam", "gibbs"])
@pytest.mark.parametrize(("head", "voices"), HEADS)
def test_the_given_voice_is_kept_to_the_note(
    soprano: Path, head: HeadName, voices: int, method: str
) -> None:
    own = composer(head, voices, 3, pitches=16, sure=4.0)
    asked = Composing(
        given=soprano, method="gibbs" if method == "gibbs" else "beam", beam=2, sweeps=1, seed=1,
        keep="key C major; at most 3 notes",
    )  # fmt: skip
    found = own.compose(asked, own.begin(), 1)
    assert len(list(found)) == 10
    piece = found.piece
    steps = sounding(piece)
    if voices:
        assert piece.tracks[0].notes == SOPRANO.notes
    for step in range(10):
        notes = [n.pitch for n in SOPRANO.notes if n.start <= step < n.end]
        assert set(notes) <= set(steps[step]) and len(steps[step]) <= 3
        if notes and not voices:
            assert max(steps[step]) == notes[0]
        assert all(p % 12 in (0, 2, 4, 5, 7, 9, 11) for p in steps[step])
    assert piece.metres == (Metre(0, 3, 4),)
    assert torch.equal(found.place.history, found.frames)  # type: ignore[union-attr]


def test_which_voices_are_given() -> None:
    head = composer("voices", 3, 1).network.head
    both, grid, rules = Piece("x", 2, (SOPRANO, BASS), 10), Grid(2), Rules()
    lines = {}
    for track in (SOPRANO, BASS):
        line = torch.full((10,), SILENCE)
        for note in track.notes:
            line[note.start : note.end] = note.pitch - 50
        lines[track] = line
    free = torch.full((10,), FREE)
    for names, expected in (
        (("soprano", "bass"), [lines[SOPRANO], free, lines[BASS]]),
        (("B", "S"), [lines[BASS], free, lines[SOPRANO]]),
        (("1", "2"), [lines[SOPRANO], lines[BASS], free]),
    ):
        found = given(both, names, grid, head, 50, rules)
        assert torch.equal(found.notes, torch.stack(expected, 1)) and found.told == []
    whole = Piece("x", 2, (SOPRANO, SOPRANO, BASS), 10)
    found = given(whole, ("bass",), grid, head, 50, rules)
    assert torch.equal(found.notes, torch.stack([free, free, lines[BASS]], 1))
    chords = Track((Note(0, 2, 52), Note(0, 2, 57), Note(2, 2, 55)))
    found = given(Piece("x", 2, (chords,), 4), (), grid, head, 50, rules)
    assert found.notes[:, 0].tolist() == [7, 7, 5, 5]
    assert found.told == ["2 steps with several notes at once: the highest kept"]


@pytest.mark.parametrize(
    ("tracks", "names", "keep", "told"),
    [
        ((SOPRANO, BASS), (), "", "has 2 tracks, for 1 voice"),
        ((SOPRANO,), ("soprano", "bass"), "", "has 1 track"),
        ((SOPRANO,), ("soprno",), "", 'did you mean "soprano"'),
        ((SOPRANO, BASS), ("S", "S"), "", "one voice twice"),
        ((SOPRANO, BASS, BASS), ("S", "2", "B"), "", "leaves no voice"),
        ((Track((Note(0, 4, 90),)),), (), "", "has F#6, where the model knows D3 to F#4"),
        ((SOPRANO,), (), "soprano 61-66", "has C4, where --keep allows C#4 to F#4"),
        ((SOPRANO,), (), "range 50-63", "has E4, where --keep allows D3 to Eb4"),
        ((Track(()),), (), "", "has no notes"),
        ((Track((Note(0, 4, 40),), is_drum=True),), (), "", "has no notes"),
    ],
)
def test_what_cannot_be_given(
    tracks: tuple[Track, ...], names: tuple[str, ...], keep: str, told: str
) -> None:
    head = composer("voices", 3, 1).network.head
    with pytest.raises(UserError) as error:
        given(Piece("x.mid", 2, tracks, 10), names, Grid(2), head, 50, parse(keep))
    assert told in str(error.value)


def test_what_harmonising_refuses(soprano: Path) -> None:
    own = composer("voices", 3, 1)
    begun = own.compose(Composing(steps=1), own.begin(), 1)
    list(begun)
    with pytest.raises(UserError, match="--given: begins a piece"):
        own.compose(Composing(given=soprano), begun.place, 1)
    asked = Composing(given=soprano, keep="no repeat 1 bar", method="gibbs")
    with pytest.raises(UserError, match="--method gibbs cannot keep it"):
        own.compose(asked, own.begin(), 1)
    with pytest.raises(UserError, match="cannot sound there"):
        own.compose(Composing(given=soprano, keep="at most 1 note; required E3 at bar 1"),
                    own.begin(), 1)  # fmt: skip
    roll = composer("chain", 0, 1)
    with pytest.raises(UserError, match="no voices"):
        roll.compose(Composing(given=soprano, given_voices=("S",)), roll.begin(), 1)


def every_frame(head_voices: int, pitches: int) -> list[Tensor]:
    if head_voices:
        product = itertools.product(range(SILENCE, pitches), repeat=head_voices)
        return [torch.tensor(frame) for frame in product]
    return [torch.tensor(frame) for frame in itertools.product([False, True], repeat=pitches)]


def small(
    head: HeadName, voices: int, steps: int, seed: int, keep: str = "",
    line: tuple[int, ...] = (1, SILENCE, 0, 1), pitches: int = 2,
) -> tuple[Limits, list[Tensor], list[float]]:  # fmt: skip
    """Limits with a given voice, and all pieces [T, …] that keep them, with their log p."""
    own = composer(head, voices, seed, pitches=pitches if voices else 3, sure=3.0, even=True)
    notes = torch.full((steps, voices or 1), FREE)
    notes[:, 0] = torch.tensor(line[:steps])
    rules = parse(keep)
    measure = Measure(2, *(rules.metre or (4, 4)))
    limits = Limits.of(rules, measure, own.network.head, 50, notes, not voices)
    frames = every_frame(voices, own.network.head.pitches)
    kept = [[f for f in frames if any(w.admits(f) for w in limits.ways(t))] for t in range(steps)]
    pieces = [torch.stack(list(piece)) for piece in itertools.product(*kept)]
    return limits, pieces, log_p_of_all(own, torch.stack(pieces, 1), measure)


def log_p_of_all(own: FrameComposer, pieces: Tensor, measure: Measure) -> list[float]:
    """`log_p` of each of pieces [T, N, …] side by side."""
    contexts, state = own.network.begin(pieces.shape[1], measure)
    later, _ = own.network.read(pieces[:-1], 0, measure, state)
    contexts = torch.cat([contexts[None], later]).flatten(0, 1)
    with torch.no_grad():
        nats = own.network.head.nats(contexts, pieces.flatten(0, 1)).double()
    return [-float(cost) for cost in nats.view(len(pieces), -1).sum(0)]


@pytest.mark.parametrize(("head", "voices"), [("independent", 0), ("chain", 0), ("voices", 2)])
@pytest.mark.parametrize("seed", range(1, 13))
def test_a_beam_as_wide_as_all_there_is_finds_the_likeliest(
    head: HeadName, voices: int, seed: int
) -> None:
    limits, pieces, log_ps = small(head, voices, 3, seed)
    best = pieces[max(range(len(pieces)), key=log_ps.__getitem__)]
    pitches = 2 if voices else 3
    network = composer(head, voices, seed, pitches=pitches, sure=3.0, even=True).network
    *_, found = beam.search(network, limits, 3, width=len(pieces))
    assert torch.equal(torch.stack(found), best)
    narrow = [torch.stack(list(beam.search(network, limits, 3, width))[-1]) for width in (1, 3)]
    for piece in narrow:  # never likelier than the likeliest, and within the limits
        assert any(torch.equal(piece, other) for other in pieces)


def test_a_beam_keeps_to_no_repeat() -> None:
    limits, pieces, log_ps = small("voices", 2, 4, 1, "metre 1/4; no repeat 1 bar", (1, 1, 1, 1))
    size = limits.past().length
    assert size == 2

    def new(piece: Tensor) -> bool:
        rows = [frozen(frame) for frame in piece]
        runs = [tuple(rows[k : k + size]) for k in range(len(rows) - size + 1)]
        return len(set(runs)) == len(runs)

    fits = [(p, piece) for p, piece in zip(log_ps, pieces, strict=True) if new(piece)]
    assert len(fits) < len(pieces)
    best = max(fits, key=lambda one: one[0])[1]
    network = composer("voices", 2, 1, pitches=2, sure=3.0).network
    *_, found = beam.search(network, limits, 4, width=len(pieces))
    assert torch.equal(torch.stack(found), best)


@pytest.mark.parametrize("first", [0, 100])
def test_what_is_harmonised_has_no_parallels_where_it_may_not(first: int) -> None:
    """By a beam it is the likeliest of all pieces without; by Gibbs sampling one of these. The
    given voice goes up a step and another, and the likeliest piece of all has parallels."""
    for seed in range(first, first + 100):
        limits, pieces, log_ps = small("voices", 2, 3, seed, "no parallels", (7, 8, 9), pitches=10)
        fits = [
            (p, piece) for p, piece in zip(log_ps, pieces, strict=True)
            if not parallels(piece.numpy(), 7) and not parallels(piece.numpy(), 0)
        ]  # fmt: skip
        if max(fits, key=lambda one: one[0])[0] < max(log_ps):
            break
    else:
        pytest.fail("no model that likes parallels")
    network = composer("voices", 2, seed, pitches=10, sure=3.0).network
    *_, found = beam.search(network, limits, 3, width=len(pieces))
    assert torch.equal(torch.stack(found), max(fits, key=lambda one: one[0])[1])
    kept = {tuple(map(frozen, piece)) for _, piece in fits}
    sweeps = [*gibbs.sample(network, limits, 3, 8, Sampling(), seed)]
    assert {tuple(map(frozen, sweep)) for sweep in sweeps} <= kept
    piece = fits[seed % len(fits)][1]
    for step in range(3):
        (site,) = gibbs.sites(limits, step)
        others = gibbs.candidates(limits, piece, step, site)
        wholes = [torch.cat([piece[:step], o[None], piece[step + 1 :]]) for o in others]
        own = [w for w in kept if all(w[t] == frozen(piece[t]) for t in range(3) if t != step)]
        assert {tuple(map(frozen, whole)) for whole in wholes} == set(own)


@pytest.mark.parametrize(("head", "voices"), [("independent", 0), ("chain", 0), ("voices", 2)])
@pytest.mark.parametrize("seed", [4, 5])
def test_gibbs_has_the_exact_conditionals(head: HeadName, voices: int, seed: int) -> None:
    """Of any two frames that may stand at a place, all others being what they are."""
    limits, pieces, log_ps = small(head, voices, 3, seed)
    known = {tuple(map(frozen, piece)): p for piece, p in zip(pieces, log_ps, strict=True)}
    pitches = 2 if voices else 3
    network = composer(head, voices, seed, pitches=pitches, sure=3.0, even=True).network
    for piece in pieces[:: max(len(pieces) // 5, 1)]:
        context, state = network.begin(1, limits.measure)
        for step in range(3):
            for site in gibbs.sites(limits, step):
                others = gibbs.candidates(limits, piece, step, site)
                wholes = [torch.cat([piece[:step], o[None], piece[step + 1 :]]) for o in others]
                exact = torch.tensor([known[tuple(map(frozen, w))] for w in wholes])
                found = -gibbs.costs(network, limits, piece, step, others, context, state)
                differences = (found - found[0]) - (exact - exact[0])
                assert differences.abs().max() < 1e-4  # float32 sums of about ten terms
            after, state = network.read(piece[step][None, None], step, limits.measure, state)
            context = after[0]


def test_gibbs_comes_to_the_exact_distribution() -> None:
    """600 sweeps over all pieces of a small model: as often as each is likely."""
    limits, pieces, log_ps = small("voices", 2, 2, 5)
    exact = torch.tensor(log_ps).double().softmax(0)
    network = composer("voices", 2, 5, pitches=2, sure=3.0).network
    counts: Counter[tuple[tuple[int, ...], ...]] = Counter()
    sweeps = 600
    chain = gibbs.sample(network, limits, 2, sweeps, Sampling(), seed=1)
    for frames in itertools.islice(chain, 1, None):
        counts[tuple(map(frozen, frames))] += 1
    shares = torch.tensor([counts[tuple(map(frozen, piece))] / sweeps for piece in pieces])
    # Nine pieces: their shares vary by about 0.015 each.
    assert float((shares - exact).abs().sum() / 2) < 0.07
    assert float((exact - 1 / len(pieces)).abs().sum() / 2) > 0.1  # far from all alike


def test_interrupted_there_is_what_was_found(soprano: Path) -> None:
    own = composer("voices", 3, 1, sure=4.0)
    found = own.compose(Composing(given=soprano), own.begin(), 1)
    assert found.piece.length == 0
    assert torch.equal(found.place.history, silent(own.network.head, 0))
