"""The Python face of runs: `train`, `resume`, `load`, and the `Run` that they give."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from elman import decode, tasks
from elman.errors import UserError
from elman.metrics import Loss
from elman.options import make
from elman.run import checkpoint, folder, prepare
from elman.run.clock import Clock
from elman.run.folder import RunFolder
from elman.run.options import TrainOptions
from elman.run.report import verdict, write_report
from elman.run.train import Job, Progress
from elman.run.train import train as training

Listener = Callable[[Progress], None]


def silent(event: object) -> None:
    """A listener that does nothing."""


def train(task: str, *data: str | Path, **options: Any) -> Run:
    """Train a model: `elman.train("text", "hamlet.txt", cell="lstm", hidden_size=512, epochs=50)`.

    `data` as on the command line; none for the built-in set. `options` are those of the command
    line, with underscores; a list gives one value for each layer. Raises UserError for wrong
    input, RunError when the training itself fails.
    """
    clock = Clock(None)
    kind = tasks.options(task)
    own = {field.name for field in dataclasses.fields(TrainOptions)}
    how = make(TrainOptions, {k: v for k, v in options.items() if k in own})
    rest = make(kind, {k: v for k, v in options.items() if k not in own})
    job = prepare.new(task, [str(item) for item in data], rest, how, clock, silent)
    return complete(job, silent)


def resume(run: str | Path, *, epochs: int | None = None, minutes: float | None = None) -> Run:
    """Go on with a run that was interrupted, or, given new `epochs` or `minutes`, has ended."""
    return complete(prepare.again(Path(run), epochs, minutes, Clock(None), silent), silent)


def load(run: str | Path, *, device: str = "auto") -> Run:
    """A trained model from its run folder. Raises UserError where there is none or it is damaged."""
    return Run(prepare.trained(Path(run)), prepare.choose_device(device))


def complete(job: Job, listen: Listener) -> Run:
    """Train a job to its end, then score it, report it, and give its `Run`."""
    name, baseline = "", {}
    if job.how.validation:
        name, baseline = job.task.baseline(job.dataset, job.options)
    with (job.folder.path / folder.METRICS).open("a", encoding="utf-8") as log:
        written = 0.0
        for event in training(job):
            due = max(1.0, event.seconds / 200)
            if event.split == "validation" or event.seconds - written >= due:
                log.write(json.dumps(dataclasses.asdict(event), ensure_ascii=False) + "\n")
                log.flush()
                written = event.seconds
            listen(event)
    _, header = checkpoint.read(job.folder.checkpoint)
    scores: dict[str, float] = {}
    if job.how.validation:
        scores = job.task.scores(job.dataset, Loss(header["best"], 1))
    record = {
        "scores": scores,
        "baseline": baseline,
        "baseline_name": name,
        "seconds": job.clock.elapsed,
    }
    folder.replace(job.folder.path / folder.SCORES, json.dumps(record, indent=1))
    samples = [r["sample"] for r in job.folder.metrics() if r.get("sample")]
    remarks = job.task.remarks(job.dataset, samples[-1] if samples else "")
    write_report(job.folder, remarks)
    return load(job.folder.path, device=job.device)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores by name, beside the baseline's, on the same text."""

    scores: dict[str, float]
    baseline: dict[str, float]
    baseline_name: str


