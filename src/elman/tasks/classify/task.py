"""The task `classify`: read a sequence, name its class."""

from elman.tasks import ensemble
from elman.tasks.classify import page, reading, training
from elman.tasks.classify.data import Labelled
from elman.tasks.classify.export import export
from elman.tasks.classify.look import look
from elman.tasks.classify.model import build
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.plan import plan
from elman.tasks.classify.predict import predict
from elman.tasks.classify.rivals import rivals
from elman.tasks.classify.scores import start_and_ask, validate
from elman.tasks.classify.training import Batch
from elman.tasks.task import Task

TASK: Task[ClassifyOptions, Labelled, Batch] = Task(
    name="classify",
    built_in=("name:unicode",),
    read=reading.read,
    unseen=reading.unseen,
    examine=page.examine,
    plan=plan,
    build=build,
    epoch=training.epoch,
    loss=training.loss,
    validate=validate,
    losses_apart=ensemble.losses_apart,
    rivals=rivals,
    overlap=reading.overlap,
    remarks=page.remarks,
    look=look,
    export=export,
    predict=predict,
    start=start_and_ask,
)
