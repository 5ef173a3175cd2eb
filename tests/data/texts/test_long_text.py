"""A long text in segments: whoever encodes it, and however often it is gone on with, the same."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data import cache, source
from elman.data.source import resolve
from elman.data.telling import Pace, Stage, telling
from elman.data.texts import segments, text, vocabulary, work
from elman.data.texts.segments import Rule, Sealed, Segment, digest_of, seal
from elman.data.texts.text import encode_corpus
from elman.data.texts.vocabulary import UNKNOWN, WORD
from elman.errors import RunError, UserError

COUNTED = ["characters", "words"]
PARTS = [
    "ΑΣ",
    "don't",
    " ",
    "\n",
    "\r\n",
    "中文",
    "，",
    "。",
    "<unk>",
    "7",
    "a-b",
    "é",
    "𠀀",
    "x" * 9,
]
ENCODE = """
import signal, sys
from pathlib import Path
from elman.data.source import resolve
from elman.data.texts import work
from elman.data.texts.text import encode_corpus
from elman.errors import ElmanError
signal.signal(signal.SIGINT, signal.default_int_handler)  # who tests may have it ignored
data, cache, level, segment, processes = sys.argv[1:6]
work.SEGMENT = int(segment)
for limit in sys.argv[6:]:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    encode_corpus(resolve([data]), level=level, processes=int(processes), cache=Path(cache))
except ElmanError as error:
    sys.exit(f"{error.exit_code}: {error}")
"""


def drawn(seed: int, parts: int) -> str:
    draw = random.Random(seed)
    return "x y" + "".join(draw.choices(PARTS, k=parts))


def encoding(data: Path, folder: Path, *rest: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ENCODE, str(data), str(folder), *map(str, rest)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def made(folder: Path) -> dict[str, bytes]:
    """What a cache holds, by the endings."""
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def wait_for_segments(folder: Path, count: int, process: subprocess.Popen[str]) -> Path:
    """The folder of segments, once so many of them lie there, and the process still lives."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        for found in folder.glob("*.work"):
            if len(list(found.glob("*.segment"))) >= count:
                return found
        time.sleep(0.01)
    raise AssertionError(f"no {count} segments: {process.stderr and process.stderr.read()}")


@pytest.mark.parametrize("level", COUNTED)
@settings(max_examples=25)
@given(
    seed=st.integers(0, 1 << 30), segment=st.integers(1, 90), longest=st.integers(9, 40),
    block=st.integers(1, 30), together=st.integers(1, 20), lowercase=st.booleans(),
    strip=st.booleans(), limit=st.sampled_from([None, 2, 5]),
)  # fmt: skip
def test_segments_make_what_one_makes(
    level: str, seed: int, segment: int, longest: int, block: int, together: int, lowercase: bool,
    strip: bool, limit: int | None, tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """However small they are, however few symbols are counted at once, with blocks of bytes that
    end in a character or a word, and stretches that have to be split: all to the byte."""
    folder = tmp_path_factory.mktemp("segments")
    data = folder / "a.txt"
    data.write_bytes(drawn(seed, 80).encode())
    asked = {"level": level, "lowercase": lowercase, "strip_digits": strip, "limit": limit}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text.cut, "__defaults__", (longest,))
        patch.setattr(source, "BLOCK", block)
        encode_corpus(resolve([str(data)]), cache=folder / "one", **asked)  # type: ignore[arg-type]
        patch.setattr(work, "SEGMENT", segment)
        patch.setattr(segments, "SYMBOLS_COUNTED", together)
        encode_corpus(resolve([str(data)]), cache=folder / "many", **asked)  # type: ignore[arg-type]
    assert made(folder / "many") == made(folder / "one")


