"""A stack with packed weights: one step at a time, or a whole text in one call.

A `Stream` copies the weights when it is made, in the order in which a step reads them, and follows
nothing that happens to them later. It never changes, so that several threads may use one; each call
has room of its own. float32 on a CPU goes in and comes out; inside, weights may be narrower.
Results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.errors import RunError, UserError
from elman.kernels.native import check, extension, which

Storage: TypeAlias = Literal["float32", "float16", "int8"]
STORAGES: tuple[Storage, ...] = get_args(Storage)
State: TypeAlias = list[tuple[Tensor, ...]]  # one entry a layer, one [B, H] for each of its states

# The cells that can be streamed, in the order of `Unit` in csrc/stream.h; their gates and states.
GATES = {
    "rnn": 1, "rnn-relu": 1, "lstm": 4, "gru": 3, "gru-reset-before": 3, "mingru": 2, "minlstm": 3,
}  # fmt: skip
NUMBERS = {cell: number for number, cell in enumerate(GATES)}
LINEAR = len(GATES)  # the output's number
WITHOUT_R = ("mingru", "minlstm")

LARGEST_HALF = 65_504.0
LARGEST_TABLE = 64 << 20  # bytes; beyond, rows of an embedding are multiplied at each step
MOST_INPUTS = 1 << 16  # so many products of bytes cannot overflow a sum of 32 bits


class Weights(NamedTuple):
    """One layer, by the names of `torch.nn`; what the cell or the model has not is None."""

    cell: str  # a name out of `GATES`
    weight_ih: Tensor  # [G*H, I]
    weight_hh: Tensor | None = None  # [G*H, H]
    bias_ih: Tensor | None = None  # [G*H]
    bias_hh: Tensor | None = None  # [G*H]
    residual: bool = False  # add the input to the output, if it is as wide
    zoneout: float = 0.0  # share of the old state in the new one


class Generated(NamedTuple):
    """Tokens, and where the model stands after each of them."""

    tokens: list[int]
    logits: Tensor  # [n, V]
    states: State  # each [n, H]
    error: Exception | None  # why there are fewer than were asked for


class Stream:
    """A stack of layers, over vectors or over tokens, with a linear output or without.

    `tokens` is an embedding [V, E], or V for one-hot input; without it the stack reads vectors.
    `output` is a matrix [O, H] and a bias [O] or None. `storage` is how the matrices lie in memory:
    float16 rounds each weight, int8 rounds it to 127 steps of the largest of its row, and at each
    step the inputs of a product to 127 steps of their largest. The first layer's product with a
    token is a row of a table, in float32.
    ValueError: types, devices, shapes that do not fit, or weights that do not fit the storage.
    """

    def __init__(
        self,
        layers: Sequence[Weights],
        *,
        tokens: Tensor | int | None = None,
        output: tuple[Tensor, Tensor | None] | None = None,
        storage: Storage = "float32",
        instruction_set: str | None = None,
    ) -> None:
        if storage not in STORAGES:
            raise ValueError(f"storage must be one of {', '.join(STORAGES)}, got {storage!r}")
        if not layers:
            raise ValueError("a stream needs at least one layer")
        self._shapes = _checked(layers)  # (I, H) of each layer
        self._states = [2 if layer.cell == "lstm" else 1 for layer in layers]
        self.storage: Storage = storage
        self.instruction_set = which(instruction_set)
        self.vocabulary_size = _vocabulary(tokens, self._shapes[0][0])
        self.input_size = self._shapes[0][0]
        self.output_size = self._shapes[-1][1]
        if output is not None:
            self.output_size = output[0].shape[0]
            check("the output", output[0], self.output_size, self._shapes[-1][1])
            if output[1] is not None:
                check("the output's bias", output[1], self.output_size)
        self.model = extension().Model(self.instruction_set, STORAGES.index(storage))
        first = 0
        if tokens is not None:
            first = self._add_first(layers[0], tokens)
        for layer, (I, H) in list(zip(layers, self._shapes, strict=True))[first:]:  # noqa: E741
            self._add(layer, I, H)
        if output is not None:
            weight, bias = output
            x = _narrow(weight.detach(), storage)
            add_up = _floats(self.output_size).zero_() if bias is None else bias.detach()
            self.model.add(
                LINEAR, weight.shape[1], self.output_size, False, 0.0,
                *x.addresses(), 0, 0, add_up.data_ptr(),
            )  # fmt: skip

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """`x` [B, I], each state [B, H] → y [B, O] and the states after; or all without the B.

        Each row's results are those that it has alone. ValueError: types, shapes, devices.
        """
        if self.vocabulary_size is not None:
            raise ValueError("this stream reads tokens: call read")
        if x.dim() not in (1, 2):
            raise ValueError(f"x must have 2 dimensions, or 1 for one row; got {x.dim()}")
        rows = tuple(x.shape[:-1])
        check("x", x, *rows, self.input_size)
        before = self._addresses(state, *rows)
        # Calls count here: memory like what is there takes half the time of other memory.
        after: State = [tuple([torch.empty_like(s) for s in part]) for part in state]
        last = state[-1][0]
        y = (
            torch.empty_like(last)
            if last.shape[-1] == self.output_size
            else _floats(*rows, self.output_size)
        )
        self.model.step(
            torch.get_num_threads(),
            x.data_ptr(),
            *(rows or (1,)),
            before,
            _flat(after),
            y.data_ptr(),
        )
        return y, after

    def read(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """`ids` [T >= 1] int64, each state [1, H] → y [T, O], and the states after the last.

        ValueError: types, shapes, devices, ids out of range.
        """
        self._check_ids("ids", ids)
        before, after = self._addresses(state, 1), self._new_states(1)
        y = _floats(len(ids), self.output_size)
        self.model.read(
            torch.get_num_threads(), ids.data_ptr(), len(ids), before, _flat(after), y.data_ptr()
        )
        return y, after

    def generate(
        self,
        length: int,
        logits: Tensor,
        state: State,
        position: int,
        *,
        seed: int,
        seen: Collection[int] = (),
        forbidden: Collection[int] = (),
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
    ) -> Generated:
        """Up to `length` tokens, chosen by the rules of `elman.decode`, which is the reference.

        `logits` [V] and each state [1, H] are the model's after `position` tokens, and `seen` are
        the ids of these. Where no token can be chosen the text ends, and `error` says why: a
        RunError for logits that are not finite, a UserError where all tokens are forbidden.
        ValueError: no output over the vocabulary; types, shapes, devices, ids out of range.
        """
        V = self.vocabulary_size
        if V is None or self.output_size != V:
            raise ValueError("this stream cannot write: it needs tokens, and an output over them")
        if length < 0 or not 0 <= position < 2**63 or not 0 <= seed < 2**63:
            raise ValueError(f"length, position, seed: {length}, {position}, {seed}")
        check("logits", logits, V)
        # Only the penalty looks at what was seen.
        seen_mask = mask("seen", seen if repetition_penalty != 1 else (), V)
        forbidden_mask = mask("forbidden", forbidden, V)
        before = self._addresses(state, 1)
        tokens, all_logits = (
            torch.empty(length, dtype=torch.int64, device="cpu"),
            _floats(length, V),
        )
        after = self._new_states(length)
        made, why = self.model.generate(
            torch.get_num_threads(), length, logits.data_ptr(), position, before,
            temperature, min(top_k, 2**62), top_p, repetition_penalty, seed,
            seen_mask.data_ptr(), forbidden_mask.data_ptr(),
            tokens.data_ptr(), all_logits.data_ptr(), _flat(after),
        )  # fmt: skip
        states = [tuple(s[:made] for s in part) for part in after]
        return Generated(tokens[:made].tolist(), all_logits[:made], states, error(why))

    @property
    def state_sizes(self) -> list[tuple[int, ...]]:
        """The width H of each state, layer by layer, in the order of a `State`."""
        return [(H,) * count for count, (_, H) in zip(self._states, self._shapes, strict=True)]

    def advance(self, texts: int, which: int, count: int) -> None:
        """For `elman.kernels.together`: addresses of its texts, and of the numbers of those that
        go on."""
        self.model.advance(torch.get_num_threads(), texts, which, count)

    def _add_first(self, layer: Weights, tokens: Tensor | int) -> int:
        """The first layer, if what it reads is a table; else the embedding. → layers added."""
        I, H = self._shapes[0]  # noqa: E741
        V, G = self.vocabulary_size, GATES[layer.cell]
        assert V is not None
        adds_input = layer.residual and I == H
        if not adds_input and (isinstance(tokens, int) or 4 * V * G * H <= LARGEST_TABLE):
            weight = layer.weight_ih.detach()
            table = weight.t() if isinstance(tokens, int) else F.linear(tokens.detach(), weight)
            table = table.contiguous()
            self._add(layer, 0, H)
            self.model.set_table(table.data_ptr(), V)
            return 1
        embedding = (
            torch.eye(V, dtype=torch.float32, device="cpu")
            if isinstance(tokens, int)
            else tokens.detach()
        )
        self._add(layer, I, H)
        self.model.set_embedding(embedding.data_ptr(), V)
        return 1

    def _add(self, layer: Weights, I: int, H: int) -> None:  # noqa: E741
        x = _narrow(layer.weight_ih.detach() if I else None, self.storage)
        h = _narrow(None if layer.weight_hh is None else layer.weight_hh.detach(), self.storage)
        bias = _bias_of_sums(layer, H)
        self.model.add(
            NUMBERS[layer.cell], I, H, layer.residual and I == H, layer.zoneout,
            *x.addresses(), *h.addresses(), bias.data_ptr(),
        )  # fmt: skip

    def _check_ids(self, name: str, ids: Tensor) -> None:
        V = self.vocabulary_size
        if V is None:
            raise ValueError("this stream reads vectors: call step")
        if ids.dtype != torch.int64 or not ids.is_cpu or ids.dim() != 1 or not ids.is_contiguous():
            raise ValueError(f"{name} must be a row of int64 on a CPU, got {ids.dtype}")
        if len(ids) == 0 or int(ids.min()) < 0 or int(ids.max()) >= V:
            raise ValueError(f"{name} must be at least one, each from 0 to {V - 1}")

    def _addresses(self, state: State, *rows: int) -> list[int]:
        got = [len(part) for part in state]
        if got != self._states:
            raise ValueError(f"a state must hold {self._states} tensors; got {got}")
        for part, (_, H) in zip(state, self._shapes, strict=True):
            for s in part:
                check("a state", s, *rows, H)
        return _flat(state)

    def _new_states(self, *rows: int) -> State:
        pairs = zip(self._states, self._shapes, strict=True)
        return [tuple([_floats(*rows, H) for _ in range(count)]) for count, (_, H) in pairs]


def uniform(seed: int, position: int) -> float:
    """The number that numpy's Philox with this key and counter draws first."""
    return float(extension().uniform(seed, position))


