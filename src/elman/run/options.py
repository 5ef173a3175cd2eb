"""How a model is trained, whatever the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from elman import tasks
from elman.errors import UserError, unknown_name
from elman.options import by_name, make, require, require_range
from elman.run.tracking.names import check_known

BEFORE_REFIT = 0.47  # of the minutes: what is repeated has a little more data


@dataclass(frozen=True)
class TrainOptions:
    """Options of training. Those left at None are chosen from the data and the time given.

    Parameters
    ----------
    run
        Folder of the run; runs/NAME of the data if not given.
    force
        Replace an existing run folder.
    minutes
        Train for so long, everything included; size and schedule follow. 5 if nothing is said.
    epochs
        Train for so many passes over the data.
    batch_size
        Sequences trained side by side.
    optimizer
        Rule of the weight update.
    learning_rate
        Highest learning rate.
    momentum
        Momentum of sgd and rmsprop.
    schedule
        Learning rate over time: constant, falling on a cosine, or halved when validation stalls.
    cycle
        Epochs over which the learning rate falls for the first time in a training by the clock;
        then over twice as many, as long as that helps. By the data if not given.
    warmup
        Share of a fall of the learning rate over which the learning rate rises from zero.
    clip_norm
        Scale gradients down to this norm; 0 never.
    clip_value
        Cut each gradient to this size; 0 never.
    l1
        Weight of the sum of absolute weights in the loss.
    l2
        Weight decay (for adamw apart from the gradient, for the others in it).
    patience
        Stop after so many validations without a better score; 0 never.
    validation
        Share of the data kept for validation, of a text its end; 0 for none.
    refit
        In the end train on everything, the validation part too, for as long as was best before;
        that model lies in RUN/refit.
    seed
        Seed of every random choice.
    device
        auto, cpu, cuda or cuda:N.
    precision
        Numbers of the products in recurrent layers, and in convolutions before them, while
        training: float32; bf16, about twice as fast on processors that multiply it; auto takes
        that where it teaches as well. Weights, sums, states and all scores are float32 in any
        case.
    threads
        CPU threads; all cores if not given.
    sample
        Length of a sample, of which about ten are shown in a run; 0 for none.
    save_every
        Seconds between checkpoints.
    track
        Trackers that are told too, as checkpoints are written: tensorboard, mlflow, wandb, trackio.
    """

    run: Path | None = None
    force: bool = False
    minutes: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    learning_rate: float | None = None
    momentum: float = 0.0
    schedule: Literal["cosine", "constant", "plateau"] = "cosine"
    cycle: int | None = None
    warmup: float = 0.03
    clip_norm: float = 1.0
    clip_value: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    patience: int = 0
    validation: float = 0.1
    refit: bool = False
    seed: int = 1
    device: str = "auto"
    precision: Literal["auto", "float32", "bf16"] = "auto"
    threads: int | None = None
    sample: int = 500
    save_every: float = 30.0
    track: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.minutes is None and self.epochs is None:
            object.__setattr__(self, "minutes", 5.0)
        require_range(self, ("minutes",), 0.1, 100_000)
        require_range(self, ("epochs",), 1, 10_000_000)
        require_range(self, ("cycle",), 1, 10_000_000)
        require_range(self, ("batch_size",), 1, 65_536)
        require_range(self, ("threads",), 1, 1024)
        require_range(self, ("sample",), 0, 100_000)
        require_range(self, ("patience",), 0, 1_000_000)
        require_range(self, ("seed",), 0, 2**63 - 1)
        require_range(self, ("validation", "momentum", "warmup"), 0, 1, open_end=True)
        require_range(self, ("learning_rate", "clip_norm", "clip_value", "l1", "l2"), 0, 1e6)
        require_range(self, ("save_every",), 0, 86_400)
        rate = self.learning_rate
        require(self, "learning_rate", rate is None or rate > 0, "a value above 0")
        waits = self.patience > 0 or self.schedule == "plateau"
        fits = "a value above 0 with --patience or --schedule plateau"
        require(self, "validation", self.validation > 0 or not waits, fits)
        known = self.device in ("auto", "cpu") or self.device.split(":")[0] == "cuda"
        require(self, "device", known, "auto, cpu, cuda or cuda:N")
        check_known(self.track)

    @property
    def seconds(self) -> float | None:
        """The promised time, less that which is left to training on everything in the end."""
        if self.minutes is None:
            return None
        return 60 * self.minutes * (BEFORE_REFIT if self.refit else 1.0)


def check_refit(options: Any, how: TrainOptions) -> None:
    """UserError where nothing is held back from training that could be trained on after all."""
    if how.refit and (not how.validation or getattr(options, "validation_data", None)):
        raise UserError("--refit: needs a validation part that is cut from the data itself")


def by_own_name(task: str, values: Mapping[str, object]) -> dict[str, object]:
    """The same values by their options' own names. UserError where one is given by two names."""
    return by_name(TrainOptions, by_name(tasks.options(task), values))


def parse(task: str, values: Mapping[str, object]) -> tuple[Any, TrainOptions]:
    """The options of a task and of its training from plain values, mixed. Raises UserError."""
    kind, values = tasks.options(task), by_own_name(task, values)
    own, training = ({field.name for field in fields(k)} for k in (kind, TrainOptions))
    for name in values.keys() - own - training:
        raise unknown_name("option", name, [*own, *training])
    if values.get("minutes") is not None and values.get("epochs") is not None:
        raise UserError("--minutes and --epochs exclude each other; give one")
    return (
        make(kind, {name: values[name] for name in values.keys() & own}),
        make(TrainOptions, {name: values[name] for name in values.keys() & training}),
    )
