"""Texts of charts, in the colour that texts beside them have, light or dark.

A chart is drawn on a canvas, which styles do not reach: the colour is read off the page when a
chart gets its options, and told anew by shade.js when the page's shade changes.
"""

from __future__ import annotations

from pathlib import Path

FOLLOW = (Path(__file__).parent / "shade.js").read_text(encoding="utf-8")
FAINT = "getComputedStyle(document.body).getPropertyValue('--lab-faint')"
TEXT = {":color": FAINT}
SPLIT = {"lineStyle": {"color": "#8a8f9844"}}
AXIS = {"axisLabel": TEXT, "nameTextStyle": TEXT, "splitLine": SPLIT}
# On one line, to be paged through where it is too long: more would lie over what is below it.
LEGEND = {
    "type": "scroll", "top": 0, "textStyle": TEXT, "pageTextStyle": TEXT, ":pageIconColor": FAINT,
}  # fmt: skip
