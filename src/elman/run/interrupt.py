"""Ctrl-C between two steps, never within one: the state that is kept is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupt:
    """While entered, the first SIGINT or SIGTERM only sets `asked`; a second one ends at once.

    Where signals come more than `once`, as under torchrun, those after the first are nothing new.
    """

    def __init__(self, *, once: bool = True) -> None:
        self.asked, self._once = False, once
        self._old: dict[int, object] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for number, handler in self._old.items():
            if self.asked and not self._once:
                handler = signal.SIG_IGN
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and self._once:
            raise KeyboardInterrupt
        self.asked = True
