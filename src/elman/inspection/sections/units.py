"""Units that fire on a pattern, or follow a quantity: those asked for, or what is usual."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from elman.errors import UserError
from elman.inspection import lettering
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe import patterns, units
from elman.probe.contexts import Place, contexts
from elman.probe.halves import halves
from elman.probe.opened import Call, opened
from elman.probe.units import Search
from elman.tasks.text.data import TextData

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = NDArray[np.floating]
Bools = NDArray[np.bool_]

STEPS = 8192  # that are looked at
MOST = 512  # sequences
LABELS = 20  # different ones, above which nobody asks for each
COMMON = (0.02, 0.6)  # shares of steps of the labels that are asked for unasked
UNASKED = 3
WIDTH, ROWS = 64, 3  # steps of the picture


@dataclass(frozen=True, eq=False)
class Seen:
    """All units of a module over a batch, and what its steps read."""

    values: Values  # [T, B, U]
    untrained: Values | None
    names: list[str]  # [U]
    there: Bools  # [T, B]
    shown: list[list[str]]  # for people
    written: list[list[str]]  # as it stands in the data
    between: str
    labels: list[list[str]]  # empty where no step has one
    tokens: NDArray[np.int64]  # [T, B], equal where the same is read


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found for one pattern."""

    search: Search
    pattern: NDArray[np.generic]  # [T, B]
    values: Values  # of the best unit [T, B]
    places: list[Place]


def find(subject: Subject) -> Found | None:
    """None where nothing was asked for and nothing is usual, or steps are not known."""
    asked = subject.patterns
    wider = _wider(subject)
    known = [c for c in wider.calls if wider.steps_of(c) is not None and len(c.rows.sizes) > 1]
    if not known:
        if asked:
            raise UserError("--unit: what the steps of this network read is not known")
        return None
    seen = _seen(wider, known[0])
    answers = [_answer(seen, one) for one in asked]
    if not asked:
        for one in _usual(wider, seen):
            try:
                answers.append(_answer(seen, one))
            except UserError:  # it never holds here, or always
                continue
    if not answers:
        return None
    lines = [line for answer in answers for line in _lines(answer)]
    return Found(
        [answer.search.told() for answer in answers],
        lines,
        [m for answer in answers for m in answer.search.measured()],
        functools.partial(draw, seen, answers),
        "The value of the best unit at each step of a stretch that it was not chosen by; what is "
        "asked for holds where letters are in boxes.",
    )


