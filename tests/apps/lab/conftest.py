"""The lab as its visitors have it: the command in a process of its own, and a real browser.

    def test_something(lab: Lab, visit: Visit) -> None:
        page = visit(lab, "/en/start")              # a tab of a fresh browser profile, let in
        page.get_by_role("button", name="Go").click()

After each test, no tab may have asked another host for anything, nor have logged an error, nor the
lab have told of one that it did not expect.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from small_runs import Runs
from visiting import CHROMIUM, PATIENCE, Lab, Visit, start


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for all tests that do not stop it."""
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(folder / "cache"))
        running = start(folder / "runs", "--port", "0")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def show(lab: Lab, runs: Runs) -> Callable[[str], Path]:
    """Puts one of the small runs before the lab, as it is; its folder there."""

    def shown(name: str) -> Path:
        place = lab.runs / name
        if not place.exists():
            shutil.copytree(runs[name], place)
        return place

    return shown


@pytest.fixture(scope="module")  # its event loop runs as long as it is there
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: make debian")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    made = Visit(browser)
    yield made
    for context in made.contexts:
        context.close()
    hosts = {urlsplit(url).hostname for url in made.asked if url.startswith(("http", "ws"))}
    assert hosts <= {"127.0.0.1"}
    assert not made.errors
    for lab, before in made.labs:
        said = lab.log[before:]
        assert not [line for line in said if "Traceback" in line], "".join(said)
