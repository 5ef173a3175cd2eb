"""Runs, and states of what they wrote, that are damaged or that a stranger forged."""

from __future__ import annotations

import json
import math
import shutil
import struct
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from calling import call, snapshot
from hypothesis import given
from hypothesis import strategies as st
from refusals import GOOD, check_told, draws, refused, untouched
from safetensors.numpy import load_file, save_file

import elman
from elman.errors import UserError

NEEDED = (
    "options.toml", "preprocessing.json", "model.safetensors", "checkpoint/state.safetensors",
)  # fmt: skip
RECORDS = ("metrics.jsonl", "scores.json")
FILES = NEEDED + RECORDS
WRITES: tuple[tuple[str, ...], ...] = (("generate", "--length", "3"), ("evaluate",), ("resume",))


@contextmanager
def copied(trained: Path) -> Iterator[Path]:
    """A copy of the run, of its own for each example that is drawn."""
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(trained / "run", Path(name) / "run")
        yield Path(name) / "run"


def set_option(run: Path, name: str, value: Any) -> None:
    """Put a value into options.toml; `name` is a key, or TABLE.KEY."""
    tables: dict[str, Any] = tomllib.loads((run / "options.toml").read_text(encoding="utf-8"))
    table, _, key = name.rpartition(".")
    (tables[table] if table else tables)[key] = value
    (run / "options.toml").write_text(tomli_w.dumps(tables), encoding="utf-8")


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
