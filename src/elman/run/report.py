"""What a run came to, for people: a verdict, curves, samples, and a card for model hubs."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elman import metrics
from elman.run.folder import RunFolder, replace, writing

Record = Mapping[str, Any]
RISEN, FALLEN, GAP = 0.01, 0.005, 0.15  # shares of a loss that say more than chance
ANNEALED = 0.05  # share of the highest learning rate below which a flat curve says nothing


def write_report(
    folder: RunFolder, data: Sequence[str], remarks: Sequence[str], apart: str = ""
) -> str:
    """Write report.md, README.md and, where matplotlib is installed, curves.png; the verdict.

    `data` are lines on the data, `remarks` on what came of it; `apart` as in `verdict`.
    """
    records, scores, tables = folder.metrics(), folder.scores(), folder.options()
    drawn = draw(records, folder.path / "curves.png")
    lines = verdict(records, scores, apart)
    replace(folder.path / "report.md", page(records, scores, tables, lines, data, remarks, drawn))
    replace(folder.path / "README.md", card(scores, tables))
    return " ".join(lines)


def standing(
    own: Mapping[str, float], baseline: Mapping[str, float], name: str, chance: float
) -> str:
    """Whether the network beats its baseline, in a sentence; empty where there is none. `chance` is
    the difference of the first score up to which it says nothing."""
    won = beats(own, baseline)
    if won is None:
        return ""
    first = next(iter(own))
    told = f"{first_score(own)} {own[first]:.4f} against {baseline[first]:.4f}"
    if own[first] == baseline[first]:
        return f"WARNING: the network is no better than its baseline: {told}."
    if abs(own[first] - baseline[first]) <= chance:
        return (
            f"WARNING: nothing is gained over the baseline, {name}, that chance could not give: "
            f"{told}."
        )
    if won:
        return f"The network beats its baseline: {told}."
    return f"WARNING: the network loses to its baseline: {told}."


def verdict(records: Sequence[Record], scores: Mapping[str, Any], apart: str = "") -> list[str]:
    """Plain sentences: does it beat the baseline, is it still learning, is it overfitting.

    `apart` says why training and validation loss are not to be compared, where they are not.
    """
    own, baseline = scores.get("scores", {}), scores.get("baseline", {})
    told = standing(own, baseline, scores.get("baseline_name", ""), scores.get("chance", 0.0))
    lines = [told] if told else []
    curve = [(r["step"], r["loss"]) for r in records if _is(r, "validation")]
    if len(curve) < 3:
        missing = "Too few validations" if curve else "No validation"
        return [*lines, f"{missing} to say whether it is still learning or overfitting."]
    best_step, best = min(curve, key=lambda point: point[1])
    before, last = curve[(len(curve) - 1) * 3 // 4][1], curve[-1][1]
    train = [r["loss"] for r in records if _is(r, "train")][-5:]
    if last > (1 + RISEN) * best:
        kept = [r["step"] for r in records if _is(r, "validation") and r.get("best") is True][-1:]
        lines.append(
            f"It is overfitting: validation was best at step {best_step:,} and has risen since; "
            "the best weights were kept. Try more --dropout, a smaller --hidden-size, more data, "
            "or --patience 5."
            if kept in ([], [best_step])
            else f"It is overfitting: the validation loss was lowest at step {best_step:,} and has "
            f"risen since; the weights of step {kept[0]:,} were kept, where {first_score(own)} was "
            "best. Try more --dropout, a smaller --hidden-size, or more data."
        )
    elif last < (1 - FALLEN) * before:
        lines.append(
            f"It is still learning: the last quarter of the run took {1 - last / before:.1%} off "
            "the validation loss. Try more --minutes or --epochs."
        )
    else:
        rates = [r["learning_rate"] for r in records if _number(r.get("learning_rate"))]
        lines.append(
            "The curve is flat at its end, as it must be once the learning rate has fallen: only a "
            "longer run can tell what more time would bring."
            if rates and rates[-1] < ANNEALED * max(rates)
            else "It has levelled off: more time alone will change little."
        )
        lines.append(
            f"Training and validation loss do not compare: {apart}."
            if apart
            else "Training loss is far below validation loss: try more --dropout or more data."
            if train and sum(train) / len(train) < (1 - GAP) * last
            else "Training and validation are close: try a larger --hidden-size."
        )
    return lines


def beats(own: Mapping[str, float], baseline: Mapping[str, float]) -> bool | None:
    """Whether the first score is better than the baseline's; None where there is no such pair."""
    name = next(iter(own), None)
    if name is None or name not in baseline:
        return None
    return metrics.better(name, own[name], baseline[name])


