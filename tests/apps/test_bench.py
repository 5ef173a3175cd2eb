"""`elman bench`, with real processes: what it tells, what it leaves, and that nothing goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import Ended, call
from hypothesis import given
from hypothesis import strategies as st

from elman.bench import rows
from elman.bench.clips import BATCHES, FILTERS, HOP, RATE, STRIDE, SYMBOLS, clips, seconds_of_sound
from elman.bench.compare import (
    TOLERANCE,
    Bench,
    Entrant,
    Goal,
    Race,
    Result,
    Spread,
    agree,
    half_ratio,
)
from elman.bench.options import BenchOptions
from elman.bench.peers import (
    BY_NAME,
    PEERS,
    elman_layers,
    elman_speech,
    torch_layers,
    torch_speech,
)  # fmt: skip
from elman.bench.peers.prepared import Prepared
from elman.bench.processes import Refused, Worker, Workers
from elman.bench.rows import speech
from elman.bench.sentences import TARGET, sentences, target_tokens
from elman.bench.table import Table, missed
from elman.bench.work import GATES, VOCABULARY, Work, lengths, numbers
from elman.bench.worker import sample
from elman.kernels import instruction_sets
from elman.search.ctc import needed

pytestmark = pytest.mark.pictures

BENCH = (sys.executable, "-m", "elman", "bench")
SMALL = ("--peers", "torch,torch-bf16", "--cells", "gru,mingru", "--sizes", "7", "--threads", "1",
         "--repeats", "2")  # fmt: skip
INSTALLED = [peer.name for peer in PEERS if peer.versions() is not None]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """Every row, as small as can be."""
    path = tmp_path_factory.mktemp("bench") / "b"
    both = ("--precision", "float32,bf16")
    ended = call("bench", "--quick", "--busy", *SMALL, *both, "--json", "--output", path)
    assert ended.code == 0, ended.err
    return ended, path


def test_json_is_one_object_and_the_same_in_the_folder(measured: tuple[Ended, Path]) -> None:
    ended, path = measured
    record = json.loads(ended.out)
    assert record == json.loads((path / "bench.json").read_text())
    assert record.keys() == {"where", "options", "missing", "complete", "seconds", "results"}
    assert record["complete"]
    assert (path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert {p.name for p in path.parent.iterdir()} == {"b"}


def test_every_row_is_measured(measured: tuple[Ended, Path]) -> None:
    results: list[dict[str, Any]] = json.loads(measured[0].out)["results"]
    assert list(dict.fromkeys(r["row"] for r in results)) == list(rows.NAMES)
    for result in results:
        assert result["threads"] == 1
        assert result["notes"] == []
        assert all(value > 0 for value in result["values"].values())
        assert all(
            0 < seconds["low"] <= seconds["median"] <= seconds["high"]
            for seconds in result["seconds"].values()
        )
        for goal in result["goals"]:
            better = goal["reached"] - goal["reach"]
            assert goal["met"] == (better <= 0 if goal["at_most"] else better >= 0)
        if result["ratio"]:
            assert result["ratio"]["low"] <= result["ratio"]["median"] <= result["ratio"]["high"]


def test_the_table_tells_the_same(measured: tuple[Ended, Path]) -> None:
    ended, path = measured
    lines = ended.err.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[-1] == f"bench folder {path}"
    for name in rows.NAMES:
        assert any(line.startswith(f"{name}, 1 thread: ") for line in lines)


def test_bf16_stands_beside_torch_with_autocast_and_without(measured: tuple[Ended, Path]) -> None:
    ended, _ = measured
    results = [r for r in json.loads(ended.out)["results"] if r["precision"] == "bf16"]
    assert [r["row"] for r in results] == ["train", "infer", "packed"]
    for result in results:
        assert list(result["values"]) == ["elman-bf16", "torch-bf16", "torch", "elman"]
        middle = {name: spread["median"] for name, spread in result["seconds"].items()}
        best = min("torch-bf16", "torch", key=middle.__getitem__)
        (goal,) = result["goals"]
        assert goal["what"] == f"times as fast as {best}" and goal["reach"] == 1.0
        assert goal["reached"] == result["ratio"]["median"]
        assert f"{result['row']} bf16, 1 thread: " in ended.err
    wide = next(r for r in json.loads(ended.out)["results"] if r["row"] == "train")
    assert (wide["peak"] is None) == (not instruction_sets())
    assert wide["precision"] == "float32" and list(wide["values"]) == ["elman", "torch"]


@pytest.mark.parametrize(
    ("cell", "H", "times"),
    [("lstm", 64, 1.0), ("lstm", 128, 1.3), ("lstm", 256, 1.1), ("lstm", 1024, 1.1),
     ("gru", 64, 1.0), ("gru", 128, 2.0), ("rnn", 256, 1.4), ("gru", 512, 1.2)],
)  # fmt: skip
def test_what_bf16_is_to_reach(cell: str, H: int, times: float) -> None:
    assert half_ratio(Work("train", cell, H)) == times


def test_where_tells_kernels_versions_and_what_is_missing() -> None:
    told = call("bench", "--where")
    facts = json.loads(call("bench", "--where", "--json").out)
    assert (told.code, told.err) == (0, "")
    assert f"kernels  {facts['kernels']}: {facts['why']}" in told.out
    assert f"bf16     {facts['kernels_bf16']}: {facts['why_bf16']}" in told.out
    assert facts["torch"] in told.out
    for peer in PEERS:
        assert (facts["peers"][peer.name] is not None) == (peer.name in INSTALLED)
        missing = f"{peer.title} is not installed: {peer.install}" in " ".join(told.out.split())
        assert missing == (peer.name not in INSTALLED)


def test_without_kernels_where_says_why() -> None:
    environment = os.environ | {"ELMAN_KERNELS": "off"}
    done = subprocess.run([*BENCH, "--where"], capture_output=True, text=True, env=environment)
    assert "kernels  off: ELMAN_KERNELS is off\n" in done.stdout


def test_a_peer_asked_for_must_be_installed() -> None:
    for peer in PEERS:
        if peer.name not in INSTALLED:
            ended = call("bench", "--peers", peer.name)
            told = f"elman: --peers {peer.name}: not installed; {peer.install}\n"
            assert (ended.code, ended.out, ended.err) == (2, "", told)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rows", "trian"), ("--rows", ""), ("--cells", "mgu"), ("--sizes", "0"),
        ("--sizes", "1.5"), ("--threads", "100000"), ("--threads", "0"), ("--repeats", "0"),
        ("--peers", "pytorch"), ("--precision", "fp8"), ("--precision", ""),
        ("--rows", "stream", "--precision", "bf16"), ("--baseline", "missing.json"),
        ("--baseline", "file"), ("--output", "."), ("--output", "taken"), ("--output", "file/b"),
        ("lstm",), ("--threads", "1", "2"), ("--rows", "train,linear", "--cells", "hgrn"),
        ("--rows", "translate", "--cells", "rnn"), ("--rows", "speech", "--cells", "rnn"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_bad_arguments_are_one_line(arguments: tuple[str, ...]) -> None:
    Path("file").touch()
    Path("taken").mkdir()
    Path("taken/kept").touch()
    ended = call("bench", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("elman: ")
    assert ended.err.count("\n") == 1
    assert sorted(p.name for p in Path.cwd().iterdir()) == ["file", "taken"]


def test_ctrl_c_ends_every_process_and_keeps_what_was_measured(tmp_path: Path) -> None:
    kept = tmp_path / "b"
    command = [*BENCH, "--quick", *SMALL[:-1], "8", "--rows", "tokens,busy"]
    with subprocess.Popen(
        [*command, "--output", str(kept)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        # Tests started in the background of a shell hand on that SIGINT is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        family = spinning_family(process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = process.stderr.read().decode()
    assert process.returncode == 130
    assert told == f"elman: interrupted; what was measured is in {kept}\n"
    record = json.loads((kept / "bench.json").read_text())
    assert not record["complete"]
    assert record["results"][0]["row"] == "tokens"
    assert len(family) > 2
    wait_for_the_end_of(family)  # one caught at birth ends when it sees that its parent is gone


def test_killed_it_leaves_no_process() -> None:
    program = (
        "import os, time\n"
        "from elman.bench.processes import Worker, neighbours\n"
        "worker = Worker('limits', 1, os.environ)\n"
        "with neighbours(2):\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        family = spinning_family(process)
        process.kill()
    wait_for_the_end_of(family)


def wait_for_the_end_of(family: dict[int, str]) -> None:
    deadline = time.perf_counter() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in family):
        assert time.perf_counter() < deadline
        time.sleep(0.02)


def spinning_family(process: subprocess.Popen[bytes]) -> dict[int, str]:
    """The children of a process, once a neighbour spins among them."""
    family: dict[int, str] = {}
    while not any("getppid" in line for line in family.values()):
        assert process.poll() is None
        time.sleep(0.01)
        family = children(process.pid)
    return family


def children(parent: int) -> dict[int, str]:
    """The command line of each child, by its number."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, line = (folder / "stat").read_text(), (folder / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent:
            found[int(folder.name)] = line
    return found


