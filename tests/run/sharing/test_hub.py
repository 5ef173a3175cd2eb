"""A run goes to a hub and comes back as it was; what can go wrong on the way is told in a line.

The hub is a stand-in on 127.0.0.1, reached by huggingface_hub itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from calling import call
from hub_stand_in import Hub, Repository, serving

import elman
from elman.errors import RunError, UserError
from elman.run.sharing import hub as hubs

# huggingface_hub's own, as it sends a large file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, where the token of ann is set; huggingface_hub reads its settings anew."""
    with serving() as stand_in:
        environment(monkeypatch, HF_ENDPOINT=stand_in.url, HF_HOME=tmp_path / "home",
                    HF_TOKEN="token-of-ann", HF_HUB_DISABLE_XET=1)  # fmt: skip
        yield stand_in


def environment(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    """Sets these, and lets huggingface_hub, which reads them when it is loaded, be loaded anew."""
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> elman.Run:
    """A small run of text."""
    return elman.load(shutil.copytree(trained / "run", tmp_path / "own" / "run"))


def told(*words: object) -> tuple[int, str]:
    """The exit code of a command, and the one line that it ends with."""
    ended = call(*(str(word) for word in words))
    assert "Traceback" not in ended.err
    lines = [line for line in ended.err.splitlines() if line.startswith("elman: hf:")]
    assert len(lines) == 1, ended
    return ended.code, lines[0]


def test_a_run_goes_up_in_one_commit_and_comes_back_the_same(
    hub: Hub, run: elman.Run, tmp_path: Path
) -> None:
    address = run.push_to_hub("ann/fox", license="mit")
    held = hub.repositories["ann/fox"]
    assert address == f"{hub.url}/ann/fox/commit/{held.branches['main']}"
    assert len(held.messages) == 2 and not held.private  # the hub's own, and ours
    files = held.files()
    names = {part.name for part in run.parts(license="mit")}
    assert files.keys() == names | {".gitattributes"}
    assert files["model.safetensors"] == (run.path / "model.safetensors").read_bytes()
    card = files["README.md"].decode()
    assert "license: mit\n" in card and "elman generate hf:ann/fox" in card and "# fox" in card
    loaded = elman.load("hf:ann/fox")
    assert loaded.scores == run.scores
    assert loaded.generate("the", 9, seed=1) == run.generate("the", 9, seed=1)
    assert call("package", "hf:ann/fox", "--to", "down/run").code == 0
    assert {p.name for p in Path("down/run").iterdir()} == names


def test_revisions_are_kept_apart(hub: Hub, run: elman.Run) -> None:
    run.push_to_hub("ann/fox")
    first = hub.repositories["ann/fox"].branches["main"]
    run.push_to_hub("ann/fox", revision="v2", about="The second.")
    held = hub.repositories["ann/fox"]
    assert held.branches["main"] == first != held.branches["v2"]

    def card(at: str) -> str:
        ended = call("package", at, "--to", "x", "--force")
        assert ended.code == 0, ended.err
        return Path("x/README.md").read_text(encoding="utf-8")

    assert "The second." in card("hf:ann/fox@v2") and "The second." not in card("hf:ann/fox")
    assert "The second." not in card(f"hf:ann/fox@{first}")
    assert elman.load("hf:ann/fox", revision="v2").scores == run.scores
    with pytest.raises(UserError, match="another revision"):
        elman.load("hf:ann/fox@v2", revision="main")
    with pytest.raises(UserError, match="only a run on a hub has a revision"):
        elman.load(run.path, revision="main")


def test_what_an_earlier_run_left_goes_and_what_others_put_there_stays(
    hub: Hub, run: elman.Run, trained: Path
) -> None:
    (run.path / "report.md").write_text("![x](old.png)", encoding="utf-8")
    (run.path / "old.png").write_bytes(b"old")
    run.push_to_hub("ann/fox", checkpoint=True)
    held = hub.repositories["ann/fox"]
    assert {"old.png", "checkpoint/state.safetensors"} <= held.files().keys()
    others = {
        "demo.py": b"print()",
        "docs/a.png": b"a",
        "README.md": b"---\nlicense: mit\n---\n# I",
    }
    held.commit("main", held.files() | others, "on the web page")
    elman.load(trained / "run").push_to_hub("ann/fox")
    assert not {"old.png", "checkpoint/state.safetensors"} & held.files().keys()
    assert {name: held.files()[name] for name in others} == others
    (run.path / "README.md").write_text("# Mine", encoding="utf-8")  # ours, by hand
    run.push_to_hub("ann/fox")
    assert held.files()["README.md"] == b"# Mine"
    (run.path / "README.md").write_text("---\nlicense: [\n---\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"Invalid metadata in README.md.*license"):
        run.push_to_hub("ann/fox")


def test_a_download_holds_what_belongs_to_a_run_and_no_more(hub: Hub, run: elman.Run) -> None:
    run.push_to_hub("ann/fox", checkpoint=True)
    held = hub.repositories["ann/fox"]
    strange = {
        "train.py": b"1/0",
        "weights.pkl": b"x",
        "onnx/model.safetensors": b"x",
        "a.bin": b"x",
    }
    held.commit("main", held.files() | strange, "more")
    folder = elman.load("hf:ann/fox").path
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there == {part.name for part in run.parts()}
    assert call("package", "hf:ann/fox", "--with-checkpoint", "--to", "x").code == 0
    assert Path("x/checkpoint/state.safetensors").is_file()


def test_before_anything_is_sent_it_is_told_what_of_the_data_goes(hub: Hub, run: elman.Run) -> None:
    ended = call("package", run.path, "--to", "hf:ann/fox", "--dry-run")
    assert (ended.code, ended.out) == (0, "")
    assert hub.asked == []
    for part in run.parts("fox", "hf:ann/fox"):
        line = next(li for li in ended.err.splitlines() if li.startswith(part.name))
        assert f" {part.size:,}" in line and line.endswith(part.tells)
    assert "words, labels, scales of the data" in ended.err


def test_private_and_gated_repositories_open_to_their_tokens_alone(
    hub: Hub, run: elman.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("package", run.path, "--to", "hf:ann/own", "--private").code == 0
    run.push_to_hub("ann/gated")
    assert hub.repositories["ann/own"].private
    hub.repositories["ann/gated"].gated = True
    assert elman.load("hf:ann/own").scores == run.scores
    environment(monkeypatch, HF_TOKEN="token-of-bob", HF_HOME="of-bob")
    assert told("evaluate", "hf:ann/own") == (
        2, f"elman: hf:ann/own: no such repository at {hub.url}, or none that this token opens"
    )  # fmt: skip
    code, line = told("evaluate", "hf:ann/gated")
    assert code == 2 and f"gated; ask for access at {hub.url}/ann/gated" in line
    before = hub.repositories["ann/own"].files()
    for repository in ("ann/own", "ann/gated", "ann/new"):
        code, line = told("package", run.path, "--to", f"hf:{repository}")
        assert code == 2 and ("may not write" in line or "gated" in line or "no such" in line), line
    assert hub.repositories["ann/own"].files() == before
    monkeypatch.delenv("HF_TOKEN")
    environment(monkeypatch)
    for words in (("evaluate", "hf:ann/own"), ("package", run.path, "--to", "hf:ann/own")):
        code, line = told(*words)
        assert code == 2 and "hf auth login, or set HF_TOKEN" in line


def test_what_is_not_there_or_no_run_is_told(hub: Hub, run: elman.Run) -> None:
    run.push_to_hub("ann/fox")
    other = hub.repositories["ann/bert"] = Repository("ann")
    other.commit("main", {"config.json": b"{}", "model.safetensors": b"x" * 9}, "a model")
    for words, line in (
        (("evaluate", "hf:ann/cat"), f"no such repository at {hub.url}, or none that this token"),
        (("evaluate", "hf:ann/fox@v9"), "there is no such branch, tag or commit in ann/fox"),
        (("evaluate", "hf:ann/bert"), "holds no run of Elman (options.toml is missing)"),
        (("evaluate", "hf:fox"), "give hf:user/name, or hf:user/name@revision"),
        (("evaluate", "hf:ann/fox@"), "give hf:user/name, or hf:user/name@revision"),
        (("evaluate", "hf:ann/../etc"), "give hf:user/name, or hf:user/name@revision"),
        (("evaluate", "hf:ann/-x--"), "hf:ann/-x--: "),
        (("resume", "hf:ann/fox"), "elman resume needs a run folder"),
        (("package", "hf:ann/fox", "--with-checkpoint"), "the state of the training"),
    ):
        code, found = told(*words)
        assert code == 2 and line in found, found
    assert not any("resolve" in one and "bert" in one for one in hub.asked)  # nothing downloaded


def test_a_hub_that_is_out_of_order_or_away_is_told_and_the_cache_serves(
    hub: Hub, run: elman.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.push_to_hub("ann/fox")
    hub.broken = 418
    code, line = told("evaluate", "hf:ann/fox")
    assert code == 1 and f"{hub.url} answered HTTP 418: out of order" in line
    code, line = told("package", run.path, "--to", "hf:ann/fox")
    assert code == 1 and "HTTP 418" in line
    hub.broken = 0
    elman.load("hf:ann/fox")
    environment(monkeypatch, HF_ENDPOINT="http://127.0.0.1:9")
    assert elman.load("hf:ann/fox").scores == run.scores
    code, line = told("evaluate", "hf:ann/cat")
    assert code == 1 and "http://127.0.0.1:9 cannot be reached, and the cache does not hold" in line
    with pytest.raises(RunError, match="cannot be reached"):
        hubs.push([], hubs.place("hf:ann/fox"))
    environment(monkeypatch, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE=1)
    hub.asked.clear()
    assert elman.load("hf:ann/fox").scores == run.scores
    assert told("evaluate", "hf:ann/cat")[1].endswith("not in the cache, and HF_HUB_OFFLINE is set")
    code, line = told("package", run.path, "--to", "hf:ann/fox")
    assert code == 2 and "HF_HUB_OFFLINE is set; nothing is sent" in line
    assert hub.asked == []


def test_a_repository_whose_run_is_damaged_is_told_as_a_folder_is(hub: Hub, run: elman.Run) -> None:
    run.push_to_hub("ann/fox")
    held = hub.repositories["ann/fox"]
    for name, content in (("model.safetensors", b"\x80\x04pickle"), ("preprocessing.json", b"{")):
        held.commit("main", held.files() | {name: content}, "damage")
        ended = call("evaluate", "hf:ann/fox")
        assert ended.code == 2 and "damaged" in ended.err and ended.err.count("\n") == 1


ROWS = "text,label\n" + "".join(
    f"{word} {time} {n % 7},{word}\n" for n in range(20) for word in ("good", "bad")
    for time in ("day", "night")
)  # fmt: skip


def test_trained_here_and_sent_a_run_scores_the_same_elsewhere(hub: Hub, tmp_path: Path) -> None:
    """By processes of their own: its folder and data are gone when another user fetches it."""

    def elman_of(home: str, *words: object) -> Any:
        cache = {"HF_HOME": str(tmp_path / home), "ELMAN_CACHE": str(tmp_path / home / "elman")}
        ended = subprocess.run(
            [sys.executable, "-m", "elman", *map(str, words)], cwd=tmp_path / home, text=True,
            env=os.environ | cache | {"OMP_NUM_THREADS": "1"}, capture_output=True,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    (tmp_path / "ann").mkdir()
    (tmp_path / "bob").mkdir()
    (tmp_path / "ann" / "rows.csv").write_text(ROWS, encoding="utf-8")
    recorded = elman_of(
        "ann", "train", "classify", "rows.csv", "--epochs", "1", "--hidden-size", "5", "--run",
        "run", "--json",
    )  # fmt: skip
    elman_of("ann", "package", "run", "--to", "hf:ann/rows", "--json")
    shutil.rmtree(tmp_path / "ann")
    elman_of("bob", "package", "hf:ann/rows", "--to", "run", "--json")
    # What the run calls rows.csv is in its folder once whoever has the data puts it there.
    (tmp_path / "bob" / "run" / "rows.csv").write_text(ROWS, encoding="utf-8")
    found = elman_of("bob", "evaluate", "run", "--json")
    for name in ("scores", "baseline", "rivals", "gain"):
        assert found[name] == recorded[name]
