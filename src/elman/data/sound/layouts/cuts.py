"""Manifests of cuts as lhotse writes them, a JSON list or an object a line.

{"id": "…", "start": 0, "duration": 1.5, "recording": {"sources": [{"type": "file", "source":
"LJ002-0020.wav"}]}, "supervisions": [{"start": 0, "duration": 1.5, "text": "…", "speaker": "…"}]}
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from elman.data.sound.clips import Clip, Recording
from elman.data.sound.layouts.found import Found, plain
from elman.data.sound.parts import part_of, usual
from elman.data.sound.tree import Tree, decoded
from elman.data.tables.content import BadRows
from elman.errors import UserError

LINES = (".jsonl", ".jsonl.gz", ".ndjson")
ENDINGS = (".json", ".json.gz", *LINES)
CUT = re.compile(r'"recording"\s*:\s*\{|"tracks"\s*:\s*\[')
SEEN = re.compile(r'"supervisions"\s*:')
BEGIN = 1 << 14  # letters by which such a manifest is known


class _Cut(NamedTuple):
    where: str
    value: Mapping[str, Any]


def read(tree: Tree, bad: BadRows, wanted: bool) -> Found | None:
    """The supervisions of all cuts, each a clip; None where there is no such manifest.

    What was mixed from several cuts is read apart: each track is a recording of its own.
    """
    texts = {
        name: text
        for name in tree.names
        if _may_be(tree, name)
        if (text := _text(tree, name)) is not None
    }
    if not texts:
        return None
    clips, mixed = list[Clip](), False
    for name in usual(texts):
        for cut in _cuts(tree.where(name), texts[name], name, bad):
            mixed = mixed or "tracks" in cut.value
            for one in _tracks(cut):
                clips += _clips(tree, name, one, bad, wanted)
    names = ", ".join(posixpath.basename(name) for name in usual(texts))
    facts = [f"transcripts from the cuts of {names}"]
    facts += ["mixed cuts: each track read as a recording of its own"] if mixed else []
    return Found("lhotse cuts", clips, facts)


def _may_be(tree: Tree, name: str) -> bool:
    """Whether a file may be such a manifest, and tells of no single recording by its name."""
    own = posixpath.basename(posixpath.splitext(name)[0])
    return name.lower().endswith(ENDINGS) and own not in tree.bare_stems


def _text(tree: Tree, name: str) -> str | None:
    """The text of a manifest of cuts; None of another file."""
    data = tree.source(name).blocks() if name.endswith(".gz") else iter([tree.read(name)])
    begun = next(data, b"")
    start = begun[:BEGIN].decode(errors="replace")
    if not (CUT.search(start) and SEEN.search(start)):
        return None
    return decoded(b"".join([begun, *data]), tree.where(name))


def _cuts(shown: str, text: str, name: str, bad: BadRows) -> Iterator[_Cut]:
    if name.lower().endswith(LINES):
        lines = enumerate(text.splitlines(), start=1)
        values = ((f"{shown}, line {k:,}", line) for k, line in lines if line.strip())
        for where, line in values:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict):
                yield _Cut(where, value)
            else:
                bad.add(where, "not a JSON object on one line")
        return
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{shown}: damaged JSON ({str(error)[:80]})") from None
    for k, value in enumerate(whole if isinstance(whole, list) else [whole], start=1):
        if isinstance(value, dict):
            yield _Cut(f"{shown}, cut {k:,}", value)
        else:
            bad.add(f"{shown}, cut {k:,}", "not a JSON object")


def _tracks(cut: _Cut) -> Iterator[_Cut]:
    tracks = cut.value.get("tracks")
    if not isinstance(tracks, list):
        yield cut
        return
    for k, track in enumerate(tracks, start=1):
        value = track.get("cut") if isinstance(track, dict) else None
        yield _Cut(f"{cut.where}, track {k}", value if isinstance(value, dict) else {})


def _clips(tree: Tree, name: str, cut: _Cut, bad: BadRows, wanted: bool) -> Iterator[Clip]:
    """The clips of one cut. One that lacks something is a bad row."""
    try:
        recording = _recording(tree, posixpath.dirname(name), cut.value)
        start, length = _time(cut.value, "start", 0.0), _time(cut.value, "duration", math.inf)
        said = cut.value.get("supervisions") or []
        if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
            raise ValueError("damaged supervisions")
        if wanted and not said:
            raise ValueError("no supervision, so no transcript")
        for one in said or [{}]:
            begin = start + _time(one, "start", 0.0, below=True)
            stop = begin + _time(one, "duration", length)
            begin, stop = max(begin, start), min(stop, start + length)
            text = one.get("text")
            yield Clip(
                cut.where, recording, begin, None if math.isinf(stop) else stop,
                plain(text or "") if wanted or text is not None else None, None,
                plain(one.get("speaker") or ""), part_of(name),
            )  # fmt: skip
    except ValueError as error:
        bad.add(cut.where, str(error))


def _recording(tree: Tree, folder: str, cut: Mapping[str, Any]) -> Recording:
    recording = cut.get("recording")
    sources = recording.get("sources") if isinstance(recording, dict) else None
    first = sources[0] if isinstance(sources, list) and sources else None
    if not isinstance(first, dict) or not isinstance(first.get("source"), str):
        raise ValueError("no source of a recording")
    if first.get("type", "file") != "file":
        raise ValueError(f'a source of type "{str(first["type"])[:40]}"; only files are read')
    found = tree.find(first["source"], folder)
    if found is None:
        raise ValueError(f'no recording "{first["source"][:200]}"')
    return found


def _time(of: Mapping[str, Any], name: str, otherwise: float, *, below: bool = False) -> float:
    value = of.get(name)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: needs seconds")
    if value < 0 and not below:
        raise ValueError(f"{name} {value:g}: needs seconds from 0")
    return float(value)
