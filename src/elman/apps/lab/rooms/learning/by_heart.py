"""A sentence learnt by heart, as the tutorial does it: plain gradient descent, an LSTM with as many
units as there are symbols."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from elman.apps.lab.frame import heading
from elman.apps.lab.models import loaded
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.learning.practice import Plan, Practice
from elman.apps.lab.rooms.training.history import History
from elman.apps.lab.words import Said
from elman.run.files import replace

SENTENCE = "这是一个基于tensorflow的RNN短句子练习"
SHORTEST, LONGEST = 3, 120  # symbols of a sentence
STEPS = 3000
OPTIONS = {
    "cell": "lstm", "embedding": "0", "dropout": "0", "weight_drop": "0", "batch_size": "1",
    "optimizer": "sgd", "learning_rate": "0.1", "schedule": "constant", "warmup": "0",
    "clip_norm": "0", "epochs": str(STEPS), "validation": "0", "threads": "1",
}  # fmt: skip


def build(page: Page) -> None:
    ByHeart(page)


class ByHeart:
    """The run of examples/chinese_sentence.py."""

    def __init__(self, page: Page) -> None:
        self.page = page
        say = page.say
        self._sentence = (
            ui.input(say("learning.sentence"), value=SENTENCE).props("outlined").classes("lab-wide")
        )
        Practice(page, "by-heart", self._plan, self._ended, self._grown)
        heading(say("learning.writes"))
        self._written = ui.label("").classes("lab-text lab-mono").props('role="status"')
        self._samples = ui.element("ol").classes("lab-lines")

    def _plan(self) -> Plan:
        sentence = str(self._sentence.value or "").strip()
        if not SHORTEST <= len(sentence) <= LONGEST or len(set(sentence)) < 2:
            raise Said(self.page.say("learning.sentence_fits", least=SHORTEST, most=LONGEST))
        text = self.page.workspace.free_file("by-heart.txt")
        text.parent.mkdir(parents=True, exist_ok=True)
        replace(text, sentence)
        self._samples.clear()
        self._written.set_text("")
        length = str(len(sentence) - 1)
        sizes = {"hidden_size": str(max(len(set(sentence)), 8)), "sequence_length": length}
        return "text", [str(text)], OPTIONS | sizes | {"sample": length}

    def _grown(self, seen: History) -> None:
        self._samples.clear()
        with self._samples:
            for minutes, sample in seen.samples:
                with ui.element("li"):
                    told = self.page.say("learning.after_seconds", seconds=f"{60 * minutes:.1f}")
                    ui.label(f"{told} {sample}").classes("lab-inline lab-text")

    async def _ended(self, path: Path) -> None:
        made = await self.page.work(_by_heart, path, self.page.workspace.files)
        if made is not None:
            written, sentence = made
            key = "learning.right" if written == sentence else "learning.wrong"
            self._written.set_text(f"{written}  {self.page.say(key)}")


def _by_heart(path: Path, files: Path) -> tuple[str, str]:
    """What the model writes, always taking the likeliest symbol, and the file that it has read."""
    model = loaded(path)
    sentence = (files / Path(model.run.trained.data[0]).name).read_text(encoding="utf-8")
    with model.lock:
        return model.run.generate(sentence[0], len(sentence) - 1, temperature=0), sentence
