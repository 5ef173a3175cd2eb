"""Pictures of a study: which options mattered, each by itself, and all together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from elman.errors import UserError
from elman.run import folder
from elman.tasks import drawing
from elman.tune.study import REPORT, Search

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FEWEST = 3  # trials that are drawn


def check() -> None:
    """UserError: matplotlib is not installed."""
    if not drawing.possible():
        raise UserError("--report: pictures need matplotlib: pip install 'elman[plot]'")


def write(search: Search) -> list[str]:
    """importance.png, slices.png and parallel.png in the study's folder; the names of those that
    could be drawn, which needs a few trials that have ended."""
    import matplotlib

    matplotlib.use("Agg")
    from optuna.trial import TrialState
    from optuna.visualization import matplotlib as drawn

    ended = search.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    names = _varied(search, ended)
    if len(ended) < FEWEST or not names:
        return []
    place = search.path / REPORT
    with folder.writing(place):
        place.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna tells of features that may change
        score = search.plan.score.replace("_", " ")
        _save(drawn.plot_param_importances(search.study, params=names), search, "importance", 1)
        _save(drawn.plot_slice(search.study, params=names, target_name=score), search, "slices",
              len(names))  # fmt: skip
        _save(drawn.plot_parallel_coordinate(search.study, params=names, target_name=score),
              search, "parallel", 1)  # fmt: skip
    return ["importance.png", "slices.png", "parallel.png"]


def _varied(search: Search, ended: Sequence[FrozenTrial]) -> list[str]:
    """The options that have several values among the trials."""
    names = [axis.name for axis in search.plan.axes]
    return [n for n in names if len({t.params[n] for t in ended if n in t.params}) > 1]


def _save(axes: Any, search: Search, name: str, columns: int) -> None:
    from matplotlib import pyplot

    one = axes.flat[0] if hasattr(axes, "flat") else axes
    figure = one.figure
    figure.set_size_inches(max(8, 2.6 * columns), 4.5)
    with folder.writing(search.path / REPORT):
        drawing.save(figure, search.path / REPORT / f"{name}.png")
    pyplot.close(figure)
