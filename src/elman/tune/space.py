"""What is varied: an `Axis` an option, written as `hidden_size=64..512:log` or `cell=lstm|gru`."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from elman import tasks
from elman.errors import UserError, unknown_name
from elman.options import Range, plain, ranges
from elman.run.options import TrainOptions, by_own_name, parse

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

# Options of training that say what a run is, not how it learns.
NO_SETTINGS = frozenset(
    {"run", "force", "minutes", "epochs", "validation", "refit", "seed", "device", "threads",
     "sample", "save_every", "track"}
)  # fmt: skip
CELLS = ("lstm", "gru", "mingru")
SHARE = 0.6  # up to which shares are searched if nothing is said
WAYS = {  # from which part to how many times of what the plan chose
    "learning_rate": (0.2, 5.0),
    "hidden_size": (0.25, 2.0),
}
OTHERS = (0.5, 2.0)


@dataclass(frozen=True)
class Axis:
    """An option and its values: one of `choices`, or a number from `low` to `high`."""

    name: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False  # as likely from 10 to 20 as from 20 to 40
    whole: bool = False

    def text(self) -> str:
        """As it is written on a command line."""
        if self.choices:
            return f"{self.name}={'|'.join(self.choices)}"
        return f"{self.name}={self.low:.12g}..{self.high:.12g}{':log' if self.log else ''}"

    def holds(self, value: object) -> bool:
        if self.choices:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high

    def distribution(self) -> BaseDistribution:
        """The same for Optuna."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def suggested(self, trial: Trial) -> str | float:
        """The value that the trial has, or is given now."""
        if self.choices:
            return str(trial.suggest_categorical(self.name, self.choices))
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)


def parsed(task: str, text: str) -> tuple[Axis, ...]:
    """The axes of `--search`. UserError: an option that is unknown, or values that do not fit."""
    axes = [_axis(task, part.strip()) for part in text.split(",") if part.strip()]
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--search: {name} twice; give it once")
    return tuple(axes)


def _axis(task: str, text: str) -> Axis:
    name, _, values = (part.strip() for part in text.partition("="))
    name = name.lstrip("-").replace("-", "_")
    name = next(iter(by_own_name(task, {name: None})))
    hints = _hints(task)
    if name in NO_SETTINGS:
        raise UserError(f"--search {name}: is alike for all trials; search another option")
    if name not in hints:
        raise unknown_name("option in --search", name, sorted(hints.keys() - NO_SETTINGS))
    hint = _one(hints[name])
    if not values:
        return _whole_range(name, hint, task)
    try:
        if "|" in values:
            return _choices(task, name, values)
        low, dots, rest = values.partition("..")
        if not dots:
            raise UserError("one value; give LOW..HIGH or A|B, or the option's own flag")
        high, _, scale = rest.partition(":")
        return _range(task, name, hint, low, high, scale)
    except UserError as error:
        raise UserError(f"--search {text}: {error}") from None


def _choices(task: str, name: str, values: str) -> Axis:
    choices = tuple(value.strip() for value in values.split("|"))
    for value in choices:
        if not value or choices.count(value) > 1:
            raise UserError(f"{value} twice" if value else "a choice that is empty")
        _fits(task, name, value)
    return Axis(name, choices)


def _range(task: str, name: str, hint: Any, low: str, high: str, scale: str) -> Axis:
    if hint not in (int, float):
        raise UserError("is no number; give choices, A|B")
    if scale not in ("", "log"):
        raise UserError(f":{scale}: needs :log or nothing")
    ends = [_number(hint, end) for end in (low, high)]
    if not ends[0] < ends[1]:
        raise UserError("an empty range; LOW has to be below HIGH")
    for end in ends:
        _fits(task, name, str(end))
    if scale and ends[0] <= 0:
        raise UserError("on a log scale LOW has to be above 0")
    return Axis(name, (), ends[0], ends[1], bool(scale), hint is int)


def _number(hint: Any, text: str) -> float:
    kind = "whole number" if hint is int else "number"
    try:
        value: float = hint(text)
    except ValueError:
        raise UserError(f"{text or 'nothing'}: needs a {kind}") from None
    if not math.isfinite(value):
        raise UserError(f"{text}: needs a number that is finite")
    return value


def _fits(task: str, name: str, value: str) -> None:
    """UserError where the option itself refuses the value."""
    parse(task, {name: value})


def _whole_range(name: str, hint: Any, task: str) -> Axis:
    """All that an option takes, where no values are said."""
    choices = _all_choices(name, hint)
    own = _ranges(task).get(name)
    if choices:
        return Axis(name, choices)
    if own is None:
        raise UserError(f"--search {name}: which values? give {name}=LOW..HIGH or {name}=A|B")
    high = _top(own)
    low = own.low
    wide = low > 0 and high / low > 100
    return Axis(name, (), low, high, wide, hint is int)


def usual(task: str, settled: Mapping[str, Any], taken: Iterable[str]) -> list[Axis]:
    """What is varied if nothing is said, around what a plan settled; but for those `taken`."""
    hints, own = _hints(task), _ranges(task)
    found = []
    for name in tasks.searched(task):
        value = alone(settled.get(name))
        if name not in taken and value is not None:
            axis = _around(name, _one(hints[name]), value, own.get(name))
            found += [] if axis is None else [axis]
    return found


def _around(name: str, hint: Any, value: Any, own: Range | None) -> Axis | None:
    """The axis that goes to both sides of a value; None where there is none."""
    if choices := _all_choices(name, hint):
        return Axis(name, choices if value in choices else (str(value), *choices))
    if own is None or isinstance(value, str):
        return None
    if (own.low, own.high, own.open_end) == (0, 1, True):
        return Axis(name, (), 0.0, max(SHARE, value))
    if name == "num_layers":
        return Axis(name, (), 1, max(2, value), whole=True)
    if value <= own.low:
        return None
    least, most = WAYS.get(name, OTHERS)
    low, high = max(least * value, own.low), min(most * value, _top(own))
    if hint is int:
        low, high = max(1, round(low)), max(2, round(high))
    if own.low == 0 and name not in WAYS:
        return Axis(name, (), 0.0, high, whole=hint is int)
    return Axis(name, (), low, high, log=True, whole=hint is int)


def _top(own: Range) -> float:
    """The largest number of a range: with an open end, one well below it."""
    return own.high - 0.05 * (own.high - own.low) if own.open_end else own.high


def _all_choices(name: str, hint: Any) -> tuple[str, ...]:
    if name == "cell":
        return CELLS
    if hint is bool:
        return ("false", "true")
    if typing.get_origin(hint) is Literal:
        return tuple(typing.get_args(hint))
    return ()


def alone(value: Any) -> Any:
    """What is one for all layers, as one; choices as the texts of a command line."""
    if isinstance(value, list | tuple):
        value = value[0] if value and all(item == value[0] for item in value) else None
    return str(value).lower() if isinstance(value, bool) else value


def settled_values(options: Any, how: TrainOptions) -> dict[str, Any]:
    """The settled options of a task and of its training by name, plain."""
    return plain(how) | plain(options)


def _hints(task: str) -> dict[str, Any]:
    return typing.get_type_hints(TrainOptions) | typing.get_type_hints(tasks.options(task))


def _ranges(task: str) -> dict[str, Range]:
    return ranges(TrainOptions) | ranges(tasks.options(task))


def _one(hint: Any) -> Any:
    """The type of one value: without None, and of a list that of its items."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(a for a in typing.get_args(hint) if a is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        return _one(typing.get_args(hint)[0])
    return hint
