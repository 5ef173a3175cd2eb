"""The language model: what it is scored on, what it sees, and that every option is one to train."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import elman
from elman import metrics
from elman.data import source
from elman.data.tables.content import BadRows
from elman.data.texts.text import Corpus, encode_corpus
from elman.data.texts.vocabulary import build
from elman.decode import Sampling
from elman.errors import UserError
from elman.metrics import Loss
from elman.options import make
from elman.run import place
from elman.tasks.task import Budget, State
from elman.tasks.text import costs
from elman.tasks.text.data import TextData
from elman.tasks.text.model import LanguageModel, LanguageNetwork
from elman.tasks.text.options import TextOptions
from elman.tasks.text.scores import scored, scores_of
from elman.tasks.text.task import TASK
from elman.tasks.text.writing.writer import Writer, stepper

WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "dogs", "run", "狗", "。")
SMALL: dict[str, Any] = {
    "epochs": 1,
    "hidden_size": 5,
    "batch_size": 8,
    "sequence_length": 12,
    "sample": 10,
}
SENTENCE = "这是一个基于tensorflow的RNN短句子练习"
EPOCH = Budget(seconds=None, epochs=1, batch_size=4, learning_rate=None, device="cpu")


@pytest.fixture(autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = random.Random(0)
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(" ".join(draw.choices(WORDS, k=900))[:3000], encoding="utf-8")
    return path


def _corpus(text: Path, level: str = "characters") -> Corpus:
    return encode_corpus(source.resolve([str(text)]), level=level)


def _model(symbols: int, seed: int, **options: Any) -> LanguageNetwork:
    torch.manual_seed(seed)
    resolved = {"hidden_size": 6, "embedding": 0, "dropout": 0.0, "weight_drop": 0.0} | options
    model = LanguageNetwork(symbols, make(TextOptions, resolved)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # so that what stands far back matters
    return model


def _loss(blocks: Iterator[costs.Costs], corpus: Corpus) -> Loss:
    return costs.summed(blocks, 1, len(corpus.ids)).loss


def _token_by_token(model: LanguageNetwork, ids: list[int], first: int) -> list[float]:
    """The loss of each token from `first` on, read one at a time from the start of the text."""
    losses, state = [], None
    with torch.no_grad():
        for place in range(len(ids) - 1):
            scores, state = model(torch.tensor([[ids[place]]]), state)
            if place + 1 >= first:
                log_p = scores[0, 0].log_softmax(-1)
                losses.append(-log_p[ids[place + 1]].item())
    return losses


@given(
    first=st.integers(1, 120), count=st.integers(1, 120), streams=st.integers(1, 20),
    cell=st.sampled_from(["lstm", "gru", "rnn", "mingru"]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=12)
def test_the_score_is_that_of_reading_token_by_token(
    text: Path, first: int, count: int, streams: int, cell: str, seed: int
) -> None:
    # All of it fits into what a stream reads ahead of what it scores: no stream is cold.
    stop = first + count
    assert stop <= costs.WARMUP
    corpus = _corpus(text)
    model = _model(corpus.vocabulary.size, seed, cell=cell)
    expected = _token_by_token(model, corpus.ids.read(0, stop).tolist(), first)
    blocks = costs.carried(model, corpus.ids, first, stop, "cpu", streams)
    found = costs.in_order(blocks, first, stop)
    assert found.nats == pytest.approx(expected, rel=1e-9)  # float64, summed otherwise
    assert (found.least <= found.nats).all()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_number_of_scoring_streams_changes_the_score_by_less_than_a_thousandth(
    text: Path, cell: str
) -> None:
    corpus = _corpus(text)
    model = _model(corpus.vocabulary.size, 3, cell=cell)
    losses = [
        _loss(costs.carried(model, corpus.ids, 1, len(corpus.ids), "cpu", streams), corpus)
        for streams in (1, 2, 5, costs.STREAMS, 64)
    ]
    assert {loss.count for loss in losses} == {len(corpus.ids) - 1}
    for loss in losses[1:]:
        assert loss.mean == pytest.approx(losses[0].mean, rel=1e-3)


@given(steps=st.integers(1, 9), first=st.integers(9, 40), count=st.integers(1, 40))
@settings(max_examples=12)
def test_a_model_that_reads_both_ways_sees_its_window_and_nothing_else(
    text: Path, steps: int, first: int, count: int
) -> None:
    corpus = _corpus(text)
    model = _model(corpus.vocabulary.size, 1, bidirectional=True, sequence_length=steps)
    loss = _loss(costs.windowed(model, corpus.ids, first, first + count, "cpu", steps), corpus)
    ids = torch.from_numpy(corpus.ids.read(0, first + count))
    total = 0.0
    with torch.no_grad():
        for place in range(first, first + count):
            scores, _ = model(ids[place - steps : place, None])
            total -= scores[0].log_softmax(-1)[ids[place]].item()
    assert loss.count == count
    assert loss.total == pytest.approx(total, rel=1e-9)


def test_each_direction_scores_once_it_has_read_the_whole_window() -> None:
    H, window = 5, torch.randint(7, (6, 1))
    for half in (slice(0, H), slice(H, 2 * H)):
        model = _model(7, 4, bidirectional=True, hidden_size=H)
        with torch.no_grad():
            model.output.weight[:, half] = 0  # only the other direction speaks
        for end in (0, 5):
            changed = window.clone()
            changed[end] = (window[end] + 1) % 7
            assert not torch.equal(model(window)[0], model(changed)[0])


@given(more=st.integers(0, 9), steps=st.integers(1, 6))
@settings(max_examples=10)
def test_a_model_that_reads_both_ways_writes_from_the_last_window_alone(
    more: int, steps: int
) -> None:
    options = {"bidirectional": True, "sequence_length": steps}
    model = _model(7, 4, **options)
    step = stepper(model, make(TextOptions, options), "cpu")
    ids = torch.randint(7, (more + steps,))
    scores, ((window,),) = step(ids, [])
    assert torch.equal(window, ids[more:])
    assert torch.equal(scores, step(ids[more:], [])[0])
    state: State = []
    for token in ids:  # read one at a time, it has the same window in the end
        scores_one, state = step(token[None], state)
    assert torch.equal(scores, scores_one)


@given(a=st.integers(1, 9), b=st.integers(1, 9), streams=st.integers(1, 4))
@settings(max_examples=10)
def test_two_windows_with_the_state_carried_are_one_long_window(
    a: int, b: int, streams: int
) -> None:
    model = _model(7, 2, cell=["lstm", "gru"], hidden_size=[6, 4], embedding=3)
    tokens = torch.randint(7, (a + b + 1, streams))

    def loss(start: int, stop: int, carry: Any) -> tuple[Tensor, int, Any]:
        return TASK.loss(model, (tokens[start:stop], tokens[start + 1 : stop + 1]), carry, "cpu")

    one, counted, _ = loss(0, a + b, None)
    first, _, carry = loss(0, a, None)
    second, _, _ = loss(a, a + b, carry)
    assert counted == (a + b) * streams
    torch.testing.assert_close(one, first + second)
    cold, _, _ = loss(a, a + b, None)
    assert not torch.equal(cold, second)
    assert not any(state.requires_grad for layer in carry for state in layer)


def test_a_window_has_nothing_to_carry() -> None:
    model = _model(7, 2, bidirectional=True)
    tokens = torch.randint(7, (6, 3))
    _, count, carry = TASK.loss(model, (tokens[:-1], tokens[-1]), None, "cpu")
    assert count == 3 and carry is None


@pytest.mark.parametrize("level", ["characters", "bytes", "words", "bpe"])
def test_bits_a_character_say_the_same_at_every_level(text: Path, level: str) -> None:
    data = TextData(_corpus(text, level), 0)
    total_nats = 1234.5  # for all of the text, however it is cut
    scores = scores_of(data, Loss(total_nats, data.tokens).mean)
    units = len(text.read_bytes()) if level == "bytes" else len(text.read_text(encoding="utf-8"))
    assert scores["bits"] == pytest.approx(metrics.bits_per_character(total_nats, units))
    assert scores["perplexity"] == pytest.approx(math.exp(scores["nats"]))


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("cut", [0, 3, 2000])
def test_network_and_baseline_are_scored_on_the_same_tokens(
    text: Path, windowed: bool, cut: int
) -> None:
    corpus = _corpus(text)
    options = make(
        TextOptions, {"bidirectional": windowed, "sequence_length": 5, "scored": 100}
    )  # fmt: skip
    data = TextData(corpus, cut)
    first, stop = scored(data, options)
    model = _model(corpus.vocabulary.size, 1, bidirectional=windowed, sequence_length=5)
    found = TASK.validate(model, data, options, "cpu")
    loss, rivals = found.loss, TASK.rivals(data, options, TextData(corpus, 2000))
    # All of a text that the user asks about, the beginning of a training's validation part.
    assert loss.count == stop - first == (100 if cut else data.tokens - first)
    assert first >= max(cut, 1)
    assert found.tally is not None
    for rival in rivals:
        assert rival.tally is not None
        assert (rival.tally.sums[:, 1] == found.tally.sums[:, 1]).all()
        assert rival.scores["nats"] == pytest.approx(
            float(rival.tally.score(rival.tally.sums.sum(0)))
        )
    assert [rival.guess for rival in rivals] == [False, False, True]
    assert rivals[0].scores["nats"] <= rivals[1].scores["nats"] < rivals[2].scores["nats"]


def test_tied_weights_are_one_and_must_fit(text: Path) -> None:
    model = _model(9, 0, embedding=6, tie_weights=True)
    assert model.embedding is not None and model.embedding.weight is model.output.weight
    with pytest.raises(UserError, match="give --embedding 6"):
        _model(9, 0, embedding=5, tie_weights=True)
    plan = TASK.plan(
        TextData(_corpus(text), 2700), make(TextOptions, {"tie_weights": True}), EPOCH
    )  # fmt: skip
    assert plan.options.hidden_size is not None
    assert plan.options.embedding == plan.options.hidden_size[-1]


STACKS: dict[str, dict[str, Any]] = {
    "characters": {},
    "bytes": {"level": "bytes"},
    "words": {"level": "words", "vocabulary": 9},
    "bpe": {"level": "bpe", "vocabulary": 270},
    "cleaned": {"lowercase": True, "strip_digits": True},
    "tutorial": {
        "embedding": 50, "cell": "rnn,gru", "hidden_size": "100,50", "bidirectional": "false,true",
    },
    "pangrams": {"cell": "rnn", "hidden_size": 16, "num_layers": 3},
    "different": {"cell": ["rnn-relu", "mingru", "gru-reset-before"], "hidden_size": [7, 6, 5]},
    "both ways": {"bidirectional": True, "num_layers": 2},
    "mingru": {"cell": "mingru"},
    "minlstm": {"cell": "minlstm"},
    "learned": {"initial_state": "learned"},
    "tied": {"tie_weights": True, "embedding": 5},
    "mixed": {"mix_ngram": True},
    "mixed words": {"mix_ngram": True, "level": "words"},
    "mixed windows": {"mix_ngram": True, "bidirectional": True},
    "several": {"members": 2, "num_layers": 2},
    "several mixed": {"members": 3, "mix_ngram": True},
    "several windows": {"members": 2, "bidirectional": True},
    "residual": {"residual": True, "num_layers": 2, "layer_norm": True},
    "regularised": {
        "dropout": 0.2, "input_dropout": 0.2, "locked_dropout": True, "recurrent_dropout": 0.2,
        "zoneout": 0.2, "weight_drop": 0.2, "num_layers": 2,
    },
    "regularised windows": {
        "dropout": 0.2, "input_dropout": 0.2, "locked_dropout": True, "recurrent_dropout": 0.2,
        "zoneout": 0.2, "weight_drop": 0.2, "bidirectional": True, "initial_state": "learned",
    },
}  # fmt: skip


@pytest.mark.parametrize("stack", STACKS)
def test_every_model_trains_for_an_epoch_improves_and_writes(
    stack: str, text: Path, tmp_path: Path
) -> None:
    options = {"learning_rate": 0.02, "scored": 200, "counted": 2000} | STACKS[stack]
    run = elman.train("text", text, run=tmp_path / "run", **SMALL | options)
    data = _corpus(text, run.folder.options()["text"]["level"])
    assert run.scores["nats"] < math.log(data.vocabulary.size)  # a new model knows no more
    written = run.generate("the cat ", 20, seed=1)
    assert written.startswith("the cat ") and len(written) > 8
    assert run.generate("the cat ", 20, seed=1) == written
    assert isinstance(run.model, LanguageModel)
    learned = [p for n, p in run.model.named_parameters() if "initial_" in n]
    assert bool(learned) == (run.folder.options()["text"]["initial_state"] == "learned")
    assert all(bool(p.any()) for p in learned)


PIECES = ("To be", "or", "not", "狗", "看见", "🐕", "é", "猫", "，", "。", "(", "\n")


@pytest.mark.parametrize("level", ["characters", "bytes", "words", "bpe"])
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_text_kept_anywhere_goes_on_without_a_seam(
    tmp_path: Path, level: str, pieces: list[str], data: st.DataObject
) -> None:
    vocabulary = build(level, [" ".join(PIECES) * 9], limit=262)  # so that BPE splits characters
    ids = vocabulary.encode(" ".join(["狗", *pieces, "猫"])).tolist()

    def recite(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Knows the text by heart; its state is how much of it has been read."""
        read = torch.zeros(1) if not state else state[0][0]
        read = read + len(tokens)
        next_id = torch.tensor(ids[int(read) % len(ids)])
        return F.one_hot(next_id, vocabulary.size).float(), [(read,)]

    writer, greedy = Writer(recite, vocabulary), Sampling(temperature=0)
    decoder = vocabulary.decoder()
    read = data.draw(st.integers(1, len(ids)))
    text = "".join([decoder.push(token) for token in ids[:read]])
    at = writer.start(ids[:read])
    path = tmp_path / "place"
    while at.position < len(ids):
        length = data.draw(st.integers(1, len(ids) - at.position))
        made = list(writer.write(at, length, greedy))
        text += "".join(piece for piece, _ in made)
        place.save(made[-1][1], path)
        at = place.load(path, at, "cpu")
    assert text == vocabulary.decode(ids)


