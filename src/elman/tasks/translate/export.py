"""What leaves of a translator: two programs, an encoder and a step of the decoder.

    encoder         {"source", "target", "longest", "cut"}: vocabularies, `target` None where both
                    are one; of a text at most `longest` ids where it says `cut`, then the end. The
                    end of a side is one more id, the last: the size of its vocabulary
    written         tokens that a translation has at most, before the end
    beam, length_penalty   of `elman.search.search`: how many hypotheses are kept; their scores
                    are log probabilities over ((5 + n) / 6) ** length_penalty, the end counted
    copies          whether <unk> is written as the source's symbol that attention looks at most
    never           ids that are never written
    inputs          what the step is given of the encoder's outputs

Program `encoder`: `tokens` [B, T], `lengths` → `memory` [B, T, M], `keys` [B, T, A], `context`
[B, M], as many of them as the step wants, and the first states of the decoder by name.
Program `step`: `token` [B, 1], first the end; of the source `memory`, `keys`, `lengths` or
`context`; states, with input feeding `found` among them, at first zeros → `log_p` [B, V + 1] of the
next token; with attention `shares` [B, T, 1] of the source's tokens. Of several networks the names
of what the step is given, and of states, begin with that of a network: m0_memory, m1_memory.

Question: a text; answer: its translation by this search.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.data.texts.vocabulary import Characters, Words
from elman.export.building import Builder, stacked, unstacked
from elman.export.program import Array, Arrays, Export, Program, Raw, Runner
from elman.search import Step
from elman.tasks import leaving
from elman.tasks.ensemble import together
from elman.tasks.task import Kept
from elman.tasks.translate.data import Encoder
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.model import Source, Translator, Written
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.predict import answered as translated
from elman.tasks.translate.reading import settled
from elman.tasks.translate.writing import Translating


def export(model: nn.Module, kept: Kept, options: TranslateOptions) -> Export:
    assert isinstance(model, Translator)
    encoder, _, written = settled(kept)
    how, target = Decoding(), encoder.target
    attends = model.attention is not None
    surroundings = {
        "encoder": encoder.to_json(),
        "written": written,
        "beam": how.beam,
        "length_penalty": how.length_penalty,
        "copies": attends and isinstance(target, Words | Characters),
        "never": [] if attends or target.unknown is None else [target.unknown],
        "inputs": [prefix + name for prefix, own in prefixed(model) for name in inputs_of(own)],
    }
    programs = {"encoder": encoding(model, encoder.source.size + 1), "step": step(model)}
    originals: dict[str, Runner] = {"encoder": Encoding(model), "step": Stepping(model)}
    translate = Translating(model, encoder, written, how, "cpu")
    raw = Raw(partial(drawn, encoder), partial(answered, translate))
    return Export("translate", programs, surroundings, originals, raw)


def inputs_of(model: Translator) -> tuple[str, ...]:
    """What a step of one network reads of the source, beside its lengths."""
    if model.attention is not None:
        return ("memory", "keys")
    return ("context",) if model.how.context == "each" else ()


def prefixed(model: Translator) -> list[tuple[str, Translator]]:
    """Each network, with what the names of its inputs, outputs and states begin with."""
    count = len(model.networks)
    return [(leaving.prefix(k, count), network) for k, network in enumerate(model.networks)]


def encoding(model: Translator, symbols: int) -> Program:
    build = Builder(model)
    tokens, lengths = build.ids("tokens", ("B", "T"), symbols), build.lengths()
    each = [_encoded(build, own, tokens, lengths, prefix) for prefix, own in prefixed(model)]
    return build.done(*itertools.chain(*each))


def _encoded(
    build: Builder, model: Translator, tokens: str, lengths: str, prefix: str
) -> list[str]:
    """What one network makes of the source."""
    table = model.target if model.source is None else model.source
    y, last = build.stack(model.encoder, build.lookup(tokens, table.weight), lengths)
    outputs = []
    if model.attention is not None:
        memory = build.named(y, f"{prefix}memory")
        outputs = [memory, build.linear(memory, model.attention.key, f"{prefix}keys")]
    elif model.how.context == "each":
        context = build.concat(*(end[0] for end in last[-1]))
        outputs = [build.named(context, f"{prefix}context")]
    for k, (at, maps) in enumerate(zip(model.bridge.layers, model.bridge.maps, strict=True)):
        states = len(model.encoder.cell[at].states)
        joined = build.concat(*(end[n] for n in range(states) for end in last[at]))
        assert isinstance(maps, nn.ModuleList)
        for n, (name, linear) in enumerate(zip(model.decoder.cell[k].states, maps, strict=True)):
            assert isinstance(linear, nn.Linear)
            made = build.linear(joined, linear)
            made = build.activation(made, "tanh") if n == 0 else made
            outputs.append(build.named(made, f"{prefix}{name}_l{k}"))
    return outputs


def step(model: Translator) -> Program:
    build = Builder(model)
    token = build.ids("token", ("B", 1), model.target.num_embeddings)
    lengths = build.lengths() if model.attention is not None else None
    each, shares = [], []
    for prefix, own in prefixed(model):
        scores, looked = _stepped(build, own, token, lengths, prefix)
        each.append(scores)
        shares += [looked] if looked else []
    if len(each) == 1:
        log_p = build.softmax(each[0], log=True, name="log_p")
    else:
        log_p = build.named(leaving.together(build, each), "log_p")
    if not shares:
        return build.done(log_p)
    if len(shares) > 1:
        shares = [build.named(build.mean(shares), "shares")]
    return build.done(log_p, *shares)


def _stepped(
    build: Builder, model: Translator, token: str, lengths: str | None, prefix: str
) -> tuple[str, str | None]:
    """Scores of the next token by one network and, with attention, its shares of the source."""
    M, memory, keys, context = model.encoder.output_size, None, None, None
    if model.attention is not None:
        memory = build.numbers(f"{prefix}memory", "B", "T", M)
        keys = build.numbers(f"{prefix}keys", "B", "T", model.decoder.output_size)
    elif model.how.context == "each":
        context = build.numbers(f"{prefix}context", "B", M)
    x = build.lookup(token, model.target.weight)
    if model.fed:
        found = build.state(f"{prefix}found", np.zeros(model.fed))
        x = build.concat(x, build.steps(found, 1))
    elif context is not None:
        x = build.concat(x, build.steps(context, 1))
    y, _ = build.stack(model.decoder, x, carried=True, prefix=prefix)
    read, shares = build.pool(y, "last", None), None
    if memory is not None and keys is not None:
        shares = build.named(_attended(build, model, read, keys, lengths), f"{prefix}shares")
        context = build.pool(build.mul(memory, shares), "sum", lengths)
    read = read if context is None else build.concat(read, context)
    read = build.activation(build.linear(read, model.readout), "tanh")
    if model.fed:
        build.carry(f"{prefix}found", read)
    return build.linear(read, model.output), shares


def _attended(build: Builder, model: Translator, q: str, keys: str, lengths: str | None) -> str:
    """The shares [B, T, 1] of the source's steps for a query [B, H]."""
    attention = model.attention
    assert attention is not None
    if attention.query is None or attention.score is None:
        products = build.mul(keys, build.spread(q, keys))
        scores = build.product(products, torch.ones(1, build.width(keys)))
    else:
        sums = build.add(keys, build.spread(build.linear(q, attention.query), keys))
        scores = build.linear(build.activation(sums, "tanh"), attention.score)
    return build.softmax_over_time(scores, lengths)


