"""Training as the terminal shows it: a bar that moves, and what stays when it has gone by."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich.console import Console as Terminal
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from elman.apps.wrapping import wrapped

if TYPE_CHECKING:
    from elman.data.telling import Stage
    from elman.run.train import Progress

LONGEST_LINE = 600  # characters of a warning or an error
EVERY = 60.0  # seconds between two lines that tell how far a reading is


class Console:
    """Listens to the progress of a run and tells it on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._terminal = Terminal(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[told]}"),
            console=self._terminal,
            transient=True,
            disable=not self._terminal.is_terminal,
        )
        self._warned = False  # that nothing is validated
        self._read = -EVERY  # when a stage of reading was told last
        self._task = self._bar.add_task("training", total=1.0, told="")

    def __enter__(self) -> Console:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._bar.stop()

    def say(self, line: str) -> None:
        """A line that stays, broken where a terminal needs it."""
        self._terminal.print(Text(self._fitted(line)))

    def _fitted(self, line: str, indent: str = "") -> str:
        width = self._terminal.width - len(indent)
        lines = wrapped(line, width) if self._terminal.is_terminal else [line]
        return "\n".join(indent + one for one in lines)

    def read(self, stage: Stage) -> None:
        """Move the bar while data is read; without a terminal, a line a minute."""
        if self._terminal.is_terminal:
            self._bar.update(
                self._task, completed=stage.share, description=stage.what, told=stage.told
            )
        elif time.monotonic() >= self._read + EVERY:
            self._read = time.monotonic()
            self.say(str(stage))

    def listen(self, event: Progress) -> None:
        """Move the bar, or tell a validation and show the sample."""
        if event.split == "train":
            left = event.seconds * (1 - event.share) / event.share if event.share > 0 else 0.0
            told = f"loss {event.loss:.3f}  {_short(event.units_per_second)}/s  {_time(left)} left"
            if self._terminal.width < 60:
                told = f"{event.loss:.3f}  {_time(left)}"
            self._bar.update(
                self._task,
                completed=event.share,
                description=f"epoch {event.epoch + 1}",
                told=told,
            )
            return
        name = next(iter(event.scores), None)
        told = f"epoch {event.epoch + 1}  step {event.step:,}  {_time(event.seconds)}"
        if name is not None:
            told += f"  validation {name.replace('_', ' ')} {event.scores[name]:.4f}"
            told += "  best so far" if event.best else ""
        elif not self._warned:
            self._warned = True
            self.say("no validation part: the latest weights are kept")
        if name is not None or event.sample:
            self.say(told)
        if event.sample:
            lines = map(_printable, event.sample.splitlines())
            shown = "\n".join(self._fitted(line.expandtabs(4), "    ") for line in lines)
            self._terminal.print(Text(shown, style="dim"))


class Passing:
    """Lines that stay, and on a terminal one below them that passes by.

    It moves only when told: a display with a clock of its own would take time from what is
    measured.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._moves = out.isatty() and sys.stderr.isatty()
        self.width = shutil.get_terminal_size().columns if out.isatty() else 80

    def pass_by(self, line: str) -> None:
        if self._moves:
            print(f"\r\x1b[K{line[: self.width - 1]}", end="", file=sys.stderr, flush=True)

    def say(self, *lines: str) -> None:
        self.pass_by("")
        for line in lines:
            print(line, file=self._out, flush=True)


def warn(line: str) -> None:
    """One line on standard error, whatever a stranger's file put into it."""
    one = " ".join(line.split())
    if len(one) > LONGEST_LINE:
        one = f"{one[: LONGEST_LINE // 2]} … {one[-LONGEST_LINE // 2 :]}"
    told = f"elman: {_printable(one)}"
    lines = wrapped(told, shutil.get_terminal_size().columns) if sys.stderr.isatty() else [told]
    print("\n".join(lines), file=sys.stderr)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def _short(number: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"


def _time(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
