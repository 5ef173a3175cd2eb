"""An hour of training watched: what the page costs in memory of server and browser, and whether its
memory grows.

    python bench/lab_watch.py --minutes 60

A lab is started on an empty folder, a training begun in it, and the room of that training kept open
in a headless Chromium. Each half minute the resident memory of the server and of all processes of
the browser is taken, and the size of what JavaScript holds. Needs the extras lab and dev, and
chromium. Without --slowdown nothing is said of speed; with it the same training of --minutes is
done four times, by --threads, watched and not in turn, and the steps that were done are compared.
With --first the time from the command to the first page is taken five times, and nothing is
trained.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

EVERY = 30.0  # seconds
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
STEADY = 0.25  # share of the time after which memory should grow no more


def main() -> None:
    """Watch, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slowdown", action="store_true")
    parser.add_argument("--first", action="store_true")
    arguments = parser.parse_args()
    if arguments.first:
        print(json.dumps({"seconds to the first page": [first_page() for _ in range(5)]}))
        return
    with tempfile.TemporaryDirectory() as folder, lab(Path(folder) / "runs") as (address, server):
        if arguments.slowdown:
            print(json.dumps(slowdown(Path(folder), address, arguments)))
        else:
            with opened(address) as page:
                print(json.dumps(watched(page, Path(folder), server, arguments.minutes)))


@contextmanager
def lab(runs: Path) -> Iterator[tuple[str, int]]:
    """A running lab: its address and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", "lab", "--runs", str(runs), "--port", "0", "--no-open"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    found = re.search(r"http://\S+", process.stderr.readline())
    assert found is not None
    try:
        yield found[0], process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@contextmanager
def opened(address: str) -> Iterator[Page]:
    """A tab that was let in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-precise-memory-info"]
        )
        page = browser.new_page()
        page.goto(address)
        yield page
        browser.close()


def first_page() -> float:
    """Seconds from the command to a page whose fields can be used; the browser runs already."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        began = time.perf_counter()
        with lab(Path(folder) / "runs") as (address, _):
            page.goto(address)
            page.get_by_role("combobox").first.wait_for()
            took = time.perf_counter() - began
            browser.close()
    return round(took, 2)


def watched(page: Page, folder: Path, server: int, minutes: float) -> dict[str, object]:
    """Memory in MB: at the start, after a quarter of the time, at the end, and the most."""
    run = folder / "runs" / "watched"
    training = train(run, minutes)
    parts = urlsplit(page.url)
    until, rows = time.monotonic() + 60 * minutes, []
    while not (run / "metrics.jsonl").exists():
        time.sleep(0.5)
    page.goto(f"{parts.scheme}://{parts.netloc}/en/training?run=watched")
    while time.monotonic() < until and training.poll() is None:
        time.sleep(EVERY)
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
        rows.append((memory(server), memory(*below(os.getpid(), {server, training.pid})), heap))
    training.wait()
    first, quarter = rows[0], rows[int(STEADY * len(rows)) :]
    half = len(quarter) // 2
    told: dict[str, object] = {"minutes": minutes, "looks": len(rows)}
    for k, name in enumerate(("server", "browser", "heap")):
        told[name] = {
            "first": round(first[k], 1),
            "then": round(mean(row[k] for row in quarter[:half]), 1),
            "last": round(mean(row[k] for row in quarter[half:]), 1),
            "most": round(max(row[k] for row in rows), 1),
        }
    return told


def slowdown(folder: Path, address: str, asked: argparse.Namespace) -> dict[str, object]:
    """Steps of the same training, watched and not, in turn."""
    steps: dict[bool, list[int]] = {True: [], False: []}
    for number, is_watched in enumerate((False, True, True, False)):
        run = folder / "runs" / f"run-{number}"
        training = train(run, asked.minutes, asked.threads)
        if is_watched:
            with opened(address) as page:
                while not (run / "metrics.jsonl").exists():
                    time.sleep(0.5)
                page.goto(page.url.replace("/start", f"/training?run={run.name}"))
                training.wait()
        else:
            training.wait()
        last = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1]
        steps[is_watched].append(json.loads(last)["step"])
    slower = 1 - sum(steps[True]) / sum(steps[False])
    return {"steps watched": steps[True], "not": steps[False], "slower": round(slower, 4)}


def train(run: Path, minutes: float, threads: int = 1) -> subprocess.Popen[bytes]:
    """A training of the built-in text, of the same size each time."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "elman", "train", "text", "--minutes", f"{minutes:g}",
            "--hidden-size", "128", "--batch-size", "32", "--threads", str(threads),
            "--run", str(run),
        ],
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def memory(*processes: int) -> float:
    """Resident memory in MB; what processes share is counted once, as far as the system tells."""
    total = 0
    for process in processes:
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        found = re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1e3


def below(process: int, without: set[int]) -> list[int]:
    """The processes that a process began, and those that they began, but for some."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                fields = (place / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(place.name))
    found, open_ones = [], [process]
    while open_ones:
        for child in parents.get(open_ones.pop(), []):
            if child not in without:
                found.append(child)
                open_ones.append(child)
    return found


if __name__ == "__main__":
    main()