@pytest.mark.parametrize("peer", [*INSTALLED, "elman-bf16"])
def test_a_peer_does_the_same_work_on_its_threads(peer: str) -> None:
    with Workers(1, os.environ) as workers:
        for cell in ("lstm", "gru", "rnn"):
            for kind in ("train", "infer", "packed", "tokens", "step", "write"):
                work = Work(kind, cell, H=5, B=3, T=40, variant="float32")
                ours = elman_layers.prepare(work, 1)
                assert ours is not None
                try:
                    theirs = workers[peer].make(work)
                except Refused as error:
                    assert "cannot do this" in str(error)
                    assert (peer, kind) != ("torch", kind)
                    continue
                tolerance = TOLERANCE[BY_NAME[peer].precision]
                assert agree(sample(ours, ours.once()), theirs.sample, tolerance)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_translators_of_torch_and_ours_train_and_write_the_same(cell: str) -> None:
    def prepared(kind: str, variant: str) -> tuple[Prepared, Prepared]:
        work = Work(kind, cell, H=7, B=3, T=5, variant=variant)
        ours, theirs = elman_layers.prepare(work, 1), torch_layers.prepare(work, 1)
        assert ours is not None and theirs is not None
        return ours, theirs

    found = {}
    for variant in ("first", "attention", "fed"):
        ours, theirs = prepared("translate", variant)
        losses, *gradients = map(np.asarray, ours.once())
        for a, b in zip((losses, *gradients), map(np.asarray, theirs.once()), strict=True):
            assert np.abs(a - b).max() <= 1e-4 * np.abs(a).max()
        found[variant] = losses
    for variant in ("greedy", "beam"):
        ours, theirs = prepared("write-sentences", variant)
        (scores,), (others,) = ours.once(), theirs.once()
        assert np.allclose(scores, others, rtol=1e-4)
        found[variant] = np.asarray(scores)
    assert len({tuple(numbers) for numbers in found.values()}) == len(found)
    assert (found["beam"] >= found["greedy"] - 1e-3).any()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_hearing_of_torch_and_ours_is_the_same(cell: str) -> None:
    for kind in ("features", "hear", "transcribe"):
        work = Work(kind, cell, H=7, B=3, T=2)
        ours, theirs = elman_layers.prepare(work, 1), torch_layers.prepare(work, 1)
        assert ours is not None and theirs is not None
        found = list(map(np.asarray, ours.once()))
        for a, b in zip(found, map(np.asarray, theirs.once()), strict=True):
            assert np.abs(a).max() > 0 and np.abs(a - b).max() <= 1e-3 * np.abs(a).max()
    assert found[0].shape == (BATCHES * 3,) and (found[0] < 0).all()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_all_gradients_of_hearing_are_the_same_in_float64(cell: str) -> None:
    work = Work("hear", cell, H=7, B=3, T=2)
    found = []
    for model in (elman_speech.network(work).double(), torch_speech.network(work).double()):
        batch = elman_speech.batch(clips(work)[0])
        log_p, steps = model(batch.waves.double(), batch.lengths)
        assert log_p.dtype == torch.float64 and len(set(steps.tolist())) == 3
        cost = torch.nn.functional.ctc_loss(
            log_p.transpose(0, 1), batch.targets, steps, batch.target_lengths
        )
        names, weights = zip(*model.named_parameters(), strict=True)
        found.append(dict(zip(names, torch.autograd.grad(cost, weights), strict=True)))
    assert found[0].keys() == found[1].keys()
    for name, a in found[0].items():
        assert a.abs().max() > 0 and (a - found[1][name]).abs().max() <= 1e-9 * a.abs().max(), name


