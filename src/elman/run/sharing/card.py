"""README.md of a run, the model card: front matter for hubs, and what a stranger has to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman import tasks
from elman.data.built_in.named import NAMED, members
from elman.metrics import HIGHER
from elman.run.folder import RunFolder
from elman.run.sharing.options import CardOptions
from elman.run.verdict import Verdict, score_table

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

FILE = "README.md"
MADE = (
    "<!-- Made by Elman, and made anew when it goes out. A README.md without this line stays. -->"
)

METRICS = {"macro_f1": "f1", "micro_f1": "f1", "span_f1": "f1", "exact": "exact_match"}
"""What hubs call scores, where it is not as we do."""


def is_made(text: str) -> bool:
    """Whether a card was made here, and not written by hand."""
    return MADE in text


def of_run(
    folder: RunFolder, tables: Mapping[str, Any], told: CardOptions, name: str, place: str = "RUN"
) -> str:
    """The card of a run folder, made anew unless somebody wrote another; the rest as in `card`."""
    path = folder.path / FILE
    if path.is_file():
        own = path.read_text(encoding="utf-8", errors="replace")
        if not is_made(own):
            return own
    return card(folder.verdict(), tables, folder.preprocessing(), told, name, place)


def card(
    verdict: Verdict, tables: Mapping[str, Any], kept: Mapping[str, Any], told: CardOptions,
    name: str, place: str = "RUN",
) -> str:  # fmt: skip
    """The card of the run `name`, which is found at `place`, by its options.toml and what its model
    keeps of the data; `told` is what its maker says."""
    task = tables["task"]
    return "\n".join(
        [
            _front(verdict, tables, kept, told, name), MADE, "",
            f"# {name}", "",
            f"A recurrent network, {_shape(tables[task])}, for `{task}`: {tasks.summary(task)}", "",
            *([told.about, ""] if told.about else []),
            "## Use", "",
            "    pip install elman",
            f"    {_command(task, place)}", "",
            f"In Python: `elman.load(\"{place}\")`. Nothing in it is pickled or executed.", "",
            "## Scores", "", *_scored(verdict),
            "## Data", "", *_data(tables["data"], told), "",
            "## Limits", "", *_limits(verdict, told), "",
        ]
    )  # fmt: skip


def pipeline(task: str, kept: Mapping[str, Any]) -> str | None:
    """The kind of model by which hubs sort them; None where they have none that fits."""
    encoder = kept.get("encoder")
    reads_words = isinstance(encoder, dict) and encoder.get("vocabulary") is not None
    match task:
        case "classify":
            return "text-classification" if reads_words else None
        case "speech":
            return "automatic-speech-recognition" if reads_words else "audio-classification"
    return {
        "text": "text-generation",
        "tag": "token-classification",
        "translate": "translation",
        "forecast": "time-series-forecasting",
    }.get(task)


def _front(
    verdict: Verdict, tables: Mapping[str, Any], kept: Mapping[str, Any], told: CardOptions,
    name: str,
) -> str:  # fmt: skip
    from huggingface_hub import ModelCardData

    task = tables["task"]
    kind = pipeline(task, kept)
    results = _results(verdict, kind or task, ", ".join(map(_named, tables["data"])))
    data = ModelCardData(
        library_name="elman",
        license=told.license,
        language=list(told.language) or None,
        datasets=list(told.datasets) or None,
        pipeline_tag=kind,
        tags=["elman", "recurrent-network", task],
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        model_name=name if results else None,
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def _results(verdict: Verdict, kind: str, data: str) -> list[EvalResult]:
    """A result for each score that is a number, with that of the first rival among its arguments:
    as a result of its own it would pass for one of this model."""
    from huggingface_hub import EvalResult

    found = []
    for name, value in verdict.scores.items():
        rival = verdict.baseline.get(name, math.nan)
        if math.isfinite(value):
            found.append(
                EvalResult(
                    task_type=kind, dataset_type=data, dataset_name=data,
                    metric_type=METRICS.get(name, name), metric_name=name, metric_value=value,
                    metric_args={"better": "higher" if name in HIGHER else "lower"}
                    | ({"baseline": verdict.name, "baseline_value": rival}
                       if math.isfinite(rival) else {}),
                )
            )  # fmt: skip
    return found


def _shape(own: Mapping[str, Any]) -> str:
    cells = "+".join(own.get("cell", ["rnn"]))
    return f"{cells} of {'+'.join(map(str, own.get('hidden_size', [])))} units"


def _command(task: str, place: str) -> str:
    if task in ("text", "music"):
        return f"elman generate {place}"
    return f"elman predict {place} DATA"


def _scored(verdict: Verdict) -> list[str]:
    if not verdict.scores:
        return ["It was not scored.", ""]
    table = score_table(verdict)
    held = "Of data that was held back from training; beside it, simple ways to the same answers."
    return [*([verdict.told, ""] if verdict.told else []), *table, "", held, ""]


def _named(item: str) -> str:
    """What a card calls an item of data."""
    return item if item.startswith("name:") else Path(item).name


def _data(items: list[str], told: CardOptions) -> list[str]:
    licence = told.data_license or "not told; ask whoever made this model"
    lines = []
    for item in items:
        known = [NAMED[name] for name in members(item.removeprefix("name:")) if name in NAMED]
        if item.startswith("name:") and known:
            lines.append(f"- `{item}`: {known[0].summary}; licence: {known[0].licence}")
        else:
            lines.append(f"- {_named(item)}; licence: {licence}")
    return [*lines, *(f"- `{name}` on the hub; licence: {licence}" for name in told.datasets)]


def _limits(verdict: Verdict, told: CardOptions) -> list[str]:
    lines = [told.limits, ""] if told.limits else []
    if verdict.gained is False:
        lines += ["It is no better than something simpler, as its scores say.", ""]
    return [
        *lines,
        "Its scores hold for data like that it learnt from, and for no other: "
        "`elman evaluate` scores it on yours.",
    ]
