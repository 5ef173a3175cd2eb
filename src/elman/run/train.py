"""The training loop, on one page. It yields `Progress`; whoever wants to show or log it listens."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

import tomli_w
import torch
from torch import Tensor
from torch.optim import Optimizer

from elman.errors import RunError
from elman.metrics import Loss
from elman.options import finite, make, plain
from elman.run import checkpoint, files, folder
from elman.run.checkpoint import Tensors
from elman.run.falls import (
    after_fall,
    fallen,
    first_fall,
    gone_on,
    sample_due,
    share_done,
    validation_due,
)
from elman.run.folder import METRICS
from elman.run.glances import Glances
from elman.run.interrupt import Interrupt
from elman.run.job import Job, Position
from elman.run.options import TrainOptions
from elman.run.precision import training
from elman.run.update import clip, learning_rate, make_optimizer
from elman.tasks.task import Carry, Scores

REPORT_EVERY = 0.5  # seconds between two events for the eyes


@dataclass(frozen=True)
class Progress:
    """One report. `loss` is the mean since the last train report, or that of a validation."""

    split: Literal["train", "validation"]
    step: int
    epoch: int
    share: float  # of the run, in [0, 1]
    loss: float
    units: int
    seconds: float
    units_per_second: float
    learning_rate: float
    gradient_norm: float
    sample: str = ""
    best: bool = False
    scores: Scores = field(default_factory=dict)  # of a validation
    inside: dict[str, float] = field(default_factory=dict)  # what a glance at the network showed


class Interrupted(KeyboardInterrupt):
    """The user asked to stop; the run can be resumed. Its text is a line for the user."""


def train(job: Job) -> Iterator[Progress]:
    """Train until the epochs, the minutes or the patience run out; resumes where a checkpoint is.

    Raises RunError when a loss is no longer finite, Interrupted on Ctrl-C; in both cases the
    checkpoint holds a state from which training can go on.
    """
    task, how, model = job.task, job.how, job.model
    optimizer = make_optimizer(model, how)
    job.ranks.begin(job)
    at, carry = load(job, optimizer)
    ranks, clock = job.ranks, job.clock
    seen, since, reported = Loss(0.0, 0), at.units, clock.elapsed
    saved, rate, norm, glances = -math.inf, 0.0, 0.0, Glances(job)
    with Interrupt(once=ranks.size == 1) as interrupt:
        while not at.reached:
            epoch = ranks.share(
                task.epoch(job.dataset, job.options, how.batch_size or 1, how.seed, at.epoch)
            )
            model.train()
            while at.batch < len(epoch) and not at.reached:
                rate = learning_rate(how, fallen(job, at, len(epoch)), at.factor)
                for parameters in optimizer.param_groups:
                    parameters["lr"] = rate
                random = checkpoint.random_tensors(job.device)
                total, count, after = loss_of(job, epoch[at.batch], carry)
                count, stop = ranks.agree(count, asked=interrupt.asked)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(total / count)
                value = ranks.sum(model, total)
                norm = clip(model, how)
                if not finite(value, norm):
                    raise RunError(not_finite(job, at, value, norm))
                # Saved before the step, not after it: this state is known to be good.
                if stop or clock.elapsed - saved >= how.save_every:
                    save(job, at, carry, optimizer, random)
                    saved = clock.elapsed
                if stop:
                    again = f"{ranks.command} resume {job.folder.path}"
                    raise Interrupted(f"interrupted; go on with: {again}")
                optimizer.step()
                carry, seen = after, seen + Loss(value, count)
                at = replace(at, step=at.step + 1, batch=at.batch + 1, units=at.units + count)
                now = clock.elapsed
                done = share_done(job, at, len(epoch)) >= 1
                # A fall of 0 epochs ends with the run, however late the clock is read again.
                fell = not done and at.fall > 0 and fallen(job, at, len(epoch)) >= 1
                due = done or fell or validation_due(job, at, len(epoch))
                if due or now - reported > REPORT_EVERY or at.batch == len(epoch):
                    speed = (at.units - since) / max(now - reported, 1e-9)
                    event = progress(job, at, len(epoch), "train", seen.mean, rate, norm)
                    yield replace(event, units_per_second=speed)
                    seen, since, reported = Loss(0.0, 0), at.units, clock.elapsed
                if due:
                    scored = partial(validate, job, at, len(epoch), rate, norm, glances, last=done)
                    at, event = ranks.from_first(scored)
                    yield event
                    model.train()
                    reported = clock.elapsed
                    saved = -math.inf  # so that the checkpoint soon knows of the best weights
                if fell:
                    at = after_fall(job, at)
                if not done and 0 < how.patience <= at.stale:
                    at = replace(at, ended=f"{at.stale} validations brought nothing better")
                if done or at.ended:
                    at = replace(at, reached=goal(how))
            if at.batch == len(epoch):
                at, carry = replace(at, epoch=at.epoch + 1, batch=0), None
            if at.reached:
                save(job, at, carry, optimizer, checkpoint.random_tensors(job.device))


def loss_of(job: Job, batch: Any, carry: Carry) -> tuple[Tensor, int, Carry]:
    """The summed loss of a batch, of how many predictions, and the state to carry on; nothing where
    this rank has no part of a batch."""
    if batch is None:
        return torch.zeros((), device=job.device, requires_grad=True), 0, None
    with training(job.how):
        return job.task.loss(job.model, batch, carry, job.device)


def goal(how: TrainOptions) -> str:
    """What a run works towards; another one, given later, makes a finished run go on."""
    return f"{how.epochs} epochs" if how.epochs is not None else f"{how.minutes:g} minutes"


def validate(
    job: Job, at: Position, batches: int, rate: float, norm: float, glances: Glances, *, last: bool
) -> tuple[Position, Progress]:
    """Score the validation part, keep the weights if they are the best, and let the model show.

    It shows something at the `last` validation of a run, and where `sample_due` says so.

    Without a validation part the loss is NaN, and the latest weights are the best. Raises RunError
    where the loss is not finite though there is one.
    """
    began = time.perf_counter()
    job.model.eval()
    loss, scores = math.nan, dict[str, float]()
    rank: tuple[float, ...] = ()
    if job.how.validation:
        found = job.task.validate(job.model, job.dataset, job.options, job.device)
        loss, scores, rank = found.loss.mean, found.scores, found.rank()
        if not finite(loss):
            raise RunError(not_finite(job, at, loss, norm))
    best = not at.best or rank < at.best
    if best:
        epochs = at.epoch + at.batch / batches
        header = {"step": at.step, "epochs": epochs, "scores": scores}
        checkpoint.write(job.folder.weights, checkpoint.weights_of(job.model), header)
    stale = 0 if best else at.stale + 1
    sample = ""
    if last or 0 < job.how.patience <= stale or sample_due(job, at, batches):
        sample = job.task.sample(
            job.model, job.dataset, job.options, job.how.sample, job.how.seed + at.step, job.device
        )
    job.clock.validation = time.perf_counter() - began
    at = replace(
        at,
        best=rank if best else at.best,
        stale=stale,
        factor=at.factor / 2 if job.how.schedule == "plateau" and not best else at.factor,
        validated_at=job.clock.elapsed,
    )
    event = progress(job, at, batches, "validation", loss, rate, norm)
    inside = glances.take()
    # Once done it stays done, though the end may need less time than was kept for it.
    share = 1.0 if last else event.share
    return at, replace(event, share=share, sample=sample, best=best, scores=scores, inside=inside)


def progress(
    job: Job, at: Position, batches: int, split: Literal["train", "validation"], loss: float,
    rate: float, norm: float,
) -> Progress:  # fmt: skip
    share = share_done(job, at, batches)
    return Progress(
        split, at.step, at.epoch, share, loss, at.units, job.clock.elapsed, 0.0, rate, norm
    )


def not_finite(job: Job, at: Position, loss: float, norm: float) -> str:
    what = "gradient" if finite(loss) else "loss"
    advice = f"elman resume {job.folder.path} --learning-rate {(job.how.learning_rate or 0) / 2:g}"
    return (
        f"the {what} is no longer finite after step {at.step} (gradient norm {norm:.3g}); the last "
        f"good state is kept: {advice}; or train anew with a smaller --clip-norm"
    )


def save(job: Job, at: Position, carry: Carry, optimizer: Optimizer, random: Tensors) -> None:
    """Write the checkpoint: all that the next step of every rank depends on."""
    own = job.ranks.gather(checkpoint.carry_tensors(carry) | random)
    if not job.ranks.first:
        return
    log = job.folder.path / METRICS
    at = replace(
        at, seconds=job.clock.elapsed, metrics_bytes=log.stat().st_size if log.exists() else 0
    )
    weights = {f"model.{k}": v for k, v in checkpoint.weights_of(job.model).items()}
    tensors = weights | checkpoint.optimizer_tensors(optimizer)
    tensors |= checkpoint.of_ranks(own)
    checkpoint.write(job.folder.checkpoint, tensors, asdict(at))


def load(job: Job, optimizer: Optimizer) -> tuple[Position, Carry]:
    """Put back the last checkpoint and cut the log to what it held then; or begin.

    Options that were changed for going on are written down.
    """
    path, log = job.folder.checkpoint, job.folder.path / METRICS
    now = job.clock.elapsed
    at = Position(validated_at=now, fall=first_fall(job), fall_seconds=now)
    carry: Carry = None
    saved = job.ranks.from_first(lambda: checkpoint.read(path) if path.exists() else None)
    if saved is not None:
        tensors, header = saved
        try:
            at = make(Position, header, where=str(path))
            if header.keys() != asdict(at).keys():
                raise ValueError("its header is not complete")
            checkpoint.load_weights(job.model, checkpoint.group(tensors, "model."), path)
            checkpoint.load_optimizer(optimizer, tensors)
            if checkpoint.ranks_in(tensors) == job.ranks.size:
                own = checkpoint.of_rank(tensors, job.ranks.rank)
                checkpoint.load_random(own, job.device)
                carry = checkpoint.load_carry(own, job.device)
        except (TypeError, KeyError, ValueError, IndexError, RuntimeError) as error:
            raise RunError(f"{path}: damaged, cannot be resumed ({error})") from error
        job.clock.spent = at.seconds
        if at.reached and at.reached != goal(job.how):
            at = gone_on(at)
    if not job.ranks.first:
        return at, carry
    # Only now is it known that the run can go on.
    tables, how = job.folder.options(), plain(job.how)
    if tables["train"] != how:
        files.replace(job.folder.path / folder.OPTIONS, tomli_w.dumps(tables | {"train": how}))
    if log.exists():
        with log.open("r+b") as file:
            file.truncate(min(at.metrics_bytes, log.stat().st_size))
    return at, carry
