"""Frames, as a table of what is done with them."""

from elman.tasks.music.forms import Form
from elman.tasks.music.frames import page, reading, training
from elman.tasks.music.frames.data import FrameData
from elman.tasks.music.frames.export import export
from elman.tasks.music.frames.look import look
from elman.tasks.music.frames.model import build
from elman.tasks.music.frames.plan import plan
from elman.tasks.music.frames.rivals import rivals
from elman.tasks.music.frames.scores import validate
from elman.tasks.music.frames.training import Batch

FORM: Form[FrameData, Batch] = Form(
    name="frames",
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
    sample=page.sample,
    remarks=page.remarks,
    look=look,
    export=export,
)
