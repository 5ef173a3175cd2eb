"""A model of music on a page: it composes, is heard and seen, and its states are things."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import app, ui

from elman.apps.lab import frame
from elman.apps.lab.models import Model
from elman.apps.lab.page import TICK, Page
from elman.apps.lab.pieces import shade
from elman.apps.lab.rooms.writing import knobs, tune
from elman.apps.lab.rooms.writing.shelf import Shelf
from elman.apps.lab.rooms.writing.tune import Sounding, Tune
from elman.apps.lab.rooms.writing.work import Work
from elman.data.symbolic.piece import Piece
from elman.data.symbolic.timing import seconds
from elman.decode import Sampling, seed_of

# Colours that people with any kind of colour vision tell apart, after Okabe and Ito (2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BAR = """(params, api) => {
  const [left, y] = api.coord([api.value(0), api.value(2)]);
  const [right] = api.coord([api.value(1), api.value(2)]);
  const high = Math.max(api.size([0, 1])[1] * 0.8, 2);
  return { type: 'rect', style: { fill: api.visual('color') },
    shape: { x: left, y: y - high / 2, width: Math.max(right - left - 1, 1), height: high } };
}"""


def build(page: Page, model: Model) -> None:
    Music(page, model)


class Music:
    """The piece that is composed on."""

    def __init__(self, page: Page, model: Model) -> None:
        self.page, self.model = page, model
        self.tune = Tune(model.run)
        self.work: Work | None = None
        self.heard = Heard(page)
        say = page.say
        with ui.element("div").classes("lab-fields"):
            self._temperature = knobs.slider(page, "writing.temperature", 0, 2, 0.05, 0.9)
            self._top_p = knobs.slider(page, "writing.top_p", 0.05, 1, 0.05, 1)
            self._bars = knobs.whole(page, "writing.bars", 1, 128, 8)
            self._seed = knobs.whole(page, "writing.seed", 0, 2**53, None)
            self._keep = ui.input(say("writing.rules"), placeholder="key D minor")
            self._keep.props("outlined dense")
        with ui.row():
            self._write = ui.button(say("writing.compose"), on_click=self.write).props("no-caps")
            self._stop = ui.button(say("writing.stop"), on_click=self.stop)
            self._stop.props("no-caps outline")
            ui.button(say("writing.anew"), on_click=self.anew).props("no-caps flat")
        frame.heading(say("writing.piece"))
        ui.label(say("writing.piece_what")).classes("lab-what")
        self._told = ui.label("").props('role="status"')
        self._roll = ui.echart(roll([], say("writing.seconds"), say("writing.pitch")))
        self._roll.classes("w-full").style("height: 320px")
        self.heard.build()
        with ui.row().classes("items-end"):
            self._back = knobs.whole(page, "writing.back_by", 1, tune.REMEMBERED, 8)
            ui.button(say("writing.back"), on_click=self.back).props("outline no-caps")
        Shelf(
            page, model, stands=lambda: self.tune, go_on=self.go_on,
            opened=partial(tune.opened, model.run), told=self._in_words,
        )  # fmt: skip
        ui.label(say("writing.no_blend")).classes("lab-faint")
        self._enable()
        page.every(TICK, self.tick)
        page.client.on_disconnect(self.stop)

    @property
    def running(self) -> bool:
        return self.work is not None and self.work.running

    def write(self) -> None:
        """Compose on from where the piece stands."""
        if self.running:
            return
        seed = seed_of(Sampling(seed=self._seed()))
        asked: Mapping[str, Any] = {
            "bars": self._bars() or 1, "temperature": self._temperature(),
            "top_p": self._top_p(), "keep": self._keep.value or "", "seed": seed,
        }  # fmt: skip
        self.work = Work(self.tune.written(asked), self.model.lock)
        self._enable()

    def stop(self) -> None:
        if self.work is not None:
            self.work.stop()

    async def anew(self) -> None:
        await self._take(Tune(self.model.run))

    async def back(self) -> None:
        """Forget the last lines of the piece."""
        if not self.running:
            found = self.tune.copy()
            found.back(self._back() or 1)
            await self._take(found)

    async def go_on(self, found: Tune) -> None:
        await self._take(found)

    async def _take(self, found: Tune) -> None:
        self.stop()
        self.tune, self.work = found, None
        await self.show()

    async def tick(self) -> None:
        """Show what was composed meanwhile; sound is made once the piece has ended."""
        if self.work is None:
            return
        ended = not self.work.running
        if ended:
            if self.work.error is not None:
                self.page.tell(self.work.error)
            self.work = None
        await self.show(sound=ended)

    async def show(self, *, sound: bool = True) -> None:
        """The notes; with `sound` also what is to be heard and taken along."""

        def made() -> tuple[Piece, dict[str, bytes]]:
            with self.model.lock:
                piece = self.tune.piece()
            endings = (".wav", ".mid") if sound and piece.count else ()
            return piece, {ending: tune.written_as(piece, ending) for ending in endings}

        self._enable()
        found = await self.page.work(made)
        if found is None:
            return
        piece, files = found
        say = self.page.say
        notes = tune.sounding(piece)
        self._roll.options.clear()
        self._roll.options.update(roll(notes, say("writing.seconds"), say("writing.pitch")))
        lasts = f"{seconds(piece)(piece.length):.1f}"
        told = say("writing.piece_told", notes=piece.count, seconds=lasts, lines=self.tune.lines)
        self._told.set_text(" · ".join([told, *self.tune.told]))
        self._roll.props(f'role="img" aria-label="{told}"')
        self._roll.update()
        if sound:
            self.heard.set(files)

    def _enable(self) -> None:
        self._write.set_enabled(not self.running)
        self._stop.set_enabled(self.running)

    def _in_words(self, found: Tune) -> str:
        return self.page.say("writing.lines", lines=found.lines)


class Heard:
    """The sound of the piece, and its files; they go with the page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._files: dict[str, bytes] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="elman-", ignore_cleanup_errors=True)
        self._address = ""
        self._number = 0
        page.client.on_delete(self._end)

    def build(self) -> None:
        say = self._page.say
        with ui.row().classes("items-center"):
            self._player = ui.audio("").props(f'aria-label="{say("writing.player")}"')
            self._player.set_visibility(False)
            self._buttons = [
                ui.button(say(f"writing.{key}"), on_click=partial(self._download, ending))
                for key, ending in (("midi", ".mid"), ("wav", ".wav"))
            ]
        for button in self._buttons:
            button.props("flat no-caps").set_enabled(False)

    def set(self, files: dict[str, bytes]) -> None:
        """What is heard now."""
        self._files = files
        self._forget()
        if ".wav" in files:
            self._number += 1
            path = Path(self._folder.name) / f"piece-{self._number}.wav"
            path.write_bytes(files[".wav"])
            self._address = app.add_media_file(local_file=path)
            self._player.set_source(self._address)
        self._player.set_visibility(".wav" in files)
        for button in self._buttons:
            button.set_enabled(bool(files))

    def _download(self, ending: str) -> None:
        ui.download(self._files[ending], f"piece{ending}")

    def _forget(self) -> None:
        if self._address:
            app.remove_route(self._address)
            self._address = ""
        for path in Path(self._folder.name).glob("*.wav"):
            path.unlink()

    def _end(self) -> None:
        self._forget()
        self._folder.cleanup()


def roll(notes: list[Sounding], time: str, pitch: str) -> dict[str, Any]:
    """A piano roll: a bar for each note, over time, at its pitch; colours are voices."""
    pitches = [note.pitch for note in notes] or [48, 72]
    tracks = sorted({note.track for note in notes})
    return {
        "animation": False,
        "color": list(COLOURS),
        "grid": {"left": 48, "right": 16, "top": 24, "bottom": 40},
        "xAxis": {
            "type": "value", "name": time, "nameLocation": "middle", "nameGap": 24, **shade.AXIS
        },
        "yAxis": {
            "type": "value", "name": pitch, "min": min(pitches) - 2, "max": max(pitches) + 2,
            "minInterval": 1, **shade.AXIS,
        },
        "series": [
            {
                "type": "custom", "name": str(track), ":renderItem": BAR,
                "encode": {"x": [0, 1], "y": 2},
                "data": [[n.start, n.stop, n.pitch] for n in notes if n.track == track],
            }
            for track in tracks
        ],
    }  # fmt: skip
