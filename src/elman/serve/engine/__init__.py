"""Texts of many readers, written together by one model: each is what it would be alone."""

from __future__ import annotations

from elman.errors import UserError
from elman.run.trained import Run
from elman.serve.engine.engine import TextEngine
from elman.serve.engine.one_by_one import OneByOne
from elman.serve.engine.packed import Packed
from elman.serve.engine.steps import Steps
from elman.tasks.text.writing import streaming
from elman.tasks.text.writing.writer import Writer

PLACES = 1024  # texts at once; more of them wait


def open_engine(run: Run, places: int = PLACES) -> TextEngine:
    """An engine of the run's model, with its weights as they are now. UserError: the run does not
    write."""
    task, kept, options = run.trained.task, run.trained.preprocessing, run.trained.options
    writer = None if task.writer is None else task.writer(run.model, kept, options, run.device)
    if not isinstance(writer, Writer):
        raise UserError(f"{run.path}: the task {run.task} does not write")
    unknown = writer.vocabulary.unknown
    stream = streaming.stream(writer.model, "float32")
    steps: Steps
    if isinstance(stream, str):
        several = streaming.stepper(writer.model, "float32")
        write = writer.step if isinstance(several, str) else several
        steps = OneByOne(writer.step, write, unknown)
    else:
        steps = Packed(stream, places, unknown)
    return TextEngine(steps, places, writer.vocabulary, writer.read(""))
