"""The task `text`: learn a language model from text, and write.

Every score is of text that the model has not been trained on.
"""

from elman.tasks import ensemble
from elman.tasks.task import Task
from elman.tasks.text import page, reading, training
from elman.tasks.text.data import TextData
from elman.tasks.text.export import export
from elman.tasks.text.look import look
from elman.tasks.text.model import build
from elman.tasks.text.ngrams.keeping import FILES, keep, restore
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import plan
from elman.tasks.text.rivals import rivals
from elman.tasks.text.scores import adapted, validate
from elman.tasks.text.training import Batch
from elman.tasks.text.writing.writer import writer

TASK: Task[TextOptions, TextData, Batch] = Task(
    name="text",
    built_in=("name:topics",),
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
    sample=page.sample,
    remarks=page.remarks,
    look=look,
    export=export,
    writer=writer,
    adapted=adapted,
    keep=keep,
    files=FILES,
    restore=restore,
)
