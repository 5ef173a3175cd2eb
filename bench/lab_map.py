"""Whether a large heat map of the lab moves without stutter: the time from frame to frame.

    python bench/lab_map.py

A text model of 512 units is trained for a moment, a text of some 2,400 characters read in its room
Inside, and the picture of its states moved and enlarged in a headless Chromium by a real mouse. The
browser notes when each frame begins; a display of 60 frames a second has 16.7 ms for one. Prints a
line of JSON. Needs the extras lab and dev, and chromium.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from lab_watch import lab, opened
from playwright.sync_api import Page

UNITS, STEPS = 512, 2400
PATIENCE = 600_000  # ms
MOVES = 400  # of the mouse, each way of moving
NOTE = """() => {
  window.frames_at = [];
  const note = (at) => { window.frames_at.push(at); window.noting = requestAnimationFrame(note); };
  window.noting = requestAnimationFrame(note);
}"""
TAKE = "() => { cancelAnimationFrame(window.noting); return window.frames_at; }"


def main() -> None:
    """Measure, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--steps", type=int, default=STEPS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = words(20_000)
        source = Path(folder) / "text.txt"
        source.write_text(text, encoding="utf-8")
        run = Path(folder) / "runs" / "large"
        subprocess.run(
            [
                sys.executable, "-m", "elman", "train", "text", str(source), "--run", str(run),
                "--hidden-size", str(asked.units), "--epochs", "1", "--sample", "0",
            ],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        with lab(run.parent) as (address, _), opened(address) as page:
            print(json.dumps(measured(page, text[: asked.steps])))


def measured(page: Page, text: str) -> dict[str, object]:
    """Frame times in ms while the map is moved, and while it is enlarged and made smaller."""
    page.set_default_timeout(PATIENCE)
    parts = urlsplit(page.url)
    page.goto(f"{parts.scheme}://{parts.netloc}/en/inside?run=large")
    page.get_by_label("A text to read").fill(text)
    page.get_by_role("button", name="Read it").click()
    canvas = page.get_by_role("img", name=f" {len(text) - 1} steps")
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    said = canvas.get_attribute("aria-label")
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    told: dict[str, object] = {"map": said}
    for name, do in (("moved", drag), ("enlarged", wheel)):
        page.mouse.wheel(0, -600)  # enlarged, so that there is somewhere to move to
        page.evaluate(NOTE)
        do(page, x, y)
        at = page.evaluate(TAKE)
        times = sorted(after - before for before, after in pairwise(at))
        told[f"{name}, ms a frame"] = {
            "frames": len(times),
            "median": round(median(times), 1),
            "95 %": round(times[math.ceil(0.95 * len(times)) - 1], 1),
            "longest": round(times[-1], 1),
        }
    return told


def drag(page: Page, x: float, y: float) -> None:
    """The picture pulled round in circles."""
    page.mouse.down()
    for k in range(MOVES):
        turn = 2 * math.pi * k / 80
        page.mouse.move(x + 150 * math.sin(turn), y + 90 * (math.cos(turn) - 1))
    page.mouse.up()


def wheel(page: Page, x: float, y: float) -> None:
    """Larger and smaller again, the whole and single cells between."""
    page.mouse.move(x, y)
    for k in range(MOVES):
        page.mouse.wheel(0, -30 if k // 80 % 2 == 0 else 30)


def words(characters: int) -> str:
    """A text of words of small letters, the same each time."""
    draw, made = random.Random(1), list[str]()
    known = ["".join(draw.choices("aeinorst", k=draw.randint(2, 7))) for _ in range(60)]
    while sum(map(len, made)) + len(made) < characters:
        made.append(draw.choice(known))
    return " ".join(made)[:characters]


if __name__ == "__main__":
    main()