def test_clips_are_sorted_and_have_room_for_what_is_said() -> None:
    work = Work("hear", "gru", H=7, B=5, T=4)
    pairs = [pair for batch in clips(work) for pair in zip(*batch, strict=True)]
    lengths = [len(wave) for wave, _ in pairs]
    assert len(pairs) == BATCHES * 5 and lengths == sorted(lengths)
    assert lengths[0] + 1 >= 0.3 * 4 * RATE and lengths[-1] <= 4 * RATE
    assert seconds_of_sound(work) == pytest.approx(sum(lengths) / RATE)
    for wave, said in pairs:
        assert np.abs(wave).max() < 1
        assert said.min() > 0 and said.max() < SYMBOLS
        assert needed(said.tolist()) <= len(wave) / RATE * 1000 / HOP / STRIDE ** len(FILTERS)


def test_the_part_of_the_spectrum_is_told_beside_the_speed(measured: tuple[Ended, Path]) -> None:
    results = [r for r in json.loads(measured[0].out)["results"] if r["row"] == "speech"]
    speeds, parts = results[:2], results[2:]
    for told in (speeds, parts):
        assert [r["case"] for r in told] == ["gru train 7", "gru write 7"]
    sound = seconds_of_sound(Work("hear", "gru", 7, *speech.QUICK))
    for speed, part in zip(speeds, parts, strict=True):
        assert list(speed["values"]) == ["elman", "torch", "mel", "t.mel"]
        for name, value in speed["values"].items():
            assert value * speed["seconds"][name]["median"] == pytest.approx(sound)
        whole, alone = (speed["seconds"][name]["median"] for name in ("elman", "mel"))
        assert 0 < part["values"]["mel"] < 1 and alone < whole