def first_score(own: Mapping[str, float]) -> str:
    """The name of the first score, in words."""
    return next(iter(own), "the score").replace("_", " ")


def page(
    records: Sequence[Record], scores: Mapping[str, Any], tables: Mapping[str, Any],
    lines: Sequence[str], data: Sequence[str], remarks: Sequence[str], drawn: bool,
) -> str:  # fmt: skip
    """report.md."""
    own, baseline = scores.get("scores", {}), scores.get("baseline", {})
    text = ["# Report", "", *lines, ""]
    if own:
        text += [
            f"| score | this run | {scores.get('baseline_name', 'baseline')} |",
            "|---|---|---|",
        ]
        text += [f"| {name} | {own[name]:.4f} | {_shown(baseline.get(name))} |" for name in own]
        text += [""]
    text += ["## Curves", "", _curves(drawn), ""]
    samples = [r for r in records if r.get("sample")]
    if samples:
        text += ["## What it wrote", ""]
        for record in [samples[0], samples[-1]][: min(2, len(samples))]:
            text += [f"After step {record['step']:,}:", "", *_quoted(record["sample"]), ""]
    if remarks:
        text += ["## What to look at", "", *remarks, ""]
    text += ["## The data", "", *[f"- {line}" for line in data], ""]
    text += ["## Options", ""]
    for name, table in tables.items():
        values = table if isinstance(table, dict) else {name: table}
        text += [
            f"- `{key}` = `{json.dumps(value, ensure_ascii=False)}`"
            for key, value in values.items()
        ]
    return "\n".join(text) + "\n"


def card(scores: Mapping[str, Any], tables: Mapping[str, Any]) -> str:
    """README.md, with front matter as model hubs expect it."""
    task = tables["task"]
    front = ["---", "library_name: elman", f"tags: [elman, recurrent-network, {task}]"]
    if task == "text":
        front.append("pipeline_tag: text-generation")
    used = "`elman generate FOLDER`" if task == "text" else "`elman predict FOLDER DATA`"
    own = scores.get("scores", {})
    numbers = ", ".join(f"{name} {value:.4f}" for name, value in own.items()) or "not scored"
    options = tables[task]
    shape = "; ".join(
        f"{name.replace('_', ' ')} {', '.join(str(v) for v in options[name])}"
        for name in ("cell", "hidden_size")
        if name in options
    )
    return "\n".join(
        [
            *front, "---", "",
            f"# A recurrent network for {task}", "",
            f"{shape.capitalize()}. Validation: {numbers}.", "",
            f"Trained with Elman on {', '.join(Path(d).name for d in tables['data'])}. "
            f"Load it with `elman.load(FOLDER)`, or {used}.", "",
        ]
    )  # fmt: skip


def draw(records: Sequence[Record], path: Path) -> bool:
    """Loss, learning rate and gradient norm against steps; False where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    train = [r for r in records if _is(r, "train")]
    checked = [r for r in records if _is(r, "validation")]
    if not train:
        return False
    figure = Figure(figsize=(8, 6), layout="constrained")
    loss, rest = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    steps = [r["step"] for r in train]
    loss.plot(steps, [r["loss"] for r in train], lw=1, color="tab:blue", label="training")
    if checked:
        points = [r["step"] for r in checked], [r["loss"] for r in checked]
        loss.plot(*points, "o-", ms=4, color="tab:orange", label="validation")
    loss.set_ylabel("loss")
    loss.legend(frameon=False)
    loss.grid(alpha=0.3)
    rest.plot(steps, [r["gradient_norm"] for r in train], lw=1, color="tab:gray")
    rest.set_ylabel("gradient norm", color="tab:gray")
    rest.set_yscale("log")
    rest.set_xlabel("step")
    rates = rest.twinx()
    rates.plot(steps, [r["learning_rate"] for r in train], lw=1, color="tab:green")
    rates.set_ylabel("learning rate", color="tab:green")
    rates.set_ylim(bottom=0)
    fresh = path.with_name(f".{path.name}.new.png")
    with writing(path):
        figure.savefig(fresh, dpi=120)
        fresh.replace(path)
    return True


def _is(record: Record, split: str) -> bool:
    return record.get("split") == split and _number(record.get("loss"))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _curves(drawn: bool) -> str:
    return (
        "![loss, gradient norm and learning rate](curves.png)"
        if drawn
        else "Not drawn: matplotlib is not installed; `pip install 'elman[plot]'`."
    )


def _quoted(sample: str) -> list[str]:
    # An indented block: whatever the sample holds cannot end it, as a fence might.
    return ["    " + line for line in sample.splitlines()]
