"""What of a run goes out: the files that belong to it, each with what it tells of the user's data.

A run folder may hold anything beside them; that stays. Copies of the data and the state of the
training go only where they are asked for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from elman.data.source import COPIED
from elman.errors import UserError
from elman.run.folder import CHECKPOINT, METRICS, OPTIONS, PREPROCESSING, SCORES, WEIGHTS
from elman.run.sharing import card, options
from elman.run.sharing.options import CardOptions
from elman.run.sharing.paths import Shortened

if TYPE_CHECKING:
    from elman.run.prepare import Trained

BLOCK = 1 << 20  # bytes
REPORT, INSPECTION = "report.md", "inspect.md"
NAME = re.compile(r"[A-Za-z0-9][\w-]*\.(toml|jsonl?|safetensors|md|txt|png|svg|input)", re.ASCII)
PICTURE = re.compile(r"!\[[^\]]*\]\(([^()\s]+\.(?:png|svg))\)")

OF_DATA = {
    PREPROCESSING: "words, labels, scales of the data",
    METRICS: "what it wrote while it learnt",
    REPORT: "examples of the data and of answers",
    INSPECTION: "examples of the data and of answers",
}
COPY, STATE = "a copy of the data itself", "the state of the training, to go on with it"
PICTURES = "drawn from the data"


@dataclass(frozen=True)
class Part:
    """A file of a run as it goes out: its name there, and its bytes, or the file that has them."""

    name: str
    content: bytes | Path
    tells: str = ""  # what of the user's data is in it

    @property
    def size(self) -> int:
        """In bytes."""
        content = self.content
        return len(content) if isinstance(content, bytes) else content.stat().st_size

    def blocks(self) -> Iterator[bytes]:
        """The bytes, in pieces."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as stream:
            while block := stream.read(BLOCK):
                yield block

    def digest(self) -> str:
        """The sha256 of the bytes."""
        found = hashlib.sha256()
        for block in self.blocks():
            found.update(block)
        return found.hexdigest()


def may_be(name: str) -> bool:
    """Whether a file of that name can belong to a run: no path, nothing hidden, nothing to run."""
    return name == CHECKPOINT or NAME.fullmatch(name) is not None


def parts(
    run: Trained, told: CardOptions, name: str, place: str = "RUN", *, checkpoint: bool = False,
    data: bool = False,
) -> list[Part]:  # fmt: skip
    """The files of the run `name` that go out, sorted by name, paths of this machine shortened.

    `told` and `place` are for its card. UserError where one that is needed is missing.
    """
    folder = run.folder.path
    short = Shortened.of(run)
    tables = short.tables(run.folder.options())
    made = {
        OPTIONS: tomli_w.dumps(tables).encode(),
        card.FILE: card.of_run(run.folder, tables, told, name, place).encode(),
    }
    if about := options.as_table(told):
        made[options.FILE] = tomli_w.dumps(about).encode()
    pages = {
        name: short.text((folder / name).read_text(encoding="utf-8", errors="replace"))
        for name in (REPORT, INSPECTION)
        if (folder / name).is_file()
    }
    made |= {name: text.encode() for name, text in pages.items()}
    found = [Part(name, content, OF_DATA.get(name, "")) for name, content in made.items()]
    tells = {**OF_DATA, SCORES: "", WEIGHTS: "", **run.task.files}
    tells |= dict.fromkeys(_pictures([*pages.values(), made[card.FILE].decode()]), PICTURES)
    if data:
        tells |= {path.name: COPY for path in folder.glob(f"input-*{COPIED}")}
    if checkpoint:
        tells[CHECKPOINT] = STATE
    found += [
        Part(name, folder / name, text)
        for name, text in tells.items()
        if name not in made and may_be(name) and (folder / name).is_file()
    ]
    for name in (WEIGHTS, PREPROCESSING, *((CHECKPOINT,) if checkpoint else ())):
        if not any(part.name == name for part in found):
            raise UserError(f"{folder}: cannot go out, {name} is missing; train it to its end")
    return sorted(found, key=lambda part: part.name)


def _pictures(pages: list[str]) -> list[str]:
    """The pictures that pages show."""
    return [name for page in pages for name in PICTURE.findall(page)]
