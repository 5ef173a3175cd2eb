"""A decoder with packed weights: sentences greedily, in one call, or steps for a search.

It copies the weights when it is made, and follows nothing that happens to them later. It never
changes, so that several threads may use one. A sentence is the same, to the bit, in any company
and with any number of threads. Reference: `elman.search.search` with a beam of one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor

from elman.kernels.native import address, check, check_ints, check_sizes, extension
from elman.kernels.stream import LINEAR, State, Stream, Weights, error

# What of the source reaches the output of each step, and `Source` of csrc/writer.h.
Reach: TypeAlias = Literal["nothing", "context", "attention"]
REACHES: tuple[Reach, ...] = get_args(Reach)


class Linear(NamedTuple):
    """A matrix [O, K], and a bias [O] or None."""

    weight: Tensor
    bias: Tensor | None


class Source(NamedTuple):
    """B sentences of at most S tokens, as an encoder left them; float32 on a CPU."""

    lengths: Tensor  # [B] int64, from 1 to S
    memory: Tensor  # [B, S, M]
    keys: Tensor  # [B, S, A], as attention compares them; [B, S, 0] without it
    context: Tensor  # [B, M], the same for every step
    state: State  # of the decoder before its first step, each [B, H]


@dataclass(frozen=True)
class Limits:
    """What sentences may be: `start` is read before the first token, `end` is the last.

    least, most: tokens of each sentence before its end, int64 [B] on a CPU. no_repeat: no run of so
    many tokens comes twice, 0 for all. never: tokens that are not chosen. phrases: runs of at least
    one token that do not occur.
    """

    start: int
    end: int
    least: Tensor
    most: Tensor
    no_repeat: int = 0
    never: Collection[int] = ()
    phrases: Sequence[Sequence[int]] = ()


class Sentence(NamedTuple):
    """What was written, without the end. `finished`: whether the end stands there; if not, nothing
    was allowed to come. log_p in nats, the end's included. shares [tokens, S] or None."""

    tokens: list[int]
    log_p: float
    finished: bool
    shares: Tensor | None


class Stepped(NamedTuple):
    """N hypotheses one token later. state: each [N, H]. read [N, E]: what they were read out as;
    None unless it is fed back. log_p [N, V] in nats. shares [N, S] or None."""

    state: State
    read: Tensor | None
    log_p: Tensor
    shares: Tensor | None


