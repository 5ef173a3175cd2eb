"""A process that works on a comparison: `python -m elman.comparison.worker FOLDER SEEDS`.

It stops, so that its run can be gone on with, when its standard input is closed: whoever started it
has then ended. What is wrong is told in the last line of standard error.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from elman.comparison import place, work
from elman.comparison.processes import INTERRUPTED
from elman.errors import ElmanError


def main(path: Path, seeds: int) -> int:
    """Work until nothing is left; the exit status."""
    threading.Thread(target=_stop_when_left, daemon=True).start()
    try:
        work.complete(place.read(path), seeds, lambda line: None)
    except ElmanError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _stop_when_left() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
