"""The task `translate`: read N symbols, write M."""

from functools import partial

from elman.tasks.task import Task
from elman.tasks.translate import page, reading, training
from elman.tasks.translate.data import Paired
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.export import export
from elman.tasks.translate.look import look
from elman.tasks.translate.model import build
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.plan import plan
from elman.tasks.translate.predict import predict
from elman.tasks.translate.rivals import rivals
from elman.tasks.translate.scores import validate
from elman.tasks.translate.training import Batch

GREEDY = Decoding(beam=1)  # while it trains


def by(decoding: Decoding) -> Task[TranslateOptions, Paired, Batch]:
    """The task whose models write by this decoding."""
    return Task(
        name="translate",
        built_in=("name:numbers",),
        read=reading.read,
        unseen=reading.unseen,
        examine=page.examine,
        plan=plan,
        build=build,
        epoch=training.epoch,
        loss=training.loss,
        validate=partial(validate, decoding),
        rivals=rivals,
        held_out=reading.held_out,
        losses_apart=training.losses_apart,
        sample=partial(page.sample, decoding),
        remarks=partial(page.remarks, decoding),
        look=look,
        export=export,
        predict=partial(predict, decoding),
        decoded=by,
    )


TASK = by(GREEDY)
