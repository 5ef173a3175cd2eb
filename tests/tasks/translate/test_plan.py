"""What is planned for pairs: sizes by the time, what is dropped by how often pairs are seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.tasks import pace
from elman.tasks.task import Budget
from elman.tasks.translate.data import Paired, guessed, pieces
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.plan import MEMBERS, PASSES, dropout, passes
from elman.tasks.translate.task import TASK


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Paired:
    file = tmp_path_factory.mktemp("pairs") / "a.tsv"
    rows = [f"a{k % 17} b{k % 13} c{k % 7} .\tx{k % 13} y{k % 17} z .\n" for k in range(200)]
    file.write_text("source\ttarget\n" + "".join(rows), encoding="utf-8")
    return TASK.read([str(file)], TranslateOptions(level="words"), 0.1)


def test_the_more_time_the_larger_the_network(
    data: Paired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "epoch_seconds", lambda *_: 10.0)
    found = []
    for seconds in (1.0, 90.0, 1000.0):
        planned = TASK.plan(data, TranslateOptions(), Budget(seconds, None, None, None, "cpu"))
        options = planned.options
        assert options.hidden_size and options.embedding and options.dropout is not None
        found.append((options.hidden_size[0], options.embedding, options.dropout))
        assert planned.passes == PASSES[1]
    assert found == sorted(found) and found[0][0] < found[-1][0]
    assert found[0][2] < found[1][2]  # seen a tenth of a time, and nine times
    in_epochs = TASK.plan(data, TranslateOptions(), Budget(None, 12, None, None, "cpu"))
    assert in_epochs.options.hidden_size == (found[-1][0],)


def test_what_is_asked_for_is_kept(data: Paired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "epoch_seconds", lambda *_: 10.0)
    asked = TranslateOptions(
        hidden_size=(9,), embedding=5, dropout=0.4, token_dropout=0.2, label_smoothing=0.0,
        shortlist=7, attention="additive",
    )  # fmt: skip
    planned = TASK.plan(data, asked, Budget(60.0, None, 3, 1e-4, "cpu"))
    for name in (
        "embedding",
        "dropout",
        "token_dropout",
        "label_smoothing",
        "shortlist",
        "attention",
    ):
        assert getattr(planned.options, name) == getattr(asked, name)
    assert (planned.batch_size, planned.learning_rate) == (3, 1e-4)
    assert planned.options.decoder_hidden_size is None  # as many as the encoder's


def test_as_many_networks_as_have_the_time_for_all_passes(
    data: Paired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "epoch_seconds", lambda *_: 10.0)
    each = 10.0 * PASSES[1]  # seconds that one network wants
    for room, members in ((0.2, 1), (1.9, 1), (2.1, 2), (3.5, 3), (1000.0, MEMBERS)):
        budget = Budget(room * each, None, None, None, "cpu")
        planned = TASK.plan(data, TranslateOptions(), budget)
        assert planned.options.members == members
        assert planned.why.startswith(f"{members} times ") == (members > 1)
        asked = TASK.plan(data, TranslateOptions(members=5), budget)
        assert asked.options.members == 5
    in_epochs = TASK.plan(data, TranslateOptions(), Budget(None, 90, None, None, "cpu"))
    assert in_epochs.options.members == 1


@given(fewer=st.integers(1, 10**9), more=st.integers(1, 10**9))
def test_the_less_data_the_more_passes_and_the_more_is_dropped(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    assert PASSES[0] <= passes(more) <= passes(fewer) <= PASSES[1]
    for units in (128, 512):
        assert 0 < dropout(units, passes(more)) <= dropout(units, passes(fewer)) <= 0.3
    assert dropout(128, passes(more)) <= dropout(512, passes(more))


def test_many_running_texts_of_rare_words_are_read_in_pieces() -> None:
    rare = [f"the {k:05d}x of the b{k * 7919} was there" for k in range(3000)]
    assert guessed(rare) == "bpe"
    assert guessed(rare[:500]) == "characters"  # too few to learn pieces from
    assert guessed([f"w{k}x" for k in range(3000)]) == "characters"  # words, no texts
    assert guessed([f"in the year {k} it was" for k in range(3000)]) == "characters"  # digits
    assert guessed([f"the w{k % 50} of the b{k % 70} was there" for k in range(3000)]) == "words"
    assert pieces(rare[:10]) < pieces(rare * 20) <= 16_000