@pytest.mark.parametrize("level", [*COUNTED, "bpe"])
def test_several_processes_make_what_one_makes(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(level)
    data = tmp_path / "a.txt"
    data.write_bytes(drawn(draw.randrange(1 << 30), 3000).encode())
    sources = resolve([str(data)])
    monkeypatch.setattr(text.cut, "__defaults__", (90,))
    encode_corpus(sources, level=level, limit=300 if level == "bpe" else None, cache=tmp_path / "1")
    if level == "bpe":  # which learns equally good merges in the order that it meets them
        known = encode_corpus(sources, level=level, limit=300, cache=tmp_path / "1").vocabulary
        monkeypatch.setattr(text, "build", lambda *_, **__: known)
    monkeypatch.setattr(work, "SEGMENT", draw.randrange(100, 900))
    encode_corpus(
        sources, level=level, limit=300 if level == "bpe" else None,
        processes=draw.choice([2, 3]), cache=tmp_path / "n",
    )  # fmt: skip
    assert made(tmp_path / "n") == made(tmp_path / "1")


def test_every_word_is_counted_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most frequent word comes once in each segment, among words that come once in all."""
    draw = random.Random(0)
    lines = [f"w{k} " + " ".join(f"{draw.randrange(1 << 60):x}" for _ in range(40)) for k in (1, 2)]
    data = tmp_path / "a.txt"
    data.write_text("\n".join(f"{lines[0]} {lines[1]} rare{k}" for k in range(30)))
    counts = Counter(WORD.findall(data.read_text()))
    wanted = sorted(counts, key=lambda word: (-counts[word], word))
    monkeypatch.setattr(vocabulary, "WORDS_COUNTED", 10)
    monkeypatch.setattr(work, "SEGMENT", 500)
    monkeypatch.setattr(text.cut, "__defaults__", (500,))
    monkeypatch.setattr(segments, "SYMBOLS_COUNTED", 60)
    found = encode_corpus(resolve([str(data)]), level="words", limit=12, cache=tmp_path / "cache")
    assert found.vocabulary.to_json()["symbols"] == [UNKNOWN, *wanted[:11]]


def test_what_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    """Segments that are sealed are taken as they are; what is damaged is made again."""
    data = tmp_path / "a.txt"
    data.write_bytes(drawn(1, 150_000).encode())
    process = encoding(data, tmp_path / "cache", "words", 2000, 1)
    folder = wait_for_segments(tmp_path / "cache", 20, process)
    process.kill()
    process.communicate()
    sealed = {path: path.stat().st_ino for path in sorted(folder.glob("*.segment"))}
    changed, damaged, *_ = sealed
    one = Sealed(changed).load()
    seal(
        Segment(one.ids[::-1].copy(), one.characters, one.symbols), Sealed(changed).digest, changed
    )
    torn = bytearray(damaged.read_bytes())
    torn[-1] ^= 1
    damaged.write_bytes(torn)
    process = encoding(data, tmp_path / "cache", "words", 2000, 2)
    assert process.communicate()[1] == ""
    encode_corpus(resolve([str(data)]), level="words", cache=tmp_path / "one")
    there, wanted = made(tmp_path / "cache"), made(tmp_path / "one")
    assert set(there) == set(wanted) == {".ids", ".json"}, "nothing else is left"
    width = np.dtype(json.loads(wanted[".json"])["record"]["dtype"]).itemsize
    first = len(one.ids) * width
    assert there[".ids"][first:] == wanted[".ids"][first:]
    assert there[".ids"][:first] != wanted[".ids"][:first], "it was taken"


def test_a_segment_of_another_text_or_rule_is_not_taken(tmp_path: Path) -> None:
    rule, other = Rule("words"), Rule("words", lowercase=True)
    assert len({digest_of(p, r) for p in (["ab", "c"], ["a", "bc"]) for r in (rule, other)}) == 4
    place = tmp_path / "a.segment"
    seal(rule.segment(["a b a"]), digest_of(["a b a"], rule), place)
    assert Sealed(place).digest == digest_of(["a b a"], rule)
    for content in (b"", b"[]\n", b'{"digest": 1}\n', place.read_bytes()[:-1]):
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(ValueError):
            Sealed(tmp_path / "b").check()


def test_a_worker_that_is_killed_is_told_and_gone_on_with(tmp_path: Path) -> None:
    data = tmp_path / "a.txt"
    data.write_bytes(drawn(2, 150_000).encode())
    process = encoding(data, tmp_path / "cache", "words", 2000, 2)
    wait_for_segments(tmp_path / "cache", 5, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not tell the children of a process")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    told = process.communicate()[1]
    assert re.search(r"^1: a process that encodes .* has ended by signal 9; run the same", told)
    assert encoding(data, tmp_path / "cache", "words", 2000, 2).communicate()[1] == ""
    encode_corpus(resolve([str(data)]), level="words", cache=tmp_path / "one")
    assert made(tmp_path / "cache") == made(tmp_path / "one")


def test_ctrl_c_ends_all_and_what_is_sealed_stays(tmp_path: Path) -> None:
    data = tmp_path / "a.txt"
    data.write_bytes(drawn(3, 1_500_000).encode())
    process = encoding(data, tmp_path / "cache", "characters", 2000, 2)
    folder = wait_for_segments(tmp_path / "cache", 5, process)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate()[1]
    assert len(list(folder.glob("*.segment"))) >= 5
    assert not list((tmp_path / "cache").glob("*.ids"))
    assert not list((tmp_path / "cache").glob("*.lock"))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_keeps_what_is_encoded(processes: int, tmp_path: Path) -> None:
    """Segments fit the limit, their sum does not."""
    pytest.importorskip("resource", reason="no limits on files here")
    data = tmp_path / "a.txt"
    data.write_bytes(drawn(4, 30_000).encode())
    told = encoding(data, tmp_path / "cache", "characters", 4000, processes, 20_000).communicate()
    assert re.match(r"1: cannot write .*\.ids: File too large; what is enc.* is kept in", told[1])
    assert list((tmp_path / "cache").glob("*.work/*.segment"))
    assert encoding(data, tmp_path / "cache", "characters", 4000, 1).communicate()[1] == ""
    assert set(made(tmp_path / "cache")) == {".ids", ".json"}


@pytest.mark.parametrize("level", ["words", "bpe"])
@pytest.mark.parametrize("given", [None, "utf-8"])
def test_a_late_byte_that_is_no_text_is_named(
    level: str, given: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a late segment, or a character that the end of the file cuts; nothing is left."""
    monkeypatch.setattr(work, "SEGMENT", 1000)  # a piece each
    good = drawn(5, 20_000).encode()
    at = random.Random(level).randrange(len(good) // 2, len(good) - 10)
    at = len(good[:at].decode(errors="ignore").encode())  # where a character begins
    reading = text.TextReading(encoding=given)
    for content, place in (
        (good[:at] + b"\xff" + good[at:], at), (good[:at] + "中".encode()[:2], at)
    ):  # fmt: skip
        data = tmp_path / "a.txt"
        data.write_bytes(content)
        with pytest.raises(UserError, match=rf"a\.txt, byte {place:,}: not UTF-8"):
            encode_corpus(
                resolve([str(data)]), level=level, reading=reading, processes=2,
                cache=tmp_path / "cache",
            )  # fmt: skip
        assert not list((tmp_path / "cache").iterdir())


def test_a_text_that_grows_while_it_is_encoded_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "a.txt"
    data.write_bytes(drawn(6, 300_000).encode())
    process = encoding(data, tmp_path / "cache", "words", 2000, 1)
    wait_for_segments(tmp_path / "cache", 5, process)
    with data.open("ab") as stream:
        stream.write(b" more")
    assert process.communicate()[1].startswith("1: the text changed while it was read")
    assert not list((tmp_path / "cache").iterdir())


def test_one_process_at_a_time_and_the_next_when_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from elman.data.cache import alone\n"
        "with alone(Path(sys.argv[1]), 'making it') as beat:\n"
        "    beat('34%')\n"
        "    print(time.time(), flush=True)\n"
        "    time.sleep(float(sys.argv[2]))\n"
        "    print(time.time(), flush=True)\n"
    )
    wanted = tmp_path / "x.ids"

    def begun(seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(wanted), str(seconds)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    both = [begun(0.3), begun(0.3)]
    times = sorted(list(map(float, one.communicate()[0].split())) for one in both)
    assert times[0][1] <= times[1][0], "not both at once"
    assert not list(tmp_path.iterdir())
    held = begun(60)
    assert held.stdout is not None
    held.stdout.readline()
    told: list[Stage] = []
    with pytest.MonkeyPatch.context() as patch, telling(told.append):
        patch.setattr(cache, "PATIENCE", 0.5)
        with pytest.raises(RunError, match="another process is making it, and has not been heard"):
            cache.alone(wanted, "making it").__enter__()
    assert {str(stage) for stage in told} == {"making it: 34%"}
    held.kill()
    held.communicate()
    with cache.alone(wanted, "making it"):
        pass
    assert not list(tmp_path.iterdir())


def test_what_nobody_goes_on_with_is_removed(tmp_path: Path) -> None:
    for name, days in (("old", 8), ("new", 6)):
        (tmp_path / f"{name}.work").mkdir()
        (tmp_path / f"{name}.work" / "000000.segment").write_bytes(b"x")
        then = time.time() - days * 86_400
        os.utime(tmp_path / f"{name}.work", (then, then))
    cache.prune(tmp_path, 10**9)
    assert [path.name for path in tmp_path.iterdir()] == ["new.work"]


def test_how_far_it_is_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told: list[Stage] = []
    with telling(told.append):
        pace = Pace("encoding", 10_000_000_000)
        for seconds, done in ((1, 50_000_000), (50, 3_000_000_000), (50.1, 3_100_000_000)):
            now[0] = 100.0 + seconds
            pace.at(done, done - 2_000_000_000 if seconds > 1 else done)
    # 7 GB are left, at 20 MB a second.
    assert list(map(str, told)) == ["encoding: 30%, 3.00 of 10.00 GB, 20.0 MB/s, 5:50 left"], (
        "neither before it is slow, nor twice at once, and by what was encoded now"
    )
