"""A search is its runs: each as elman train makes it, whatever stopped and whoever worked."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from calling import call, snapshot
from jobs import PowerCut, fails_after, final
from searches import SMALL, search, trials_of

import elman
from elman.errors import RunError, UserError
from elman.run import api
from elman.run.job import Job
from elman.tune import storage, study, trial, tune
from elman.tune.result import Result, as_record, table
from elman.tune.study import PAGE, PLACE, RECORD, RESULT


def untimed(result: Result) -> dict[str, Any]:
    """The record without what differs between two folders where the same was done."""
    record = as_record(result)
    del record["folder"], record["run"]
    for row in record["settings"]:
        del row["runs"]
    return record


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    """A text, a search on it, and its result; not to be changed."""
    folder = tmp_path_factory.mktemp("tuned")
    path = folder / "text.txt"
    path.write_text("the cat sat on a mat and saw two old dogs run by. " * 60, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(sys.modules, "matplotlib", None)
        torch.set_num_threads(1)
        return path, folder / "study", search(path, folder / "study")


def test_a_trial_is_a_run_of_train(tuned: tuple[Path, Path, Result]) -> None:
    text, folder, result = tuned
    one = trials_of(result)[2]
    alone = elman.train("text", str(text), run=Path("alone"), **SMALL, **one.params)
    ours, theirs = final(folder / "trials/0002"), final(alone.path)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert one.value == pytest.approx(alone.scores["nats"])


def test_the_default_takes_part_first_and_is_what_is_planned_if_nothing_is_said(
    tuned: tuple[Path, Path, Result],
) -> None:
    text, _, result = tuned
    plain = elman.train("text", str(text), run=Path("plain"), **SMALL)
    assert trials_of(result)[0].value == pytest.approx(plain.scores["nats"])
    assert result.rows[0].trial == 0 and len(result.rows[0].by_seed) == 2
    assert list(result.rivals) == list(plain.folder.verdict().rivals)


def test_the_verdict_comes_from_fresh_seeds_alone(tuned: tuple[Path, Path, Result]) -> None:
    _, folder, result = tuned
    own = elman.load(folder / "trials/0000")
    assert json.loads((own.path / "scores.json").read_text())  # as a trial: seed 1
    default = result.rows[0].by_seed
    assert set(default) == {2, 3}
    for row in result.rows[1:]:
        assert set(row.by_seed) == {2, 3} and row.difference is not None
        assert row.difference.mean == pytest.approx(
            mean(row.by_seed[seed] - default[seed] for seed in default)
        )
    others = sorted(t.value for t in trials_of(result)[1:])
    assert [row.value for row in result.rows[1:]] == others[:2]  # less is better


def test_the_command_that_is_told_makes_the_run_that_is_told(
    tuned: tuple[Path, Path, Result],
) -> None:
    _, _, result = tuned
    winner = result.winner
    assert winner is not None
    seed = min(winner.by_seed, key=lambda s: winner.by_seed[s])
    words = [*shlex.split(result.command())[1:], "--seed", str(seed), "--run", "again", "--json"]
    ended = call(*words)
    assert ended.code == 0, ended.err
    # The values are told in four digits.
    assert json.loads(ended.out)["scores"]["nats"] == pytest.approx(winner.by_seed[seed], abs=5e-3)
    assert Path(result.run, "model.safetensors").exists()


def test_killed_at_any_instant_and_started_again_is_as_never_stopped(
    tuned: tuple[Path, Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, folder, result = tuned
    complete, cuts = api.complete, [9, 0, 3, 17, 5]

    def dying(job: Job, *others: Any) -> Any:
        if cuts:
            how = dataclasses.replace(job.how, save_every=0.0)
            return complete(fails_after(dataclasses.replace(job, how=how), cuts.pop()), *others)
        return complete(job, *others)

    monkeypatch.setattr(api, "complete", dying)
    while cuts:
        with pytest.raises(PowerCut):
            search(text)
    again = search(text)
    assert untimed(again) == untimed(result)
    assert all(t.state.is_finished() for t in trials_of(again))
    for path in sorted((folder / "trials").iterdir()):
        ours, theirs = final(Path("study/trials") / path.name), final(path)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    done = snapshot(Path("study/trials")) | snapshot(Path("study/again"))
    assert untimed(search(text)) == untimed(result)
    assert snapshot(Path("study/trials")) | snapshot(Path("study/again")) == done


def test_more_minutes_prolong_a_search_that_is_over(text: Path) -> None:
    first = search(text, trials=2, seeds=1)
    longer = search(text, trials=3, seeds=1, minutes=700)
    assert len(trials_of(longer)) == 3 and longer.rows[0].by_seed == first.rows[0].by_seed
    assert Path("study/again-2").is_dir()


def test_a_setting_that_fails_is_told_and_the_others_go_on(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = api.complete

    def failing(job: Job, *others: Any) -> Any:
        if job.folder.path.name == "0001":
            raise RunError("the loss is no longer finite")
        return complete(job, *others)

    monkeypatch.setattr(api, "complete", failing)
    result = search(text, trials=3, seeds=1)
    assert trials_of(result)[1].user_attrs[trial.WHY] == "the loss is no longer finite"
    assert result.trials == {"complete": 2, "pruned": 1} and len(result.rows) == 2


@pytest.mark.pictures
def test_table_json_page_and_pictures(tuned: tuple[Path, Path, Result]) -> None:
    from PIL import Image

    text, folder, _ = tuned
    result = search(text, folder, pictures=True)
    heads, rows = table(result)
    assert len(rows) == 3 + len(result.rivals) and all(len(row) == len(heads) for row in rows)
    assert json.loads((folder / RESULT).read_text()) == json.loads(json.dumps(as_record(result)))
    page = (folder / PAGE).read_text()
    for name in ("importance", "slices", "parallel"):
        assert f"report/{name}.png" in page
        with Image.open(folder / f"report/{name}.png") as picture:
            colours = picture.convert("RGB").getcolors(1 << 24)
        assert colours is not None and len(colours) > 20  # something is drawn


def test_a_journal_with_a_torn_line_and_a_stale_lock_goes_on(text: Path) -> None:
    search(text, trials=1, seeds=1)
    journal = Path("study") / storage.JOURNAL
    with journal.open("ab") as file:
        file.write(b'{"op_code":5,"trial_')  # as a power cut leaves it
    Path("study/journal.log.lock").symlink_to(journal.name)  # as a killed dashboard leaves it
    result = search(text, trials=2, seeds=1, minutes=700)
    assert len(trials_of(result)) == 2
    assert result.trials == {"complete": 2}


# ---- What does not fit


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"search": "hidden_size=4..13"}, "holds another search .search"),
        ({"sequence_length": 17}, "holds another search .sequence_length"),
        ({"seeds": 3}, "holds another search .seeds"),
        ({"sampler": "random"}, "holds another search .sampler"),
        ({"pruner": "median"}, "holds another search .pruner"),
    ],
)
def test_a_folder_of_another_search_is_refused(
    tuned: tuple[Path, Path, Result], changed: dict[str, Any], message: str
) -> None:
    text, folder, _ = tuned
    before = snapshot(folder / "trials") | {"": (folder / PLACE).read_text()}
    with pytest.raises(UserError, match=message):
        search(text, folder, **changed)
    assert snapshot(folder / "trials") | {"": (folder / PLACE).read_text()} == before


def test_other_data_of_the_same_name_is_refused(text: Path, tmp_path: Path) -> None:
    search(text, trials=1, seeds=1)
    text.write_text(text.read_text() + "!", encoding="utf-8")
    with pytest.raises(UserError, match="a search on other data"):
        search(text, trials=2, seeds=1, minutes=700)
    with pytest.raises(UserError, match=r"holds another search .task"):
        tune("classify", str(text), run=Path("study"))


def edit(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        record = json.loads((folder / PLACE).read_text())
        change(record)
        (folder / PLACE).write_text(json.dumps(record))

    return damage


def write(text: str, name: str = PLACE) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_text(text)

    return damage


def attribute(value: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        study.read(folder).study.set_user_attr(RECORD, value)

    return damage


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no JSON": write("{"),
    "a list": write("[]"),
    "deep": write("[" * 100_000),
    "no name": edit(lambda record: record.pop("name")),
    "another name": edit(lambda record: record.update(name="other")),
    "a number": edit(lambda record: record.update(storage=5)),
    "another kind": edit(lambda record: record.update(storage="mongodb://here")),
    "journal": write("rubbish\nrubbish\nrubbish\n", storage.JOURNAL),
    "no journal": lambda folder: (folder / storage.JOURNAL).unlink(),
    "no record": attribute(None),
    "half a record": attribute({"asked": {}}),
    "another task": attribute({"asked": {"task": "texts"}, "plan": {}}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_told_in_one_line(
    tuned: tuple[Path, Path, Result], damage: str, tmp_path: Path
) -> None:
    import shutil

    text, folder, _ = tuned
    shutil.copytree(folder, tmp_path / "study")
    DAMAGE[damage](tmp_path / "study")
    with pytest.raises(UserError) as told:
        search(text, tmp_path / "study")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("text", "--search", "hiden_size=1..2"), 'did you mean "hidden_size"'),
        (("text", "--search", "dropout=0.5..0.2"), "empty range"),
        (("text", "--search", "dropout=0..0.5", "--dropout", "0"), "is what is searched for"),
        (("text", "--minutes", "0"), "--minutes"),
        (("text", "--minutes", "0.5"), "too short for trials and 3 fresh seeds"),
        (("text", "--seeds", "0"), "--seeds 0"),
        (("text", "--validation", "0"), "needs something to score"),
        (("text", "--epochs", "1", "--trial-minutes", "1"), "exclude each other"),
        (("text", "-"), "standard input can be read only once"),
        (("text", "absent.txt"), "absent.txt"),
        (("text", "--sampler", "grid"), "--sampler"),
        (("text", "--storage", "mysql://here/x"), "needs postgresql://"),
        (("text", "--run", "/proc/study"), "cannot be written"),
        (("txt",), 'did you mean "text"'),
        (("absent/study",), "not a study"),
        (("text", "--hiden-size", "5"), "hiden"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_written(
    arguments: tuple[str, ...], message: str
) -> None:
    ended = call("tune", *arguments)
    assert ended.code == 2 and message in ended.err, ended.err
    assert len(ended.err.splitlines()) == 1 and not Path("studies").exists()


def test_what_was_there_before_a_search_that_is_refused_is_all_that_is_there_after(
    text: Path,
) -> None:
    Path("mine/empty").mkdir(parents=True)
    before = sorted(Path().rglob("*"))
    for folder in ("new/study", "mine/study", "mine/empty"):
        with pytest.raises(UserError, match="too short"):
            search(text, folder, epochs=None, minutes=0.1)
        assert sorted(Path().rglob("*")) == before


def test_a_run_folder_and_any_other_folder_are_no_study(
    tuned: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    text, folder, _ = tuned
    with pytest.raises(UserError, match="holds a run, not a search"):
        search(text, folder / "trials/0000")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    for path in (tmp_path / "mine", tmp_path / "mine/letter.txt"):
        with pytest.raises(UserError, match="exists and is not a search"):
            search(text, path)