def _wider(subject: Subject) -> Subject:
    """The subject with as many sequences as there are steps to look at."""
    if subject.more is None or subject.look is None:
        return subject
    mean = max(1, sum(subject.look.lengths) // len(subject.look.steps))
    return subject.more(min(MOST, max(len(subject.look.steps), -(-STEPS // mean))), 1)


def _seen(subject: Subject, call: Call) -> Seen:
    values, names = _values(subject, [call])
    shown = subject.steps_of(call)
    assert shown is not None and subject.look is not None
    reading = subject.look.steps == shown
    written, between = shown, " "
    if isinstance(subject.dataset, TextData) and reading:
        vocabulary = subject.dataset.vocabulary
        ids = subject.look.batch[0].T.tolist()
        written = [[vocabulary.decode([token]) for token in row] for row in ids]
        between = " " if vocabulary.level == "words" else ""
    labels = subject.look.labels if reading else []
    if [len(row) for row in labels] != [len(row) for row in shown]:
        labels = []
    numbers = {text: k for k, text in enumerate(dict.fromkeys(s for row in shown for s in row))}
    tokens = np.zeros(values.shape[:2], np.int64)
    for b, row in enumerate(shown):
        tokens[: len(row), b] = [numbers[text] for text in row]
    return Seen(
        values, _untrained(subject, call), names, call.rows.alive.numpy(), shown, written, between,
        labels, tokens,
    )  # fmt: skip


def _values(subject: Subject, calls: Sequence[Call]) -> tuple[Values, list[str]]:
    """Every state of every layer, [T, B, U], and the names of the units."""
    parts, names = [], []
    passes = [seen for call in calls for seen in call.passes]
    for seen in passes:
        layer = f"{subject.called(seen)}, " if len(passes) > 1 else ""
        for state in seen.cell.states:
            parts.append(seen.values(state).float().cpu().numpy())
            kept = "" if state == seen.cell.states[0] else f"{state} of "
            names += [f"{layer}{kept}unit {u}" for u in range(seen.hidden_size)]
    return np.concatenate(parts, -1), names


def _untrained(subject: Subject, call: Call) -> Values | None:
    """The same of a network with the weights that it started from, or such as these."""
    if subject.run is None:
        return None
    trained = subject.run.trained
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = trained.task.build(trained.preprocessing, trained.options).to(subject.device)
    with opened(fresh) as layers:
        subject.loss(fresh)
    calls = [c for c in layers.calls if (c.path, c.number) == (call.path, call.number)]
    return _values(subject, calls)[0] if calls else None


def _usual(subject: Subject, seen: Seen) -> list[str]:
    """What is asked for where nobody asks: the place in a line, common labels."""
    usual = []
    if any("\n" in step for row in seen.written for step in row):
        usual.append("line-position")
    every = Counter(label for row in seen.labels for label in row)
    if 1 < len(every) <= LABELS:
        total, (low, high) = every.total(), COMMON
        often = [label for label, n in every.most_common() if low < n / total < high]
        usual += [f"label:{label}" for label in often[:UNASKED]]
    return usual


def _answer(seen: Seen, asked: str) -> Answer:
    """A quantity by its name, `label:NAME`, or a regular expression."""
    pattern: NDArray[np.generic]
    if asked in patterns.QUANTITIES:
        pattern = patterns.quantity(asked, seen.written)
        search = units.follows(
            seen.values, np.asarray(pattern, np.float64), asked, there=seen.there,
            untrained=seen.untrained, names=seen.names,
        )  # fmt: skip
    else:
        label = asked.removeprefix("label:")
        if label != asked:
            if not seen.labels:
                raise UserError(f"--unit {asked}: the steps of this data bear no labels")
            holds, what = patterns.labelled(seen.labels, label), f"the label {label}"
        else:
            holds, what = patterns.matched(seen.written, asked, seen.between), f"`{asked}`"
        pattern = holds
        search = units.fires(
            seen.values, holds, what, there=seen.there, untrained=seen.untrained,
            tokens=seen.tokens, names=seen.names,
        )  # fmt: skip
    own = seen.values[..., search.best.index]
    places = contexts(own, seen.shown, lowest=not search.best.above)
    return Answer(search, pattern, own, places)


def _lines(answer: Answer) -> list[str]:
    """The next best units, and where the best is highest."""
    search = answer.search
    others = ", ".join(f"{unit.name} {unit.told:.2f}" for unit in search.units[1:])
    high = "highest" if search.best.above else "lowest"
    lines = [
        f"By {search.score} on {search.what}: {search.best.name} {search.best.told:.2f}; next "
        f"{others}. Where {search.best.name} is {high}:",
        "",
    ]
    for place in answer.places:
        around = f"{place.before}[{place.at}]{place.after}"
        lines.append(f"    {place.value:8.3f}  {around}")
    return [*lines, ""]


def draw(seen: Seen, answers: Sequence[Answer]) -> Figure:
    """Steps in rows, as in a text, on the values of a unit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.5 * len(answers) + 0.4), layout="constrained")
    panels = figure.subplots(len(answers), squeeze=False)[:, 0]
    for panel, answer in zip(panels, answers, strict=True):
        sequence, start = _telling(seen, answer)
        shown = seen.shown[sequence][start : start + WIDTH * ROWS]
        rows = -(-len(shown) // WIDTH)
        values = np.full(WIDTH * rows, np.nan)
        values[: len(shown)] = answer.values[start : start + len(shown), sequence]
        bound = float(np.nanmax(abs(answer.values[seen.there]))) or 1.0
        picture = panel.imshow(
            values.reshape(rows, WIDTH), cmap="PuOr", vmin=-bound, vmax=bound, aspect="auto"
        )
        holds = answer.pattern[start : start + len(shown), sequence]
        boxed = holds.dtype == np.bool_
        for k, step in enumerate(shown):
            y, x = divmod(k, WIDTH)
            lettering.step(
                panel, x, y, step, light=abs(values[k]) > 0.7 * bound,
                boxed=boxed and bool(holds[k]),
            )  # fmt: skip
        panel.set_xticks([])
        panel.set_yticks([])
        unit = answer.search.best
        panel.set_title(
            lettering.drawable(
                f"{unit.name} on {answer.search.what}: {answer.search.score} {unit.told:.2f}"
            ),
            fontsize=9, loc="left", parse_math=False, family=lettering.families(),
        )  # fmt: skip
        figure.colorbar(picture, ax=panel, pad=0.01)
    return figure


def _telling(seen: Seen, answer: Answer) -> tuple[int, int]:
    """A stretch that the unit was not chosen by, and holds most of what was asked for."""
    parts = halves(seen.there)
    holds = answer.pattern.astype(np.bool_) if answer.pattern.dtype == np.bool_ else seen.there
    counts = (holds & parts.telling).sum(0)
    sequence = int(counts.argmax())
    first = np.flatnonzero(parts.telling[:, sequence])
    return sequence, int(first[0])


SECTION = Section("units", "Units", 5, 1.5, find)
