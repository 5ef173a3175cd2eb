"""How far a run is, and how the learning rate falls in it.

In epochs it falls once. By the clock it falls once over the epochs that a task wants for data of
this size or, where these are too many, over the minutes. While there is time left, and the last
fall brought a better validation, it rises and falls again over twice as many epochs, the last time
until the minutes are over: warm restarts after Loshchilov and Hutter 2016, arXiv:1608.03983.
"""

from __future__ import annotations

import math
from dataclasses import replace

from elman.run.job import Job, Position
from elman.wording import counted

VALIDATIONS = 100  # at most so many in a run counted in epochs
SAMPLES = 10  # about so many in a run, at growing distances
WORTH = 0.5  # share of the next fall for which time must be left after it, or it takes all of it


def share_done(job: Job, at: Position, batches: int) -> float:
    """Share of the run that is over, in [0, 1]."""
    share = 0.0 if job.clock.seconds is None else job.clock.share
    if job.how.epochs is not None:
        share = max(share, (at.epoch + at.batch / batches) / job.how.epochs)
    return share


def fallen(job: Job, at: Position, batches: int) -> float:
    """Share of the present fall of the learning rate that is over, in [0, 1]."""
    clock = job.clock
    if job.how.epochs is not None or clock.seconds is None:
        return share_done(job, at, batches)
    begun, now = clock.share_at(at.fall_seconds), clock.share
    share = (now - begun) / (1 - begun) if now < 1 else 1.0
    if at.fall:
        share = max(share, (at.epoch - at.fall_epoch + at.batch / batches) / at.fall)
    return min(1.0, share)


def first_fall(job: Job) -> int:
    """The epochs of the first fall; 0 where it is to last as long as the run."""
    how = job.how
    by_clock = how.epochs is None and how.schedule == "cosine"
    return how.cycle or 0 if by_clock else 0


def after_fall(job: Job, at: Position) -> Position:
    """Where a run goes on after the end of a fall, which is that of an epoch, and a validation."""
    how = job.how
    length = counted(at.fall, "epoch")
    if not how.validation:
        why = f"nothing is kept for validation, which would tell whether more than {length} help"
        return replace(at, ended=why)
    if at.fall_best and at.best >= at.fall_best:
        return replace(at, ended=f"the last {length} brought no better validation")
    clock = job.clock
    next_one, each = 2 * at.fall, (clock.elapsed - at.fall_seconds) / at.fall
    if (1 + WORTH) * next_one * each > clock.left:
        next_one = 0
    return replace(
        at, fall=next_one, fall_epoch=at.epoch + 1, fall_seconds=clock.elapsed, fall_best=at.best
    )


def gone_on(at: Position) -> Position:
    """Where a run that had ended goes on towards another goal; a fall that was over is followed by
    one until that."""
    if at.fall or at.ended:
        at = replace(at, fall=0, fall_epoch=at.epoch, fall_seconds=at.seconds, fall_best=at.best)
    return replace(at, reached="", ended="", stale=0)


def validation_due(job: Job, at: Position, batches: int) -> bool:
    """In epochs: after each, at most `VALIDATIONS` times. By the clock: every 4 to 12 % of a fall.

    By the clock, no more than a tenth of the time goes into it.
    """
    how, clock, ended = job.how, job.clock, at.batch == batches
    if how.epochs is not None:
        return ended and (at.epoch + 1) % -(-how.epochs // VALIDATIONS) == 0
    share, gone = fallen(job, at, batches), clock.elapsed - at.fall_seconds
    lasts = gone / max(share, 1e-3)  # how long this fall takes
    wait = max((0.04 if ended else 0.12) * lasts, 9 * clock.validation)
    return share < 0.96 and clock.elapsed - at.validated_at > wait


def sample_due(job: Job, at: Position, batches: int) -> bool:
    """Whether a validation is the first of a run, or the first of one of `SAMPLES` parts of it.

    Part k of n ends at (k / n)² of the run: much changes at its beginning.
    """
    how, clock = job.how, job.clock
    before = 0.0 if clock.seconds is None else clock.share_at(at.validated_at)
    if how.epochs is not None:
        before = max(before, (at.epoch + 1 - -(-how.epochs // VALIDATIONS)) / how.epochs)
    parts = [int(SAMPLES * math.sqrt(max(0.0, s))) for s in (before, share_done(job, at, batches))]
    return not at.best or parts[0] < parts[1]
