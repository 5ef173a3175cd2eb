"""What the tasks whose answers are labels share: what a model of theirs keeps, and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from elman.errors import UserError
from elman.options import make

Encoder = TypeVar("Encoder")
Reading = TypeVar("Reading")

SHOWN = 30  # labels in a table


def settled(
    preprocessing: Mapping[str, Any], name: str, encoder_from_json: Callable[[Any], Encoder],
    kind: type[Reading],
) -> tuple[tuple[str, ...], Encoder, Reading]:  # fmt: skip
    """The labels, kept under `name`, encoder and reading of a trained model.

    UserError where they are damaged.
    """
    labels, encoder, reading = kept(preprocessing, name)
    made = make(kind, {k: v for k, v in reading.items() if v is not None}, where="reading")
    return labels, encoder_from_json(encoder), made


def kept(
    preprocessing: Mapping[str, Any], name: str
) -> tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]:
    """The same as they were written. UserError where one is missing."""
    labels, encoder = preprocessing.get(name), preprocessing.get("encoder")
    reading = preprocessing.get("reading")
    if (
        not isinstance(labels, list)
        or not all(isinstance(label, str) for label in labels)
        or not isinstance(encoder, dict)
        or not isinstance(reading, dict)
    ):
        raise UserError(f"preprocessing.json: damaged (no {name}, encoder or reading in it)")
    return tuple(labels), encoder, reading


class Counted(NamedTuple):
    """How often a label is there, how often it was said, and how often both."""

    label: str
    there: int
    said: int
    hit: int


def table(counted: Sequence[Counted], what: str, unit: str) -> list[str]:
    """Precision, recall and F1 of the most frequent labels, as lines of Markdown.

    `what` names a label and `unit` what bears one. Of equally frequent ones the first comes first.
    """
    lines = [f"| {what} | {unit} | precision | recall | F1 |", "|---|---|---|---|---|"]
    for label, there, said, hit in sorted(counted, key=lambda c: -c.there)[:SHOWN]:
        precision, recall = hit / max(said, 1), hit / max(there, 1)
        f1 = 2 * hit / max(there + said, 1)
        name = label.replace("|", "\\|")
        lines.append(f"| {name} | {there:,} | {precision:.3f} | {recall:.3f} | {f1:.3f} |")
    return lines
