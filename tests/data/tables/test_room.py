"""A table that does not fit in memory is refused early, in one line; one that does is read."""

from __future__ import annotations

import gzip
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from elman.data.tables import room

READ = """
import sys
from pathlib import Path
from elman.data.labelled import files
from elman.data.labelled.roles import UNKNOWN
from elman.data.tables import content, room, table
from elman.data.tables.content import BadRows
from elman.errors import UserError
room.GROWN, room.MEMINFO, read = 2_000_000, Path(sys.argv[2]), 0
rows = table.Table.rows
def counted(self, bad):
    global read
    for row in rows(self, bad):
        read += 1
        yield row
table.Table.rows = counted
try:
    before = room.resident_bytes()
    found = files.read([sys.argv[1]], UNKNOWN, BadRows(skip=False))
    print(len(found), (room.resident_bytes() - before) / 1e6)
except UserError as error:
    print(read, error)
"""

pytestmark = pytest.mark.skipif(not room.STATM.exists(), reason="needs Linux's /proc")


def test_rows_that_do_not_fit_are_refused_after_the_first(tmp_path: Path) -> None:
    """120,000 rows of 50 letters take 30 MB or so."""
    draw, count = random.Random(0), 120_000
    lines = (f"{draw.randrange(10**59, 10**60):x} so,{draw.choice('ab')}\n" for _ in range(count))
    content = ("text,label\n" + "".join(lines)).encode()
    data = tmp_path / "a.csv.gz"
    data.write_bytes(gzip.compress(content, 1))
    meminfo = tmp_path / "meminfo"

    def told(free_kb: int) -> str:
        meminfo.write_text(f"MemTotal: 99 kB\nMemAvailable: {free_kb} kB\n", encoding="ascii")
        command = [sys.executable, "-c", READ, str(data), str(meminfo)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    rows, taken_mb = told(4_000_000).split()
    assert int(rows) == count
    found = re.match(
        r"(\d+) .*a\.csv\.gz: all of its rows would take about (\d+) MB of memory, and 8 MB"
        r" were free; give a part of it, such as ([\d,]+) rows drawn from all over it, or take",
        told(8_000),
    )
    assert found
    assert int(found[1]) < count / 2, "it is told early"
    assert 0 < int(found[3].replace(",", "")) < count / 2
    # What is made of the rows takes about as much again.
    assert 1.1 * float(taken_mb) < int(found[2]) < 4 * float(taken_mb)


def test_who_is_not_told_how_much_is_free_reads_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (None, "MemTotal: 1 kB\n", "MemAvailable: much kB\n"):
        if content is not None:
            (tmp_path / "meminfo").write_text(content, encoding="ascii")
        monkeypatch.setattr(room, "MEMINFO", tmp_path / "meminfo")
        assert room.free_bytes() is None
    (tmp_path / "meminfo").write_text("MemAvailable: 3000 kB\n", encoding="ascii")
    monkeypatch.setattr(room, "GROUP", tmp_path)
    assert room.free_bytes() == 3_072_000
    for limit, wanted in (("max", 3_072_000), ("2000000", 1_500_000), ("400000", 0)):
        (tmp_path / "memory.max").write_text(limit, encoding="ascii")
        (tmp_path / "memory.current").write_text("500000", encoding="ascii")
        assert room.free_bytes() == wanted
