"""The page: sections asked one after the other, their findings first, pictures beside."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.errors import UserError
from elman.inspection.section import Found, Section
from elman.inspection.sections import sections
from elman.inspection.subject import Subject
from elman.run.files import replace, writing
from elman.tasks import drawing

PAGE = "inspect.md"
PATTERNS = "units"  # the section that patterns of the user are for
SECONDS = 40.0  # for all sections together


@dataclass(frozen=True)
class Answer:
    """A section, what it found, and how long that took."""

    section: Section
    found: Found
    seconds: float
    picture: str = ""  # the name of its file, where one was drawn


@dataclass(frozen=True)
class Inspection:
    """What was found in a network, as text, as pictures in its folder, and as numbers."""

    folder: Path
    what: str
    answers: tuple[Answer, ...]
    left: tuple[tuple[str, str], ...]  # recurrent modules that could not be opened, and why
    seconds: float

    @property
    def findings(self) -> list[str]:
        """The sentences that tell most."""
        return [line for answer in self.answers for line in answer.found.findings]

    @property
    def page(self) -> Path:
        return self.folder / PAGE

    def record(self) -> dict[str, Any]:
        """Everything in plain lists and numbers, for JSON."""
        return {
            "what": self.what,
            "findings": self.findings,
            "left": dict(self.left),
            "sections": {
                answer.section.name: {
                    "findings": answer.found.findings,
                    "lines": answer.found.lines,
                    "measured": [one.record() for one in answer.found.measured],
                    "picture": answer.picture,
                    "seconds": round(answer.seconds, 3),
                }
                for answer in self.answers
            },
            "page": str(self.page),
            "seconds": round(self.seconds, 3),
        }


def inspect(
    subject: Subject,
    folder: Path,
    *,
    seconds: float = SECONDS,
    only: Sequence[str] = (),
) -> Inspection:
    """Ask every section, or those named in `only`, and write inspect.md and its pictures.

    Each section may take its share of what is left of the `seconds`. UserError: nothing recurrent
    in the model, an unknown section, a folder that cannot be written.
    """
    began = time.perf_counter()
    chosen = _chosen(only)
    _ = subject.layers  # whatever is wrong with the model is told before anything is written
    _make(folder)
    answers: list[Answer] = []
    for k, section in enumerate(chosen):
        now = time.perf_counter()
        left = max(0.0, began + seconds - now)
        share = section.share / sum(other.share for other in chosen[k:])
        subject.allowance.until = now + left * share
        try:
            found = section.find(subject)
        except UserError as error:  # what one question cannot be answered for, others may
            if subject.patterns and section.name == PATTERNS:
                raise  # that very question was asked
            found = Found([], [f"Not told: {error}."])
        if found is not None:
            picture = _drawn(section, found, folder)
            answers.append(Answer(section, found, time.perf_counter() - now, picture))
    spent = time.perf_counter() - began
    made = Inspection(folder, subject.what, tuple(answers), subject.layers.left, spent)
    replace(folder / PAGE, text(made, subject.networks))
    return made


def _chosen(only: Sequence[str]) -> list[Section]:
    known = {section.name: section for section in sections()}
    for name in only:
        if name not in known:
            raise UserError(f'no section "{name}"; there are {", ".join(known)}')
    return [section for name, section in known.items() if not only or name in only]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror or error}; name another folder") from None


def _drawn(section: Section, found: Found, folder: Path) -> str:
    """The name of the picture; empty where there is none. An older one does not stay behind."""
    path = folder / f"inspect-{section.name}.png"
    path.unlink(missing_ok=True)
    if found.draw is None or not drawing.possible():
        return ""
    with warnings.catch_warnings(), writing(path):
        warnings.filterwarnings("ignore", "Glyph")  # a token that the font lacks is a box
        drawing.save(found.draw(), path)
    return path.name


def text(made: Inspection, networks: int = 1) -> str:
    """inspect.md."""
    lines = ["# Looking inside", ""]
    if made.what:
        lines += [f"Looked at: {made.what}.", ""]
    if networks > 1:
        lines += [f"{networks} networks answer together; this is the first of them.", ""]
    lines += [f"- {line}" for line in made.findings] or ["Nothing stands out."]
    lines.append("")
    for path, why in made.left:
        lines += [f"Not looked into: {path or 'the model'}, {why}.", ""]
    for answer in made.answers:
        lines += [f"## {answer.section.title}", ""]
        lines += [f"- {line}" for line in answer.found.findings]
        lines += [""] if answer.found.findings else []
        lines += [*answer.found.lines, ""] if answer.found.lines else []
        if answer.picture:
            lines += [f"![{answer.section.title}]({answer.picture})", ""]
            lines += [answer.found.caption, ""] if answer.found.caption else []
    if not drawing.possible():
        lines += ["No pictures: matplotlib is not installed; `pip install 'elman[plot]'`.", ""]
    return "\n".join(lines).rstrip() + "\n"
