"""Known data sets: downloaded once, checked always, told plainly when it cannot be done."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from elman.data.built_in import named
from elman.data.built_in.made_sound import archive
from elman.data.built_in.named import NAMED, fetch, members
from elman.data.source import read_bytes, resolve
from elman.errors import UserError

TEXT = b"To be, or not to be.\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served as the mirror, with a small Hamlet whose checksum is the known one."""
    folder = tmp_path / "mirror"
    entry = replace(NAMED["hamlet"], sha256=hashlib.sha256(TEXT).hexdigest())
    assert entry.path is not None
    file = folder / entry.path
    file.parent.mkdir(parents=True)
    file.write_bytes(TEXT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setitem(named.NAMED, "hamlet", entry)
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ELMAN_DATA_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield file
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_data_set_is_downloaded_once(mirror: Path, tmp_path: Path) -> None:
    path = fetch("hamlet")
    assert path.read_bytes() == TEXT
    mirror.unlink()
    assert fetch("hamlet") == path, "the checked file serves without network"
    assert list((tmp_path / "data").iterdir()) == [path]


def test_a_damaged_file_is_downloaded_again(mirror: Path) -> None:
    path = fetch("hamlet")
    path.write_bytes(TEXT[:-1])
    assert fetch("hamlet").read_bytes() == TEXT


def test_another_text_under_that_name_is_refused(mirror: Path, tmp_path: Path) -> None:
    mirror.write_bytes(b"Not Hamlet.")
    with pytest.raises(UserError, match=r"has the sha256 .*, not .*; put the right file at"):
        fetch("hamlet")
    assert not list((tmp_path / "data").iterdir())


def test_a_file_that_is_gone_from_the_host_is_told(mirror: Path) -> None:
    mirror.unlink()
    with pytest.raises(UserError, match=r"HTTP 404.*put the file at .*hamlet\.txt"):
        fetch("hamlet")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense"])
def test_without_network_the_way_out_is_told(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ELMAN_DATA_URL", url)
    with pytest.raises(UserError, match="no network"):
        fetch("hamlet")


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path / "file"))
    with pytest.raises(UserError, match="set ELMAN_DATA to another folder"):
        fetch("topics")


def test_of_an_archive_the_recordings_are_kept_however_it_is_packed(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = {"0_a_0.wav": b"RIFF one", "1_a_0.wav": b"RIFF two"}
    kept = archive((f"recordings/{name}", data) for name, data in sounds.items())
    entry = replace(NAMED["fsdd"], sha256=hashlib.sha256(kept).hexdigest())
    monkeypatch.setitem(named.NAMED, "fsdd", entry)
    assert entry.path is not None
    file = tmp_path / "mirror" / entry.path
    file.parent.mkdir(parents=True)

    def pack(path: Path, changed: bytes) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("digits-26eb9aa/README.md", "of whoever packed it")
            for name, data in reversed(sounds.items()):
                packed.writestr(f"digits-26eb9aa/recordings/{name}", data + changed)

    pack(file, b"!")
    with pytest.raises(UserError, match=r"does not hold the recordings of fsdd.*put .* at .*\.zip"):
        fetch("fsdd")
    assert not list((tmp_path / "data").iterdir())
    pack(file, b"")
    path = fetch("fsdd")
    assert path.name == "fsdd.zip" and path.read_bytes() == kept
    file.unlink()
    assert fetch("fsdd") == path, "the checked file serves without network"
    pack(path, b"")
    assert fetch("fsdd").read_bytes() == kept, "an archive that was put there by hand serves too"


def test_sounds_that_were_made_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path))
    path = fetch("beeps")
    assert path.name == "beeps.zip" and path.stat().st_size == NAMED["beeps"].size
    when = path.stat().st_mtime_ns
    monkeypatch.setattr(named, "MADE", {})
    assert fetch("beeps") == path and path.stat().st_mtime_ns == when
    monkeypatch.undo()
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path))
    path.write_bytes(b"damaged")
    assert fetch("beeps").stat().st_size == NAMED["beeps"].size


def test_topics_is_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMAN_DATA", str(tmp_path))
    monkeypatch.setenv("ELMAN_DATA_URL", "http://127.0.0.1:9")
    path = fetch("topics")
    assert abs(len(path.read_bytes()) / NAMED["topics"].size - 1) < 0.2
    path.write_bytes(b"damaged")
    assert len(fetch("topics").read_text(encoding="utf-8")) > 100_000


def test_an_unknown_name_is_told_with_its_neighbour() -> None:
    with pytest.raises(UserError, match='did you mean "topics"'):
        fetch("topic")


def test_the_table_is_read_without_heavy_imports() -> None:
    code = (
        "import sys, elman.data.built_in.named, elman.data.source\n"
        "print({'torch', 'numpy', 'pooch', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_packed_file_is_kept_packed_and_read_unpacked(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("multi30k-val.de", "multi30k-val.en"):
        entry, packed = NAMED[name], gzip.compress(f"{name}\n".encode())
        assert entry.path is not None
        file = tmp_path / "mirror" / entry.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(packed)
        known = replace(entry, sha256=hashlib.sha256(packed).hexdigest())
        monkeypatch.setitem(named.NAMED, name, known)
    sources = resolve(["name:multi30k-val"])
    assert [one.shown for one in sources] == ["name:multi30k-val.de", "name:multi30k-val.en"]
    assert [one.path.name for one in sources] == [f"multi30k-val.{x}.txt.gz" for x in ("de", "en")]
    assert b"".join(read_bytes(sources)) == b"multi30k-val.de\nmulti30k-val.en\n"
    assert [one.shown for one in resolve(["name:multi30k-val.en"])] == ["name:multi30k-val.en"]


def test_a_name_stands_for_itself_or_for_all_that_go_on_with_a_dot() -> None:
    assert members("hamlet") == ("hamlet",)
    assert members("multi30k-val") == ("multi30k-val.de", "multi30k-val.en")
    assert members("multi30k") == ("multi30k",), "a dot, not any letter"
    with pytest.raises(UserError, match="unknown data set"):
        resolve(["name:multi30k"])
