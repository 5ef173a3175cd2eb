"""The task `regress`: read a sequence, tell a value at every step or one at its end."""

from elman.tasks.regress import page, reading, training
from elman.tasks.regress.data import Measured
from elman.tasks.regress.export import export
from elman.tasks.regress.look import look
from elman.tasks.regress.model import build
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.plan import plan
from elman.tasks.regress.predict import predict
from elman.tasks.regress.rivals import rivals
from elman.tasks.regress.scores import validate
from elman.tasks.regress.training import Batch
from elman.tasks.task import Task

TASK: Task[RegressOptions, Measured, Batch] = Task(
    name="regress",
    built_in=("name:pendulum",),
    read=reading.read,
    unseen=reading.unseen,
    examine=page.examine,
    plan=plan,
    build=build,
    epoch=training.epoch,
    loss=training.loss,
    validate=validate,
    rivals=rivals,
    overlap=reading.overlap,
    losses_apart=training.losses_apart,
    remarks=page.remarks,
    look=look,
    export=export,
    predict=predict,
    teaches_in_bf16=False,
)
