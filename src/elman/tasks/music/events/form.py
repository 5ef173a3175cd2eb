"""Events, as a table of what is done with them."""

from elman.tasks.music.events import page, reading, training
from elman.tasks.music.events.data import EventData
from elman.tasks.music.events.export import export
from elman.tasks.music.events.look import look
from elman.tasks.music.events.model import build
from elman.tasks.music.events.plan import plan
from elman.tasks.music.events.rivals import rivals
from elman.tasks.music.events.scores import validate
from elman.tasks.music.events.training import Batch
from elman.tasks.music.forms import Form

FORM: Form[EventData, Batch] = Form(
    name="events",
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
