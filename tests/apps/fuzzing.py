"""Damaged data in every form, for every task: it works, or one line tells why not.

python tests/apps/fuzzing.py --count 3000 --seed 1        how many ended how, by task and form
python tests/apps/fuzzing.py --seed 1 --only 17 --keep    one of them again, its files left there

What holds of every input: exit code 0, 1 or 2; of 1 and 2 one line, the last, that can be printed;
files that were there are as they were, and no others are beside them; 10 s of CPU at the most, and
bounded memory. All in one process, so that PyTorch is loaded once.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "data" / "forms")]

from calling import Ended, call, snapshot  # noqa: E402
from drawn_damage import damage_files, damage_rows, wrong_flags  # noqa: E402
from drawn_data import TASKS, Drawn, Rows, drawn  # noqa: E402

from elman.data.forms import rehearsal  # noqa: E402
from elman.data.forms.forms import Form  # noqa: E402

PATIENCE_S = 10.0  # of CPU
MEMORY = 400 << 20  # bytes that an input may add to the most that was held
LONGEST = 700  # characters of the line that tells
SMALL = ("--epochs", "1", "--hidden-size", "4", "--threads", "1", "--sample", "0")
HELD = ("classify", "regress", "tag", "translate")  # have --validation-data


class TooSlow(BaseException):
    """An input took longer than it may."""


class Planned(BaseException):
    """All of the input has proved good, and training would begin."""


@dataclass(frozen=True)
class Outcome:
    """What an input was, and how it ended: `works`, `refused`, or what went wrong."""

    number: int
    task: str
    form: str
    verb: str
    what: str
    how: str
    told: str


# ---- What may break down is read by another process --------------------------------------------


def rehearsals() -> Connection:
    """A process that reads files to see whether that goes well. It is made before any thread is,
    so that it may be forked again for each of them."""
    here, there = multiprocessing.Pipe()
    if os.fork():
        there.close()
        return here
    here.close()
    import damaging
    import polars  # noqa: F401
    import python_calamine  # noqa: F401

    with contextlib.suppress(EOFError):
        while True:
            form, path = there.recv()
            there.send(damaging._goes_well(form, path, 0, 0))
    os._exit(0)


# ---- One input -----------------------------------------------------------------------------------


class Fuzz:
    """Inputs by number, each in a folder of its own below `home`."""

    def __init__(self, seed: int, home: Path, *, keep: bool, whole: bool) -> None:
        self.seed, self.home, self.keep, self.whole = seed, home, keep, whole
        self.runs: dict[str, list[tuple[Path, str]]] = {}  # and what draws the shape of its data

    def trained(self, wanted: int) -> None:
        """So many models of each task, trained on what is not damaged."""
        for task in TASKS:
            found = self.runs.setdefault(task, [])
            for k in range(1000):
                if len(found) == wanted:
                    break
                shape = f"{self.seed}/{task}/{k}"
                folder = self.home / f"train-{task}-{k}"
                folder.mkdir()
                draws = random.Random(shape), random.Random(k)
                data = drawn(task, folder, *draws, lambda rows, draw: None)
                run = folder / "run"
                ended = call("train", task, *data.items, *data.flags, *SMALL, "--run", run)
                if ended.code == 0:
                    found.append((run, shape))
            assert len(found) == wanted, f"no good data is drawn for {task}"

    def one(self, number: int) -> Outcome:
        """Draws an input, damages it, gives it to a command, and judges what becomes of it."""
        draw = random.Random(f"{self.seed}/{number}")
        folder = self.home / f"input-{number}"
        folder.mkdir()
        task = draw.choice(TASKS)
        verb = draw.choice(["train"] * 5 + ["to the end"] * 2 + ["evaluate"] + ["predict"] * 2)
        if task == "text" and verb == "predict":
            verb = "evaluate"
        run, shape = draw.choice(self.runs[task])
        alike = verb in ("evaluate", "predict") and draw.random() < 0.8
        ills = 0 if self.whole else draw.choice([0, 1, 1, 1, 1, 2, 3])
        in_cells = draw.randrange(ills + 1)

        def ill(rows: Rows, draw: random.Random) -> None:
            for _ in range(in_cells):
                damage_rows(rows, draw)

        shape = shape if alike else str(draw.random())
        data = drawn(task, folder, random.Random(shape), draw, ill)
        what = ["cells"] * in_cells
        for _ in range(ills - in_cells):
            what.append(damage_files(data, draw))
        arguments, stdin = self._command(task, verb, run, data, draw)
        if verb in ("train", "to the end") and not self.whole and draw.random() < 0.2:
            flags = wrong_flags(task, draw)
            arguments += flags
            what += flags
        elif verb in ("train", "to the end") and task in HELD and draw.random() < 0.1:
            (folder / "held").mkdir()
            held = drawn(task, folder / "held", random.Random(shape), draw, ill)
            arguments += ["--validation-data", str(held.items[0])]
            what.append("more to validate on")
        how, told = self._judged(folder, run, verb, arguments, stdin)
        if not self.keep:
            shutil.rmtree(folder, ignore_errors=True)
        return Outcome(number, task, data.form, verb, ", ".join(what), how, told)

    def _command(
        self, task: str, verb: str, run: Path, data: Drawn, draw: random.Random
    ) -> tuple[list[str], bytes]:
        items, stdin = [str(item) for item in data.items], b""
        if len(items) == 1 and data.items[0].is_file() and draw.random() < 0.1:
            items, stdin = ["-"], data.items[0].read_bytes()
        if verb in ("train", "to the end"):
            return ["train", task, *items, *data.flags, *SMALL], stdin
        flags = draw.choice([[], ["--skip-bad-rows"]])
        return [verb, str(run), *items, *flags], stdin

    def _judged(
        self, folder: Path, run: Path, verb: str, arguments: list[str], stdin: bytes
    ) -> tuple[str, str]:  # fmt: skip
        roots = [folder, run]
        before = [snapshot(root) for root in roots]
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if verb == "to the end":
            arguments = [*arguments, "--run", str(folder / "run")]
        began = time.process_time()
        ended: Ended | None = None
        try:
            with bounded(), stopped() if verb == "train" else contextlib.nullcontext():
                ended = call(*arguments, stdin=stdin)
        except Planned:
            pass
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return _where(error), traceback.format_exc()
        if (spent := time.process_time() - began) > PATIENCE_S:
            return f"slow: {spent:.0f} s", " ".join(arguments)
        more = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held)
        if more > MEMORY:
            return f"memory: {more / 1e6:,.0f} MB more", " ".join(arguments)
        after = [snapshot(root) for root in roots]
        if verb == "to the end":
            after[0] = {k: v for k, v in after[0].items() if Path(k).parts[0] != "run"}
        if after != before:
            changed = {
                k for a, b in zip(before, after, strict=True) for k, _ in a.items() ^ b.items()
            }
            return "files were changed", ", ".join(sorted(changed))
        return ("works", "") if ended is None else told_well(ended)


def told_well(ended: Ended) -> tuple[str, str]:
    """`works` or `refused`, or what is wrong with the way in which it is told."""
    lines = ended.err.rstrip("\n").split("\n")
    if "Traceback" in ended.err:
        return "a traceback in what is told", ended.err
    if ended.code == 0:
        return "works", ""
    if ended.code not in (1, 2):
        return f"exit code {ended.code}", ended.err
    own = [line for line in lines if line.startswith("elman: ")]
    if len(own) != 1 or lines[-1] != own[0]:
        return "not one line, the last", ended.err
    if not own[0].isprintable():
        return "a line that cannot be printed", repr(own[0])
    if not 20 < len(own[0]) < LONGEST:
        return f"a line of {len(own[0])} characters", own[0]
    return "refused", own[0]


def _where(error: BaseException) -> str:
    """The last place of the project's own that an error came through, by which they are counted."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "src/elman" in f.filename]
    at = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {at}"


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """TooSlow after twice the time that an input may take."""

    def late(number: int, frame: Any) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, 2 * PATIENCE_S)
    faulthandler.dump_traceback_later(60 * PATIENCE_S, exit=True)  # in compiled code, or waiting
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def stopped() -> Iterator[None]:
    """Training ends, as Planned, where its run folder would be made."""
    from elman.run import folder

    def create(*arguments: Any, **named: Any) -> Any:
        raise Planned

    whole = folder.create
    folder.create = create
    try:
        yield
    finally:
        folder.create = whole


