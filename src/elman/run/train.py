"""The training loop, on one page. It yields `Progress`; whoever wants to show or log it listens."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from elman.errors import RunError
from elman.metrics import Loss
from elman.options import finite, make
from elman.run import checkpoint
from elman.run.clock import Clock
from elman.run.folder import METRICS, RunFolder
from elman.run.interrupt import Interrupt
from elman.run.options import TrainOptions
from elman.tasks.task import Carry, Task

REPORT_EVERY = 0.5  # seconds between two events for the eyes
VALIDATIONS = 100  # at most so many validations and samples in a run counted in epochs


@dataclass(frozen=True)
class Job:
    """Everything a run is made of. `options` are the task's, `how` the training's, all resolved."""

    task: Task[Any, Any, Any]
    data: tuple[str, ...]
    dataset: Any
    options: Any
    how: TrainOptions
    folder: RunFolder
    model: nn.Module
    device: str
    clock: Clock
    extend: bool = False  # go on with a finished run


@dataclass(frozen=True)
class Position:
    """Where a run stands: saved with every checkpoint, so that nothing is counted twice."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # next batch of the epoch
    units: int = 0  # predictions trained on so far
    best: float = math.inf  # best validation loss
    stale: int = 0  # validations since the best
    factor: float = 1.0  # what plateaus left of the learning rate
    validated_step: int = -1
    validated_at: float = 0.0  # seconds
    seconds: float = 0.0
    metrics_bytes: int = 0
    finished: bool = False


@dataclass(frozen=True)
class Progress:
    """One report. `nats` is the mean loss since the last train report, or that of a validation."""

    split: Literal["train", "validation"]
    step: int
    epoch: int
    share: float  # of the run, in [0, 1]
    nats: float
    units: int
    seconds: float
    units_per_second: float
    learning_rate: float
    gradient_norm: float
    sample: str = ""
    best: bool = False


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; the run can be resumed."""


def train(job: Job) -> Iterator[Progress]:
    """Train until the epochs, the minutes or the patience run out; resumes where a checkpoint is.

    Raises RunError when the loss is no longer finite, Interrupted on Ctrl-C; in both cases the
    last good state is in the checkpoint.
    """
    task, how, model, clock = job.task, job.how, job.model, job.clock
    optimizer = make_optimizer(model, how)
    at, carry = load(job, optimizer)
    seen, since, reported = Loss(0.0, 0), at.units, time.perf_counter()
    saved, rate, norm = time.perf_counter(), 0.0, 0.0
    with Interrupt() as interrupt:
        while not at.finished:
            epoch = task.epoch(job.dataset, job.options, how.batch_size or 1, how.seed, at.epoch)
            model.train()
            stop = False
            while at.batch < len(epoch) and not stop:
                share = clock.share if how.epochs is None else at.step / (how.epochs * len(epoch))
                rate = learning_rate(how, share, at.factor)
                for parameters in optimizer.param_groups:
                    parameters["lr"] = rate
                total, count, after = task.loss(model, epoch[at.batch], carry, job.device)
                optimizer.zero_grad(set_to_none=True)
                (total / count).backward()
                norm, value = clip(model, how), total.item()
                if not finite(value, norm):
                    save(job, at, carry, optimizer)
                    raise RunError(not_finite(job, at, value, norm, rate))
                optimizer.step()
                carry, seen = after, seen + Loss(value, count)
                at = replace(at, step=at.step + 1, batch=at.batch + 1, units=at.units + count)
                now = time.perf_counter()
                if now - reported > REPORT_EVERY or at.batch == len(epoch):
                    speed = (at.units - since) / (now - reported)
                    yield report(job, at, "train", share, seen.mean, speed, rate, norm)
                    seen, since, reported = Loss(0.0, 0), at.units, time.perf_counter()
                if validation_due(job, at, len(epoch)):
                    at, event = validate(job, at, share, rate, norm)
                    yield event
                    model.train()
                    reported = time.perf_counter()
                if now - saved >= how.save_every or interrupt.asked:
                    save(job, at, carry, optimizer)
                    saved = time.perf_counter()
                if interrupt.asked:
                    raise Interrupted
                stop = bool(how.patience) and at.stale >= how.patience
                stop |= how.epochs is None and clock.share >= 1
            if at.batch == len(epoch):
                at, carry = replace(at, epoch=at.epoch + 1, batch=0), None
            if stop or (how.epochs is not None and at.epoch >= how.epochs):
                if at.validated_step != at.step:
                    at, event = validate(job, at, 1.0, rate, norm)
                    yield event
                at = replace(at, finished=True)
                save(job, at, carry, optimizer)


def make_optimizer(model: nn.Module, how: TrainOptions) -> torch.optim.Optimizer:
    """The optimiser over all parameters; only matrices decay, biases and gains do not."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": how.l2},
        {"params": vectors, "weight_decay": 0.0},
    ]
    rate = how.learning_rate or 0.0
    match how.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, rate, betas=(0.9, 0.99))
        case "adam":
            return torch.optim.Adam(groups, rate)
        case "sgd":
            return torch.optim.SGD(groups, rate, momentum=how.momentum)
        case "rmsprop":
            return torch.optim.RMSprop(groups, rate, momentum=how.momentum)


