"""What is varied: read as it is written, within what the options themselves take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman import tasks
from elman.errors import UserError
from elman.options import ranges
from elman.run.options import TrainOptions, parse
from elman.tune.options import TuneOptions, asked
from elman.tune.space import alone, parsed, usual

ENDS = st.integers(1, 16_384)


@given(ENDS, ENDS, st.booleans())
def test_an_axis_is_read_as_it_is_written(low: int, high: int, log: bool) -> None:
    text = f"hidden_size={low}..{high}" + (":log" if log else "")
    if low >= high:
        with pytest.raises(UserError, match="empty range"):
            parsed("text", text)
        return
    (axis,) = parsed("text", text)
    assert (axis.low, axis.high, axis.log, axis.whole, axis.text()) == (low, high, log, True, text)
    assert axis.holds(low) and axis.holds(high) and not axis.holds(high + 1)
    assert parsed("text", axis.text()) == (axis,)


def test_several_options_in_one_text() -> None:
    axes = parsed("text", "hidden_size=64..512:log, dropout=0..0.6,cell=lstm|gru|mingru")
    assert [axis.name for axis in axes] == ["hidden_size", "dropout", "cell"]
    assert axes[2].choices == ("lstm", "gru", "mingru") and not axes[1].whole


def test_an_option_without_values_takes_its_own_range() -> None:
    dropout, cells, tied = parsed("text", "dropout,cell,tie_weights")
    own = ranges(tasks.options("text"))["dropout"]
    assert own.low <= dropout.low and own.holds(dropout.high)
    assert "lstm" in cells.choices and tied.choices == ("false", "true")


@pytest.mark.parametrize("task", tasks.names())
def test_what_is_searched_if_nothing_is_said_are_options_that_take_both_ends(task: str) -> None:
    options, how = parse(task, {"hidden_size": 96, "dropout": 0.3, "learning_rate": 0.004})
    settled = {name: getattr(how, name) for name in ("learning_rate",)} | {
        "batch_size": 24, "token_dropout": 0.1, "label_smoothing": 0.1, "jitter": 0.05,
        "warping": 0.2, "look_back": 48, "num_layers": 1, "cell": options.cell,
        "hidden_size": options.hidden_size, "dropout": options.dropout,
    }  # fmt: skip
    axes = usual(task, settled, ())
    assert [axis.name for axis in axes] == list(tasks.searched(task))
    for axis in axes:
        assert axis.holds(alone(settled[axis.name]))  # the default lies on its axis
        for value in axis.choices or (axis.low, axis.high):
            parse(task, {axis.name: int(value) if axis.whole else value})  # nothing is refused


def test_ranges_are_those_that_the_options_check() -> None:
    for name, own in ranges(TrainOptions).items():
        above = {name: own.high + 1} if name != "minutes" else {name: own.high * 2}
        with pytest.raises(UserError):
            parse("text", above)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("hiden_size=1..2", 'did you mean "hidden_size"'),
        ("dropout=0.6..0.5", "empty range"),
        ("dropout=0.5..0.5", "empty range"),
        ("dropout=0..1", "below 1"),
        ("hidden_size=1.5..3", "whole number"),
        ("cell=lstm|gur", 'did you mean "gru"'),
        ("cell=lstm|lstm", "lstm twice"),
        ("dropout=0.3", "give LOW..HIGH"),
        ("dropout=0..0.5:log", "above 0"),
        ("dropout=0..0.5:lin", "needs :log"),
        ("dropout=nan..0.5", "finite"),
        ("dropout=0..x", "needs a number"),
        ("cell=1..2", "no number"),
        ("seed=1..5", "alike for all trials"),
        ("dropout=0..0.1,dropout=0..0.2", "twice"),
        ("cell=lstm|", "empty"),
    ],
)
def test_what_does_not_fit_is_told(search: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parsed("text", search)


def test_an_option_is_given_or_searched_for_not_both() -> None:
    how = TuneOptions(search="dropout=0..0.5")
    with pytest.raises(UserError, match="--dropout: is what is searched for"):
        asked("text", (), {"dropout": 0.1}, how)