def choose(
    logits: Tensor,
    position: int,
    *,
    seed: int,
    seen: Collection[int] = (),
    forbidden: Collection[int] = (),
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    repetition_penalty: float = 1.0,
    instruction_set: str | None = None,
) -> int:
    """The token that `Stream.generate` takes for `logits` [V]. RunError, UserError: none fits."""
    V = len(logits)
    check("logits", logits, V)
    seen_mask, forbidden_mask = mask("seen", seen, V), mask("forbidden", forbidden, V)
    token = extension().choose(
        which(instruction_set), logits.data_ptr(), V, position, temperature, min(top_k, 2**62),
        top_p, repetition_penalty, seed, seen_mask.data_ptr(), forbidden_mask.data_ptr(),
    )  # fmt: skip
    if token < 0:
        raised = error(token)
        assert raised is not None
        raise raised
    return int(token)


def error(why: int) -> Exception | None:
    """What a negative token means, in the words of `elman.decode`."""
    if why == -1:
        return RunError("the model gives logits that are not finite; its weights are damaged")
    return UserError("every token is forbidden; allow at least one") if why == -2 else None


class _Narrow(NamedTuple):
    """A matrix as it is stored, and the scales of its rows."""

    rows: Tensor | None
    scale: Tensor | None

    def addresses(self) -> tuple[int, int]:
        return tuple(0 if t is None else t.data_ptr() for t in self)  # type: ignore[return-value]


