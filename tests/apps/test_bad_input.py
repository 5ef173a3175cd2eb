"""Whatever is wrong with the input: exit code 2 or 1, one clear line, nothing lost or left."""

from __future__ import annotations

import gzip
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import zstandard
from calling import Ended, call, snapshot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import elman
from elman.errors import UserError

GOOD = "the quick brown fox jumps over the lazy dog.\n" * 20
UNICODE = "le lièvre dépasse la fougère, 敏捷的狐狸跳过了懒狗。Füchse sind schöne Tiere.\n" * 20
SMALL = ("--epochs", "1", "--hidden-size", "4", "--sample", "0", "--threads", "1")
NEEDED = (
    "options.toml", "preprocessing.json", "model.safetensors", "checkpoint/state.safetensors",
)  # fmt: skip
RECORDS = ("metrics.jsonl", "scores.json")
FILES = NEEDED + RECORDS
WRITES: tuple[tuple[str, ...], ...] = (("generate", "--length", "3"), ("evaluate",), ("resume",))

draws = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_told(ended: Ended) -> None:
    assert ended.code in (1, 2), ended
    assert ended.out == ""
    *before, last = ended.err.splitlines()
    assert last.startswith("elman: ")
    assert 20 < len(last) < 700
    assert len(before) <= 5  # what was said of the data, its doctor included, and of the plan
    assert not any(line.startswith("elman: ") for line in before)
    assert "Traceback" not in ended.err


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    before = snapshot(folder)
    yield
    assert snapshot(folder) == before