class Run:
    """A trained model and the folder it came from."""

    def __init__(self, trained: prepare.Trained, device: str) -> None:
        self._trained, self.device = trained, device
        self.model: nn.Module = prepare.load_model(trained, device)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._trained.folder.path

    @property
    def folder(self) -> RunFolder:
        """The run folder's files, read."""
        return self._trained.folder

    @property
    def verdict(self) -> str:
        """What the report says in plain words: does it beat the baseline, what to try next."""
        return " ".join(verdict(self.folder.metrics(), self.folder.scores()))

    @property
    def task(self) -> str:
        """The name of the task."""
        return self._trained.task.name

    @property
    def scores(self) -> dict[str, float]:
        """The scores at the end of training, by name; empty where nothing was kept to validate."""
        return dict(self._trained.folder.scores().get("scores", {}))

    @property
    def baseline(self) -> dict[str, float]:
        """The baseline's scores on the same validation part."""
        return dict(self._trained.folder.scores().get("baseline", {}))

    def evaluate(self, *data: str | Path) -> Evaluation:
        """Scores on other data, or, with none, on the run's own validation part."""
        run, task = self._trained, self._trained.task
        training = None
        if data:
            dataset = task.unseen([str(item) for item in data], run.preprocessing)
            training = task.read(run.data, run.options, run.how.validation)
        else:
            if not run.how.validation:
                raise UserError(f"{self.path}: kept nothing for validation; name other data")
            dataset = task.read(run.data, run.options, run.how.validation)
        loss = task.validate(self.model, dataset, run.options, self.device)
        name, baseline = task.baseline(dataset, run.options, training)
        return Evaluation(task.scores(dataset, loss), baseline, name)

    def read(
        self, prompt: str = "", after: decode.Cursor[Any] | None = None
    ) -> decode.Cursor[Any]:
        """The place in a text after `prompt`, from which `stream` writes on, as often as wanted."""
        return self._writer().read(prompt, after)

    def stream(
        self, cursor: decode.Cursor[Any], length: int = 500,
        sampling: decode.Sampling | None = None, prompt: str = "",
    ) -> Iterator[tuple[str, decode.Cursor[Any]]]:  # fmt: skip
        """`length` tokens from `cursor`: pieces of text as they are made, and the place after each.

        `prompt` is what they follow, for the space before the first word.
        """
        return self._writer().write(cursor, length, sampling or decode.Sampling(), prompt)

    def generate(self, prompt: str = "", length: int = 500, **sampling: Any) -> str:
        """The prompt and `length` tokens after it.

        `sampling`: temperature, top_k, top_p, repetition_penalty, seed, as in `decode.Sampling`.
        """
        chosen = make(decode.Sampling, sampling)
        pieces = self.stream(self.read(prompt), length, chosen, prompt)
        return prompt + "".join(piece for piece, _ in pieces)

    def unknown(self, text: str) -> list[str]:
        """The symbols of a text that the model does not know."""
        return list(self._writer().vocabulary.covers(text))

    def save_state(self, cursor: decode.Cursor[Any], path: str | Path) -> None:
        """Keep a place in a text in a file, to write on from there another time."""
        state = cursor.state if isinstance(cursor.state, list) else [(cursor.state,)]
        plain = {"seen": sorted(cursor.seen), "position": cursor.position}
        tensors = checkpoint.carry_tensors(state) | {"logits": cursor.logits}
        checkpoint.write(Path(path), tensors, plain)

    def load_state(self, path: str | Path) -> decode.Cursor[Any]:
        """A place that `save_state` kept. Raises UserError where it is damaged or of another model."""
        path = Path(path)
        tensors, plain = checkpoint.read(path)
        here = self.read()  # a place of this model, to compare shapes with
        kept = checkpoint.load_carry(tensors, self.device)
        own = here.state if isinstance(here.state, list) else [(here.state,)]
        seen, position = plain.get("seen"), plain.get("position")
        windowed = not isinstance(here.state, list)
        fits = (
            kept is not None
            and (windowed or _shapes(kept) == _shapes(own))
            and [[t.dtype for t in layer] for layer in kept] == [[t.dtype for t in x] for x in own]
            and "logits" in tensors
            and tensors["logits"].shape == here.logits.shape
            and isinstance(seen, list)
            and all(isinstance(i, int) and 0 <= i < len(here.logits) for i in seen)
            and isinstance(position, int)
        )
        if not fits or kept is None or not isinstance(seen, list) or not isinstance(position, int):
            raise UserError(f"{path}: is not a state of this model ({self.path})")
        state = kept[0][0] if windowed else kept
        return decode.Cursor(state, tensors["logits"], frozenset(seen), position)

    def _writer(self) -> Any:
        run = self._trained
        if not hasattr(run.task, "writer"):
            raise UserError(f"{self.path}: the task {self.task} does not write")
        return run.task.writer(self.model, run.preprocessing, run.options, self.device)


def _shapes(state: Sequence[tuple[torch.Tensor, ...]]) -> list[list[torch.Size]]:
    return [[tensor.shape for tensor in layer] for layer in state]
