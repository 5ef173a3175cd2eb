"""How large a language model of events to train: as the task `text` plans it, by its tokens."""

from __future__ import annotations

from elman.tasks import pace
from elman.tasks.music.events.data import EventData
from elman.tasks.music.events.model import EventModel, as_text
from elman.tasks.music.events.reading import ALL_KEYS
from elman.tasks.music.events.training import epoch, loss
from elman.tasks.music.options import MusicOptions
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import make_plan

WINDOW = 64  # steps; a piece begins with a window, so that long ones lie empty at its end


def plan(dataset: EventData, options: MusicOptions, budget: Budget) -> Plan[MusicOptions]:
    options = settle(options, sequence_length=WINDOW, transpose=-ALL_KEYS[0])

    def speed(candidate: Plan[TextOptions]) -> float:
        model = EventModel(len(dataset.tokenizer), candidate.options)
        first = epoch(dataset, options, candidate.batch_size, 0, 0)
        return pace.speed(loss, model, first, budget)

    found = make_plan(dataset.tokens, len(dataset.tokenizer), as_text(options), budget, speed)
    text = found.options
    settled = settle(
        options, hidden_size=text.hidden_size, embedding=text.embedding, dropout=text.dropout,
        weight_drop=text.weight_drop, members=text.members, scored=text.scored,
        counted=text.counted,
    )  # fmt: skip
    why = found.why.replace("the text", "the pieces")
    return Plan(settled, found.batch_size, found.learning_rate, why, found.passes)