def learning_rate(how: TrainOptions, share: float, factor: float) -> float:
    """The learning rate when `share` of the run is over: a linear rise, then the schedule."""
    peak = (how.learning_rate or 0.0) * factor
    if share < how.warmup:
        return peak * max(share / how.warmup, 0.01)
    if how.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * (share - how.warmup) / (1 - how.warmup)))
    return peak


def clip(model: nn.Module, how: TrainOptions) -> float:
    """Add the L1 gradient, clip by value and by norm; the norm before clipping."""
    parameters = [p for p in model.parameters() if p.grad is not None]
    if how.l1:
        for p in parameters:
            if p.grad is not None and p.dim() > 1:
                p.grad.add_(p.detach().sign(), alpha=how.l1)
    if how.clip_value:
        nn.utils.clip_grad_value_(parameters, how.clip_value)
    return float(nn.utils.clip_grad_norm_(parameters, how.clip_norm or math.inf))


def validation_due(job: Job, at: Position, batches: int) -> bool:
    """In epochs: after each, at most `VALIDATIONS` times. By the clock: every 4 to 12 % of it."""
    how = job.how
    ended = at.batch == batches
    if how.epochs is not None:
        return ended and (at.epoch + 1) % max(1, how.epochs // VALIDATIONS) == 0
    assert job.clock.seconds is not None
    waited = (job.clock.elapsed - at.validated_at) / job.clock.seconds
    return job.clock.share < 0.96 and waited > (0.04 if ended else 0.12)


def validate(
    job: Job, at: Position, share: float, rate: float, norm: float
) -> tuple[Position, Progress]:
    """Score the validation part, keep the weights if they are the best, and let the model show."""
    began = time.perf_counter()
    job.model.eval()
    loss = math.nan
    if job.how.validation:
        part = job.task.validate(job.model, job.dataset, job.options, job.device)
        loss = part.mean
    best = not loss >= at.best  # without a validation part the latest is the best
    if best:
        checkpoint.write(job.folder.weights, checkpoint.weights_of(job.model), {"step": at.step})
    sample = job.task.sample(
        job.model, job.dataset, job.options, job.how.sample, job.how.seed + at.step, job.device
    )
    job.clock.allow(time.perf_counter() - began)
    factor = at.factor if best or job.how.schedule != "plateau" else at.factor / 2
    at = replace(
        at,
        best=loss if best else at.best,
        stale=0 if best else at.stale + 1,
        factor=factor,
        validated_step=at.step,
        validated_at=job.clock.elapsed,
    )
    event = report(job, at, "validation", share, loss, 0.0, rate, norm)
    return at, replace(event, sample=sample, best=best)


def report(
    job: Job, at: Position, split: Literal["train", "validation"], share: float, nats: float,
    speed: float, rate: float, norm: float,
) -> Progress:  # fmt: skip
    return Progress(
        split, at.step, at.epoch, share, nats, at.units, job.clock.elapsed, speed, rate, norm
    )


def not_finite(job: Job, at: Position, loss: float, norm: float, rate: float) -> str:
    what = "loss" if not math.isfinite(loss) else "gradient"
    return (
        f"{what} is no longer finite at step {at.step + 1} (learning rate {rate:.2g}, gradient "
        f"norm {norm:.3g}); the state before it is kept in {job.folder.path}; try a smaller "
        f"--learning-rate (half of {job.how.learning_rate:g}) or a smaller --clip-norm"
    )


def save(job: Job, at: Position, carry: Carry, optimizer: torch.optim.Optimizer) -> None:
    """Write the checkpoint: all that the next step depends on."""
    log = job.folder.path / METRICS
    at = replace(
        at,
        seconds=job.clock.elapsed,
        metrics_bytes=log.stat().st_size if log.exists() else 0,
    )
    weights = {f"model.{k}": v for k, v in checkpoint.weights_of(job.model).items()}
    tensors = weights | checkpoint.optimizer_tensors(optimizer)
    tensors |= checkpoint.random_tensors(job.device) | checkpoint.carry_tensors(carry)
    checkpoint.write(job.folder.checkpoint, tensors, asdict(at))


def load(job: Job, optimizer: torch.optim.Optimizer) -> tuple[Position, Carry]:
    """Put back the last checkpoint and cut the log to what it held then; or begin."""
    path, log = job.folder.checkpoint, job.folder.path / METRICS
    if not path.exists():
        at, carry = Position(), None
    else:
        tensors, plain = checkpoint.read(path)
        try:
            at = make(Position, plain)
            checkpoint.load_weights(job.model, checkpoint.group(tensors, "model."), path)
            checkpoint.load_optimizer(optimizer, tensors)
            checkpoint.load_random(tensors, job.device)
            carry = checkpoint.load_carry(tensors, job.device)
        except (TypeError, KeyError, ValueError, IndexError, RuntimeError) as error:
            raise RunError(f"{path}: damaged, cannot be resumed ({error})") from error
        job.clock.spent = at.seconds
        at = replace(at, finished=at.finished and not job.extend)
    if log.exists():
        with log.open("r+b") as file:
            file.truncate(at.metrics_bytes)
    return at, carry