def drawn(encoder: Encoder, draw: np.random.Generator, count: int) -> list[Any]:
    """Sentences of known symbols, with one that is unknown here and there."""
    known, made = encoder.source, []
    for n in draw.integers(1, 15, count):
        ids = draw.integers(known.unknown is not None, known.size, int(n))
        made.append(known.decode(ids) + (" Zyx" if draw.random() < 0.3 else ""))
    return [text if text.strip() else "a" for text in made]


def answered(translate: Translating, questions: Sequence[Any]) -> list[Any]:
    found = translated(translate, questions)
    return ["" if isinstance(one, str) or not one else one[0].text for one in found]


@dataclass(frozen=True)
class Encoding:
    """The encoder, as a `Runner`."""

    model: Translator

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        tokens, lengths = (torch.from_numpy(inputs[name]) for name in ("tokens", "lengths"))
        made = dict[str, Array]()
        for prefix, network in prefixed(self.model):
            source = network.encode(tokens, lengths)
            own = {name: getattr(source, name).numpy() for name in inputs_of(network)}
            own |= unstacked(network.decoder, source.state)
            made |= {prefix + name: value for name, value in own.items()}
        return made, {}


@dataclass(frozen=True)
class Stepping:
    """A step of the decoder, as a `Runner`."""

    model: Translator

    @torch.no_grad()
    def run(
        self, inputs: Arrays, states: Arrays | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        each, looked, after = [], [], dict[str, Array]()
        for prefix, network in prefixed(self.model):
            own = {**inputs, **leaving.own(prefix, inputs)}
            before = None if states is None else leaving.own(prefix, states)
            step = stepped(network, own, before)
            each.append(step.log_p)
            looked += [] if step.attention is None else [step.attention]
            later = unstacked(network.decoder, step.state.state)
            later |= {"found": step.state.found.numpy()} if network.fed else {}
            after |= {prefix + name: value for name, value in later.items()}
        outputs = {"log_p": (each[0] if len(each) == 1 else together(each)).numpy()}
        if looked:
            outputs["shares"] = torch.stack(looked).mean(0)[..., None].numpy()
        return outputs, after


def stepped(model: Translator, inputs: Arrays, states: Arrays | None) -> Step[Written]:
    """A step of one network from its inputs and states by name."""
    token = torch.from_numpy(inputs["token"])
    rows = len(token)
    zeros = {
        f"{name}_l{k}": np.zeros((rows, H), np.float32)
        for k, (cell, H) in enumerate(
            zip(model.decoder.cell, model.decoder.hidden_size, strict=True)
        )
        for name in cell.states
    } | ({"found": np.zeros((rows, model.fed), np.float32)} if model.fed else {})
    given = zeros if states is None else states
    width = model.encoder.output_size
    memory = torch.from_numpy(inputs.get("memory", np.zeros((rows, 1, width), np.float32)))
    keys = torch.from_numpy(inputs["keys"]) if "keys" in inputs else memory[..., :0]
    context = torch.from_numpy(inputs["context"]) if "context" in inputs else memory[:, 0]
    lengths = torch.from_numpy(inputs.get("lengths", np.ones(rows, np.int64)))
    alive = torch.arange(memory.shape[1]) < lengths[:, None]
    source = Source(memory, keys, alive, context, [])
    found = torch.from_numpy(given["found"]) if model.fed else memory.new_zeros(rows, 0)
    stands = Written(source, stacked(model.decoder, given), found, torch.arange(rows))
    return model.step(token[:, 0], stands)
