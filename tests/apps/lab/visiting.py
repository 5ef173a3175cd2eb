"""A lab in a process of its own, and the tabs of a real browser that visit it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 120_000  # ms; the machine may be busy with something else for minutes

# Sentences in English that are not marked as such, on a page of another language.
ENGLISH = """() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), place = walk.currentNode.parentElement;
    const marked = place.closest("[lang]").lang === "en";
    if (place.checkVisibility() && !marked && /[A-Za-z]+ [a-z]+ [a-z]+/.test(text)
        && !/[\\u4e00-\\u9fff]/.test(text)) found.push(text);
  }
  return found;
}"""

# Texts that can be seen and pressed, of less contrast to what is behind them than WCAG's 4.5 to 1.
FAINT = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((c, k) => c * a + below[k] * (1 - a));
  const light = (colour) => colour.map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (place) => place === null ? [255, 255, 255]
    : over(numbers(getComputedStyle(place).backgroundColor), behind(place.parentElement));
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), place = walk.currentNode.parentElement;
    if (!text || !place.checkVisibility({ visibilityProperty: true, opacityProperty: true })
        || place.closest("[disabled], .q-icon, script, style")) continue;
    const back = behind(place), colour = over(numbers(getComputedStyle(place).color), back);
    const [dark, bright] = [light(back), light(colour)].sort((a, b) => a - b);
    if ((bright + 0.05) / (dark + 0.05) < 4.5) found.push(text);
  }
  return found;
}"""


@dataclass
class Lab:
    """A running lab on a folder of runs."""

    runs: Path
    address: str  # with the token
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)  # what it said after its address

    @property
    def root(self) -> str:
        """http://127.0.0.1:PORT"""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    def stop(self, how: int = signal.SIGINT) -> None:
        self.process.send_signal(how)
        self.process.wait()

    def _listen(self) -> None:
        """Keeps what it says, so that it never waits for a reader."""
        assert self.process.stderr is not None
        with self.process.stderr as said:
            self.log.extend(said)


def start(runs: Path, *options: str, token: str = "") -> Lab:
    """`elman lab` on a folder of runs, as soon as it has told its address."""
    # NiceGUI leaves out what visitors have, such as compression, where it sees that pytest runs.
    own = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", "lab", "--runs", str(runs), "--no-open", *options],
        stderr=subprocess.PIPE, text=True,
        env=own | {"OMP_NUM_THREADS": "1", "ELMAN_TOKEN": token},
    )  # fmt: skip
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://\S+", line)
    assert found is not None, line + process.stderr.read()
    lab = Lab(runs, found[0], process)
    threading.Thread(target=lab._listen, daemon=True).start()
    return lab


class Visit:
    """Opens tabs, each in a profile of its own unless told `same`, and watches what they ask."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.contexts: list[BrowserContext] = []
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.labs: list[tuple[Lab, int]] = []  # with what each had said before

    def __call__(
        self, lab: Lab, path: str = "/", *, language: str = "en-GB", width: int = 1280,
        height: int = 900, shade: str = "light", same: bool = False,
    ) -> Page:  # fmt: skip
        if not same or not self.contexts:
            context = self._browser.new_context(
                locale=language, viewport={"width": width, "height": height},
                color_scheme="dark" if shade == "dark" else "light", accept_downloads=True,
            )  # fmt: skip
            context.set_default_timeout(PATIENCE)
            context.on("request", lambda request: self.asked.append(request.url))
            context.on("weberror", lambda error: self.errors.append(str(error.error)))
            context.on("console", self._hear)
            self.contexts.append(context)
            self.labs.append((lab, len(lab.log)))
            context.new_page().goto(lab.address)
            context.pages[0].close()
        page = self.contexts[-1].new_page()
        page.goto(lab.root + path)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location['url']})")
