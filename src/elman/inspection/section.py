"""A section of the page: one question asked of a network, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from elman.inspection.subject import Subject
from elman.probe.measured import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Found:
    """What a section found.

    `findings` are sentences that tell most, with the sample's size and spread; they stand at the
    top of the page too. `lines` are further lines of Markdown. `draw` makes its picture; it is
    called only where matplotlib is installed, and loads it itself.
    """

    findings: list[str]
    lines: list[str] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    draw: Callable[[], Figure] | None = None
    caption: str = ""  # what the picture shows, in words


@dataclass(frozen=True)
class Section:
    """A question. `find` answers it within `subject.seconds`; None where it makes no sense.

    `name` is that of the picture, inspect-NAME.png; `share` says how much of the time it may have
    beside the others; sections come by `order`.
    """

    name: str
    title: str
    order: int
    share: float
    find: Callable[[Subject], Found | None]
