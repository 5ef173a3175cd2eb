"""The face towards the user: quick help, data apart from talk, runs that repeat and go on."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import tomllib
from pathlib import Path

import pytest
from calling import call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elman import cells, kernels, tasks
from elman.data.built_in.named import NAMED

ELMAN = (sys.executable, "-m", "elman")
SMALL = (
    "--epochs", "2", "--hidden-size", "6", "--sequence-length", "8", "--batch-size", "2",
    "--sample", "0", "--threads", "1",
)  # fmt: skip
COMMANDS = (
    (), ("train",), ("train", "text"), ("resume",), ("evaluate",), ("generate",), ("trace",),
    ("bench",), ("cells",), ("tasks",), ("data",),
)  # fmt: skip
WEIGHTS = "model.safetensors"


def words(text: str) -> str:
    """Help without its frames and line breaks."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


# Modules of Python alone, and the seconds that they take of a processor which takes 0.26 for
# --help: an Emerald Rapids at its full speed. At times it has half of that.
ALONE = (
    "import asyncio, concurrent.futures.process, ctypes, decimal, http.server, "
    "multiprocessing.pool, pydoc, sqlite3, statistics, unittest.mock, xml.dom.minidom"
)
ALONE_SECONDS = 0.125


def processor_seconds(*command: str) -> float:
    """What a command takes of the processor: other tests are at work, and it waits for nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr == b""
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_help_comes_at_once() -> None:
    ratios = [
        processor_seconds(*ELMAN, "--help") / processor_seconds(sys.executable, "-c", ALONE)
        for _ in range(5)
    ]
    assert min(ratios) * ALONE_SECONDS < 0.3


@pytest.mark.parametrize(
    "command",
    [*((*c, "--help") for c in COMMANDS), ("cells",), ("tasks",), ("train", "text", "--level=x")],
)
def test_pytorch_is_not_imported_before_it_is_needed(command: tuple[str, ...]) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['elman', *{command!r}]\n"
        "from elman.apps.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "False False"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_helps(command: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        ended = call(*command, flag)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(" ".join(["Usage: elman", *command[:2]]).rstrip())
        assert "--no-" not in ended.out.replace("--no-repeat", "")  # no switch to turn off
        assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_help_names_every_option_with_its_choices_and_default() -> None:
    told = words(call("train", "text", "--help").out)
    for text in (
        "--level", "[choices: characters, bytes, words, bpe]", "--hidden-size", "--clip-norm",
        "[default: 1]", "--config", "--json", "--force", "--cell", "[default: lstm]", "DATA",
    ):  # fmt: skip
        assert text in told
    # What a newcomer needs stands in front of what he does not.
    assert told.index("--run") < told.index("--minutes") < told.index("--level")


def test_a_command_without_arguments_shows_what_there_is() -> None:
    for command in ((), ("train",)):
        assert call(*command) == call(*command, "--help")


def test_lists_hold_every_name() -> None:
    for command, names in (
        ("cells", cells.names()), ("tasks", tasks.names()), ("data", [f"name:{n}" for n in NAMED]),
    ):  # fmt: skip
        ended = call(command)
        assert (ended.code, ended.err) == (0, "")
        assert [line.split()[0] for line in ended.out.splitlines()[1:]] == list(names)


def test_json_is_one_object_and_all_else_goes_to_standard_error(
    trained: Path, tmp_path: Path
) -> None:
    train = call("train", "text", trained / "text.txt", *SMALL, "--json", "--run", tmp_path / "run")
    evaluate = call("evaluate", tmp_path / "run", "--json")
    other = call("evaluate", tmp_path / "run", trained / "text.txt", "--json")
    resume = call("resume", tmp_path / "run", "--json")
    for ended in (train, evaluate, other, resume):
        assert ended.code == 0
        record = json.loads(ended.out)
        assert record.keys() == {
            "task", "run", "scores", "baseline", "baseline_name", "rivals", "guesses", "gain",
            "seconds",
        }  # fmt: skip
        assert record["baseline"] == record["rivals"][record["baseline_name"]]
        assert (record["task"], record["run"]) == ("text", str(tmp_path / "run"))
        assert record["scores"].keys() == record["baseline"].keys() == {
            "nats", "bits", "perplexity"
        }  # fmt: skip
        assert record["seconds"] > 0
    assert "text.txt" in train.err
    assert str(tmp_path / "run") in train.err
    scores = [json.loads(ended.out)["scores"]["nats"] for ended in (train, evaluate, resume)]
    assert scores == [pytest.approx(scores[0], abs=1e-6)] * 3
    steps = json.loads(call("trace", "lstm", "--json").out)["steps"]
    assert [step["step"] for step in steps] == [1, 2]


def test_without_json_the_scores_are_a_table(trained: Path) -> None:
    ended = call("evaluate", trained / "run")
    heads, *rows = ended.out.splitlines()
    assert heads.split()[:5] == ["score", "network", "rival", "1", *heads.split()[4:5]]
    rivals = [row for row in rows if row.startswith("rival ")]
    assert {row.split()[0] for row in rows[: -len(rivals)]} == {"nats", "bits", "perplexity"}
    assert rivals[0].startswith("rival 1: ") and heads.split().count("rival") == len(rivals)


def test_flags_may_have_an_underscore(trained: Path, tmp_path: Path) -> None:
    flags = [f.replace("-", "_").replace("__", "--", 1) if f[:2] == "--" else f for f in SMALL]
    assert "--hidden_size" in flags
    for name, given_flags in (("a", SMALL), ("b", flags)):
        run = ("--run", tmp_path / name)
        assert call("train", "text", trained / "text.txt", *given_flags, *run).code == 0
    assert (tmp_path / "a" / WEIGHTS).read_bytes() == (tmp_path / "b" / WEIGHTS).read_bytes()


def test_a_run_is_repeated_from_its_own_options(trained: Path, tmp_path: Path) -> None:
    config = ("--config", trained / "run" / "options.toml")
    assert call("train", "text", *config, "--run", tmp_path / "again").code == 0
    assert call("train", "text", *config, "--run", tmp_path / "other", "--seed", "2").code == 0
    first, again, other = (
        (folder / WEIGHTS).read_bytes()
        for folder in (trained / "run", tmp_path / "again", tmp_path / "other")
    )
    assert first == again != other


def test_a_flag_goes_before_the_file_and_epochs_before_its_minutes(
    trained: Path, tmp_path: Path
) -> None:
    config, run = tmp_path / "x.toml", tmp_path / "run"
    config.write_text("minutes = 9.0\nlowercase = true\nhidden_size = 5\nsample = 0\n")
    flags = ("--epochs", "2", "--lowercase=false", "--config", config)
    assert call("train", "text", trained / "text.txt", *flags, "--run", run).code == 0
    options = tomllib.loads((run / "options.toml").read_text())
    assert options["text"]["hidden_size"] == [5]
    assert options["text"]["lowercase"] is False
    assert options["train"]["epochs"] == 2
    assert "minutes" not in options["train"]


def test_data_in_a_configuration_starts_from_its_folder(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    shutil.copy(trained / "text.txt", tmp_path / "here")
    config = tmp_path / "here" / "x.toml"
    config.write_text('data = "text.txt"\n')
    ended = call("train", "text", "--config", config, *SMALL, "--run", tmp_path / "run")
    assert ended.code == 0, ended.err


def test_standard_input_is_kept_with_the_run(trained: Path, tmp_path: Path) -> None:
    run, text = tmp_path / "run", (trained / "text.txt").read_bytes()
    assert call("train", "text", "-", *SMALL, "--run", run, stdin=text).code == 0
    assert [path.read_bytes() for path in run.glob("input-*")] == [text]
    moved = run.rename(tmp_path / "moved")
    assert call("evaluate", moved).code == 0
    assert call("resume", moved, "--epochs", "3").code == 0
    config = ("--config", moved / "options.toml", "--epochs", "1")
    assert call("train", "text", *config, "--run", tmp_path / "again").code == 0


few = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(seed=st.integers(0, 2**63 - 1), first=st.integers(0, 9), second=st.integers(0, 9))
@few
def test_generate_repeats_and_goes_on_as_if_never_stopped(
    trained: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, first: int, second: int
) -> None:
    folder = tmp_path_factory.mktemp("state")
    begin = ("generate", trained / "run", "--seed", str(seed))
    prompt = ("--prompt", "the 狐")
    whole = call(*begin, *prompt, "--length", str(first + second))
    assert whole.code == 0
    assert whole == call(*begin, *prompt, "--length", str(first + second))
    assert whole.err == ""
    one = call(*begin, *prompt, "--length", str(first), "--save-state", folder / "state")
    two = call(*begin, "--length", str(second), "--state", folder / "state")
    assert one.out[:-1] + two.out == whole.out
    assert whole.out.startswith("the 狐")
    assert len(whole.out) == len("the 狐") + first + second + 1


@pytest.mark.skipif(not kernels.instruction_sets(), reason="the extension was not built")
@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
def test_generate_with_weights_stored_smaller(trained: Path, weights: str) -> None:
    line = ("generate", trained / "run", "--length", "9", "--seed", "1", "--weights", weights)
    ended = call(*line)
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out) == 10


def test_generate_tells_of_unknown_symbols(trained: Path) -> None:
    ended = call("generate", trained / "run", "--prompt", "the\tÜbermut €", "--length", "2")
    assert ended.code == 0
    assert ended.out.startswith("the\tÜbermut €")
    told = ended.err.splitlines()
    assert len(told) == 1
    assert all(symbol in told[0] for symbol in ("Ü", "€", "\\t", "<unk>"))


def test_a_prompt_may_begin_with_a_hyphen(trained: Path) -> None:
    ended = call("generate", trained / "run", "--prompt", "--the", "--length", "0")
    assert (ended.code, ended.out) == (0, "--the\n")


def test_generate_streams(trained: Path) -> None:
    command = [*ELMAN, "generate", str(trained / "run"), "--length", "200000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert len(os.read(process.stdout.fileno(), 100)) > 0
        assert process.poll() is None  # it is still writing
        process.terminate()


@pytest.mark.parametrize("command", [("generate", "--length", "5000"), ("evaluate",)])
def test_a_reader_that_goes_away_is_no_error(trained: Path, command: tuple[str, ...]) -> None:
    line = [*ELMAN, command[0], str(trained / "run"), *command[1:]]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if command[0] == "generate":
            process.stdout.read(10)
        process.stdout.close()
        told = process.stderr.read().decode()
        assert process.wait() == 0
    assert "Error" not in told
    assert "Traceback" not in told


def test_a_narrow_terminal_breaks_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (30, 80):
        shown = in_terminal(columns, "data")
        assert all(f"name:{name}" in shown for name in NAMED)
    assert all(len(line) <= 80 for line in shown.splitlines())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in in_terminal(80, "cells")
    shown = in_terminal(30, "train", "text", "--help")
    assert all(len(line) <= 30 for line in shown.splitlines() if not line.startswith("Usage"))


def in_terminal(columns: int, *arguments: str) -> str:
    """What the command shows in a terminal of that width, without styles."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [*ELMAN, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 10_000)
            except OSError:  # how a terminal ends on Linux
                break
            if not part:
                break
            shown += part
        os.close(master)
        assert process.wait() == 0
    return re.sub(r"\x1b\[[012]m", "", shown.decode()).replace("\r", "")


