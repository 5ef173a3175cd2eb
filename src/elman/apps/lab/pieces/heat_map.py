"""Numbers of many units over many steps as colours, drawn and moved in the browser.

The numbers are sent once, a byte each; moving, enlarging and reading off happen in heat_map.js.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nicegui.element import Element
from nicegui.events import GenericEventArguments
from numpy.typing import NDArray

from elman.apps.lab.words import Say

LEVELS = 255  # steps of colour between the lowest and the highest value
WORDS = ("unit", "step", "closer", "further", "whole", "keys", "stretch")


@dataclass(frozen=True, eq=False)
class Quantised:
    """Values [T, U] as bytes [U, T]: `low + byte / 255 * (high - low)`."""

    bytes: NDArray[np.uint8]
    low: float
    high: float


def quantised(values: NDArray[np.floating], low: float, high: float) -> Quantised:
    """Values [T, U] to the nearest of 256 levels; those outside take the end that is nearer."""
    with np.errstate(invalid="ignore"):
        share = (np.asarray(values, np.float64) - low) / ((high - low) or 1.0)
    levels = np.rint(np.nan_to_num(share).clip(0, 1) * LEVELS).astype(np.uint8)
    return Quantised(np.ascontiguousarray(levels.T), float(low), float(high))


def limits(values: NDArray[np.floating]) -> tuple[float, float]:
    """From what to what the colours go: 0 to 1 for gates, -1 to 1 for what tanh squashes, and for
    anything wider the same on both sides of zero."""
    lowest, highest = float(np.min(values)), float(np.max(values))
    if lowest >= 0:
        return 0.0, max(1.0, highest)
    widest = max(1.0, -lowest, highest)
    return -widest, widest


class HeatMap(Element, component="heat_map.js"):
    """A picture of values [T, U], steps to the right and units downwards.

    `on_point(step, unit)` is told where the visitor's mark stands, `on_stretch(start, stop)` which
    steps were chosen (Shift and drag, or Shift and arrows), `stop` not among them.
    """

    def __init__(
        self,
        say: Say,
        on_point: Callable[[int, int], Any] | None = None,
        on_stretch: Callable[[int, int], Any] | None = None,
    ) -> None:
        super().__init__()
        self.props["words"] = {word: say(f"frame.map_{word}") for word in WORDS}
        self.size = 0, 0  # steps and units
        self._shown: tuple[Any, ...] | None = None
        if on_point is not None:
            self.on("point", lambda event: self._told(event, on_point, (0, 0)))
        if on_stretch is not None:
            self.on("stretch", lambda event: self._told(event, on_stretch, (0, 1)))
        self.on("ready", self._send)

    def show(
        self, values: NDArray[np.floating], steps: Sequence[str], words: str,
        units: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Draw values [T, U]; `steps` are what each step read, `units` names of units other than
        their numbers, `words` what the picture says to who cannot see it."""
        found = quantised(values, *limits(values))
        self.size = values.shape[0], values.shape[1]
        coded = base64.b64encode(found.bytes.tobytes()).decode("ascii")
        self._shown = (coded, *self.size, found.low, found.high, list(steps), list(units), words)
        self._send()

    def outline(self, stretches: Sequence[tuple[int, int]]) -> None:
        """Frame these steps, each from a start up to a stop."""
        self.run_method("outline", [list(one) for one in stretches])

    def _send(self) -> None:
        if self._shown is not None:
            self.run_method("show", *self._shown)

    def _told(
        self, event: GenericEventArguments, do: Callable[[int, int], Any], least: tuple[int, int]
    ) -> Any:
        """Numbers from the browser, which may be anything."""
        given, (T, U) = event.args, self.size
        if isinstance(given, list) and [type(n) for n in given] == [int, int]:
            one, other = given
            if least == (0, 0) and 0 <= one < T and 0 <= other < U:
                return do(one, other)
            if least == (0, 1) and 0 <= one < other <= T:
                return do(one, other)
        return None
