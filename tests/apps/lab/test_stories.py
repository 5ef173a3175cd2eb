"""A text, or a piece, as a thing: gone back to, branched, blended, it is as it would have been."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_runs import Runs

import elman
from elman.apps.lab.rooms.writing import story as stories
from elman.apps.lab.rooms.writing import tune as tunes
from elman.apps.lab.rooms.writing.story import Story
from elman.apps.lab.rooms.writing.tune import Tune
from elman.apps.lab.rooms.writing.work import Work
from elman.decode import Sampling
from elman.errors import ElmanError, UserError
from elman.tasks.task import Cursor


@pytest.fixture(scope="module")
def run(runs: Runs) -> elman.Run:
    """A model of characters."""
    return elman.load(runs["story"])


@pytest.fixture(scope="module")
def music(runs: Runs) -> elman.Run:
    return elman.load(runs["tunes"])


def write(story: Story, length: int, seed: int = 1) -> Story:
    for _ in story.written(length, Sampling(seed=seed)):
        pass
    return story


def same(one: Cursor, other: Cursor) -> bool:
    """To rounding: what is read at once and what is read step by step are summed in other ways."""
    return one.position == other.position and torch.allclose(one.logits, other.logits, atol=1e-4)


def test_a_text_goes_back_to_any_character(run: elman.Run) -> None:
    draw = random.Random()
    whole = write(Story(run, "the quick "), 60)
    story = whole.copy()
    for at in sorted(draw.sample(range(1, len(whole.text)), 12), reverse=True):
        story.back(at)
        assert story.text == whole.text[:at]
        assert same(story.place, run.read(whole.text[:at]))
    story.back(0)
    assert story.text == "" and same(story.place, run.read(""))


def test_a_text_that_went_back_is_written_again_with_the_same_seed(run: elman.Run) -> None:
    whole = write(Story(run, "a dog "), 50)
    story = whole.copy()
    story.back(30)
    assert write(story, len(whole.text) - 30).text == whole.text


def test_an_empty_text_begins_with_its_prompt(run: elman.Run) -> None:
    empty = Story(run)
    for story in (empty.copy(), empty):
        story.read("the ")
        assert torch.equal(story.place.logits, run.read("the ").logits)
        story.back(2)
        assert same(story.place, run.read("th"))
        story.back(0)
        story.read("dog")
        assert torch.equal(story.place.logits, run.read("dog").logits)


def test_states_that_are_forgotten_are_read_again(
    run: elman.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stories, "REMEMBERED", 5)
    whole = write(Story(run, "fox "), 40)
    story = whole.copy()
    story.back(11)
    assert same(story.place, run.read(whole.text[:11]))


def test_a_branch_leaves_what_it_came_from(run: elman.Run) -> None:
    first = write(Story(run, "the "), 10)
    text = first.text
    second = write(first.copy(), 10, seed=7)
    assert first.text == text and second.text.startswith(text)
    assert write(first, 10, seed=7).text == second.text


def test_a_blend_lies_between_and_is_one_side_at_its_ends(run: elman.Run) -> None:
    one, other = Story(run, "the quick "), Story(run, "dog. ")
    assert torch.equal(one.blended(other, 0.0).place.logits, one.place.logits)
    assert torch.equal(one.blended(other, 1.0).place.logits, other.place.logits)
    for share, end in ((0.0, one), (1.0, other)):
        assert write(one.blended(other, share), 12).text == write(end.copy(), 12).text
    share = random.uniform(0.1, 0.9)
    between = one.blended(other, share)
    expected = (1 - share) * one.place.logits + share * other.place.logits
    assert torch.allclose(between.place.logits, expected, atol=1e-5)
    assert between.text == (one if share <= 0.5 else other).text


def test_a_kept_state_is_what_generate_takes(run: elman.Run, tmp_path: Path) -> None:
    story = write(Story(run, "lazy "), 20)
    story.save(tmp_path / "state")
    again = stories.opened(run, tmp_path / "state")
    assert write(again, 15, seed=3).text == write(story.copy(), 15, seed=3).text[len(story.text) :]
    again.back(0)
    assert same(again.place, run.load_state(tmp_path / "state"))


def test_a_piece_goes_back_and_on_as_if_it_had_never_stopped(
    music: elman.Run, tmp_path: Path
) -> None:
    tune, how = Tune(music), {"steps": 24, "seed": 5}
    assert len(list(tune.written(how))) == tune.lines
    whole, branch = tune.piece(), tune.copy()
    branch.back(9)
    assert branch.piece().length < whole.length and tune.piece() == whole
    branch.save(tmp_path / "state")
    for other in (branch, tunes.opened(music, tmp_path / "state")):
        list(other.written(how | {"steps": 9}))
        assert other.piece().tracks == whole.tracks
    branch.back(10**6)
    assert branch.place is None and branch.lines == 0


def test_notes_of_a_piece_are_all_there_and_sound_within_it(music: elman.Run) -> None:
    tune = Tune(music)
    list(tune.written({"bars": 3, "seed": 2}))
    piece = tune.piece()
    notes = tunes.sounding(piece)
    assert len(notes) == piece.count and all(0 <= n.start < n.stop for n in notes)
    assert tunes.written_as(piece, ".wav")[:4] == b"RIFF"
    assert tunes.written_as(piece, ".mid")[:4] == b"MThd"


def test_work_ends_when_it_is_stopped_and_tells_what_went_wrong() -> None:
    made, lock = list[int](), threading.Lock()

    def steps(error: Exception | None) -> Iterator[None]:
        for k in range(10**9):
            assert lock.locked()
            made.append(k)
            if error is not None and k == 3:
                raise error
            yield

    for error in (UserError("too long"), OSError("no room")):
        made.clear()
        failing = Work(steps(error), lock)
        failing.wait()
        assert str(failing.error) == str(error) and isinstance(failing.error, ElmanError)
        assert made == [0, 1, 2, 3]
    endless = Work(steps(None), lock)
    assert endless.running
    endless.stop()
    endless.wait()
    assert endless.error is None
    assert not lock.locked()
