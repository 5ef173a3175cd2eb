"""A network and an n-gram model as one: the weight of each follows what has just been read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from elman import decode
from elman.data.batching import Tokens
from elman.errors import UserError
from elman.tasks.kneser_ney import KneserNey
from elman.tasks.task import State
from elman.tasks.text.costs import Costs
from elman.tasks.text.ngrams.ngram import READ

FILE = "ngram.safetensors"
MATCHED = 10  # context lengths told apart, longer ones as the longest
SURE = (0.2, 0.35, 0.5, 0.7, 0.9)  # the network's largest probability, cut here
KEPT = 0.999  # of what was seen, with each token of the same kind: about a thousand count
BOUNDS = (1e-4, 1 - 1e-4)  # of a weight: neither is ever trusted alone
FIRST = 2.0  # tokens that a weight of one half is taken for, before any was seen

Floats = NDArray[np.float64]
Kinds = NDArray[np.int64]


class Gate:
    """How far the network is trusted in each kind of place, learnt from the tokens before.

    The mixture gives a token w p_network + (1 - w) p_n-gram. A kind of place is how long a context
    the n-gram model knows there, and how large the network's largest probability is. Its weight w
    is the share of the network in what it foretold, over the tokens of this kind so far: each
    counts the posterior probability that it came from the network, and is forgotten slowly
    (Jelinek & Mercer 1980; online, Cappé & Moulines 2009, arXiv:0712.4273).
    """

    SHAPE = (MATCHED * (len(SURE) + 1), 2)

    def __init__(self, seen: Floats | None = None) -> None:
        """`seen` [kinds, 2]: what was counted for the network, and in all; else nothing yet."""
        start = np.tile([FIRST / 2, FIRST], (self.SHAPE[0], 1))
        self.seen = start if seen is None else seen.astype(np.float64)

    def weights(self, kinds: Kinds) -> Floats:
        """The network's weight [n], inside (0, 1), in places of these kinds [n]."""
        own, everything = self.seen[kinds].T
        shares: Floats = np.clip(own / np.maximum(everything, 1e-9), *BOUNDS)
        return shares

    def read(self, network: Floats, ngram: Floats, kinds: Kinds) -> Floats:
        """The nats [n] of tokens by the mixture, given those by each, each token read once told."""
        # Plain numbers, for the loop is a step a token.
        rows, made, (lowest, highest) = [tuple(row) for row in self.seen.tolist()], [], BOUNDS
        p, q = np.exp(-network).tolist(), np.exp(-ngram).tolist()
        for t, kind in enumerate(kinds.tolist()):
            own, everything = rows[kind]
            weight = min(max(own / everything, lowest), highest)
            share = weight * p[t]
            mixed = share + (1 - weight) * q[t]
            made.append(mixed)
            rows[kind] = KEPT * own + share / mixed, KEPT * everything + 1
        self.seen = np.array(rows)
        nats: Floats = -np.log(np.array(made))
        return nats


def kinds(matched: NDArray[np.int64], least: Floats) -> Kinds:
    """The kind of each place: tokens `matched` [n], and the `least` nats [n] of any token there."""
    sure = np.digitize(np.exp(-least), SURE)
    found: Kinds = np.minimum(matched, MATCHED - 1) * (len(SURE) + 1) + sure
    return found


def together(
    gate: Gate, ngram: KneserNey, network: Costs, text: Tokens, first: int, stop: int
) -> tuple[Floats, Floats]:
    """The nats of the tokens `first` to `stop` of a text by the mixture, and by the n-gram model.

    `network` are their costs, in order. Only what stands before a token has a say in its weight.
    """
    mixed, alone = np.empty(stop - first), np.empty(stop - first)
    for start in range(first, stop, READ):
        part = slice(start - first, min(start + READ, stop) - first)
        reach = min(start, ngram.order - 1)
        ids = text.read(start - reach, reach + part.stop - part.start)
        alone[part] = -np.log(ngram.probabilities(ids[reach:], ids[:reach]))
        places = kinds(ngram.matches(ids[reach:], ids[:reach]), network.least[part])
        mixed[part] = gate.read(network.nats[part], alone[part], places)
    return mixed, alone


def stepper(step: decode.Step[State], ngram: KneserNey, gate: Gate) -> decode.Step[State]:
    """A step of the mixture from one of the network; the gate stays as it is.

    Its state is the network's and, last, the newest tokens, as many as the n-gram model looks at.
    """

    def mixed(ids: Tensor, state: State) -> tuple[Tensor, State]:
        scores, after = step(ids, state[:-1])
        seen = torch.cat(
            [*(part for tokens in state[-1:] for part in tokens), ids.to(scores.device)]
        )
        seen = seen[-max(ngram.order - 1, 1) :]
        place = ngram.start(seen.cpu().numpy())
        p = scores.detach().cpu().double().softmax(-1).numpy()
        matched = np.array([ngram.matched(place)])
        (weight,) = gate.weights(kinds(matched, -np.log(p.max(keepdims=True))))
        both = np.log(weight * p + (1 - weight) * ngram.distribution(place))
        return torch.from_numpy(both).to(scores), [*after, (seen,)]

    return mixed


def keep(model: KneserNey, folder: Path) -> None:
    """Write the counts into a run folder, beside their place and renamed. No more than numbers."""
    fresh = folder / f".{FILE}.new"
    fresh.touch()
    mode = fresh.stat().st_mode
    save_file({name: np.ascontiguousarray(a) for name, a in model.arrays().items()}, fresh)
    fresh.chmod(mode)  # else no one but the user may read it
    fresh.replace(folder / FILE)


def kept(folder: Path, vocabulary_size: int) -> KneserNey:
    """The counts that `keep` wrote. UserError where they are missing, damaged or of others."""
    path = folder / FILE
    if not path.is_file():
        raise UserError(f"{path}: missing; without it a run of --mix-ngram cannot be used")
    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
        model = KneserNey.from_arrays(arrays)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: damaged ({error})") from error
    if model.vocabulary_size != vocabulary_size:
        raise UserError(f"{path}: is of {model.vocabulary_size} symbols, not {vocabulary_size}")
    return model
