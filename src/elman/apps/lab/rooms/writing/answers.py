"""What a model answers to rows, sentences, series and recordings, as values that a page shows."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from elman.data.source import resolve
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.texts.segmentation import is_unspaced
from elman.data.time_series.series import places_to
from elman.errors import ElmanError, UserError
from elman.run import rows
from elman.run.trained import Run
from elman.tasks.forecast.intervals.conformal import levels
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.predict import told as told_of
from elman.tasks.forecast.reading import unseen
from elman.tasks.speech.writing import Transcript
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.model import Translator
from elman.tasks.translate.pictures import Looked, looked
from elman.tasks.translate.reading import settled
from elman.tasks.translate.writing import Translating

MOST_SHOWN = 500  # rows of answers on a page; the file has them all
MOST_SERIES = 20  # that are drawn


class Told(NamedTuple):
    """Rows with their answers, the first of them, and the file that `elman predict` would write."""

    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]
    left_out: list[str]
    file: bytes
    ending: str


def told(run: Run, body: bytes, name: str) -> Told:
    """The answers to a file of this name. UserError: what `elman predict` refuses."""
    out, bad = io.StringIO(newline=""), BadRows(skip=True)
    left_out = rows.answer(run, body, Path(name).suffix or rows.CSV, out, bad, name)
    text = out.getvalue()
    if run.task == "tag":
        return Told((), (), left_out, text.encode(), Path(name).suffix or rows.TEXT)
    ending = rows.LINES if text.startswith("{") else rows.CSV
    with _file(text.encode(), f"answers{ending}") as path:
        opened = table.open_table(resolve([str(path)])[0])
        shown = [row.values for _, row in zip(range(MOST_SHOWN), opened.rows(bad), strict=False)]
    return Told(opened.columns, shown, left_out, text.encode(), ending)


def answer_to(run: Run, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer to one row: the columns that the model adds to it. UserError: a wrong row."""
    out = io.StringIO(newline="")
    rows.answer(run, rows.lines([row]), rows.LINES, out, BadRows(skip=False))
    found = rows.records(out.getvalue())[0]
    return {name: value for name, value in found.items() if name not in row}


# ---- Sentences


class Tagged(NamedTuple):
    """A token and its label."""

    token: str
    label: str


def tagged(run: Run, text: str) -> list[Tagged]:
    """A sentence with labels: its words are parted by white space, or are single letters where the
    script has none between words."""
    spaced = len(text.split()) > 1 or not is_unspaced([text])
    tokens = text.split() if spaced else list(text.strip())
    if not tokens:
        raise UserError("an empty sentence; write one")
    found = answer_to(run, {"tokens": tokens})["predicted"]
    return [Tagged(token, label) for token, label in zip(tokens, found, strict=True)]


class Translated(NamedTuple):
    """What a sentence was translated to, best first, with scores; and where the best one looked."""

    texts: list[tuple[str, float]]
    looked: Looked | None


def translated(run: Run, text: str, beam: int) -> Translated:
    """UserError: a text that the model cannot read."""
    encoder, _, longest = settled(run.trained.preprocessing)
    how = Decoding(beam=beam, n_best=min(beam, 3))
    translate = Translating(cast(Translator, run.model), encoder, longest, how, run.device)
    ids = encoder.strange(text) or encoder.source_ids(text.strip())
    if isinstance(ids, str):
        raise UserError(ids)
    looks = translate.model.attention is not None
    found = translate([text.strip()], [ids], keep_attention=looks)[0]
    matrix = looked(encoder, ids, found[0]) if looks else None
    return Translated([(one.text, one.score) for one in found], matrix)


# ---- Series


class Forecast(NamedTuple):
    """A series and how it goes on. `bands` are pairs of quantiles [H], the widest first."""

    name: str
    times: list[str]
    values: list[float]
    ahead: list[str]
    forecast: list[float]
    bands: list[tuple[str, list[float], list[float]]]


def forecast(run: Run, body: bytes, name: str) -> list[Forecast]:
    """How the series of a file go on, at most `MOST_SERIES`. UserError: not such series."""
    trained, bad = run.trained, BadRows(skip=False)
    with _file(body, name) as path:
        there = unseen([str(path)], trained.preprocessing, bad, ahead=True)
        made, _ = forecasts(run.model, there, there.check, run.device)
    found, quantiles = there.collection, trained.options.quantiles
    names = [f"q{q:g}" for q in levels(quantiles)]
    halves = list(zip(names, reversed(names), strict=True))[: len(names) // 2]
    result = []
    for one, steps in zip(found.series[:MOST_SERIES], made, strict=False):
        places = places_to(one, found.grid, len(one) + len(steps)).tolist()
        times = [" ".join(map(str, found.time_cells(place).values())) for place in places]
        cells = [told_of(values, quantiles) for values in steps]
        bands = [
            (f"{low} – {high}", [c[low] for c in cells], [c[high] for c in cells])
            for low, high in halves
            if all(low in c and high in c for c in cells)
        ]
        ahead = [c["forecast"] for c in cells]
        result.append(
            Forecast(one.name, times[: len(one)], one.y.tolist(), times[len(one) :], ahead, bands)
        )
    return result


class Curve(NamedTuple):
    """What was told of one target over the steps of a sequence, and what stands in the data."""

    name: str
    predicted: list[float]
    true: list[float]  # empty where the data does not say


def curves(run: Run, answers: Told) -> list[Curve]:
    """The answers of a regressor as curves, one for each target."""
    targets = run.trained.preprocessing.get("columns", {}).get("target") or ("",)
    found = []
    for column in answers.columns:
        if column != "predicted" and not column.startswith("predicted_"):
            continue
        # A single target is not named in the answers.
        target = targets[0] if column == "predicted" else column.removeprefix("predicted_")
        predicted = [_number(row[column]) for row in answers.rows]
        there = target in answers.columns
        true = [_number(row[target]) for row in answers.rows] if there else []
        found.append(Curve(target or "predicted", predicted, true))
    return found


def _number(cell: object) -> float:
    try:
        return float(str(cell))
    except ValueError:
        return float("nan")


# ---- Recordings


def heard(run: Run, sound: bytes, name: str) -> Transcript:
    """What is heard in a sound file. UserError: it is none."""
    with _file(sound, name) as path:
        found: Transcript = run.transcribe(path)
    return found


@contextmanager
def _file(body: bytes, name: str) -> Iterator[Path]:
    """A file of that ending; errors that name it call it by its own name."""
    with tempfile.TemporaryDirectory(prefix="elman-") as folder:
        path = Path(folder) / f"data{Path(name).suffix}"
        path.write_bytes(body)
        try:
            yield path
        except ElmanError as error:
            raise type(error)(str(error).replace(str(path), name)) from None
