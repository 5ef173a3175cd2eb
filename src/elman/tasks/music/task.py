"""The task `music`: learn from pieces which notes follow, and compose."""

from typing import Any

from elman.data.built_in import canon_rules
from elman.tasks import ensemble
from elman.tasks.music import forms, reading
from elman.tasks.music.composing.composer import compose
from elman.tasks.music.options import MusicOptions
from elman.tasks.task import Task

TASK: Task[MusicOptions, Any, Any] = Task(
    name="music",
    built_in=(canon_rules.NAME,),
    read=reading.read,
    unseen=reading.unseen,
    held_out=lambda dataset: dataset.tested(),
    examine=forms.examine,
    plan=forms.plan,
    build=forms.build,
    epoch=forms.epoch,
    loss=forms.loss,
    validate=forms.validate,
    rivals=forms.rivals,
    overlap=forms.overlap,
    losses_apart=ensemble.losses_apart,
    sample=forms.sample,
    remarks=forms.remarks,
    look=forms.look,
    export=forms.export,
    compose=compose,
)
