"""The Python face: what `train`, `resume` and `load` give, and places in a text that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import elman
from elman import kernels
from elman.decode import Sampling
from elman.errors import RunError, UserError
from elman.run import checkpoint

SMALL: dict[str, Any] = {
    "epochs": 1,
    "hidden_size": 6,
    "batch_size": 8,
    "sequence_length": 12,
    "sample": 0,
}
MODELS: dict[str, dict[str, Any]] = {
    "carried": {"cell": ["lstm", "gru"], "hidden_size": [6, 5]},
    "windowed": {"bidirectional": True},
    "words": {"level": "words"},
}


@pytest.fixture(params=MODELS)
def run(request: pytest.FixtureRequest, text: Path, tmp_path: Path) -> elman.Run:
    return elman.train("text", text, run=tmp_path / "run", **SMALL | MODELS[request.param])


def test_a_run_knows_its_folder_its_scores_and_its_verdict(run: elman.Run, tmp_path: Path) -> None:
    assert run.path == tmp_path / "run"
    assert run.task == "text"
    assert set(run.scores) == set(run.baseline) == {"nats", "bits", "perplexity"}
    assert run.verdict.endswith(".")
    assert not run.model.training
    evaluation = elman.load(run.path).evaluate()
    assert evaluation.scores == pytest.approx(run.scores)
    assert evaluation.baseline == pytest.approx(run.baseline)
    assert evaluation.compared.name == run.folder.scores()["baseline_name"]


def test_other_data_is_scored_whole_beside_the_same_baseline(run: elman.Run, text: Path) -> None:
    result = run.evaluate(text)
    assert set(result.scores) == set(result.baseline) == {"nats", "bits", "perplexity"}
    assert result.baseline["nats"] < run.baseline["nats"]  # it has seen most of this text
    with pytest.raises(UserError):
        run.evaluate(text.with_name("absent.txt"))


@given(n=st.integers(0, 12), m=st.integers(1, 12), seed=st.integers(0, 9))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_kept_place_goes_on_as_if_it_had_not_been_kept(
    run: elman.Run, tmp_path: Path, n: int, m: int, seed: int
) -> None:
    sampling = Sampling(seed=seed, repetition_penalty=1.3)
    whole = [piece for piece, _ in run.stream(run.read("the cat "), n + m, sampling)]

    begin = run.read("the cat ")
    begun = list(run.stream(begin, n, sampling))
    run.save_state(begun[-1][1] if begun else begin, tmp_path / "state")
    kept = elman.load(run.path).load_state(tmp_path / "state")
    for _ in range(2):  # a place is not used up: it branches
        rest = [piece for piece, _ in run.stream(kept, m, sampling)]
        assert [piece for piece, _ in begun] + rest == whole


def test_generate_is_the_prompt_and_what_the_stream_gives(run: elman.Run) -> None:
    pieces = run.stream(run.read("the "), 9, Sampling(seed=4))
    assert run.generate("the ", 9, seed=4) == "the " + "".join(piece for piece, _ in pieces)
    assert run.generate("", 5, temperature=0) == run.generate("", 5, temperature=0)
    with pytest.raises(UserError, match="unknown option"):
        run.generate("the ", 9, temprature=1.0)


@pytest.mark.skipif(not kernels.instruction_sets(), reason="the extension was not built")
def test_a_text_is_the_same_with_and_without_kernels(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = SMALL | {"cell": ["lstm", "mingru", "gru"], "hidden_size": [6, 5, 5], "zoneout": 0.1}
    run = elman.train("text", text, run=tmp_path / "run", **carried, residual=True)
    sampling = Sampling(seed=2, top_p=0.9, repetition_penalty=1.2)
    fast = list(run.stream(run.read("the"), 90, sampling))
    kernels.available.cache_clear()
    monkeypatch.setenv("ELMAN_KERNELS", "off")
    slow = list(run.stream(run.read("the"), 90, sampling))
    crossed = run.stream(fast[29][1], 60, sampling)  # from a place that the kernels made
    monkeypatch.undo()
    with pytest.raises(UserError, match="--weights int8: this model is written with float32"):
        monkeypatch.setenv("ELMAN_KERNELS", "off")
        run.generate("the", 5, weights="int8")
    rest = [piece for piece, _ in crossed]
    monkeypatch.undo()
    kernels.available.cache_clear()
    back = run.stream(slow[29][1], 60, sampling)
    assert [piece for piece, _ in fast] == [piece for piece, _ in slow]
    assert rest == [piece for piece, _ in back] == [piece for piece, _ in slow[30:]]
    for (_, a), (_, b) in zip(fast, slow, strict=True):
        assert (a.seen, a.position, a.last) == (b.seen, b.position, b.last)
        torch.testing.assert_close(a.logits, b.logits, atol=1e-4, rtol=0)
        for part, other in zip(a.state, b.state, strict=True):
            for s, e in zip(part, other, strict=True):
                torch.testing.assert_close(s, e, atol=1e-4, rtol=0)


@pytest.mark.skipif(not kernels.instruction_sets(), reason="the extension was not built")
def test_weights_may_be_stored_smaller(text: Path, tmp_path: Path) -> None:
    run = elman.train("text", text, run=tmp_path / "run", **SMALL)
    for weights in ("float32", "float16", "int8"):
        written = run.generate("the ", 9, weights=weights, seed=4)
        assert written == run.generate("the ", 9, weights=weights, seed=4)
        assert len(written) == 13
    with pytest.raises(UserError, match="unknown weights"):
        run.generate("the ", 9, weights="int4")  # type: ignore[arg-type]
    other = elman.train("text", text, run=tmp_path / "both", **SMALL, bidirectional=True)
    with pytest.raises(UserError, match=r"--weights float16: .* both ways"):
        other.generate("the ", 9, weights="float16")
    dict(run.model.named_parameters())["output.weight"].data[2, 2] = float("nan")
    with pytest.raises(UserError, match="--weights int8: weights must be finite"):
        run.generate("the ", 9, weights="int8")
    with pytest.raises(RunError, match="not finite"):
        run.generate("the ", 9)


def test_unknown_symbols_are_named_read_and_never_written(run: elman.Run) -> None:
    assert run.unknown("the 龘 cat 龘") == ["龘"]
    assert run.unknown("the cat") == []
    written = run.generate("龘", 200, seed=1)
    assert written.startswith("龘") and "龘" not in written[1:] and "<unk>" not in written


def test_a_place_of_another_model_is_refused(run: elman.Run, text: Path, tmp_path: Path) -> None:
    other = elman.train("text", text, run=tmp_path / "other", **SMALL | {"hidden_size": 4})
    other.save_state(other.read("the"), tmp_path / "state")
    with pytest.raises(UserError, match="is not a place in a text of this model"):
        run.load_state(tmp_path / "state")


def test_a_damaged_place_is_refused(run: elman.Run, tmp_path: Path) -> None:
    path = tmp_path / "state"
    run.save_state(run.read("the cat"), path)
    tensors, plain = checkpoint.read(path)
    symbols = len(tensors["logits"])

    def refused() -> None:
        with pytest.raises(UserError):
            run.load_state(path)

    for odd in (
        {"seen": [symbols]}, {"seen": ["a"]}, {"position": "x"}, {"position": -1},
        {"last": [symbols]}, {"last": [0] * 9}, {"last": None},
    ):  # fmt: skip
        checkpoint.write(path, tensors, plain | odd)
        refused()
    for name, tensor in tensors.items():
        for bad in (tensor.new_zeros(0), tensor[None], tensor.to(torch.int32)):
            checkpoint.write(path, tensors | {name: bad}, plain)
            refused()
        if not tensor.is_floating_point():
            checkpoint.write(path, tensors | {name: tensor + symbols}, plain)
            refused()
    checkpoint.write(path, tensors | {"carry.x.0": tensors["logits"].clone()}, plain)
    refused()
    path.write_bytes(b"not a file of tensors")
    refused()


def test_options_are_checked_before_anything_is_made(text: Path, tmp_path: Path) -> None:
    for name, value, told in (
        ("epoch", 3, 'unknown option "epoch"; did you mean "epochs"'),
        ("hidden_siz", 3, 'did you mean "hidden_size"'),
        ("dropout", 1.5, "--dropout 1.5: needs"),
        ("cell", "gur", 'did you mean "gru"'),
        ("epochs", "many", "needs a whole number"),
    ):
        option: dict[str, Any] = {name: value}
        with pytest.raises(UserError, match=told):
            elman.train("text", text, run=tmp_path / "run", **option)
    with pytest.raises(UserError, match="unknown task"):
        elman.train("txt", text)
    assert not (tmp_path / "run").exists()


def test_loading_or_resuming_nothing_is_refused(tmp_path: Path) -> None:
    for use in (elman.load, elman.resume):
        with pytest.raises(UserError, match="no such run folder"):
            use(tmp_path / "absent")
        with pytest.raises(UserError, match="not a run folder, or damaged"):
            use(tmp_path)


def test_resuming_a_finished_run_leaves_it_as_it_is(run: elman.Run) -> None:
    before = load_file(run.path / "model.safetensors")
    again = elman.resume(run.path)
    after = load_file(run.path / "model.safetensors")
    assert again.scores == run.scores
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_that_do_not_fit_are_refused(run: elman.Run) -> None:
    weights = load_file(run.path / "model.safetensors")
    for name, tensor in list(weights.items()):
        for changed in ({name: tensor[:-1].clone()}, {f"{name}_more": tensor.clone()}):
            save_file(weights | changed, run.path / "model.safetensors")
            with pytest.raises(UserError, match="does not fit the run's options"):
                elman.load(run.path)


def test_a_run_stays_the_same_wherever_the_process_goes(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = elman.train("text", text, run="run", **SMALL)
    found = elman.load("run")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert made.scores and made.scores == found.scores and made.baseline == found.baseline
    assert made.path == found.path == tmp_path / "run"
    assert made.evaluate().scores == pytest.approx(made.scores)
