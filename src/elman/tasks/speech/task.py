"""The task `speech`: hear a recording, write what is said or name its class."""

from __future__ import annotations

from functools import partial

from elman.tasks.speech import page, reading, training
from elman.tasks.speech.data import SpeechData
from elman.tasks.speech.decoding import SpeechDecoding
from elman.tasks.speech.export import export
from elman.tasks.speech.keeping import FILES, keep, restore
from elman.tasks.speech.look import look
from elman.tasks.speech.model import build, start
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.plan import plan
from elman.tasks.speech.predict import predict
from elman.tasks.speech.rivals import rivals
from elman.tasks.speech.scores import validate
from elman.tasks.speech.training import Batch
from elman.tasks.speech.transcription import transcribe
from elman.tasks.task import Task

GREEDY = SpeechDecoding()


def by(decoding: SpeechDecoding) -> Task[SpeechOptions, SpeechData, Batch]:
    """The task, so that it writes in this way."""
    return Task(
        name="speech",
        built_in=("name:beeps",),
        read=reading.read,
        unseen=reading.unseen,
        held_out=SpeechData.tested,
        examine=page.examine,
        plan=plan,
        build=build,
        start=start,
        epoch=training.epoch,
        loss=training.loss,
        losses_apart=training.losses_apart,
        validate=partial(validate, decoding),
        rivals=rivals,
        overlap=reading.overlap,
        sample=partial(page.sample, decoding),
        remarks=partial(page.remarks, decoding),
        look=look,
        export=export,
        predict=partial(predict, decoding),
        transcribe=partial(transcribe, decoding),
        decoded=by,
        keep=keep,
        files=FILES,
        restore=restore,
    )


TASK = by(GREEDY)