def test_ctrl_c_tells_how_to_go_on(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "a run"
    command = [
        *ELMAN, "train", "text", str(trained / "text.txt"), "--epochs", "100000", "--hidden-size",
        "8", "--sample", "0", "--threads", "1", "--run", str(run), "--save-every", "0",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while not (run / "checkpoint" / "state.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    told = [line for line in err.decode().splitlines() if line.startswith("elman: ")]
    assert told == [f"elman: interrupted; go on with: elman resume '{run}'"]
    assert "Traceback" not in err.decode()
    record = json.loads((tmp_path / "a run" / "metrics.jsonl").read_text().splitlines()[-1])
    ended = call("resume", run, "--epochs", str(record["epoch"] + 30), "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["run"] == str(run)


def test_that_nothing_is_validated_is_told_once(text: Path, tmp_path: Path) -> None:
    def told(*options: str) -> list[str]:
        ended = call(
            "train", "text", text, "--run", tmp_path / "run", "--force", "--epochs", "4",
            "--hidden-size", "3", "--batch-size", "8", "--sequence-length", "16", *options,
        )  # fmt: skip
        assert ended.code == 0, ended.err
        return ended.err.splitlines()

    lines = told("--validation", "0", "--sample", "0")
    assert [line for line in lines if "no validation part" in line or "epoch " in line] == [
        "no validation part: the latest weights are kept"
    ]
    lines = told("--validation", "0", "--sample", "9")
    assert sum("no validation part" in line for line in lines) == 1
    assert sum(line.startswith("epoch ") for line in lines) == 4  # each above its sample
    lines = told("--sample", "0")
    assert sum("validation nats" in line for line in lines) == 4
    assert not any("no validation part" in line for line in lines)


def test_generate_ends_at_a_stop_that_is_left_out(trained: Path) -> None:
    line = ("generate", trained / "run", "--seed", "3", "--length", "300")
    whole = call(*line).out[:-1]
    for stop in (whole[40:43], whole[10:11], "\n"):
        told = stop.replace("\\", "\\\\").replace("\n", "\\n")
        ended = call(*line, "--stop", told, "--stop", "never seen, this")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == whole.split(stop)[0] + "\n"
    assert call(*line, "--stop", "").code == 2
    assert call(*line, "--stop", "\\ud800").err.endswith("needs whole characters\n")


def test_samples_are_texts_of_different_seeds_that_can_be_made_again(trained: Path) -> None:
    line = ("generate", trained / "run", "--length", "60", "--stop", "\\n", "--prompt", "the")
    ended = call(*line, "--samples", "4", "--seed", "7", "--json")
    records = [json.loads(one) for one in ended.out.splitlines()]
    assert len(records) == 4 == len({record["seed"] for record in records})
    assert records[0]["seed"] == 7
    texts = call(*line, "--samples", "4", "--seed", "7").out
    assert texts == "".join("the" + record["text"] + "\n" for record in records)
    for record in records:
        assert record.keys() == {"prompt", "text", "seed", "tokens"}
        assert record["prompt"] == "the"
        assert len(record["text"]) <= record["tokens"] <= 60
        again = call(*line, "--seed", str(record["seed"]), "--json")
        assert json.loads(again.out) == record
    assert call(*line, "--samples", "0").code == 2
    kept = call(*line, "--samples", "2", "--save-state", "x")
    assert kept.code == 2 and not Path("x").exists()


def test_ctrl_c_ends_the_line_of_a_text_and_keeps_the_place(trained: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    begin = [*ELMAN, "generate", str(trained / "run"), "--seed", "5"]
    command = [*begin, "--length", "10000000", "--save-state", str(place)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Tests started in the background of a shell hand on that SIGINT is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 100)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"elman: interrupted\n")
    text = (first + rest).decode()
    assert text.endswith("\n")
    on = call("generate", trained / "run", "--seed", "5", "--length", "20", "--state", place)
    both = text[:-1] + on.out
    assert both == call(*begin[3:], "--length", str(len(both) - 1)).out


def test_evaluate_leaves_out_bad_rows_and_counts_them(tmp_path: Path) -> None:
    good = "".join(f"text number {k},{'ab'[k % 2]}\n" for k in range(40))
    data, other = tmp_path / "a.csv", tmp_path / "b.csv"
    data.write_text("text,label\n" + good)
    other.write_text("text,label\n" + good + ",a\n")
    small = ("--epochs", "1", "--hidden-size", "3", "--embedding", "2", "--threads", "1")
    assert call("train", "classify", data, *small, "--run", tmp_path / "run").code == 0
    refused = call("evaluate", tmp_path / "run", other)
    assert refused.code == 2
    assert "b.csv, line 42" in refused.err and "--skip-bad-rows" in refused.err
    ended = call("evaluate", tmp_path / "run", other, "--skip-bad-rows", "--json")
    assert ended.code == 0
    told = [line for line in ended.err.splitlines() if "left out" in line]
    assert len(told) == 2
    assert "b.csv, line 42" in told[0]
    assert told[1] == "elman: 1 row left out"
    assert json.loads(ended.out)["left_out"] == 1
    other.write_text("text,label\n" + good)
    same = call("evaluate", tmp_path / "run", other, "--json")
    assert json.loads(same.out)["scores"] == json.loads(ended.out)["scores"]


def test_about_ten_samples_are_shown_at_growing_distances(text: Path, tmp_path: Path) -> None:
    for epochs in (1, 7, 90):
        ended = call(
            "train", "text", text, "--run", tmp_path / "run", "--force", "--epochs", str(epochs),
            "--hidden-size", "2", "--batch-size", "64", "--sample", "9", "--sequence-length", "64",
        )  # fmt: skip
        assert ended.code == 0, ended.err
        records = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        at = [r["epoch"] + 1 for r in map(json.loads, records) if r["sample"]]
        assert (at[0], at[-1]) == (1, epochs)
        assert min(epochs, 6) <= len(at) <= 11
        assert sum(line.startswith("    ") for line in ended.err.splitlines()) >= len(at)
    steps = [b - a for a, b in itertools.pairwise(at)]
    assert steps == sorted(steps)