def _narrow(weight: Tensor | None, storage: Storage) -> _Narrow:
    if weight is None or storage == "float32":
        return _Narrow(weight, None)
    largest = weight.abs().amax(1)  # [rows]
    if not bool(largest.isfinite().all()):
        raise ValueError(f"weights must be finite to be stored as {storage}")
    if storage == "float16" and bool((largest > LARGEST_HALF).any()):
        raise ValueError(f"weights must be at most {LARGEST_HALF} to be stored as float16")
    if storage == "float16":
        return _Narrow(weight.half(), None)
    if weight.shape[1] > MOST_INPUTS:
        raise ValueError(f"int8 takes at most {MOST_INPUTS} inputs, got {weight.shape[1]}")
    scale = largest / 127
    rounded = weight / scale.where(scale > 0, 1)[:, None]
    return _Narrow(rounded.round().clamp(-127, 127).to(torch.int8), scale)


def _bias_of_sums(layer: Weights, H: int) -> Tensor:
    """[S * H]: r, z, W_n x, R_n h of a GRU, whose last two stay apart; elsewhere gate by gate."""
    zero = _floats(GATES[layer.cell] * H).zero_()
    ih, hh = (zero if b is None else b.detach() for b in (layer.bias_ih, layer.bias_hh))
    if layer.cell != "gru":
        return ih + hh
    return torch.cat([ih[: 2 * H] + hh[: 2 * H], ih[2 * H :], hh[2 * H :]])


