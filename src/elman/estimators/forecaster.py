"""The past of time series in, what comes next out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection, places_to
from elman.errors import UserError
from elman.estimators.estimator import Estimator
from elman.estimators.series import TABLES, GiveBack, collection_of, form_of
from elman.options import part
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.options import Beside, Likelihood
from elman.tasks.forecast.predict import answers
from elman.tasks.forecast.scores import point, scores_of


@final
@dataclass(eq=False)
class Forecaster(Estimator):
    """The past of series in, what comes next out: `elman train forecast` without files.

    Series y are an array of numbers [T]; a list of such arrays; or a table, a data frame or a
    mapping of columns: `unique_id, ds, y`, or dates beside a column for each series. Of a table
    frequency, season and calendar are read from its dates, and `…_columns` may help. The index of
    a data frame is read where it has a name, or holds the dates. Dates may be texts or of the types
    of numpy, pandas (zones, periods) and polars; forecasts are dated by the same.

    Parameters are those of the command; None is chosen from the data, in back-tests where it needs
    them. With a `share` below 1 what comes next is a mixture of what the network forecasts and of
    `beside`, a simple forecast; a share of 0 says that the network was no nearer. `validation` is
    the share at the end of each series that is held back to find the best weights: 0 learns from
    all of it, and keeps the last. `random_state` is a seed; with None every fit draws another.

    After `fit`: `horizon_`, `look_back_`, `season_`, `share_`, `beside_`; `facts_`, what was
    guessed, in words; `n_iter_`, epochs; `model_`, the network.
    """

    horizon: int | None = None
    look_back: int | None = None
    season: int | None = None
    quantiles: Sequence[float] = ()
    time_column: str | Sequence[str] | None = None
    id_column: str | Sequence[str] | None = None
    target: str | Sequence[str] | None = None
    past_columns: str | Sequence[str] = ()
    future_columns: str | Sequence[str] = ()
    static_columns: str | Sequence[str] = ()
    fill: Literal["previous", "linear", "zero"] | None = None
    duplicates: Literal["sum", "mean", "last"] | None = None
    date_format: str | None = None
    calendar: str | Sequence[str] | None = None
    log: bool | None = None
    scaling: Literal["series", "window", "last"] | None = None
    seasonal: bool | None = None
    steps_ahead: Literal["direct", "recursive"] = "direct"
    segment: int | None = None
    identity: int | None = None
    beside: Beside | None = None
    share: float | None = None
    each_share: bool | None = None
    members: int | None = None
    smoothing: int | Sequence[int] | None = None
    distribution: Likelihood | None = None
    loss: Literal["mse", "mae", "huber", "smape"] = "mae"
    cell: str | Sequence[str] = "lstm"
    hidden_size: int | Sequence[int] | None = None
    num_layers: int | None = None
    bidirectional: bool | Sequence[bool] = False
    dropout: float | None = None
    epochs: int = 100
    batch_size: int | None = None
    learning_rate: float | None = None
    l2: float = 0.0
    device: str = "auto"
    validation: float = 0.0
    random_state: int | np.random.RandomState | None = None

    _estimator_type: ClassVar[None] = None

    def fit(self, series: Any, y: None = None) -> Forecaster:
        """Learn from series; `y` is there for scikit-learn's pipelines, and is not read.

        UserError: what is no series, or one shorter than look-back and horizon.
        """
        self._form, self._kind = form_of(series), _kind_of(series)
        bad = BadRows(skip=False, advice="mend it")

        def read(own: Any) -> Panel:
            found = collection_of(series, part(SeriesOptions, own), new=False)
            self._times = found.times
            return reading.divided("y", found.collection, own, self.validation, bad)

        job = self._train("forecast", read)
        self._found, self._options, self._device = job.dataset.collection, job.options, job.device
        self._preprocessing = job.dataset.preprocessing()
        how = job.dataset.settings
        self.horizon_, self.look_back_, self.season_ = how.horizon, how.look_back, how.season
        self.share_, self.beside_ = job.options.share, job.options.beside
        gaps = self._found.gaps
        self.facts_ = (*self._found.facts, *([gaps] if gaps else []))
        return self

    def predict(self, past: Any = None, *, steps: int | None = None) -> Any:
        """What follows the training series, or other series `past`; of all `horizon_` steps ahead,
        or of the first `steps`.

        After an array [T] it is [H], after a list of S arrays [S, H]. After a table it is one of
        the same kind: an id, a time, `forecast`, and with `quantiles` their columns q0.1, …
        One array after one is taken for the same series, some time; arrays of a list are series
        that the network does not know by name; tables name theirs.
        Where there are `future_columns`, the table goes on for `horizon_` rows without a value.
        """
        form, found, times, made = self._forecasts(past, steps)
        if form in ("series", "list"):
            middle = point(made, self._options.quantiles)
            return middle[0] if form == "series" else middle
        rows = answers(found, made, self._options.quantiles)
        table: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        back = self._times if past is None else times
        if found.grid is not None and len(found.time_columns) == 1:
            (column,) = found.time_columns
            if column in back:
                table[column] = back[column](ahead(found, made.shape[1]))
        return self._kind(table) if past is None else _kind_of(past)(table)

    def predict_quantiles(
        self, past: Any = None, *, steps: int | None = None
    ) -> NDArray[np.float64]:
        """The same as [H, Q] for one array, else [S, H, Q]: Q of `quantiles`, which must be set.

        The first and the last are the ends of an interval: of 0.1, 0.5 and 0.9 one of 80 %.
        """
        form, _, _, made = self._forecasts(past, steps)
        if not self._options.quantiles:
            raise UserError("fitted without quantiles: give Forecaster(quantiles=(0.1, 0.5, 0.9))")
        return made[0] if form == "series" else made

    def score(self, series: Any, y: None = None) -> float:
        """Minus the MASE of forecasts from every place in these series, so that more is better.

        At each place the network reads `look_back_` values, and what it forecasts is compared with
        what followed: -1 is as far off as one step of the season before, in the values ahead of the
        first place (Hyndman and Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001). Names as in
        `predict`; one that is not known is scaled by its first values, which are read before the
        first place. `y` is not read. UserError: series shorter than look-back and horizon, or that
        never move.
        """
        there, _ = self._panel(series, ahead=False)
        made, _ = forecasts(self.model_, there, there.check, self._device)
        scores = scores_of(there, there.check, made, self._options.quantiles)
        if "mase" not in scores:
            raise UserError("no MASE: before the first forecast these series do not move")
        return -scores["mase"]

    def _forecasts(
        self, past: Any, steps: int | None
    ) -> tuple[str, Collection, Mapping[str, GiveBack], NDArray[np.float64]]:
        """How the series were handed over, the series, how their times come back, and forecasts
        [S, H, Q]."""
        self._check_fitted()
        if isinstance(past, int | float):
            raise UserError(f"{past} is no series; for fewer steps ahead give steps={past}")
        steps = self.horizon_ if steps is None else steps
        if not 1 <= steps <= self.horizon_:
            raise UserError(
                f"steps={steps}: needs 1 to {self.horizon_}, the horizon that was learnt"
            )
        there, times = self._panel(past, ahead=True)
        made, _ = forecasts(self.model_, there, there.check, self._device)
        form = self._form if past is None else form_of(past)
        return form, there.collection, times, made[:, :steps]

    def _panel(self, series: Any, *, ahead: bool) -> tuple[Panel, Mapping[str, GiveBack]]:
        """Series for the network, those of the training for None; and how their times come back."""
        self._check_fitted()
        found, times = self._found, self._times
        if series is not None:
            if (form_of(series) in TABLES) != (self._form in TABLES):
                raise UserError("fitted on arrays, or on a table: the series must be such, too")
            same = form_of(series) == self._form == "series"
            known = self._found.reading
            found, times = collection_of(series, known.options, new=not same, known=known)
        bad = BadRows(skip=False, advice="give more of it" if not ahead else "mend it")
        return reading.resumed("y", found, self._preprocessing, bad, ahead=ahead), times


def ahead(found: Collection, steps: int) -> NDArray[np.int64]:
    """The moments of so many forecasts of each series, one series after the other."""
    assert found.grid is not None
    places = [places_to(one, found.grid, len(one) + steps)[len(one) :] for one in found.series]
    return found.grid.moments(np.concatenate(places))


def _kind_of(series: Any) -> Callable[[Any], Any]:
    """What makes a table of the same kind from columns: its class, or dict."""
    kind = type(series)
    return kind if kind.__module__.startswith(("pandas", "polars")) else dict