@pytest.mark.parametrize("level", ["characters", "bytes", "words", "bpe"])
def test_a_trained_model_goes_on_from_a_file_without_a_seam(level: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("To be or not to be 狗看见两只猫 " * 30, encoding="utf-8")
    extra = {"vocabulary": 262} if level == "bpe" else {}
    run = elman.train("text", path, run=tmp_path / "run", **SMALL | extra, level=level)
    begin, sampling = run.read("To be"), Sampling(seed=1)
    pieces = [piece for piece, _ in run.stream(begin, 20, sampling)]
    if level == "words":
        assert pieces[0].startswith(" ")  # there are no symbols but words
    for n in (1, 7, 12):
        *_, (_, at) = run.stream(begin, n, sampling)
        run.save_state(at, tmp_path / "place")
        rest = run.stream(run.load_state(tmp_path / "place"), 20 - n, sampling)
        assert [piece for piece, _ in rest] == pieces[n:]
    assert run.generate("To be", 20, seed=1) == "To be" + "".join(pieces)


def test_the_tutorials_stack_is_what_it_says() -> None:
    model = _model(1000, 0, **STACKS["tutorial"])
    assert model.embedding is not None and model.embedding.embedding_dim == 50
    assert [cell.name for cell in model.recurrent.cell] == ["rnn", "gru"]
    assert model.recurrent.hidden_size == (100, 50)
    assert model.recurrent.bidirectional == (False, True)
    assert model.output.in_features == 100 and model.output.out_features == 1000


def test_one_hot_input_is_an_embedding_by_the_identity() -> None:
    one_hot = _model(7, 0)
    embedded = _model(7, 0, embedding=7)
    embedded.recurrent.load_state_dict(one_hot.recurrent.state_dict())
    embedded.output.load_state_dict(one_hot.output.state_dict())
    assert embedded.embedding is not None
    with torch.no_grad():
        embedded.embedding.weight.copy_(torch.eye(7))
    tokens = torch.randint(7, (5, 3))
    torch.testing.assert_close(one_hot(tokens)[0], embedded(tokens)[0])


def test_dropout_of_the_input_and_before_the_output_acts_in_training_alone() -> None:
    tokens = torch.randint(7, (5, 3))
    for options in ({"dropout": 0.5}, {"input_dropout": 0.5}):
        model = _model(7, 0, **options)
        assert torch.equal(model(tokens)[0], model(tokens)[0])
        model.train()
        assert not torch.equal(model(tokens)[0], model(tokens)[0])


def test_locked_dropout_drops_the_same_at_all_steps() -> None:
    model = _model(7, 0, input_dropout=0.5, locked_dropout=True).train()
    x = torch.ones(6, 4, 9, dtype=torch.float64)
    dropped = model._drop(x, 0.5)
    assert bool((dropped == dropped[0]).all()) and bool((dropped[0] == 0).any())


@given(
    training=st.integers(2, 40), steps=st.integers(1, 50), batch=st.integers(1, 9)
)  # fmt: skip
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_shortest_text_trains(tmp_path: Path, training: int, steps: int, batch: int) -> None:
    path = tmp_path / "short.txt"
    path.write_text(("ab" * 30)[:training], encoding="utf-8")
    options = make(TextOptions, {"sequence_length": steps, "hidden_size": 2})
    data = TASK.read([str(path)], options, 0.0)
    epoch = TASK.epoch(data, options, batch, 1, 1)
    assert len(epoch) >= 1
    x, y = epoch[0]
    assert x.shape == y.shape and 1 <= x.shape[0] <= steps and x.shape[1] <= batch


def test_a_text_too_short_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("ab", encoding="utf-8")
    with pytest.raises(UserError, match="too little text: 2 token"):
        TASK.read([str(path)], TextOptions(), 0.1)
    path.write_text("abababababab", encoding="utf-8")
    with pytest.raises(UserError, match="--sequence-length 64: the training part has only 10"):
        options = make(TextOptions, {"bidirectional": True})
        TASK.plan(TASK.read([str(path)], options, 0.1), options, EPOCH)


def test_the_chinese_sentence_is_learnt_by_heart(tmp_path: Path) -> None:
    """Plain gradient descent at 0.1, 3,000 steps, as many units as symbols, as in the tutorial."""
    path = tmp_path / "sentence.txt"
    path.write_text(SENTENCE, encoding="utf-8")
    run = elman.train(
        "text", path, run=tmp_path / "run", epochs=3000, hidden_size=len(set(SENTENCE)),
        dropout=0.0, batch_size=1, optimizer="sgd", learning_rate=0.1, schedule="constant",
        warmup=0.0, clip_norm=0.0, validation=0.0, sample=0,
    )  # fmt: skip
    assert run.generate(SENTENCE[0], len(SENTENCE) - 1, temperature=0) == SENTENCE
    _, at = elman.run.checkpoint.read(run.path / "checkpoint/state.safetensors")
    assert at["step"] == 3000 and at["units"] == 3000 * (len(SENTENCE) - 1)


def test_the_plan_leaves_what_the_user_has_chosen(text: Path) -> None:
    data = TextData(_corpus(text), 2700)
    chosen = make(
        TextOptions,
        {
            "hidden_size": 7,
            "embedding": 3,
            "tie_weights": False,
            "dropout": 0.25,
            "weight_drop": 0.5,
            "members": 1,
            "scored": 9,
            "counted": 8,
        },
    )
    budget = dataclasses.replace(EPOCH, batch_size=5, learning_rate=0.5)
    plan = TASK.plan(data, chosen, budget)
    assert plan.options == chosen
    assert (plan.batch_size, plan.learning_rate) == (5, 0.5)
    for given_budget in (EPOCH, dataclasses.replace(EPOCH, epochs=None, seconds=6.0)):
        options = TASK.plan(data, TextOptions(), given_budget).options
        assert None not in (options.hidden_size, options.embedding)
        assert None not in (options.dropout, options.weight_drop)
        assert None not in (options.scored, options.counted)


def test_cross_entropy_is_summed_over_every_prediction() -> None:
    model = _model(7, 0)
    x, y = torch.randint(7, (5, 3)), torch.randint(7, (5, 3))
    total, count, _ = TASK.loss(model, (x, y), None, "cpu")
    scores, _ = model(x)
    each = F.nll_loss(scores.log_softmax(-1).flatten(0, 1), y.flatten(), reduction="none")
    assert count == 15
    torch.testing.assert_close(total, each.sum())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("Na\u00c3\u00afve caf\u00c3\u00a9s\n" * 3, "6 garbled letters"),
        ("what was \ufffd here\n", "1 replacement character"),
        ("The very same long line.\nOne that is of its own.\n" * 9, "repeats of others"),
    ],
)
def test_the_doctor_warns_of_what_would_spoil_a_text(
    tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "text.txt"
    path.write_text(content, encoding="utf-8")
    data = TASK.read([str(path)], TextOptions(), 0.1)
    first, *others = TASK.examine(data).lines()
    assert str(path) in first
    assert any(line.startswith("WARNING: ") and told in line for line in others)


def test_the_doctor_sees_validation_text_that_was_trained_on(tmp_path: Path) -> None:
    lines = [f"Line number {k} of a text that is told." for k in range(100)]
    path = tmp_path / "text.txt"

    def warned(tail: list[str]) -> bool:
        path.write_text("\n".join(lines + tail), encoding="utf-8")
        page = TASK.examine(TASK.read([str(path)], TextOptions(), 0.1))
        return any("stand in the training part too" in warning for warning in page.warnings)

    assert warned(lines[:11])
    assert not warned([f"Another line, number {k}, at the end." for k in range(11)])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vocabulary": 50}, "--vocabulary 50: needs another --level"),
        ({"encoding": "gb18030"}, "--encoding gb18030: needs another --level"),
        ({"encoding": "nonsense", "level": "words"}, "--encoding nonsense: needs an encoding"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        make(TextOptions, {"level": "bytes", **given})


def test_a_run_reads_other_texts_as_its_own(tmp_path: Path) -> None:
    """The column and the encoding that were found are kept; what is told stands on its page."""
    content = "标签,评论\n" + "".join(f"{k % 2},味道不错，下次还来\n" for k in range(40))
    path = tmp_path / "gbk.csv"
    path.write_bytes(content.encode("gb18030"))
    data = TASK.read([str(path)], TextOptions(column="评论"), 0.1)
    facts = TASK.examine(data).facts
    assert facts[:2] == ("read as GB18030", "the text is the column 评论")
    assert data.corpus.characters == 40 * 10 - 1
    kept = data.preprocessing()
    other = tmp_path / "other.csv"
    other.write_bytes("评论\n好\n".encode("gb18030"))  # too short to tell
    unseen = TASK.unseen([str(other)], kept, BadRows(skip=False))
    assert unseen.corpus.encodings == ("gb18030",)
    with pytest.raises(UserError, match=r"preprocessing\.json"):
        kept["reading"] = {"encoding": "nonsense"}
        TASK.unseen([str(other)], kept, BadRows(skip=False))