def test_sentences_are_sorted_and_all_of_their_tokens_counted() -> None:
    work = Work("translate", "gru", H=7, B=16, T=13)
    drawn = sentences(work)
    lengths = [len(ids) for batch in drawn for ids in batch.targets]
    assert lengths == sorted(lengths)
    assert (
        {len(batch.sources) for batch in drawn} == {len(batch.targets) for batch in drawn} == {16}
    )
    assert target_tokens(work) == sum(lengths) + len(lengths)
    assert abs(target_tokens(work) / len(lengths) - 13) < 2
    assert max(ids.max() for batch in drawn for ids in batch.targets) < TARGET - 1


@pytest.mark.parametrize("variant", ["", "layer"])
def test_the_scan_in_log_space_does_the_work_of_the_sweeps(variant: str) -> None:
    for cell in rows.LINEAR:
        work = Work("linear", cell, H=5, B=3, T=40, variant=variant)
        ours, theirs = elman_layers.prepare(work, 1), torch_layers.prepare(work, 1)
        assert ours is not None
        if theirs is None:
            assert cell == "hgrn"
            continue
        y, gradient = ours.once()
        assert y.shape == (120, 5)
        assert gradient.shape == (120, 5 if variant else 5 * GATES[cell])
        assert agree(sample(ours, (y, gradient)), sample(theirs, theirs.once()))


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_a_narrow_storage_writes_with_scores_near_those_of_float32(storage: str) -> None:
    narrow, wide = (
        elman_layers.prepare(Work("write", "gru", H=9, B=1, T=1, variant=s), 1)
        for s in (storage, "float32")
    )
    assert narrow is not None and wide is not None
    (ours,), (exact,) = narrow.once(), wide.once()
    assert ours.shape == exact.shape == (1, VOCABULARY)
    assert 0 < (ours - exact).abs().max() < 0.1


def test_rows_keep_to_the_cells_that_they_have() -> None:
    with Workers(1, os.environ) as workers:

        def cells(row: str, options: BenchOptions) -> tuple[str, ...]:
            return Bench(options, workers, 1, (), lambda line: None).cells(row)

        asked = BenchOptions(cells=("rnn", "hgrn"))
        assert [cells(row, asked) for row in ("train", "linear", "stream")] == [
            ("rnn",), ("hgrn",), (),
        ]  # fmt: skip
        assert cells("linear", BenchOptions()) == rows.LINEAR
        assert cells("linear", BenchOptions(quick=True)) == ("mingru",)


