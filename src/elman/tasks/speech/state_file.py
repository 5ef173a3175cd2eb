"""What was heard of a stream, kept in a file, to go on from there another time."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from elman.data.cache import replacing
from elman.errors import RunError, UserError
from elman.tasks.speech.hearing import Listener
from elman.tasks.speech.model import Recogniser
from elman.tasks.speech.writing import Transcribing

LARGEST = 1 << 28  # bytes


def begun(model: Recogniser, write: Transcribing) -> Listener:
    """One that has heard nothing, or what the file named by --state holds. UserError where it is
    missing, damaged or of another model, and where the one to be written has no folder."""
    how = write.decoding
    if how.save_state is not None and not how.save_state.absolute().parent.is_dir():
        raise UserError(f"--save-state {how.save_state}: its folder does not exist")
    if how.save_state is not None and how.save_state.is_dir():
        raise UserError(f"--save-state {how.save_state}: is a folder; name a file")
    if how.state is None:
        return Listener(model, write)
    try:
        if how.state.stat().st_size > LARGEST:
            raise UserError(f"--state {how.state}: damaged (too large)")
        tensors = load(how.state.read_bytes())
    except OSError as error:
        raise UserError(f"--state {how.state}: {error.strerror or error}") from None
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--state {how.state}: damaged ({error})") from None
    try:
        return Listener.resumed(model, write, tensors)
    except UserError as error:
        raise UserError(f"--state {how.state}: {error}") from None


def keep(listener: Listener, path: Path) -> None:
    """Write what a listener goes on with beside `path`, and rename. RunError where that fails."""
    with torch.no_grad():
        data = save(listener.tensors())
    try:
        with replacing(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}") from None
