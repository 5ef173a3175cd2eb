"""What narrow weights cost: a trained run's bits per character with each storage of its weights.

    python bench/weights_quality.py RUN TEXT [--characters 20000]

A text is scored token by token, as `elman generate --weights` would read it. `elman bench --rows
stream` measures what the storages gain in speed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

import elman
from elman.data import source
from elman.data.texts.vocabulary import from_json
from elman.kernels.stream import STORAGES, Storage
from elman.tasks.text.writing import streaming


class Quality(NamedTuple):
    """How well a model with weights stored so predicts a text."""

    storage: Storage
    bits_per_character: float
    characters: int


def quality(run: Path, text: str, characters: int) -> list[Quality]:
    """A trained run's bits per character on the last `characters` of a text, by storage."""
    trained = elman.load(run, device="cpu")
    content = "".join(source.read_text(source.resolve([text])))[-characters:]
    vocabulary = from_json(trained.folder.preprocessing()["vocabulary"])
    ids = torch.from_numpy(vocabulary.encode(content).astype(np.int64))
    found = []
    for storage in STORAGES:
        stream = streaming.stream(trained.model, storage)
        if isinstance(stream, str):
            raise SystemExit(stream)
        place = trained.read()
        state = [tuple(s[0].contiguous() for s in layer) for layer in place.state]
        scores, _ = stream.read(ids[:-1].contiguous(), state)
        scores = torch.cat([place.logits[None], scores])
        nats = F.cross_entropy(scores.double(), ids, reduction="sum").item()
        found.append(Quality(storage, nats / np.log(2) / len(content), len(content)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("text")
    parser.add_argument("--characters", type=int, default=20_000)
    given = parser.parse_args()
    for q in quality(given.run, given.text, given.characters):
        print(f"{q.storage:8} {q.bits_per_character:.5f} bits of {q.characters:,} characters")


if __name__ == "__main__":
    main()
