"""The language model of events: that of the task `text`, over tokens of notes; one network, or
several that answer together."""

from __future__ import annotations

from dataclasses import fields
from typing import final

from elman.tasks.music.events.data import settled
from elman.tasks.music.options import MusicOptions
from elman.tasks.networks import NetworkOptions
from elman.tasks.settling import check_settled
from elman.tasks.task import Kept
from elman.tasks.text.model import LanguageNetwork, LanguageNetworks
from elman.tasks.text.options import TextOptions


@final
class EventModel(LanguageNetwork):
    """A language model that tells that it is one of music; else nothing is its own."""

    form = "events"


@final
class EventModels(LanguageNetworks):
    """The same of several networks."""

    form = "events"


def build(kept: Kept, options: MusicOptions) -> EventModel | EventModels:
    check_settled(options, "hidden_size", "embedding", "dropout", "weight_drop")
    several = (options.members or 1) > 1
    return (EventModels if several else EventModel)(len(settled(kept)), as_text(options))


def as_text(options: MusicOptions) -> TextOptions:
    """The options of a language model that has this network."""
    network = {field.name: getattr(options, field.name) for field in fields(NetworkOptions)}
    return TextOptions(
        **network, embedding=options.embedding, tie_weights=False, members=options.members,
        sequence_length=options.sequence_length or TextOptions.sequence_length,
        scored=options.scored, counted=options.counted,
    )  # fmt: skip
