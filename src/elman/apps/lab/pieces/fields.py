"""Fields made from a class of options, as flags are: one for each, its help below it.

What is left empty is not given, so that the command chooses it from the data and the time.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from nicegui import ui

from elman.apps.lab.words import helps

Named = Callable[[str], str]


@dataclasses.dataclass(frozen=True)
class Fields:
    """What the visitor may set; texts as the command line takes them."""

    made: Mapping[str, Any]

    def given(self) -> dict[str, str]:
        """The options that were set, by name."""
        found = {}
        for name, field in self.made.items():
            value = field.value
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if value is True:
                found[name] = "true"
            elif value is not None and value is not False and str(value).strip():
                found[name] = str(value).strip()
        return found


def fields(
    kind: type[Any], names: Sequence[str], language: str, named: Named = lambda name: name
) -> Fields:
    """Fields for these options of a class, their help in a language; `named` gives their labels."""
    hints, told = typing.get_type_hints(kind), helps(language, kind)
    made = {}
    with ui.element("div").classes("lab-fields"):
        for option in dataclasses.fields(kind):
            if option.name in names:
                with ui.element("div"):
                    made[option.name] = _field(named(option.name), hints[option.name], option)
                    ui.label(told.get(option.name, "")).classes("lab-help")
    return Fields(made)


def names_of(kind: type[Any], without: Iterable[str]) -> list[str]:
    """The options of a class but for some."""
    out = set(without)
    return [field.name for field in dataclasses.fields(kind) if field.name not in out]


def _field(label: str, hint: Any, option: dataclasses.Field[Any]) -> Any:
    plain = _without_none(hint)
    default = option.default
    shown = "" if default in (None, dataclasses.MISSING, False) else _told(default)
    if typing.get_origin(plain) is Literal:
        made: Any = ui.select(list(typing.get_args(plain)), label=label, clearable=True)
    elif plain is bool:
        return ui.switch(label, value=default is True)
    elif plain in (int, float):
        made = ui.number(label=label, placeholder=shown)
    else:
        made = ui.input(label=label, placeholder=shown)
    return made.props("outlined dense stack-label").classes("w-full")


def _told(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(a for a in typing.get_args(hint) if a is not types.NoneType)
    return hint
