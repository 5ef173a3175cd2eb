"""Recordings of any length: pieces are the whole, cut where it is quiet, in bounded memory."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import wave as wav
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tones
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman.tasks.speech.long import LONGEST, QUIET, SPAN, pieces

MOST = 600  # MB of a process that hears an hour


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_pieces_are_the_whole_however_it_comes(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rate, seconds = 100, float(draw.choice([0, 10, 40, 200]))
    whole = draw.normal(size=int(draw.uniform(0, seconds) * rate)).astype(np.float32)
    come = np.split(whole, np.sort(draw.integers(0, len(whole) + 1, 5)))
    found = list(pieces(iter(come), rate))
    assert np.array_equal(np.concatenate([piece.wave for piece in found]), whole)
    begins = np.cumsum([0, *(len(piece.wave) for piece in found)])[:-1] / rate
    assert [piece.begin for piece in found] == begins.tolist()
    assert all(LONGEST * SPAN <= len(piece.wave) / rate <= LONGEST for piece in found[:-1])
    assert len(found) == 1 or len(found[-1].wave)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_it_is_cut_where_it_is_quiet(seed: int) -> None:
    """A pause in the last half of each piece: no cut falls elsewhere."""
    draw, rate = np.random.default_rng(seed), 1_000
    whole = draw.normal(0, 0.3, 100 * rate).astype(np.float32)
    pauses = np.arange(5, 100, 10) + draw.uniform(-2, 2, 10)
    for at in pauses:
        whole[int(at * rate) : int((at + 3 * QUIET) * rate)] *= 0.01
    cuts = [piece.begin for piece in pieces([whole], rate)][1:]
    assert len(cuts) >= 3
    for at in cuts:
        assert any(pause <= at <= pause + 3 * QUIET for pause in pauses)


def test_words_of_all_pieces_have_their_times_in_the_whole(both_ways: Any) -> None:
    draw, said = np.random.default_rng(4), tones.texts(45, np.random.default_rng(5))
    each = [tones.wave(text, draw) for text in said]
    at = np.cumsum([0, *(len(one) for one in each)]) / tones.RATE
    assert at[-1] > LONGEST
    found = elman.load(both_ways.run).transcribe(np.concatenate(each), tones.RATE)
    assert found.text.replace(" ", "") == "".join(said)
    # A word is all that a piece says: one begins the recording, one after the first cut.
    assert found.words[0].start < 0.3
    assert 0.5 * LONGEST < found.words[1].start < at[-1]
    assert all(a.stop <= b.start for a, b in zip(found.words, found.words[1:], strict=False))


@pytest.mark.parametrize("name", ["streaming", "both_ways"])
def test_an_hour_is_heard_in_bounded_memory(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run, path = request.getfixturevalue(name).run, tmp_path / "hour.wav"
    minute = tones.wave("abc" * 140, np.random.default_rng(0))[: 60 * tones.RATE]
    data = np.round(minute * 32767).astype("<i2").tobytes()
    with wav.open(str(path), "wb") as file:
        file.setparams((1, 2, tones.RATE, 0, "NONE", ""))
        for _ in range(60):
            file.writeframesraw(data)
    assert path.stat().st_size > 57e6
    program = (
        "import sys; from elman.apps.cli import main; sys.argv[0] = 'elman'\n"
        "try: main()\n"  # ru_maxrss would be that of the process that began this one
        "finally: print(*[x.split()[1] for x in open('/proc/self/status') if x[:5] == 'VmHWM'], "
        "file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "predict", str(run), str(path)], capture_output=True,
        text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stderr.split()[-1]) / 1024 < MOST
    csv.field_size_limit(1 << 30)
    (row,) = csv.DictReader(io.StringIO(ended.stdout))
    text = row["transcript"].replace(" ", "")
    assert text.count("abc") > 0.95 * len(text) / 3 > 6_000
