"""Answers on a page: tables, curves, bands, and where attention looked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nicegui import ui

from elman.apps.lab.frame import printed
from elman.apps.lab.page import Page
from elman.apps.lab.pieces import shade
from elman.apps.lab.rooms.writing.answers import Curve, Forecast, Told

BLUE, ORANGE = "#2f7fc1", "#d55e00"
MOST_COLUMNS = 30


def table(page: Page, answers: Told, name: str) -> None:
    """The rows with their answers, and the file that has them all."""
    say = page.say
    if answers.left_out:
        with printed(say, "elman predict"):
            for line in answers.left_out[:10]:
                ui.label(line).classes("lab-warns")
    if answers.columns:
        columns = [
            {"name": str(k), "label": column, "field": str(k), "align": "left"}
            for k, column in enumerate(answers.columns[:MOST_COLUMNS])
        ]
        rows = [
            {"key": n, **{str(k): shown(row.get(c)) for k, c in enumerate(answers.columns)}}
            for n, row in enumerate(answers.rows)
        ]
        made = ui.table(columns=columns, rows=rows, row_key="key", pagination=10)
        made.classes("w-full").props('dense flat bordered role="group"')
        made.props["aria-label"] = say("writing.answers")
    else:
        text = answers.file.decode(errors="replace")[:5_000]
        ui.label(text).classes("lab-text lab-mono")
    ui.button(
        say("writing.download"), on_click=lambda: ui.download(answers.file, name + answers.ending)
    ).props("outline no-caps")


def shown(cell: Any) -> str:
    """A cell as people read it."""
    text = "" if cell is None else str(cell)
    return text if len(text) <= 300 else text[:299] + "…"


def sure(page: Page, probability: float) -> None:
    """A probability as a bar and in words."""
    told = page.say("writing.sure", percent=f"{100 * probability:.1f}")
    bar = ui.linear_progress(probability, show_value=False, size="10px").classes("w-64")
    bar.props(f'aria-label="{told}"')
    ui.label(told)


def curves(page: Page, told: Sequence[Curve]) -> None:
    """What was told of each target, beside what stands in the data."""
    for curve in told:
        told_name, true_name = page.say("writing.told"), page.say("writing.true")
        series = [line(told_name, curve.predicted, ORANGE)]
        if curve.true:
            series.insert(0, line(true_name, curve.true, BLUE))
        steps = list(range(1, len(curve.predicted) + 1))
        label = page.say("writing.curve_label", name=curve.name, steps=len(steps))
        picture(
            label, page.say("writing.curve_what"), chart(steps, series, page.say("writing.step"))
        )


def forecast(page: Page, one: Forecast) -> None:
    """A series, how it goes on, and within which bounds."""
    say, past = page.say, [None] * len(one.values)
    series = [line(say("writing.past"), one.values, BLUE)]
    for name, low, high in one.bands:
        lower: list[float | None] = [*past, *low]
        wide = [*past, *(b - a for a, b in zip(low, high, strict=True))]
        common = {"type": "line", "symbol": "none", "stack": name, "stackStrategy": "all"}
        series.append({**common, "data": lower, "lineStyle": {"opacity": 0}, "silent": True})
        series.append({
            **common, "name": name, "data": wide, "lineStyle": {"opacity": 0},
            "areaStyle": {"color": ORANGE, "opacity": 0.22}, "itemStyle": {"color": ORANGE},
        })  # fmt: skip
    series.append(line(say("writing.forecast"), [*past, *one.forecast], ORANGE))
    label = say("writing.forecast_label", name=one.name, steps=len(one.ahead))
    options = chart([*one.times, *one.ahead], series, say("writing.time"))
    start = max(0.0, 100 - 100 * 6 * len(one.ahead) / max(len(one.values), 1))
    options["dataZoom"] = [
        {"type": "inside", "start": start},
        {"type": "slider", "start": start, "textStyle": shade.TEXT},
    ]
    options["grid"]["bottom"] = 104
    picture(label, say("writing.forecast_what"), options)


def picture(title: str, what: str, options: dict[str, Any]) -> None:
    """A chart with its title, which is also what a screen reader is told, and what it shows."""
    ui.label(title).classes("font-bold")
    made = ui.echart(options).classes("w-full").style("height: 320px")
    made.props["role"], made.props["aria-label"] = "img", title
    ui.label(what).classes("lab-faint")


def line(name: str, values: Sequence[float | None], colour: str) -> dict[str, Any]:
    """A line of values; what is no number is a gap."""
    data = [None if v is None or not math.isfinite(v) else round(v, 6) for v in values]
    style = {"color": colour, "width": 2}
    return {
        "type": "line", "name": name, "data": data, "symbol": "none", "lineStyle": style,
        "itemStyle": {"color": colour},
    }  # fmt: skip


def chart(xs: Sequence[object], series: list[dict[str, Any]], axis: str) -> dict[str, Any]:
    """Lines over a common axis, readable on light and dark."""
    named = [one["name"] for one in series if "name" in one]
    return {
        "animation": False,
        "legend": {**shade.LEGEND, "data": named},
        "tooltip": {"trigger": "axis", "renderMode": "richText"},
        "grid": {"left": 56, "right": 16, "top": 36, "bottom": 44},
        "xAxis": {
            "type": "category", "data": [str(x) for x in xs], "name": axis,
            "nameLocation": "middle", "nameGap": 28, **shade.AXIS,
        },
        "yAxis": {
            "type": "value", "scale": True, **shade.AXIS,
        },
        "series": series,
    }  # fmt: skip
