"""Curves over time, updated in place: one chart as long as the tab is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nicegui import ui

from elman.apps.lab.pieces import shade
from elman.apps.lab.pieces.explained import tell

BLUE, ORANGE, GREY = "#3b82c4", "#d9780f", "#8a8f98"  # told apart by the colour-blind too
MOST = 300  # points of a curve that are drawn
FEW = 10  # points that are marked one by one
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A curve; `right` hangs it on the axis at the right, `dashed` is for what is compared with."""

    name: str
    colour: str
    dashed: bool = False
    right: bool = False


class Curves:
    """A chart of a few lines, x and y with their units."""

    def __init__(
        self, lines: Sequence[Line], x: str, y: str, right: str = "", *, log: bool = False
    ) -> None:
        axes = [_axis(y, "left") | ({"type": "log"} if log else {})]
        if right:
            axes.append(_axis(right, "right") | {"splitLine": {"show": False}})
        self._chart = ui.echart(
            {
                "animation": False,
                "grid": {
                    "left": 8, "right": 16, "top": 60, "bottom": 8,
                    "outerBounds": {"left": 8, "right": 16, "top": 8, "bottom": 4},
                },
                "legend": {**shade.LEGEND, "data": [line.name for line in lines]},
                # As HTML, which is the default, names from data would be markup.
                "tooltip": {"trigger": "axis", "renderMode": "richText", "confine": True},
                "xAxis": {
                    "type": "value", "name": x, "nameLocation": "middle", "nameGap": 26,
                    "scale": True, "axisLabel": {**shade.TEXT, "hideOverlap": True},
                    "nameTextStyle": shade.TEXT, "splitLine": {"show": False},
                },
                "yAxis": axes,
                "series": [_series(line) for line in lines],
            }
        ).classes("lab-chart")  # fmt: skip

    def show(self, points: Sequence[Sequence[Point]], words: str) -> None:
        """Draw these points, one sequence for each line, and say `words` to who cannot see them."""
        shown = [[[_short(x), _short(y)] for x, y in thinned(line)] for line in points]
        series = self._chart.options["series"]
        if shown != [one["data"] for one in series]:
            for one, data in zip(series, shown, strict=True):
                one["data"] = data
                one["showSymbol"] = len(data) <= FEW
            self._chart.update()
        tell(self._chart, words)


def thinned(points: Sequence[Point], most: int = MOST) -> list[Point]:
    """At most so many points: means of neighbours, the last one as it is."""
    if len(points) <= most:
        return list(points)
    size = -(-(len(points) - 1) // (most - 1))
    groups = [points[k : min(k + size, len(points) - 1)] for k in range(0, len(points) - 1, size)]
    means = [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]
    return [*means, points[-1]]


def _short(number: float) -> float:
    """What can be seen of a number in a picture, so that less is sent."""
    return float(f"{number:.5g}")


def _axis(name: str, side: str) -> dict[str, object]:
    return {
        "type": "value", "name": name, "scale": True,
        "nameTextStyle": {**shade.TEXT, "align": side},
        "axisLabel": shade.TEXT, "splitLine": shade.SPLIT,
    }  # fmt: skip


def _series(line: Line) -> dict[str, object]:
    return {
        "name": line.name, "type": "line", "data": [], "showSymbol": False,
        "yAxisIndex": int(line.right), "itemStyle": {"color": line.colour},
        "lineStyle": {"width": 2, "type": "dashed" if line.dashed else "solid"},
    }  # fmt: skip
