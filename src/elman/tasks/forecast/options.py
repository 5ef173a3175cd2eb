"""What a forecaster is made of: how series are read, what is forecast, and by which network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from elman.data.time_series.options import CYCLES, SeriesOptions
from elman.errors import unknown_name
from elman.options import require, require_files, require_range
from elman.tasks.networks import NetworkOptions

Likelihood: TypeAlias = Literal["normal", "student", "negative-binomial", "tweedie"]
# As simple/naive.py names them.
Beside: TypeAlias = Literal[
    "last-value", "last-season", "last-week", "day-and-week", "drift", "mean", "smoothing", "theta",
    "both", "autoregression", "season-and-regression",
]  # fmt: skip


COUNTED = ("negative-binomial", "tweedie")  # of values in the units of the data, from 0 on


@dataclass(frozen=True)
class ForecastOptions(NetworkOptions, SeriesOptions):
    """Options of the task `forecast`. Those left at None are chosen from the data and the time.

    Parameters
    ----------
    until
        Read nothing from this time on; without times, from the value of this number.
    validation_from
        Validate from this time on, instead of on a share of the data.
    test_from
        Keep what follows from this time on for testing: the final scores of the run are of it.
    test_data
        A file in which every series goes on, kept for testing.
    horizon
        How many values to forecast; a season, at most a tenth of a series, if not given.
    look_back
        How many values the network reads before it forecasts.
    season
        After how many values the series repeat themselves; guessed and told if not given.
    stride
        Values from one forecast of the back-test to the next; 1, or more if those were too many.
    windows
        Train on so many places of the series in an epoch, drawn at random; on all if not given.
    calendar
        What is read of the times: year, month, yearday, weekday, hour, or none; by the frequency
        if not given.
    log
        Take the logarithm of the values first: for what grows by shares of itself. Like scaling,
        seasonal, segment and look-back it is chosen in back-tests if not given.
    scaling
        What the network reads: values by the mean and deviation of their series, by those of the
        window read, or as the difference from its last value.
    seasonal
        Read and forecast the difference from the season before.
    steps_ahead
        Forecast all values at once, or each from the one before.
    segment
        Read and forecast so many values at each step (SegRNN); 0 for one.
    identity
        Width of what is learnt of each series by its name; 0 for nothing.
    beside
        Simple forecast that the network's is mixed with: last-value, last-season, last-week,
        day-and-week, drift, mean, smoothing, theta, both of these, autoregression or
        season-and-regression; chosen in back-tests if not given.
    share
        Share of the network in the mixture, from 0 to 1, which is the network alone; found in
        back-tests if not given.
    each_share
        Of 10 series or more, give each a share of its own where the validation part says that this
        is nearer; if not given, unless the share is, or the network has none.
    members
        Train so many networks and forecast the median of theirs.
    smoothing
        Smooth level and these seasons of each series, by shares that are learnt together with a
        network for what is left (ES-RNN): 24,168; 1 for the level alone, 0 for nothing; chosen in
        back-tests if not given.
    loss
        Error to make small: squared, absolute, squared and then absolute, or by shares.
    quantiles
        Forecast these too, 0.5 among them: 0.1,0.5,0.9. Their loss replaces the other. Without
        them every forecast has an interval of 80 %, by how far forecasts were off.
    distribution
        Learn the likelihood of what comes, in place of an error: normal, student,
        negative-binomial for counts, tweedie for amounts that are often 0. One step after the
        other, quantiles are those of paths drawn from it, of student if not given.
    """

    until: str | None = None
    validation_from: str | None = None
    test_from: str | None = None
    test_data: Path | None = None
    horizon: int | None = None
    look_back: int | None = None
    season: int | None = None
    stride: int | None = None
    windows: int | None = None
    calendar: tuple[str, ...] | None = None
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
    smoothing: tuple[int, ...] | None = None
    loss: Literal["mse", "mae", "huber", "smape"] = "mae"
    quantiles: tuple[float, ...] = ()
    distribution: Likelihood | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("horizon", "look_back", "season", "stride", "windows"), 1, 1_000_000)
        require_range(self, ("segment",), 0, 100_000)
        require_range(self, ("identity",), 0, 4096)
        require_range(self, ("quantiles", "share"), 0, 1)
        require_range(self, ("members",), 1, 100)
        require_range(self, ("smoothing",), 0, 100_000)
        if self.smoothing is not None:
            object.__setattr__(self, "smoothing", tuple(m for m in self.smoothing if m))
        for q in self.quantiles:
            require(self, "quantiles", 0 < q < 1, "values between 0 and 1")
        known = not self.quantiles or 0.5 in self.quantiles
        rising = list(self.quantiles) == sorted(set(self.quantiles))
        require(self, "quantiles", known and rising, "rising values, 0.5 among them")
        for name in self.calendar or ():
            if name != "none" and name not in CYCLES:
                raise unknown_name("calendar", name, (*CYCLES, "none"))
        require_files(self, ("test_data",))
        self.check()
        require(
            self, "test_from", self.test_from is None or self.test_data is None,
            "no --test-data beside it",
        )  # fmt: skip
        recursive = self.steps_ahead == "recursive"
        if recursive and self.quantiles and self.distribution is None:
            object.__setattr__(self, "distribution", "student")
        counts = self.distribution in COUNTED
        fits = "normal or student with --steps-ahead recursive; their paths are of all values"
        require(self, "distribution", not (recursive and counts), fits)
        for name in ("log", "seasonal"):
            alone = not (counts and getattr(self, name))
            require(self, name, alone, f"no --distribution {self.distribution}, which is of values")
        for name in ("past_columns", "segment"):
            alone = not (recursive and getattr(self, name))
            require(self, name, alone, "--steps-ahead direct")
        smooths = bool(self.smoothing)
        for name in ("segment", "seasonal"):
            alone = not (smooths and getattr(self, name))
            require(self, name, alone, "no --smoothing beside it")
        shaped = smooths and (recursive or self.loss == "smape")
        require(self, "smoothing", not shaped, "--steps-ahead direct and another --loss than smape")
        one_way = not any(self.bidirectional) or not (recursive or self.segment or smooths)
        require(self, "bidirectional", one_way, "--steps-ahead direct, no --segment or --smoothing")


# What a search for settings varies where nothing is said.
SEARCHED = ("learning_rate", "batch_size", "hidden_size", "dropout", "cell", "look_back")
