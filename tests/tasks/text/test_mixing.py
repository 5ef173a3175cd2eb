"""Network and n-gram model as one: only the past has a say, and neither is lost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import elman
from elman.decode import Sampling
from elman.errors import UserError
from elman.options import make
from elman.tasks.kneser_ney import KneserNey
from elman.tasks.task import State
from elman.tasks.text.costs import Costs
from elman.tasks.text.model import LanguageNetwork
from elman.tasks.text.ngrams import mixing
from elman.tasks.text.ngrams.mixing import Floats, Gate, Kinds
from elman.tasks.text.options import TextOptions
from elman.tasks.text.writing.writer import stepper

few = settings(max_examples=20)


class Text:
    def __init__(self, ids: Kinds) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, start: int, count: int) -> Kinds:
        return self.ids[start : start + count]


def drawn(seed: int, count: int) -> tuple[Floats, Floats, Kinds]:
    draw = np.random.default_rng(seed)
    network, ngram = -np.log(draw.random((2, count)))
    return network, ngram, draw.integers(0, Gate.SHAPE[0], count)


@few
@given(st.integers(0, 999), st.integers(1, 80), st.integers(0, 80))
def test_only_what_was_read_before_has_a_say(seed: int, count: int, cut: int) -> None:
    network, ngram, kinds = drawn(seed, count)
    whole = Gate().read(network, ngram, kinds)
    gate = Gate()
    parts = [gate.read(network[p], ngram[p], kinds[p]) for p in (slice(cut), slice(cut, None))]
    assert np.concatenate(parts) == pytest.approx(whole, rel=1e-12)
    network[cut:], ngram[cut:] = 1.0, 2.0  # whatever comes later
    assert Gate().read(network, ngram, kinds)[:cut].tolist() == whole[:cut].tolist()


@few
@given(st.integers(0, 999), st.integers(1, 60))
def test_each_token_costs_what_the_weight_told_before_it_makes_of_both(
    seed: int, count: int
) -> None:
    network, ngram, kinds = drawn(seed, count)
    kinds %= 3
    gate = Gate()
    for t in range(count):
        one = slice(t, t + 1)
        (weight,) = gate.weights(kinds[one])
        assert 0 < weight < 1
        expected = -math.log(weight * math.exp(-network[t]) + (1 - weight) * math.exp(-ngram[t]))
        assert gate.read(network[one], ngram[one], kinds[one])[0] == pytest.approx(expected)


@pytest.mark.parametrize("better", ["network", "ngram"])
def test_the_better_of_both_is_found_for_each_kind_of_place(better: str) -> None:
    count = 3000
    kinds = np.arange(count) % 2
    good, bad = np.full(count, 1.0), np.full(count, 3.0)
    first = kinds == (better == "network")  # where the network is the better one
    network, ngram = np.where(first, good, bad), np.where(first, bad, good)
    gate = Gate()
    mixed = gate.read(network, ngram, kinds)
    assert mixed[-500:].mean() < 1.01 < 2.0 == network.mean() == ngram.mean()
    own = gate.weights(np.array([0, 1]))
    assert (own.argmax() == 1) == (better == "network")
    # And it forgets: what was the better one may become the worse.
    for _ in range(2):
        gate.read(ngram, network, kinds)
    assert (gate.weights(np.array([0, 1])).argmax() == 1) != (better == "network")


def test_certain_mistakes_cost_no_more_than_the_other_one_allows() -> None:
    count = 2000
    gate, kinds = Gate(), np.zeros(count, np.int64)
    gate.read(np.full(count, 0.01), np.full(count, 9.0), kinds)
    mixed = gate.read(np.array([5000.0]), np.array([2.0]), kinds[:1])
    assert mixed[0] <= 2.0 - math.log(mixing.BOUNDS[0]) + 1e-9


@few
@given(st.integers(0, 99), st.integers(1, 30), st.integers(0, 60))
def test_the_beginning_of_a_text_costs_the_same_whatever_follows(
    seed: int, first: int, count: int
) -> None:
    draw = np.random.default_rng(seed)
    ids = draw.integers(0, 5, 200)
    ngram = KneserNey(draw.integers(0, 5, 300), 5, 4)

    def mixed(stop: int) -> tuple[list[float], list[float]]:
        network = Costs(np.arange(first, stop), nats[: stop - first], nats[: stop - first] / 2)
        found = mixing.together(Gate(), ngram, network, Text(ids), first, stop)
        return found[0].tolist(), found[1].tolist()

    nats = -np.log(draw.random(200))
    both, alone = mixed(first + count + 40)
    part, part_alone = mixed(first + count)
    assert part == both[:count]
    assert part_alone == pytest.approx(alone[:count], rel=1e-12)
    expected = -np.log(ngram.probabilities(ids[first : first + count], ids[:first]))
    assert part_alone == pytest.approx(expected, rel=1e-12)


def network_of(symbols: int, order: int, seed: int) -> LanguageNetwork:
    torch.manual_seed(seed)
    options = {
        "hidden_size": 6, "embedding": 0, "dropout": 0.0, "weight_drop": 0.0, "mix_ngram": True
    }  # fmt: skip
    model = LanguageNetwork(symbols, make(TextOptions, options)).double().eval()
    ids = np.random.default_rng(seed).integers(0, symbols - 1, 300)
    model.ngram = KneserNey(ids, symbols, order)
    model.gate.copy_(torch.rand(len(model.gate), 1) * torch.tensor([[1.0, 0.0]]))
    model.gate[:, 1] = 1.0
    return model


@few
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 99), st.data())
def test_what_is_written_comes_from_both_by_the_gate(
    symbols: int, order: int, seed: int, data: st.DataObject
) -> None:
    model = network_of(symbols, order, seed)
    assert model.ngram is not None
    options = TextOptions()
    ids = torch.tensor(data.draw(st.lists(st.integers(0, symbols - 1), min_size=1, max_size=12)))
    cut = data.draw(st.integers(0, len(ids) - 1))
    step = stepper(model, options, "cpu")
    state: State = []
    scores = torch.zeros(0)
    for part in (ids[:cut], ids[cut:]):  # however it is read
        if len(part):
            scores, state = step(part, state)
    own = model(ids[:, None])[0][-1, 0].softmax(-1).detach()
    place = model.ngram.start(ids.numpy())
    matched = np.array([model.ngram.matched(place)])
    kind = mixing.kinds(matched, np.array([-math.log(float(own.max()))]))
    (weight,) = Gate(model.gate.numpy()).weights(kind)
    expected = weight * own.numpy() + (1 - weight) * model.ngram.distribution(place)
    assert scores.exp().numpy() == pytest.approx(expected, abs=1e-9)
    assert float(scores.exp().sum()) == pytest.approx(1, abs=1e-9)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> elman.Run:
    folder = tmp_path_factory.mktemp("mixed")
    draw = np.random.default_rng(2)
    words = draw.choice(["the cat", "sat on", "a mat", "and saw", "two dogs"], 700)
    (folder / "text.txt").write_text(" ".join(words), encoding="utf-8")
    return elman.train(
        "text", folder / "text.txt", run=folder / "run", epochs=1, hidden_size=12, batch_size=8,
        learning_rate=0.02, sample=10, threads=1, mix_ngram=True,
    )  # fmt: skip


def test_a_run_tells_network_ngram_and_mixture_apart(run: elman.Run) -> None:
    scores = run.scores
    assert next(iter(scores)) == "nats"
    assert scores["ngram_nats"] == pytest.approx(run.baseline["nats"])
    assert scores["mixture_nats"] < min(scores["nats"], scores["ngram_nats"]) + 0.02
    assert run.evaluate().scores == pytest.approx(scores)
    report = (run.path / "report.md").read_text(encoding="utf-8")
    assert "mixture_nats" in report and "BLEU and self-BLEU are not counted" in report
    assert "--mix-ngram`" not in report  # it has just been done


def test_a_run_is_used_from_its_folder_alone(run: elman.Run, tmp_path: Path) -> None:
    """It writes, goes on from a kept place and scores where what it was trained on is gone."""
    text = run.path.parent / "text.txt"
    other = tmp_path / "other.txt"
    other.write_text("the cat sat on two dogs and saw a mat", encoding="utf-8")
    known = run.evaluate(other).scores
    content = text.read_text(encoding="utf-8")
    text.unlink()
    try:
        alone = elman.load(run.path)
        assert alone.evaluate(other).scores == pytest.approx(known)
        written = alone.generate("the c", 40, seed=3)
        sampling = Sampling(seed=3)
        first = list(alone.stream(alone.read("the c"), 15, sampling))
        alone.save_state(first[-1][1], tmp_path / "place")
        rest = alone.stream(alone.load_state(tmp_path / "place"), 25, sampling)
        assert "the c" + "".join(piece for piece, _ in [*first, *rest]) == written
        with pytest.raises(UserError, match="mixed with an n-gram model"):
            alone.generate("a", 3, weights="int8")
        with pytest.raises(UserError, match="--dynamic: needs the text that was trained on"):
            alone.evaluate(other, dynamic=True)
    finally:
        text.write_text(content, encoding="utf-8")


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_counts_that_are_no_longer_there_are_missed(
    run: elman.Run, tmp_path: Path, damage: str
) -> None:
    path = run.path / mixing.FILE
    content = path.read_bytes()
    try:
        if damage == "gone":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(content[: len(content) // 2])
        else:
            mixing.keep(KneserNey(np.array([1, 2]), 99, 2), run.path)
        with pytest.raises(UserError, match=r"ngram\.safetensors: (missing|damaged|is of 99 sy)"):
            elman.load(run.path)
    finally:
        path.write_bytes(content)


def test_the_state_of_a_mixture_does_not_change(run: elman.Run) -> None:
    before = run.read("the cat")
    kept: list[Tensor] = [part.clone() for layer in before.state for part in layer]
    list(run.stream(before, 10, Sampling(seed=1)))
    assert all(map(torch.equal, kept, [part for layer in before.state for part in layer]))
