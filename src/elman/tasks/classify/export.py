"""What leaves of a classifier.

    classes    names, by their numbers
    encoder    of texts {"vocabulary", "longest"}: ids of at most so many tokens; a text without any
               is the one id `unknown`, 0. Of vectors {"mean", "scale", "inputs", "longest",
               "scaling"}: at most `longest` steps, (x - mean) / scale or, with the scaling
               `sequence`, each column brought to mean 0 and deviation 1 by its own steps, those
               that hardly move (`scaling.by_itself`) left at 0
    several    None where a sequence has one class; else how its labels are written:
               {"form", "joint", "no", "yes"}
    threshold  of several labels at once: those of at least this probability are told
    beside     None, or what answers beside the network, scores [C]: {"kind": "ngrams", …} as
               `GramsBag` keeps itself, {"kind": "tokens" | "pairs", …} as `Bag`, or
               {"kind": "kernels", "stretches", "filters", "levels", "weights", "shift"}
    mix        the network's share of both; 0.5 beside a bag, None alone

Program `model`: `tokens` [B, T] or `x` [B, T, I], `lengths` → `scores` [B, C], log probabilities,
of several labels at once log odds. Those of `beside` are made log probabilities too. With s the
mixture `beside + mix * (scores - beside)` probabilities are softmax(s) or sigmoid(s), in float64;
they are told to six digits, rounded down.

Question: a text, or steps [T][I]; answer: {"predicted": class, "probability"}, of several labels at
once the list of those told, and their probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.export.building import Builder
from elman.export.program import Array, Arrays, Export, Program, Raw
from elman.tasks import leaving
from elman.tasks.classify.data import Encoder
from elman.tasks.classify.model import Classifier, Member
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.predict import rounded
from elman.tasks.classify.reading import settled
from elman.tasks.classify.scores import probabilities
from elman.tasks.task import Kept


def export(model: nn.Module, kept: Kept, options: ClassifyOptions) -> Export:
    assert isinstance(model, Classifier)
    classes, encoder, roles = settled(kept)
    beside = _beside(model, kept)
    surroundings = {
        "classes": list(classes),
        "encoder": encoder.to_json(),
        "several": None if roles.several is None else asdict(roles.several),
        "threshold": None if model.threshold is None else float(model.threshold),
        "beside": beside,
        "mix": None if beside is None else 0.5 if model.mix is None else float(model.mix),
    }
    program = _program(model, encoder.inputs, len(classes))
    raw = Raw(partial(drawn, encoder), partial(answered, model, encoder, classes))
    return Export("classify", {"model": program}, surroundings, {"model": Original(model)}, raw)


def drawn(encoder: Encoder, draw: np.random.Generator, count: int) -> list[Any]:
    """Texts of known symbols and of others, or numbers about their mean."""
    if encoder.vocabulary is None:
        assert encoder.mean is not None and encoder.scale is not None
        sizes = [(int(n), encoder.inputs) for n in draw.integers(2, 60, count)]
        steps = [draw.standard_normal(size) * encoder.scale + encoder.mean for size in sizes]
        return [one.astype(np.float32).tolist() for one in steps]
    size = encoder.vocabulary.size
    strange = ["", "我喜欢 this film's 2 END-ings, “déjà vu”!", "e\u0301t\u00e9 \u2028 x\ty"]
    known = [encoder.vocabulary.decode(draw.integers(0, size, 40)) for _ in range(count)]
    return [*strange, *known][:count]


def answered(
    model: Classifier, encoder: Encoder, classes: Sequence[str], questions: Sequence[Any]
) -> list[Any]:
    sequences = [
        one if isinstance(one, str) else np.array(one, dtype=np.float32) for one in questions
    ]
    inputs = [encoder.encode(one) for one in sequences]
    texts = questions if encoder.vocabulary is not None else ()
    found = probabilities(model, inputs, "cpu", texts=texts)
    if model.threshold is None:
        best = found.argmax(1).tolist()
        return [
            {"predicted": classes[k], "probability": rounded(row[k])}
            for k, row in zip(best, found, strict=True)
        ]
    told = [np.flatnonzero(model.answers(row)).tolist() for row in found]
    return [
        {"predicted": [classes[k] for k in some], "probability": [rounded(row[k]) for k in some]}
        for some, row in zip(told, found, strict=True)
    ]


def _program(model: Classifier, inputs: int, classes: int) -> Program:
    build = Builder(model)
    members = [member for member in model.members if isinstance(member, Member)]
    symbols = members[0].reader.symbols
    x = (
        build.ids("tokens", ("B", "T"), symbols)
        if symbols
        else build.numbers("x", "B", "T", inputs)
    )
    lengths = build.lengths()
    each = [_scores(build, member, x, lengths) for member in members]
    if model.threshold is not None:
        return build.done(build.named(build.mean(each), "scores"))
    together = build.mean([build.softmax(one, log=True) for one in each])
    return build.done(build.softmax(together, log=True, name="scores"))


def _scores(build: Builder, member: Member, x: str, lengths: str) -> str:
    own: str | None = lengths
    seen = []
    if member.front is not None:
        x, own = build.convolutions(member.front, x, lengths)
        seen = [build.pool(x, "mean", own)]
    pooled = leaving.pooled(build, member.pool, leaving.read(build, member.reader, x, own), own)
    return build.linear(build.concat(*seen, pooled), member.output)


def _beside(model: Classifier, kept: Kept) -> dict[str, Any] | None:
    """What answers beside the networks; of several folds that which has learnt from all."""
    if model.kernels is not None:
        fixed = model.kernels.kernels
        return {
            "kind": "kernels",
            "stretches": list(fixed.shape.stretches),
            "filters": fixed.filters.tolist(),
            "levels": fixed.levels.tolist(),
            "weights": model.kernels.weights[-1].tolist(),
            "shift": model.kernels.shift[-1].tolist(),
        }
    if not (model.bags or model.grams):
        return None
    every = kept["bag"]
    own: dict[str, Any] = every[-1] if isinstance(every, list) else every
    return own


@dataclass(frozen=True)
class Original:
    """The networks of the model, as a `Runner`."""

    model: Classifier

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        x = torch.from_numpy(inputs.get("tokens", inputs.get("x")))
        return {"scores": self.model.networks(x, torch.from_numpy(inputs["lengths"])).numpy()}, {}