@contextmanager
def copied(trained: Path) -> Iterator[Path]:
    """A copy of the run, of its own for each example that is drawn."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(trained / "run", Path(name) / "run")
        yield Path(name) / "run"


def refused(folder: Path, *arguments: str | Path, stdin: bytes = b"") -> str:
    """The line that a command which must fail ends in."""
    with untouched(folder):
        ended = call(*arguments, stdin=stdin)
    check_told(ended)
    return ended.err.splitlines()[-1]


def set_option(run: Path, name: str, value: Any) -> None:
    """Put a value into options.toml; `name` is a key, or TABLE.KEY."""
    tables: dict[str, Any] = tomllib.loads((run / "options.toml").read_text(encoding="utf-8"))
    table, _, key = name.rpartition(".")
    (tables[table] if table else tables)[key] = value
    (run / "options.toml").write_text(tomli_w.dumps(tables), encoding="utf-8")


# Data


DATA: dict[str, bytes] = {
    "empty.txt": b"",
    "one-character.txt": b"a",
    "one-symbol.txt": b"a" * 500,
    "newlines.txt": b"\n" * 500,
    "two-characters.txt": b"ab",
    "three-characters.txt": b"abc",
    "mark-alone.txt": b"\xef\xbb\xbf",
    "utf16-odd.txt": GOOD.encode("utf-16") + b"a",
    "surrogate.txt": UNICODE.encode() + b"\xed\xa0\x80",
    "overlong.txt": UNICODE.encode() + b"\xc0\xaf",
    "ends-early.txt": UNICODE.encode() + "狐".encode()[:2],
    "nul.txt": GOOD.encode() + b"\0" + GOOD.encode(),
    "image.txt": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "no-archive.txt.gz": GOOD.encode(),
    "empty.txt.gz": b"",
    "nothing-in-it.txt.gz": gzip.compress(b""),
    "short.txt.gz": gzip.compress(GOOD.encode())[:-9],
    "checksum.txt.gz": gzip.compress(GOOD.encode())[:-8] + b"12345678",
    "binary.txt.gz": gzip.compress(bytes(1000)),
    "no-archive.txt.zst": GOOD.encode(),
    "empty.txt.zst": b"",
    "nothing-in-it.txt.zst": zstandard.compress(b""),
    "short.txt.zst": zstandard.compress(GOOD.encode())[:-3],
    "rubbish-after.txt.zst": zstandard.compress(GOOD.encode()) + b"rubbish",
}


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        (GOOD + "café", "latin-1", "Windows-1252"),
        ("狐狸跳过了懒狗" * 50, "gb18030", "GB18030"),
        (GOOD, "utf-16", "UTF-16 with a mark"),
        (GOOD, "utf-16-le", "UTF-16 without a mark"),
        (GOOD, "utf-32", "UTF-32 with a mark"),
    ],
)
def test_text_in_another_encoding_is_read_and_told(
    tmp_path: Path, text: str, encoding: str, told: str
) -> None:
    (tmp_path / "x.txt").write_bytes(text.encode(encoding))
    ended = call("train", "text", tmp_path / "x.txt", *SMALL, "--run", tmp_path / "run")
    assert ended.code == 0, ended
    assert f"read as {told}" in ended.err


@pytest.mark.parametrize("name", DATA)
def test_data_that_is_no_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DATA[name])
    line = refused(tmp_path, "train", "text", tmp_path / name, *SMALL, "--run", tmp_path / "run")
    assert name in line


@pytest.mark.parametrize("level", ["characters", "words", "bpe"])
@given(
    good=st.integers(0, 300), bad=st.sampled_from([b"\xff", b"\xc3(", b"\x80", b"\xf5\x80", b"\0"])
)
@draws
def test_data_with_a_wrong_byte_anywhere(
    tmp_path_factory: pytest.TempPathFactory, level: str, good: int, bad: bytes
) -> None:
    folder = tmp_path_factory.mktemp("data")
    before = UNICODE[:good].encode()
    (folder / "x.txt").write_bytes(before + bad + UNICODE.encode())
    line = refused(
        folder, "train", "text", folder / "x.txt", "--level", level, *SMALL, "--run", folder / "run"
    )
    assert f"x.txt, byte {len(before):,}:" in line


@pytest.mark.parametrize(
    "item",
    [
        "absent.txt", "no/such/folder/", "*.nothing", "", " ", "name:", "name:hamlett", "name:../x",
        "folder", "hidden", "a\nb", "x" * 5000, "good.txt/below", "tinyshakespeare", "/dev/null",
    ],
)  # fmt: skip
def test_data_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.txt").write_text(GOOD)
    Path("folder").mkdir()
    Path("folder/picture.png").write_bytes(b"\x89PNG")
    Path("hidden").mkdir()
    Path("hidden/.text.txt").write_text(GOOD)
    refused(tmp_path, "train", "text", item, *SMALL, "--run", "run")
    refused(tmp_path, "train", "text", "good.txt", item, *SMALL)


def test_standard_input_without_text_and_asked_for_twice(tmp_path: Path) -> None:
    command = ("train", "text", "-", *SMALL, "--run", tmp_path / "run")
    assert "standard input" in refused(tmp_path, *command)
    assert "standard input" in refused(tmp_path, *command, stdin=b"\xff\xfe\0")
    assert "once" in refused(tmp_path, *command, "-", stdin=GOOD.encode())


# Places


def test_places_where_no_run_can_be(tmp_path: Path) -> None:
    data = tmp_path / "good.txt"
    data.write_text(GOOD)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent" / "target")
    places = (
        data, data / "below", data / "far" / "below", "/proc/run", "/proc/1/run", "/dev/null",
        "/dev/null/run", tmp_path / "full", tmp_path, tmp_path / ("x" * 300),
        tmp_path / "nowhere" / "run", "/",
    )  # fmt: skip
    for place in places:
        for more in ((), ("--force",)):
            refused(tmp_path, "train", "text", data, *SMALL, *more, "--run", place)


def test_a_run_is_not_replaced_unasked(trained: Path) -> None:
    line = refused(trained, "train", "text", trained / "text.txt", *SMALL, "--run", trained / "run")
    assert "--force" in line


def test_a_forced_run_that_cannot_begin_leaves_the_old_one(trained: Path) -> None:
    run = ("--force", "--run", trained / "run")
    refused(trained, "train", "text", trained / "absent.txt", *SMALL, *run)
    refused(trained, "train", "text", trained / "text.txt", *SMALL, "--device", "cuda:99", *run)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(
        tmp_path, "train", "text", tmp_path / "good.txt", *SMALL, "--run", tmp_path / "locked" / "r"
    )


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.txt").write_text(GOOD)
    for cache in (tmp_path / "good.txt", Path("/proc/cache")):
        monkeypatch.setenv("ELMAN_CACHE", str(cache))
        for data in (str(tmp_path / "good.txt"), "name:topics"):
            line = refused(tmp_path, "train", "text", data, *SMALL, "--run", tmp_path / "run")
            assert "ELMAN_" in line


# Options


@pytest.mark.parametrize(
    "flags",
    [
        "--hidden-size=0", "--hidden-size=-5", "--hidden-size=1000000000000", "--hidden-size=x",
        "--hidden-size=4,", "--hidden-size=,", "--hidden-size=4.5", "--hidden-size=", "--epochs=0",
        "--epochs=-1", "--epochs=1.5", "--epochs=many", "--epochs=99999999999", "--minutes=0",
        "--minutes=-1", "--minutes=nan", "--minutes=inf", "--minutes=soon", "--batch-size=0",
        "--batch-size=1000000", "--learning-rate=0", "--learning-rate=-1", "--learning-rate=nan",
        "--learning-rate=inf", "--dropout=1", "--dropout=-0.1", "--dropout=nan", "--zoneout=2",
        "--input-dropout=1.0", "--recurrent-dropout=1", "--weight-drop=-1", "--validation=1",
        "--validation=-0.1", "--validation=nan", "--validation=0.999", "--momentum=1", "--warmup=1",
        "--clip-norm=-1", "--clip-value=inf", "--l1=-1", "--l2=nan", "--patience=-1", "--seed=-1",
        "--seed=18446744073709551616", "--threads=0", "--threads=100000", "--sample=-1",
        "--save-every=-1", "--num-layers=0", "--num-layers=65", "--num-layers=x",
        "--sequence-length=0", "--sequence-length=100000", "--embedding=-1", "--embedding=100000",
        "--vocabulary=1", "--vocabulary=0", "--vocabulary=10000000", "--level=bytes --vocabulary=9",
        "--level=bpe --vocabulary=9", "--cell=lstm,gru --hidden-size=4,4,4",
        "--bidirectional=maybe",
        "--num-layers=2 --hidden-size=4,4,4", "--tie-weights --embedding=5 --hidden-size=4",
        "--tie-weights=perhaps",
        "--bidirectional=true --sequence-length=60000", "--device=gpu", "--device=cuda:99",
        "--device=cpu:x", "--device=", "--epochs=1 --minutes=1", "--epochs=" + "9" * 5000,
        "--epochs=0x" + "f" * 5000, "--cell=", "--cell=gur", "--cell=lstm,gur", "--level=wrods",
        "--optimizer=adamm", "--schedule=cosin", "--initial-state=zeros", "--hiden-size=4",
        "--mintes=3",
        "--force=perhaps", "-x", "--", "--epochs", "--run",
    ],
)  # fmt: skip
def test_options_of_train(tmp_path: Path, flags: str) -> None:
    data = tmp_path / "good.txt"
    data.write_text(GOOD)
    begin = ("train", "text", data, "--run", tmp_path / "run")
    limit = () if "--epochs" in flags or "--minutes" in flags else ("--epochs", "1")
    if flags == "--":
        refused(tmp_path, *begin, *limit, "--", "--absent")
    else:
        refused(tmp_path, *begin, *limit, *flags.split(" "))


@pytest.mark.parametrize(
    "flags",
    [
        "--length=-1", "--length=99999999999", "--length=x", "--temperature=-1",
        "--temperature=nan",
        "--temperature=hot", "--top-k=-1", "--top-k=1.5", "--top-p=0", "--top-p=1.1", "--top-p=nan",
        "--repetition-penalty=0", "--repetition-penalty=-1", "--repetition-penalty=inf",
        "--seed=-1",
        "--seed=36893488147419103232", "--tempreature=1", "--state=/absent", "--state=/",
        "--device=tpu", "--weights=int4", "--weights", "--weights=Float16",
        "--prompt", "another",
    ],
)  # fmt: skip
def test_options_of_generate(trained: Path, flags: str) -> None:
    refused(trained, "generate", trained / "run", flags)


@pytest.mark.parametrize("place", ["/dev/null/state", "/absent/folder/state", "/"])
def test_a_state_that_cannot_be_kept(trained: Path, place: str) -> None:
    refused(trained, "generate", trained / "run", "--length", "0", "--save-state", place)


@pytest.mark.parametrize(
    "flags",
    ["--epochs=0", "--minutes=-1", "--learning-rate=0", "--epochs=3 --minutes=1", "--epoch=3"],
)
def test_options_of_resume(trained: Path, flags: str) -> None:
    refused(trained, "resume", trained / "run", *flags.split(" "))


@pytest.mark.parametrize(
    "words",
    [
        "tran", "train txt", "trane text", "generat", "evaluate", "resume", "generate", "trace",
        "trace gur", "trace rnn gru", "cells lstm", "tasks 1", "data x", "--verson",
        "train --run x",
        "evaluate absent", "resume absent", "generate absent", "trace --file absent.toml",
        "trace lstm --file absent.toml", "evaluate a --device", "help", "-", "--", "train -- text",
    ],
)  # fmt: skip
def test_words_that_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(tmp_path, *words.split(" "))


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda word: not word.startswith("-")
))  # fmt: skip
@draws
def test_any_word_as_a_command_a_cell_a_run(
    tmp_path_factory: pytest.TempPathFactory, word: str
) -> None:
    folder = tmp_path_factory.mktemp("word")
    refused(folder, word + "x")
    refused(folder, "trace", word + "x")
    refused(folder, "train", "text", "--cell", word + "x")
    refused(folder, "evaluate", folder / (word.replace("/", "") + "x"))


# Configuration files


@pytest.mark.parametrize(
    "text",
    [
        "epochs = 0", "epochs = 'two'", "epochs = true", "epochs = [1]", "epochs = {a = 1}",
        "epoch = 2", "epochs = 1\nminutes = 1.0", "hidden_size = []", "hidden_size = ['x']",
        "hidden_size = [[4]]", "hidden_size = 4.5", "level = 3", "level = 'wrods'", "cell = 3",
        "dropout = 'much'", "dropout = nan", "minutes = inf", "lowercase = 'perhaps'",
        "lowercase = 1", "data = 3", "data = [3]", "data = 'absent.txt'", "data = ''",
        "task = 'music'",
        "task = 3", "train = 3", "text = 3", "[train]\nepoch = 3", "[text]\nhiden_size = 3",
        "[music]\nx = 1", "epochs = 1e999", "epochs =", "epochs", "= 1",
        "epochs = 1\nepochs = 2", "[train", "\ufeffepochs = 1", "seed = 0x" + "f" * 5000,
        "dropout = 0x" + "f" * 5000, "seed = " + "9" * 5000, "x = " + "[" * 20_000,
        "seed = 1979-05-27",
        "run = 3", "run = \"a\\u0000b\"",
    ],
)  # fmt: skip
def test_configuration_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "good.txt").write_text(GOOD)
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    data = () if "data" in text else (tmp_path / "good.txt",)
    limit = () if "epochs" in text or "minutes" in text else ("--epochs", "1")
    run = () if "run" in text else ("--run", tmp_path / "run")
    refused(tmp_path, "train", "text", *data, *limit, *run, "--config", tmp_path / "x.toml")


@given(st.binary(min_size=1))
@draws
def test_configuration_files_of_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("config")
    (folder / "x.toml").write_bytes(b"\xff" + content)
    assert "x.toml" in refused(folder, "train", "text", "--config", folder / "x.toml")
    refused(folder, "train", "text", "--config", folder)


# Damaged runs


@pytest.mark.parametrize("command", WRITES, ids=lambda c: c[0])
@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "rubbish", "folder"])
def test_runs_with_a_damaged_file(
    trained: Path, command: tuple[str, ...], name: str, damage: str
) -> None:
    if command[0] != "resume" and "checkpoint" in name:
        pytest.skip("only resume needs the checkpoint")
    if command[0] == "resume" and damage == "missing" and name.endswith("safetensors"):
        pytest.skip("without a checkpoint a run begins anew, without weights it makes new ones")
    with copied(trained) as run:
        content = (run / name).read_bytes()
        (run / name).unlink()
        match damage:
            case "empty":
                (run / name).write_bytes(b"")
            case "half":
                (run / name).write_bytes(content[: len(content) // 2])
            case "rubbish":
                (run / name).write_bytes(np.random.default_rng(1).bytes(len(content)))
            case "folder":
                (run / name).mkdir()
        line = refused(run.parent, command[0], run, *command[1:])
        assert name.split("/")[-1] in line


RECORD = {
    "split": "validation", "step": 1, "epoch": 0, "loss": 1.0, "learning_rate": 0.1,
    "gradient_norm": 1.0,
}  # fmt: skip
WRONG: dict[str, tuple[Any, ...]] = {
    "split": ("test", 3, []), "step": (None, "x", 1.5, True, -1, 10**30), "epoch": (None, [], "0"),
    "loss": ("low", [], True, 10**400), "learning_rate": (None, "x", math.nan),
    "gradient_norm": (None, {}, -1), "sample": (None, 3, ["a"], "\ud800"),
}  # fmt: skip


def test_records_that_are_not_whole_are_passed_over(trained: Path) -> None:
    good = [RECORD, RECORD | {"loss": None}, RECORD | {"sample": "a\u2028b"}]
    bad: list[object] = [{"split": "validation", "loss": 1}, [], None]
    bad += [RECORD | {name: value} for name, values in WRONG.items() for value in values]
    bad += [{k: v for k, v in RECORD.items() if k != name} for name in RECORD]
    lines = [json.dumps(record) for record in [*bad, *good[:2]]]
    lines += [json.dumps(good[2], ensure_ascii=False), "[" * 50_000, '{"step": %s}' % ("9" * 5000)]
    with copied(trained) as run:
        (run / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
        loaded = elman.load(run)
        assert loaded.folder.metrics() == good
        assert "WARNING" in loaded.verdict or "is better than" in loaded.verdict
        assert call("resume", run).code == 0


@pytest.mark.parametrize(
    "change",
    [
        {"scores": None}, {"scores": [1]}, {"scores": {"nats": "low"}}, {"rivals": None},
        {"rivals": {"a": {"nats": None}}}, {"rivals": {"a": {"nats": 10**400}}}, {"seconds": None},
        {"seconds": True}, {"gain": 3}, {"guesses": 3}, {"epochs": -1}, {"ended": 3},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_scores_are_refused(trained: Path, change: dict[str, Any]) -> None:
    with copied(trained) as run:
        path = run / "scores.json"
        scores = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(scores | change), encoding="utf-8")
        loaded = elman.load(run)
        with pytest.raises(UserError, match=f"scores.json: damaged .*{next(iter(change))}"):
            loaded.folder.scores()
        assert call("resume", run).code == 0  # makes them anew
        assert elman.load(run).scores


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("content", [None, b"", b'{"', b"\xff\0{}", b"[]\n[]"], ids=str)
def test_runs_work_without_their_records(trained: Path, name: str, content: bytes | None) -> None:
    with copied(trained) as run:
        for command, *more in WRITES:
            (run / name).unlink(missing_ok=True)
            if content is not None:
                (run / name).write_bytes(content)
            assert call(command, run, *more).code == 0


@pytest.mark.parametrize("name", FILES)
@given(place=st.floats(0, 0.999), bits=st.integers(1, 255), data=st.data())
@draws
def test_runs_with_one_flipped_byte(
    trained: Path, name: str, place: float, bits: int, data: st.DataObject
) -> None:
    command = data.draw(st.sampled_from(WRITES))
    with copied(trained) as run:
        content = bytearray((run / name).read_bytes())
        content[int(place * len(content))] ^= bits
        (run / name).write_bytes(content)
        before = snapshot(run.parent)
        ended = call(command[0], run, *command[1:])
        # A flipped bit of a weight is a weight all the same.
        if ended.code:
            check_told(ended)
            assert snapshot(run.parent) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", "music"), ("task", 3), ("task", "../text"), ("task", ""), ("data", 3), ("data",
        []),
        ("data", [3]), ("data", ["absent.txt"]), ("data", ["name:absent"]), ("data", [""]),
        ("train", 3), ("text", 3), ("text", []), ("text.hidden_size", [16_384] * 64),
        ("text.hidden_size", [10**12]), ("text.hidden_size", [-4]), ("text.hidden_size", ["x"]),
        ("text.hidden_size", []), ("text.hidden_size", [5]), ("text.cell", ["gru"]),
        ("text.cell", ["../../x"]), ("text.cell", [3]), ("text.num_layers", 64),
        ("text.num_layers", -1),
        ("text.embedding", 16_384), ("text.embedding", -1), ("text.bidirectional", [True]),
        ("text.tie_weights", True), ("text.layer_norm", True), ("text.initial_state", "learned"),
        ("text.sequence_length", 0), ("text.dropout", 7.0), ("text.level", "runes"), ("text.new",
        1),
        ("train.epochs", -1), ("train.minutes", -1.0), ("train.seed", -1),
        ("train.validation", 2.0),
        ("train.device", "tpu"), ("train.threads", 0), ("train.new", 1), ("train.optimizer",
        "none"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", WRITES, ids=lambda c: c[0])
def test_runs_with_hostile_options(
    trained: Path, command: tuple[str, ...], name: str, value: Any
) -> None:
    with copied(trained) as run:
        set_option(run, name, value)
        if name == "data" and command[0] == "generate" and value in (
            [], [""], ["absent.txt"], ["name:absent"]
        ):  # fmt: skip
            pytest.skip("generate needs no data")
        refused(run.parent, command[0], run, *command[1:])


@pytest.mark.parametrize(
    "content",
    [
        "[]", "3", "null", "{}", '{"vocabulary": 3}', '{"vocabulary": {}}', "[" * 50_000,
        '{"vocabulary": {"level": "runes", "lowercase": false, "strip_digits": false}}',
        '{"vocabulary": {"level": "characters", "lowercase": 1, "strip_digits": 0, "symbols": []}}',
        '{"vocabulary": {"level": "bytes", "lowercase": false, "strip_digits": false}}',
        *(
            json.dumps({
                "vocabulary": {
                    "level": level, "lowercase": False, "strip_digits": False, "symbols": symbols,
                    "tokenizer": symbols,
                }
            })
            for level in ("characters", "words", "bpe")
            for symbols in (3, "abc", [], ["<unk>"], ["<unk>", 3], ["<unk>", "a", "a"], ["<unk>",
            ""])
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", WRITES, ids=lambda c: c[0])
def test_runs_with_a_wrong_vocabulary(
    trained: Path, command: tuple[str, ...], content: str
) -> None:
    with copied(trained) as run:
        (run / "preprocessing.json").write_text(content)
        refused(run.parent, command[0], run, *command[1:])


def header(size: int, text: bytes = b"{}") -> bytes:
    return struct.pack("<Q", size) + text


TENSOR = b'{"x":{"dtype":"F32","shape":[%s],"data_offsets":[0,%s]}}'
SAFETENSORS = {
    "giant-header": header(2**63),
    "long-header": header(90_000_000),
    "no-header": b"\x02",
    "no-tensors": header(2),
    "nested": header(40_000, b"[" * 40_000),
    "giant-tensor": header(70, (TENSOR % (b"1000000000000", b"4000000000000")).ljust(70)),
    "overflow": header(90, (TENSOR % (b"4294967296,4294967296,4", b"4")).ljust(90)),
    "no-utf8": header(4, b"{\xff\xff}"),
}


@pytest.mark.parametrize("content", SAFETENSORS.values(), ids=SAFETENSORS)
@pytest.mark.parametrize("command", WRITES, ids=lambda c: c[0])
def test_runs_with_hostile_tensor_files(
    trained: Path, command: tuple[str, ...], content: bytes
) -> None:
    with copied(trained) as run:
        for name in ("model.safetensors", "checkpoint/state.safetensors"):
            (run / name).write_bytes(content)
        refused(run.parent, command[0], run, *command[1:])


@pytest.mark.parametrize("change", ["shape", "integers", "missing", "extra", "nan", "scalars"])
@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint/state.safetensors"])
def test_runs_with_weights_that_do_not_fit(trained: Path, name: str, change: str) -> None:
    with copied(trained) as run:
        tensors = load_file(run / name)
        weight = next(key for key in tensors if key.endswith("weight_ih_l0"))
        match change:
            case "shape":
                tensors[weight] = tensors[weight].T.copy()
            case "integers":
                tensors[weight] = tensors[weight].astype(np.int64)
            case "missing":
                del tensors[weight]
            case "extra":
                tensors[weight + "9"] = tensors[weight]
            case "nan":
                tensors = {key: np.full_like(x, np.nan) if x.dtype == np.float32 else x
                           for key, x in tensors.items()}  # fmt: skip
            case "scalars":
                tensors = {key: np.zeros((), np.float32) for key in tensors}
        save_file(tensors, run / name)
        if name.startswith("model"):
            refused(run.parent, "generate", run)
        else:
            refused(run.parent, "resume", run)
            refused(run.parent, "resume", run, "--epochs", "9")


@pytest.mark.parametrize(
    "plain",
    [
        "[]", "3", "{", '{"step": "x"}', '{"stepp": 1}', '{"step": []}', '{"epoch": -1}',
        '{"batch": -5}', '{"best": "low"}', '{"metrics_bytes": -1}', '{"step": 1e999}', "[" * 9_000,
    ],
)  # fmt: skip
def test_runs_with_a_wrong_position(trained: Path, plain: str) -> None:
    with copied(trained) as run:
        path = run / "checkpoint/state.safetensors"
        save_file(load_file(path), path, metadata={"elman": plain})
        refused(run.parent, "resume", run, "--epochs", "9")


def test_a_run_whose_data_has_changed(trained: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    shutil.copy(trained / "text.txt", data)
    shutil.copytree(trained / "run", tmp_path / "run")
    set_option(tmp_path / "run", "data", [str(data)])
    for text in (GOOD * 2, "", "\0", data.read_text(encoding="utf-8") + "."):
        data.write_text(text, encoding="utf-8")
        refused(tmp_path, "resume", tmp_path / "run")
        refused(tmp_path, "resume", tmp_path / "run", "--epochs", "9")
    data.unlink()
    refused(tmp_path, "resume", tmp_path / "run")
    refused(tmp_path, "evaluate", tmp_path / "run")


def test_data_to_evaluate_that_is_no_text(trained: Path, tmp_path: Path) -> None:
    for name, content in DATA.items():
        if name in (
            "one-symbol.txt",
            "newlines.txt",
            "three-characters.txt",
            "two-characters.txt",
        ):
            continue  # a text of one symbol can be scored
        (tmp_path / name).write_bytes(content)
        refused(trained, "evaluate", trained / "run", tmp_path / name)


# States


@given(place=st.floats(0, 0.999), bits=st.integers(1, 255))
@draws
def test_states_with_one_flipped_byte(trained: Path, place: float, bits: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        content = bytearray((trained / "state").read_bytes())
        content[int(place * len(content))] ^= bits
        state = Path(name) / "state"
        state.write_bytes(content)
        with untouched(state.parent):
            ended = call("generate", trained / "run", "--length", "3", "--state", state)
        if ended.code:
            check_told(ended)


@given(share=st.floats(0, 0.999))
@draws
def test_states_that_end_early(trained: Path, share: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        content = (trained / "state").read_bytes()
        state = Path(name) / "state"
        state.write_bytes(content[: int(share * len(content))])
        refused(state.parent, "generate", trained / "run", "--state", state)


@pytest.mark.parametrize("content", SAFETENSORS.values(), ids=SAFETENSORS)
def test_hostile_states(trained: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    refused(tmp_path, "generate", trained / "run", "--state", tmp_path / "state")


@pytest.mark.parametrize(
    "change",
    [
        {"logits": np.zeros(3, np.float32)}, {"logits": np.zeros((), np.float32)},
        {"logits": None}, {"carry.0.0": None}, {"carry.0.0": np.zeros((1, 1, 9), np.float32)},
        {"carry.0.0": np.zeros((1, 1, 8), np.int64)}, {"carry.0.0": np.zeros((1, 1, 8),
        np.float64)},
        {"carry.1.0": np.zeros((1, 1, 8), np.float32)}, {"carry.x.0": np.zeros(3, np.float32)},
        {"carry.0": np.zeros(3, np.float32)}, {"carry.0.0.0": np.zeros(3, np.float32)},
        {"logits": np.full(34, np.nan, np.float32)}, {"logits": np.zeros(34, np.int64)},
    ],
    ids=str,
)  # fmt: skip
def test_states_of_another_shape(
    trained: Path, tmp_path: Path, change: dict[str, np.ndarray[Any, Any] | None]
) -> None:
    tensors = load_file(trained / "state") | change
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    plain = json.dumps({"seen": [1], "position": 1})
    save_file(kept, tmp_path / "state", metadata={"elman": plain})
    refused(tmp_path, "generate", trained / "run", "--state", tmp_path / "state")


@pytest.mark.parametrize(
    "plain",
    [
        "{}", "[]", '{"seen": 3, "position": 1}', '{"seen": [-1], "position": 1}',
        '{"seen": [1], "position": "x"}', '{"seen": [99999], "position": 1}', '{"seen": [1]}',
        '{"seen": [1.5], "position": 1}', '{"seen": [1], "position": -1}',
        '{"seen": [1], "position": %s}' % (10**60),
    ],
)  # fmt: skip
def test_states_with_wrong_values(trained: Path, tmp_path: Path, plain: str) -> None:
    save_file(load_file(trained / "state"), tmp_path / "state", metadata={"elman": plain})
    refused(tmp_path, "generate", trained / "run", "--state", tmp_path / "state")


# Traces


@pytest.mark.parametrize(
    "text",
    [
        "", "cell = 'rnn'", "cell = 'gur'\ninputs = [1]", "cell = 3", "inputs = 3",
        "inputs = []", "inputs = [nan]", "weights = 3", "[weights]\nweight = 1", "[weights",
        "cell = 'rnn'\ninputs = [1]\n[weights]\nweight_ih = [1]",
        "cell = 'rnn'\ninputs = [1]\n[weights]\nweight_ih = [[1], [2]]\nweight_hh = [[1]]",
        "cell = 'rnn'\ninputs = [1]\n[weights]\nweight_ih = ['x']\nweight_hh = [[1]]",
        "cell = 'rnn'\nlayout = 'left'", "x = " + "[" * 20_000, "x = " + "9" * 5000, "\0",
    ],
)  # fmt: skip
def test_trace_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    assert "x.toml" in refused(tmp_path, "trace", "rnn", "--file", tmp_path / "x.toml")
    refused(tmp_path, "trace", "--file", tmp_path / "x.toml", "--json")


# Real processes


def test_a_real_process_tells_it_too(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "nul.txt").write_bytes(DATA["nul.txt"])
    commands: list[list[str]] = [
        [
            "train",
            "text",
            str(tmp_path / "nul.txt"),
            "--epochs",
            "1",
            "--run",
            str(tmp_path / "run"),
        ],
        ["generate", str(trained / "run"), "--state", str(tmp_path / "nul.txt")],
        ["evaluate", str(tmp_path)],
        ["train", "text", "--epochs", "none"],
        ["trian"],
        ["trace", "--file", str(tmp_path / "nul.txt")],
    ]
    environment = os.environ | {"ELMAN_CACHE": str(tmp_path / "nul.txt")}
    with untouched(tmp_path), untouched(trained):
        for command in commands:
            done = subprocess.run(
                [sys.executable, "-m", "elman", *command],
                capture_output=True, encoding="utf-8", env=environment, cwd=tmp_path,
            )  # fmt: skip
            check_told(Ended(done.returncode, done.stdout, done.stderr))