class Writer:
    """A decoder: a stack of layers over [embedding | what stands beside], and what reads it out.

    embedding [V, E]. readout: the stack's output and, unless nothing reaches it, what is found of
    the source [M] → [E], of which tanh is taken; output [E] → [V]. Attention compares `query` of
    the stack's output by v · tanh(query + key), or without `query` the output itself by a product.
    Beside the embedding stands the context, or with `fed` what the step before was read out as.
    ValueError: types, devices, shapes that do not fit.
    """

    def __init__(
        self,
        layers: Sequence[Weights],
        embedding: Tensor,
        readout: Linear,
        output: Linear,
        reach: Reach,
        *,
        memory_size: int,
        query: Linear | None = None,
        v: Tensor | None = None,
        fed: bool = False,
        instruction_set: str | None = None,
    ) -> None:
        decoder = Stream(layers, instruction_set=instruction_set)
        H, M = decoder.output_size, memory_size
        V, E = embedding.shape
        check("the embedding", embedding, V, E)
        _check_linear("readout", readout, E, H if reach == "nothing" else H + M)
        _check_linear("output", output, V, E)
        if (query is None) != (v is None) or (query is not None and reach != "attention"):
            raise ValueError("a query and v belong to attention, and to each other")
        A = H if query is None else query.weight.shape[0]
        if query is not None and v is not None:
            _check_linear("query", query, A, H)
            check("v", v, A)
        beside = M if reach == "context" else E if fed else 0
        if (fed and reach == "context") or decoder.input_size != E + beside:
            raise ValueError(f"the decoder reads {decoder.input_size} numbers, not {E} + {beside}")
        self._widths, self._compared, self._memory = decoder.state_sizes, A, M
        self._attends, self.vocabulary_size = reach == "attention", V
        self._fed = E if fed else 0
        packed = [
            None if each is None else _packed(each, decoder.instruction_set)
            for each in (query, readout, output)
        ]
        self._writer = extension().Writer(
            decoder.instruction_set, decoder.model, *packed, embedding.data_ptr(),
            address(v), E, M, REACHES.index(reach), fed,
        )  # fmt: skip

    def greedy(
        self, source: Source, limits: Limits, *, keep_shares: bool = False
    ) -> list[Sentence]:
        """For each sentence the likeliest token each time, of equals the lower id, to its end.

        RunError: scores that are not finite. UserError: every first token is forbidden.
        ValueError: types, shapes, devices, ids out of range.
        """
        B, S = self._checked(source)
        self._check_states(source.state, B)
        self._check_limits(limits, B)
        room = int(limits.most.max()) + 1
        tokens = torch.empty(B, room, dtype=torch.int64, device="cpu")
        made = torch.empty(B, dtype=torch.int64, device="cpu")
        log_p = torch.empty(B, dtype=torch.float64, device="cpu")
        finished = torch.empty(B, dtype=torch.bool, device="cpu")
        shares = None
        if keep_shares and self._attends:
            shares = torch.zeros(B, room, S, dtype=torch.float32, device="cpu")
        why = self._writer.greedy(
            torch.get_num_threads(), B, S, source.lengths.data_ptr(), source.memory.data_ptr(),
            source.keys.data_ptr(), source.context.data_ptr(),
            _addresses(source.state),
            limits.start, limits.end, limits.least.data_ptr(), limits.most.data_ptr(),
            limits.no_repeat, list(limits.never), [list(phrase) for phrase in limits.phrases], room,
            tokens.data_ptr(), made.data_ptr(), log_p.data_ptr(), finished.data_ptr(),
            address(shares),
        )  # fmt: skip
        if raised := error(why):
            raise raised
        rows = zip(tokens.tolist(), made.tolist(), log_p.tolist(), finished.tolist(), strict=True)
        return [
            Sentence(row[:n], total, ended, None if shares is None else shares[b, :n])
            for b, (row, n, total, ended) in enumerate(rows)
        ]

    def step(
        self, source: Source, tokens: Tensor, sentences: Tensor, state: State, fed: Tensor | None
    ) -> Stepped:
        """N hypotheses read on: tokens int64 [N], the newest of each, and where it stands.

        sentences int64 [N]: the row of `source` that each belongs to; state: each [N, H]; fed
        [N, E]: what the step before was read out as, where that is fed back, else None. The state
        in `source` is not looked at. Scores that are not finite make log_p NaN. ValueError as
        there.
        """
        (B, S), N = self._checked(source), len(tokens)
        check_sizes(N=N)
        self._check_states(state, N)
        for name, row, end in (
            ("tokens", tokens, self.vocabulary_size),
            ("sentences", sentences, B),
        ):
            check_ints(name, row)
            if len(row) != N or int(row.min()) < 0 or int(row.max()) >= end:
                raise ValueError(f"{name} must be {N} numbers from 0 to {end - 1}")
        if (fed is not None) != bool(self._fed):
            raise ValueError(
                "what is fed back must be given where a decoder reads it, and nowhere else"
            )
        read = None
        if fed is not None:
            check("what is fed back", fed, N, self._fed)
            read = torch.empty_like(fed)
        after: State = [tuple([torch.empty_like(s) for s in part]) for part in state]
        log_p = torch.empty(N, self.vocabulary_size, dtype=torch.float32, device="cpu")
        shares = None
        if self._attends:
            shares = torch.zeros(N, S, dtype=torch.float32, device="cpu")
        self._writer.step(
            torch.get_num_threads(), B, S, source.lengths.data_ptr(), source.memory.data_ptr(),
            source.keys.data_ptr(), source.context.data_ptr(), N, tokens.data_ptr(),
            sentences.data_ptr(), _addresses(state), _addresses(after), address(fed), address(read),
            log_p.data_ptr(), address(shares),
        )  # fmt: skip
        return Stepped(after, read, log_p, shares)

    def _checked(self, source: Source) -> tuple[int, int]:
        """B and S, once everything but the states fits."""
        B, S = source.memory.shape[:2]
        check_sizes(B=B, S=S)
        check("memory", source.memory, B, S, self._memory)
        check("keys", source.keys, B, S, self._compared if self._attends else 0)
        check("context", source.context, B, self._memory)
        check_ints("lengths", source.lengths)
        if len(source.lengths) != B:
            raise ValueError(f"lengths must have {B} numbers, got {len(source.lengths)}")
        if int(source.lengths.min()) < 1 or int(source.lengths.max()) > S:
            raise ValueError(f"lengths must lie between 1 and {S}")
        return B, S

    def _check_states(self, state: State, rows: int) -> None:
        got = [[s.shape[-1] for s in part] for part in state]
        if got != [list(part) for part in self._widths]:
            raise ValueError(f"the states must be as wide as {self._widths}; got {got}")
        for part in state:
            for s in part:
                check("a state", s, rows, s.shape[-1])

    def _check_limits(self, limits: Limits, B: int) -> None:
        for name, row in (("least", limits.least), ("most", limits.most)):
            check_ints(name, row)
            if len(row) != B:
                raise ValueError(f"{name} must have {B} numbers, got {len(row)}")
        if int(limits.least.min()) < 0 or bool((limits.least > limits.most).any()):
            raise ValueError("a sentence must have at least 0 tokens, and at most no fewer")
        ids = [limits.start, limits.end, *limits.never, *(k for run in limits.phrases for k in run)]
        if min(ids) < 0 or max(ids) >= self.vocabulary_size:
            raise ValueError(f"tokens must be ids from 0 to {self.vocabulary_size - 1}")
        if limits.no_repeat < 0 or not all(limits.phrases):
            raise ValueError("no_repeat must be at least 0, and a phrase must have a token")


def _addresses(state: State) -> list[int]:
    return [s.data_ptr() for part in state for s in part]


def _check_linear(name: str, linear: Linear, O: int, K: int) -> None:  # noqa: E741
    check(name, linear.weight, O, K)
    if linear.bias is not None:
        check(f"the bias of {name}", linear.bias, O)


def _packed(linear: Linear, instruction_set: str) -> object:
    """A model of the extension that is this product alone."""
    weight, bias = linear
    O, K = weight.shape  # noqa: E741
    add = torch.zeros(O, dtype=torch.float32, device="cpu") if bias is None else bias
    model = extension().Model(instruction_set, 0)
    model.add(LINEAR, K, O, False, 0.0, weight.data_ptr(), 0, 0, 0, add.data_ptr())
    return model
