"""A lab in a process of its own, and the tabs of a real browser that visit it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page

PATIENCE = 300_000  # ms; the machine may be busy with something else for minutes


@dataclass
class Lab:
    """A running lab on a folder of runs."""

    runs: Path
    address: str  # with the token
    process: subprocess.Popen[str]

    @property
    def root(self) -> str:
        """http://127.0.0.1:PORT"""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    def stop(self, how: int = signal.SIGINT) -> None:
        self.process.send_signal(how)
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


def start(runs: Path, *options: str, token: str = "") -> Lab:
    """`elman lab` on a folder of runs, as soon as it has told its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", "lab", "--runs", str(runs), "--no-open", *options],
        stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "ELMAN_TOKEN": token},
    )  # fmt: skip
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://\S+", line)
    assert found is not None, line + process.stderr.read()
    return Lab(runs, found[0], process)


class Visit:
    """Opens tabs, each in a profile of its own unless told `same`, and watches what they ask."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.contexts: list[BrowserContext] = []
        self.asked: list[str] = []
        self.errors: list[str] = []

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
            self.contexts.append(context)
            context.new_page().goto(lab.address)
            context.pages[0].close()
        page = self.contexts[-1].new_page()
        page.goto(lab.root + path)
        return page
