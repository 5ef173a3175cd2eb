"""One run, from the first word of its process to its last score."""

from __future__ import annotations

from elman.apps.lab import frame
from elman.apps.lab.page import Page
from elman.apps.lab.rooms import Room
from elman.apps.lab.rooms.training.charts import Charts
from elman.apps.lab.rooms.training.figures import Figures
from elman.apps.lab.rooms.training.history import history
from elman.apps.lab.rooms.training.samples import Samples
from elman.apps.lab.rooms.training.steering import Steering
from elman.apps.lab.rooms.training.telling import Telling
from elman.run.folder import RunFolder

SECONDS = 1.0  # between two looks


def build(page: Page) -> None:
    name = page.run.name if page.run is not None else page.asked
    if not name:
        frame.choose(page, "training")
        return
    folder = RunFolder(page.workspace.root / name)
    seen = history(folder)
    parts = (
        Figures(page, folder, seen),
        Steering(page, folder),
        Telling(page, name),
        Charts(page, folder, seen),
        Samples(page, seen),
    )

    def look() -> None:
        grown = seen.grow()
        runs = page.trainings.is_running(name)
        for part in parts:
            part.show(runs, grown)

    look()
    page.every(SECONDS, look)


ROOM = Room(order=2, build=build, needs_run=False)
