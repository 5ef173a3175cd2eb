"""Parts share no clip, no equal ones, no speaker where these are kept apart; order says nothing."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.data.sound.clips import Clip, Part, Recording
from elman.data.sound.cut import Cut, cut
from elman.data.sound.options import CutOptions
from elman.errors import UserError

FEW = settings(max_examples=40)
SEEDS = st.integers(0, 10_000)
SHARES = st.floats(0.05, 0.4)


def draw_clips(
    seed: int, *, speakers: int, labels: int = 0, count: int | None = None
) -> list[Clip]:  # fmt: skip
    """Clips of some speakers (0: not known), with labels or else transcripts; several of a file."""
    draw = random.Random(seed)
    clips = []
    for k in range(count or draw.randint(30, 120)):
        path = Path(f"/data/{draw.choice('xyz')}/{k:04}.wav")
        clips.append(
            Clip(
                str(path), Recording(path), start := draw.choice((0.0, 0.0, 1.5)),
                start + 2 if start else None,
                text=None if labels else f"text {k}",
                label=f"l{draw.randrange(labels)}" if labels else None,
                speaker=f"s{draw.randrange(speakers)}" if speakers else "",
            )
        )  # fmt: skip
    return clips


def names(clips: list[Clip], numbers: NDArray[np.int64]) -> set[Clip]:
    """The clips of these numbers."""
    return {clips[k] for k in numbers}


def whole(found: Cut, count: int) -> bool:
    """Whether each clip is in one part."""
    return sorted(np.concatenate(found[:3]).tolist()) == list(range(count))


@FEW
@given(seed=SEEDS, share=SHARES, speakers=st.integers(0, 9), labels=st.integers(0, 4))
def test_each_clip_is_in_one_part_whatever_the_order(
    seed: int, share: float, speakers: int, labels: int
) -> None:
    clips = draw_clips(seed, speakers=speakers, labels=labels)
    how = CutOptions(validation=share)
    found = cut(clips, how)
    assert whole(found, len(clips)) and len(found.train) and len(found.validation)
    assert not len(found.test)
    mixed = clips.copy()
    random.Random(seed + 1).shuffle(mixed)
    again = cut(mixed, how)
    assert names(mixed, again.validation) == names(clips, found.validation)
    assert sorted(again.facts) == sorted(found.facts)
    moved = [
        replace(
            c, recording=Recording(Path("a.zip"), f"in/{c.recording.path.relative_to('/data')}")
        )
        for c in clips
    ]  # in an archive, below a folder of another name
    assert cut(moved, how).validation.tolist() == found.validation.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_names_of_folders_tell_recordings_apart_wherever_they_lie(seed: int) -> None:
    draw = random.Random(seed)
    places = [f"{draw.choice('xyz')}/{k}/sound.wav" for k in range(40)]
    held = []
    for root, archive in ((Path("/data/set"), ""), (Path("a.zip"), "in/set/")):
        recordings = (
            Recording(root, archive + place) if archive else Recording(root / place)
            for place in draw.sample(places, len(places))
        )  # fmt: skip
        clips = [Clip("", recording, label="same") for recording in recordings]
        chosen = names(clips, cut(clips, CutOptions(validation=0.3)).validation)
        held.append({PurePath(c.recording.member or c.recording.path).parts[-2] for c in chosen})
    assert held[0] == held[1] and len(held[0]) == 12


@FEW
@given(seed=SEEDS, share=SHARES, speakers=st.integers(5, 20), labels=st.integers(0, 3))
def test_speakers_are_kept_apart_where_there_are_enough(
    seed: int, share: float, speakers: int, labels: int
) -> None:
    clips = draw_clips(seed, speakers=speakers, labels=labels, count=400)
    found = cut(clips, CutOptions(validation=share))
    train, held = ({c.speaker for c in names(clips, n)} for n in found[:2])
    assert not train & held and len(train | held) == speakers
    assert len(found.validation) <= len(clips) / 3
    assert any("none in both" in fact for fact in found.facts)
    most = max(Counter(c.speaker for c in clips).values())
    assert abs(len(found.validation) - share * len(clips)) <= max(
        most, 400 * (share - 1 / 3) + most
    )


@FEW
@given(seed=SEEDS, share=SHARES, speakers=st.integers(7, 20))
def test_validation_has_the_voices_of_training_where_the_test_has_them(
    seed: int, share: float, speakers: int
) -> None:
    """Else the best weights would be chosen by another question than the test asks."""
    clips = draw_clips(seed, speakers=speakers, count=400)
    found = cut(clips, CutOptions(share, test_files=("*[05].wav",)))
    train, held = ({c.speaker for c in names(clips, n)} for n in found[:2])
    assert len(train) == speakers and held <= train
    assert any("voices of the test" in fact for fact in found.facts)
    apart = cut(clips, CutOptions(share, test_speakers=("s0",)))
    others = {c.speaker for c in names(clips, apart.validation)}
    assert not others & {c.speaker for c in names(clips, apart.train)}


@FEW
@given(seed=SEEDS, share=st.floats(0.05, 0.95), labels=st.integers(1, 5))
def test_labels_are_shared_out_and_all_are_trained_on(seed: int, share: float, labels: int) -> None:
    clips = draw_clips(seed, speakers=0, labels=labels)
    clips.append(replace(clips[0], label="rare", recording=Recording(Path("/data/x/rare.wav"))))
    found = cut(clips, CutOptions(validation=share))
    train = Counter(c.label for c in names(clips, found.train))
    held = Counter(c.label for c in names(clips, found.validation))
    every = Counter(c.label for c in clips)
    assert train.keys() == every.keys()
    for label, count in every.items():
        assert count == 1 or abs(held[label] - share * count) <= 1


@pytest.mark.parametrize(
    ("speakers", "why"), [(0, "not known"), (1, "one speaker"), (3, "3 speakers only")]
)
def test_why_speakers_are_not_kept_apart_is_told(speakers: int, why: str) -> None:
    found = cut(draw_clips(1, speakers=speakers), CutOptions())
    assert any(why in fact for fact in found.facts)


def test_speakers_are_not_kept_apart_where_they_are_the_labels() -> None:
    clips = [replace(c, label=c.speaker) for c in draw_clips(2, speakers=8, labels=1)]
    found = cut(clips, CutOptions())
    assert {c.speaker for c in names(clips, found.train)} == {c.speaker for c in clips}
    assert any("without their labels" in fact for fact in found.facts)


@FEW
@given(seed=SEEDS, share=SHARES, speakers=st.sampled_from([0, 3, 12]))
def test_equal_clips_stay_on_one_side(seed: int, share: float, speakers: int) -> None:
    draw = random.Random(seed)
    clips = draw_clips(seed, speakers=speakers)
    digests = [draw.randrange(3 * len(clips)) for _ in clips]
    clips += [replace(c, text="said otherwise") for c in clips[:10]]  # the same stretches once more
    digests += [draw.randrange(3 * len(clips)) for _ in range(10)]
    found = cut(clips, CutOptions(validation=share), digests)
    side = {k: n for n, part in enumerate(found[:3]) for k in part.tolist()}
    for of in (digests, [(c.recording, c.start) for c in clips]):
        sides: dict[object, set[int]] = {}
        for k, key in enumerate(of):
            sides.setdefault(key, set()).add(side[k])
        assert all(len(s) == 1 for s in sides.values())
    if any("none in both" in fact for fact in found.facts):
        train, held = ({c.speaker for c in names(clips, n)} for n in found[:2])
        assert not train & held


@FEW
@given(seed=SEEDS)
def test_what_equals_a_clip_of_the_test_goes_with_it(seed: int) -> None:
    clips = draw_clips(seed, speakers=0)
    digests = list(range(len(clips)))
    one, other, third = random.Random(seed).sample(digests, 3)
    digests[other] = digests[one]
    how = CutOptions(
        test_files=(clips[one].recording.path.name,),
        validation_files=tuple({clips[k].recording.path.name for k in (other, third)}),
    )
    found = cut(clips, how, digests)
    assert set(found.test.tolist()) == {one, other} and found.validation.tolist() == [third]
    assert any("1 clip equal to one of another part" in fact for fact in found.facts)


@FEW
@given(seed=SEEDS)
def test_what_is_named_is_that_part(seed: int) -> None:
    clips = draw_clips(seed, speakers=7, count=90)
    how = CutOptions(test_speakers=("s1",), validation_speakers=("s2", "s3"))
    found = cut(clips, how)
    assert {c.speaker for c in names(clips, found.test)} == {"s1"}
    assert {c.speaker for c in names(clips, found.validation)} == {"s2", "s3"}
    assert {c.speaker for c in names(clips, found.train)} == {"s0", "s4", "s5", "s6"}
    files = cut(clips, CutOptions(test_files=("*[05].wav",), validation_files=("x/*[!05].wav",)))
    assert names(clips, files.test) == {c for c in clips if c.recording.stem[-1] in "05"}
    assert names(clips, files.validation) == {
        c for c in clips if c.recording.stem[-1] not in "05" and c.recording.path.parent.name == "x"
    }
    assert whole(found, len(clips)) and whole(files, len(clips))
    assert any("of its" in fact and "also in training" in fact for fact in files.facts)


def test_the_parts_of_the_data_give_way_to_what_is_named() -> None:
    parts: tuple[Part, ...] = ("train", "validation", "test")
    clips = [replace(c, part=parts[k % 3]) for k, c in enumerate(draw_clips(3, speakers=0))]
    own = cut(clips, CutOptions())
    assert all(
        {c.part for c in names(clips, numbers)} == {part}
        for numbers, part in zip(own[:3], parts, strict=True)
    )
    named = cut(clips, CutOptions(test_files=("*0.wav",)))
    assert {c.recording.stem[-1] for c in names(clips, named.test)} == {"0"}
    assert {c.part for c in names(clips, named.validation)} == {"validation"}
    without = [replace(c, part="train" if c.part == "validation" else c.part) for c in clips]
    drawn = cut(without, CutOptions(validation=0.2))
    assert {c.part for c in names(without, drawn.validation)} == {"train"}
    assert {c.part for c in names(without, drawn.test)} == {"test"}


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (CutOptions(test_speakers=("s11",)), "--test-speakers s11: unknown speaker"),
        (CutOptions(validation_files=("*.flac",)), "--validation-files"),
        (CutOptions(test_files=("",)), "fits no recording"),
        (CutOptions(test_files=("*.wav",)), "no clip is left to train on"),
        (
            CutOptions(test_speakers=("s1",), validation_speakers=("s1",)),
            "named for validation and",
        ),
    ],
)
def test_what_cannot_be_cut_is_one_line(how: CutOptions, told: str) -> None:
    with pytest.raises(UserError) as error:
        cut(draw_clips(4, speakers=3), how)
    assert told in str(error.value) and "\n" not in str(error.value)
    if how.test_speakers:
        with pytest.raises(UserError, match="no speaker of any clip is known"):
            cut(draw_clips(4, speakers=0), how)


def test_nothing_is_held_back_where_nothing_is_asked() -> None:
    clips = draw_clips(5, speakers=6)
    assert cut(clips, CutOptions(validation=0)).train.tolist() == list(range(len(clips)))


def test_a_share_of_less_than_a_clip_is_one() -> None:
    for speakers in (0, 8):
        clips = draw_clips(6, speakers=speakers, count=30)
        found = cut(clips, CutOptions(validation=0.001))
        held = {c.speaker for c in names(clips, found.validation)}
        assert len(found.validation) == 1 if not speakers else len(held) == 1
    alone = cut(clips[:1], CutOptions())
    assert len(alone.train) == 1 and not len(alone.validation)