def _checked(layers: Sequence[Weights]) -> list[tuple[int, int]]:
    """Input and hidden size of each layer, once all fits together."""
    sizes: list[tuple[int, int]] = []
    for k, layer in enumerate(layers):
        if layer.cell not in GATES:
            raise ValueError(f"{layer.cell} cannot be streamed; known: {', '.join(GATES)}")
        G = GATES[layer.cell]
        if layer.weight_ih.dim() != 2 or layer.weight_ih.shape[0] % G or 0 in layer.weight_ih.shape:
            raise ValueError(f"weight_ih of layer {k}: {list(layer.weight_ih.shape)}, G = {G}")
        rows, I = layer.weight_ih.shape  # noqa: E741
        H = rows // G
        if sizes and sizes[-1][1] != I:
            raise ValueError(f"layer {k} reads {I} numbers, but {sizes[-1][1]} come from below")
        check(f"weight_ih of layer {k}", layer.weight_ih, rows, I)
        if (layer.weight_hh is None) != (layer.cell in WITHOUT_R):
            raise ValueError(f"weight_hh of layer {k}: {layer.cell} has one, or must not have one")
        if layer.weight_hh is not None:
            check(f"weight_hh of layer {k}", layer.weight_hh, rows, H)
        for name, bias in (("bias_ih", layer.bias_ih), ("bias_hh", layer.bias_hh)):
            if bias is not None:
                check(f"{name} of layer {k}", bias, rows)
        if not 0 <= layer.zoneout <= 1:
            raise ValueError(f"zoneout of layer {k} must lie in [0, 1], got {layer.zoneout}")
        sizes.append((I, H))
    return sizes


def _vocabulary(tokens: Tensor | int | None, input_size: int) -> int | None:
    """V, once what reads the tokens fits the first layer."""
    if tokens is None:
        return None
    if isinstance(tokens, int):
        if tokens != input_size:
            raise ValueError(f"one-hot tokens are {tokens}, but the first layer reads {input_size}")
        return tokens
    check("the embedding", tokens, tokens.shape[0], input_size)
    if len(tokens) == 0:
        raise ValueError("the embedding is empty")
    return len(tokens)


def mask(name: str, ids: Collection[int], V: int) -> Tensor:
    """uint8 [V], 1 for each of `ids`. ValueError: one of them is out of range."""
    listed = [int(k) for k in ids]
    if listed and not (min(listed) >= 0 and max(listed) < V):
        raise ValueError(f"{name} must be ids from 0 to {V - 1}")
    made = torch.zeros(V, dtype=torch.uint8, device="cpu")
    made[listed] = 1
    return made


def _flat(state: State) -> list[int]:
    return [s.data_ptr() for part in state for s in part]


def _floats(*shape: int) -> Tensor:
    """Memory for the extension, whatever types and devices are the default."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")