# ---- All of them -----------------------------------------------------------------------------


def main() -> int:
    """0 where nothing broke."""
    parser = argparse.ArgumentParser(description="Damaged data in every form, for every task.")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", type=int, default=3, help="of each task, for predict")
    parser.add_argument("--only", type=int, nargs="*", help="these numbers alone")
    parser.add_argument("--keep", action="store_true", help="leave the files there")
    parser.add_argument("--told", action="store_true", help="print how each of them ended")
    parser.add_argument("--undamaged", action="store_true", help="what is whole, and refused")
    asked = parser.parse_args()

    helper = rehearsals()

    def goes_well(form: Form, path: Path, size: int, changed_ns: int) -> bool:
        helper.send((form, path))
        return bool(helper.recv())

    rehearsal._goes_well = goes_well  # type: ignore[assignment]
    warnings.simplefilter("error")  # users would see them
    faulthandler.enable()
    home = Path(tempfile.mkdtemp(prefix="fuzzed-"))
    os.environ["ELMAN_CACHE"] = str(home / "cache")
    os.chdir(home)
    fuzz = Fuzz(asked.seed, home, keep=asked.keep, whole=asked.undamaged)
    fuzz.trained(asked.models)
    numbers = asked.only or range(asked.start, asked.start + asked.count)
    outcomes = []
    for number in numbers:
        outcome = fuzz.one(number)
        outcomes.append(outcome)
        wrong = outcome.how not in ("works", "refused")
        if wrong or asked.told or (asked.undamaged and outcome.how == "refused"):
            print(
                f"{number} {outcome.task} {outcome.form} {outcome.verb} ({outcome.what}): "
                f"{outcome.how}\n{outcome.told}",
                flush=True,
            )
    _tell(outcomes)
    if asked.keep:
        print(home)
    else:
        os.chdir(home.parent)
        shutil.rmtree(home)
    return int(any(o.how not in ("works", "refused") for o in outcomes))


def _tell(outcomes: list[Outcome]) -> None:
    for of in ("task", "form", "verb"):
        counts = Counter((getattr(o, of), o.how) for o in outcomes)
        for name in sorted({getattr(o, of) for o in outcomes}):
            works, refused = counts[name, "works"], counts[name, "refused"]
            others = sum(n for (whose, _), n in counts.items() if whose == name) - works - refused
            print(f"{of} {name}: {works} worked, {refused} refused, {others} broke")
    for how, count in Counter(o.how for o in outcomes).most_common():
        print(f"{count} {how}")


if __name__ == "__main__":
    sys.exit(main())
