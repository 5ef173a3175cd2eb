"""What a run keeps beside its weights: the transcripts, from which a language can be learnt."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from elman.data.cache import replacing
from elman.errors import UserError
from elman.tasks.speech.data import SpeechData
from elman.tasks.speech.model import recogniser
from elman.tasks.speech.options import SpeechOptions

FILE = "transcripts.txt"
FILES = {FILE: "every transcript that was trained on"}
LARGEST = 1 << 28  # bytes


def keep(dataset: SpeechData, options: SpeechOptions, folder: Path) -> None:
    """A line for each transcript that is trained on."""
    if dataset.encoder.vocabulary is None or (folder / FILE).exists():
        return
    lines = (dataset.encoder.clean(clip.text or "") for clip in dataset.train.clips)
    with replacing(folder / FILE) as part:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def restore(model: nn.Module, options: SpeechOptions, folder: Path) -> None:
    """UserError: the file is missing or damaged."""
    model, path = recogniser(model), folder / FILE
    if model.mode == "classify":
        return
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path}: damaged (too large)")
        model.transcripts = tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: missing or damaged ({error})") from None
