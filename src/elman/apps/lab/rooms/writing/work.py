"""Something that is made in steps, in a thread of its own, until it ends or somebody stops it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import final

from elman.errors import ElmanError, RunError


@final
class Work:
    """Goes through `steps`, holding `lock`, that of the model, during each of them.

    `error` is what went wrong, with a line for the user; None where nothing did.
    """

    def __init__(self, steps: Iterable[object], lock: threading.Lock) -> None:
        self.error: ElmanError | None = None
        self._steps, self._lock = iter(steps), lock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="elman-writing", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """End after the step that is being made."""
        self._stopped.set()

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended, or so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                with self._lock:
                    if next(self._steps, self) is self:
                        return
        except ElmanError as error:
            self.error = error
        except OSError as error:
            self.error = RunError(str(error))
