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

Program `model`: `tokens` [B, T] or `x` [B, T, I], `lengths` → `scores` [B, C], log probabilities or,
of several labels at once, log odds; those of `beside` are made so too, by log_softmax. With s the
mixture `beside + mix * (scores - beside)` probabilities are softmax(s) or sigmoid(s), in float64; they
are told to six digits, rounded down.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from elman.export.building import Builder
from elman.export.program import Array, Arrays, Export, Program
from elman.tasks import leaving
from elman.tasks.classify.model import Classifier, Member
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.reading import settled
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
    return Export("classify", {"model": program}, surroundings, {"model": Original(model)})


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
