"""The task `tag`: read a sentence, give each token its label."""

from elman.tasks import ensemble
from elman.tasks.tag import page, reading, training
from elman.tasks.tag.data import Tagged
from elman.tasks.tag.export import export
from elman.tasks.tag.look import look
from elman.tasks.tag.model import build
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.plan import plan
from elman.tasks.tag.predict import predict
from elman.tasks.tag.rivals import rivals
from elman.tasks.tag.scores import validate
from elman.tasks.tag.training import Batch
from elman.tasks.task import Task

TASK: Task[TagOptions, Tagged, Batch] = Task(
    name="tag",
    built_in=("name:python-tags",),
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
)