def test_without_kernels_rows_that_need_them_are_left_out_and_say_why() -> None:
    environment = os.environ | {"ELMAN_KERNELS": "off"}
    command = [*BENCH, "--quick", *SMALL, "--rows", "linear,stream", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [(r["row"], r["values"], r["notes"]) for r in results] == [
        (row, {"elman": None}, ["left out (ELMAN_KERNELS is off)"]) for row in ("linear", "stream")
    ]


def test_gates_in_the_wrong_places_are_noticed() -> None:
    work = Work("infer", "gru", H=5, B=3, T=4)
    right = torch_layers.prepare(work, 1)
    assert right is not None
    honest = sample(right, right.once())
    swapped = numbers(work)
    for weights in (swapped.weight_ih, swapped.weight_hh):
        weights[:10] = np.concatenate([weights[5:10], weights[:5]])
    layer = torch_layers.with_weights(torch_layers.LAYERS["gru"](5, 5), swapped)
    x = torch.from_numpy(swapped.x)
    assert not agree(honest, sample(right, torch_layers.inference(layer, x).once()))
    assert agree(honest, honest)
    assert not agree(honest, [[np.nan] * len(honest[0])])


def test_who_cannot_do_a_work_is_left_out_and_named() -> None:
    with Workers(1, os.environ) as workers:
        bench = Bench(BenchOptions(quick=True), workers, 1, ("torch",), lambda line: None)
        entrants = [
            Entrant("good", "torch", Work("infer", "rnn", H=3, B=2, T=2)),
            Entrant("bad", "torch", Work("regularised", "rnn", H=3, B=2, T=2)),
        ]
        with Race(bench, entrants) as race:
            assert race.notes == ["bad: left out (cannot do this)"]
            assert race.round().keys() == {"good"}


def test_a_worker_that_has_died_says_so() -> None:
    worker = Worker("limits", 1, os.environ)
    for pid, line in children(os.getpid()).items():
        if "elman.bench.worker" in line:
            os.kill(pid, signal.SIGKILL)
    with pytest.raises(Refused, match="ended with code -9"):
        worker.make(Work("mm", H=2))
    worker.end()


def test_lengths_fall_from_at_most_t() -> None:
    drawn = lengths(Work("packed", "rnn", H=1, B=500, T=9))
    assert drawn == sorted(drawn, reverse=True)
    assert set(drawn) == set(range(1, 10))


numbers_shown = st.floats(1e-4, 1e4)
results = st.builds(
    Result,
    row=st.sampled_from(rows.NAMES),
    case=st.sampled_from(["lstm 1024", "gru-reset-before 64", "vector beyond L2"]),
    threads=st.integers(1, 128),
    unit=st.sampled_from(["%", "ms", "us", "ns", "x", "GF/s"]),
    values=st.dictionaries(st.sampled_from(sorted(BY_NAME)), st.none() | st.floats(1e-4, 99)),
    product=st.none() | st.floats(1e9, 1e14),
    peak=st.none() | st.floats(1e9, 1e14),
    precision=st.sampled_from(rows.PRECISIONS),
    seconds=st.just({}),
    ratio=st.none() | st.builds(Spread, *[st.floats(1e-4, 99)] * 3),
    goals=st.lists(st.builds(Goal, st.just("share"), numbers_shown, numbers_shown), max_size=2).map(
        tuple
    ),
    notes=st.lists(st.just("keras: left out (" + "a reason " * 20 + ")"), max_size=1).map(tuple),
)


@given(st.lists(results, max_size=4), st.integers(30, 79))
def test_no_line_is_wider_than_the_terminal(lines: list[Result], width: int) -> None:
    table = Table(width, "AMD EPYC (family 26, model 2), avx512; torch 2.13.0, oneDNN 3.12.0")
    told = [line for result in lines for line in table.lines(result)] + missed(lines, width)
    assert all(len(line) <= width for line in told)
    for result in lines:
        assert any(result.case.split()[0] in line for line in told)
