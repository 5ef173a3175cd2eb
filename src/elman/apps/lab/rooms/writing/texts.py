"""A model of text on a page: it writes, reads, goes back, and its states are things."""

from __future__ import annotations

from functools import partial

from nicegui import events, ui

from elman.apps.lab import frame
from elman.apps.lab.models import Model
from elman.apps.lab.page import TICK, Page
from elman.apps.lab.rooms.writing import knobs, story
from elman.apps.lab.rooms.writing.shelf import Shelf
from elman.apps.lab.rooms.writing.story import Story
from elman.apps.lab.rooms.writing.work import Work
from elman.decode import Sampling

# Where the caret stands, in characters as Python counts them.
CARET = "(e) => emit([...e.target.value.slice(0, e.target.selectionStart)].length)"
SHOWN = 40  # last characters of a text that is told of in a line


def build(page: Page, model: Model) -> None:
    Texts(page, model)


class Texts:
    """The text that is written on, and where the visitor pointed to in it."""

    def __init__(self, page: Page, model: Model) -> None:
        self.page, self.model = page, model
        self.story: Story | None = None
        self.pointed: int | None = None  # characters; None is the end
        self.work: Work | None = None
        say = page.say
        with ui.element("div").classes("lab-fields"):
            self._temperature = knobs.slider(page, "writing.temperature", 0, 2, 0.05, 0.8)
            self._top_p = knobs.slider(page, "writing.top_p", 0.05, 1, 0.05, 1)
            self._length = knobs.whole(page, "writing.length", 1, 5_000, 300)
            self._seed = knobs.whole(page, "writing.seed", 0, 2**53, None)
        self._prompt = ui.textarea(say("writing.prompt"))
        self._prompt.props("outlined autogrow").classes("w-full")
        self._prompt.props["hint"] = say("writing.prompt_help")
        with ui.row():
            self._write = ui.button(say("writing.write"), on_click=self.write).props("no-caps")
            self._stop = ui.button(say("writing.stop"), on_click=self.stop)
            self._stop.props("no-caps outline")
            ui.button(say("writing.anew"), on_click=self.anew).props("no-caps flat")
        frame.heading(say("writing.text"))
        ui.label(say("writing.text_what")).classes("lab-what")
        self._text = ui.textarea(say("writing.text_label"))
        self._text.props("readonly outlined autogrow input-class=lab-mono").classes("w-full")
        for event in ("click", "keyup"):
            self._text.on(event, self.point, js_handler=CARET)
        self._stands = ui.label("").props('role="status"')
        self.shelf = Shelf(
            page, model, stands=self.standing, go_on=self.go_on,
            opened=partial(story.opened, model.run), told=ending,
        )  # fmt: skip
        self._blends()
        self.show()
        page.every(TICK, self.tick)
        page.client.on_disconnect(self.stop)

    @property
    def running(self) -> bool:
        return self.work is not None and self.work.running

    def standing(self) -> Story:
        """The text up to where the visitor pointed."""
        found = Story(self.model.run) if self.story is None else self.story.copy()
        if self.pointed is not None:
            found.back(self.pointed)
        return found

    async def write(self) -> None:
        """Go back to where was pointed to, read the prompt, write on."""
        if self.running:
            return
        sampling = Sampling(temperature=self._temperature(), top_p=self._top_p(), seed=self._seed())
        prompt, length = self._prompt.value or "", self._length() or 1

        def begun() -> tuple[Story, list[str]]:
            with self.model.lock:
                found = self.standing()
                found.read(prompt)
                return found, self.model.run.unknown(prompt) if prompt else []

        made = await self.page.work(begun)
        if made is None or self.running:
            return
        self.story, unknown = made
        if unknown:
            told = " ".join(unknown[:20])
            self.page.tell(self.page.say("writing.unknown", symbols=told))
        self._prompt.set_value("")
        self.pointed = None
        self.work = Work(self.story.written(length, sampling), self.model.lock)
        self.show()

    def stop(self) -> None:
        if self.work is not None:
            self.work.stop()

    def anew(self) -> None:
        """An empty text."""
        self.stop()
        self.story, self.pointed, self.work = None, None, None
        self.show()

    def go_on(self, found: Story) -> None:
        """Take up a text that was kept."""
        self.anew()
        self.story = found
        self.show()

    def point(self, event: events.GenericEventArguments) -> None:
        """The visitor's caret stands after so many characters, which counts once all is written."""
        if self.story is not None and isinstance(event.args, int):
            self.pointed = event.args if event.args < len(self.story.text) else None
            self.show()

    def tick(self) -> None:
        """Show what was written meanwhile."""
        if self.work is None:
            return
        ended = not self.work.running
        self.show()
        if ended:
            if self.work.error is not None:
                self.page.tell(self.work.error)
            self.work = None
            self.show()

    def show(self) -> None:
        text = "" if self.story is None else self.story.text
        if self._text.value != text:
            self._text.set_value(text)
        self._write.set_enabled(not self.running)
        self._stop.set_enabled(self.running)
        say, at = self.page.say, self.pointed
        if self.running:
            self._stands.set_text(say("writing.being_written", count=f"{len(text):,}"))
        elif at is None:
            self._stands.set_text(say("writing.stands", count=f"{len(text):,}"))
        else:
            before = text[max(0, at - 20) : at].replace("\n", "⏎")
            self._stands.set_text(say("writing.points", count=f"{at:,}", before=before))

    def _blends(self) -> None:
        """Two kept states and the share of the second."""
        say = self.page.say
        frame.heading(say("writing.blend_title"), 3)
        ui.label(say("writing.blend_what")).classes("lab-what")
        with ui.element("div").classes("lab-fields"):
            one, other = (
                ui.select([], label=say(f"writing.{key}")).props("outlined dense")
                for key in ("first_state", "second_state")
            )
            share = knobs.slider(self.page, "writing.share", 0, 1, 0.05, 0.5)

        def listed() -> None:
            for field in (one, other):
                field.set_options(list(self.shelf.kept))

        async def blend() -> None:
            kept = self.shelf.kept
            if one.value not in kept or other.value not in kept:
                self.page.tell(say("writing.blend_needs"))
                return
            pair = kept[one.value], kept[other.value]
            made = await self.page.work(pair[0].blended, pair[1], share())
            if made is not None:
                name = say("writing.blend_name", one=one.value, other=other.value)
                self.shelf.put(name[:60], made)
                self.go_on(made.copy())

        ui.button(say("writing.blend"), on_click=blend).props("outline no-caps")
        self.shelf.listeners.append(listed)
        listed()


def ending(found: Story) -> str:
    """How a text ends, in a line."""
    end = found.text[-SHOWN:].replace("\n", "⏎")
    return f"…{end}" if len(found.text) > SHOWN else end or "∅"
