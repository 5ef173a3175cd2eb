"""Encoder and decoder: three ways in which the source reaches what is written."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

from elman.layers.recurrent import Recurrent
from elman.layers.regularize import dropout, locked_dropout
from elman.options import given
from elman.search import Step
from elman.tasks.reader import recurrent
from elman.tasks.settling import check_settled
from elman.tasks.task import Kept, State
from elman.tasks.translate.options import Scoring, TranslateOptions
from elman.tasks.translate.reading import settled

TOGETHER = 1 << 24  # numbers of additive attention at once, [B, T, S, A]: 64 MiB


class Source(NamedTuple):
    """What the encoder made of B sentences of at most S tokens."""

    memory: Tensor  # [B, S, M], the outputs of all steps, zero where a sentence has ended
    keys: Tensor  # [B, S, A], the memory as attention compares it; [B, S, 0] without attention
    alive: Tensor  # [B, S], False where a sentence has ended
    context: Tensor  # [B, M], what each direction put out at its own last step
    state: State  # of the decoder before its first step


class Written(NamedTuple):
    """Where N hypotheses stand: what `select` picks from and `step` goes on from.

    Hypotheses of one sentence stand side by side, as many of each, N / B: so they share its memory.
    """

    source: Source  # its state is that of before the first step
    state: State
    found: Tensor  # [N, E], what the last step was read out as; [N, 0] without input feeding
    sentences: Tensor  # [N], which row of `source` each belongs to


class Attention(nn.Module):
    """Which steps of the source matter to a state of the decoder.

    `additive`: v · tanh(W q + U m), Bahdanau et al. 2015, arXiv:1409.0473. `multiplicative`:
    q · (U m), Luong et al. 2015, arXiv:1508.04025 ("general").
    """

    def __init__(self, scoring: Scoring, query: int, memory: int) -> None:
        super().__init__()
        self.key = nn.Linear(memory, query, bias=False)  # U
        self.query = self.score = None
        if scoring == "additive":
            self.query = nn.Linear(query, query)  # W
            self.score = nn.Linear(query, 1, bias=False)  # v

    def forward(self, q: Tensor, source: Source, steps: int | None = None) -> tuple[Tensor, Tensor]:
        """Queries [B, T, H] → contexts [B, T, M] and the shares of each step [B, T, S].

        `steps` is how many there are in all, where they come one by one.
        """
        if self.query is None or self.score is None:
            scores = q @ source.keys.mT
        else:
            scores = self._added(self.query(q), source.keys, steps or q.shape[1])
        shares = scores.masked_fill(~source.alive[:, None], -torch.inf).softmax(-1)
        return shares @ source.memory, shares

    def _added(self, q: Tensor, keys: Tensor, all_steps: int) -> Tensor:
        """Scores [B, T, S] of `q` [B, T, A] and `keys` [B, S, A], so much at once as fits memory.

        What does not is scored in parts, of which backward makes each again: the same numbers.
        """
        (B, T, A), S = q.shape, keys.shape[1]
        if B * all_steps * S * A <= TOGETHER:
            return self._scored(q, keys)
        rows = max(1, min(B, TOGETHER // (S * A)))
        steps = max(1, min(T, TOGETHER // (rows * S * A)))
        parts = []
        for b in range(0, B, rows):
            here = keys[b : b + rows]
            scores = [self._again(q[b : b + rows, t : t + steps], here) for t in range(0, T, steps)]
            parts.append(torch.cat(scores, 1))
        return torch.cat(parts)

    def _scored(self, q: Tensor, keys: Tensor) -> Tensor:
        assert self.score is not None
        scores: Tensor = self.score(torch.tanh(q[:, :, None] + keys[:, None])).squeeze(-1)
        return scores

    def _again(self, q: Tensor, keys: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self._scored(q, keys)
        scores: Tensor = checkpoint(
            self._scored, q, keys, use_reentrant=False, preserve_rng_state=False
        )
        return scores


class Bridge(nn.Module):
    """The encoder's last states → the decoder's first: tanh of a linear map for h, linear for c.

    Layer k of the decoder starts from layer k of the encoder, or from the last one there is.
    """

    def __init__(self, encoder: Recurrent, decoder: Recurrent) -> None:
        super().__init__()
        self.maps = nn.ModuleList()
        self.layers: list[int] = []
        for k, (cell, H) in enumerate(zip(decoder.cell, decoder.hidden_size, strict=True)):
            at = min(k, len(encoder.cell) - 1)
            width = encoder.hidden_size[at] * (1 + encoder.bidirectional[at])
            width *= len(encoder.cell[at].states)
            self.layers.append(at)
            self.maps.append(nn.ModuleList(nn.Linear(width, H) for _ in cell.states))

    def forward(self, state: State) -> State:
        """States [D, B, H] of the encoder → [1, B, H'] for the decoder."""
        first: State = []
        for at, maps in zip(self.layers, self.maps, strict=True):
            assert isinstance(maps, nn.ModuleList)
            joined = torch.cat([s.transpose(0, 1).flatten(1) for s in state[at]], -1)
            made = [linear(joined)[None] for linear in maps]
            first.append((torch.tanh(made[0]), *made[1:]))
        return first


class Translator(nn.Module):
    """Source tokens → encoder → bridge → decoder over target tokens → a score for each next token.

    `context` "first" is the encoder-decoder of Sutskever et al. 2014, arXiv:1409.3215; "each" that
    of Cho et al. 2014, arXiv:1406.1078: the source's context goes to every step and to the output;
    "attention" reads the memory again at each step, after the decoder's layers (Luong et al. 2015,
    arXiv:1508.04025). What a step is read out from is tanh(A [h; context]); the output is its
    product with the embeddings of the target, or with weights of its own.

    `symbols` are the sizes of both vocabularies; one more id of each, the last, is the end.
    `unknown` is the id of <unk> in each, None where there is none: what token dropout drops is
    read as <unk>, else as an end.

    Of several networks, `options.members`, the others stand `beside` it: each is a translator of
    its own, learns by its own loss, and a token is as likely as it is on average to all of them.
    """

    def __init__(
        self, options: TranslateOptions, symbols: tuple[int, int],
        unknown: tuple[int | None, int | None],
    ) -> None:  # fmt: skip
        super().__init__()
        assert options.embedding is not None and options.dropout is not None  # by the plan
        assert options.token_dropout is not None
        E = options.embedding
        self.how = options
        self.fed = E if options.input_feeding else 0  # width of what is fed back
        self.blank = [given(unk, end) for unk, end in zip(unknown, symbols, strict=True)]
        self.target = nn.Embedding(symbols[1] + 1, E)
        self.source = None if options.shared_vocabulary else nn.Embedding(symbols[0] + 1, E)
        self.encoder = recurrent(options, E)
        M = self.encoder.output_size
        beside = M if options.context == "each" else self.fed
        self.decoder = recurrent(decoding(options), E + beside)
        H = self.decoder.output_size
        self.bridge = Bridge(self.encoder, self.decoder)
        self.attention = (
            Attention(options.attention or "multiplicative", H, M)
            if options.context == "attention"
            else None
        )
        self.readout = nn.Linear(H + (0 if options.context == "first" else M), E)
        self.output = nn.Linear(E, symbols[1] + 1)
        if options.tied:
            self.output.weight = self.target.weight
        for table in (self.target, self.source):
            if table is not None:
                nn.init.normal_(table.weight, std=E**-0.5)
        alone = replace(options, members=1)
        self.beside = nn.ModuleList(
            Translator(alone, symbols, unknown) for _ in range((options.members or 1) - 1)
        )

    @property
    def networks(self) -> list[Translator]:
        """All that answer together."""
        return [self, *(other for other in self.beside if isinstance(other, Translator))]

    def encode(self, tokens: Tensor, lengths: Tensor) -> Source:
        """Tokens [B, S] int64, `lengths` [B] on the CPU, each at least 1."""
        table = self.target if self.source is None else self.source
        x = self._input(table, tokens)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, state = self.encoder(packed, embedding=_table(table, x))
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=tokens.shape[1])
        memory = self._drop(y)
        alive = (torch.arange(tokens.shape[1]) < lengths[:, None]).to(memory.device)
        keys = memory[..., :0] if self.attention is None else self.attention.key(memory)
        context = self._drop(state[-1][0].transpose(0, 1).flatten(1))
        return Source(memory, keys, alive, context, self.bridge(state))

    def forward(
        self, source: Source, before: Tensor, lengths: Tensor, among: Tensor | None = None
    ) -> Tensor:
        """Scores [N, V + 1] of the token after each of the N in `before`, sentence by sentence; of
        the tokens `among` [C] alone, [N, C], if they are given.

        `before` [B, T] int64 begins with the end's id in every row; `lengths` [B] on the CPU.
        """
        real = (torch.arange(before.shape[1]) < lengths[:, None]).to(before.device)
        if self.training and self.how.scheduled_sampling:
            before = self._guessed(source, before, lengths, real)
        read, _ = self._read(source, before, lengths)
        read = self._drop(read[real])
        if among is None:
            scores: Tensor = self.output(read)
            return scores
        weight, bias = (
            part.index_select(0, among) for part in (self.output.weight, self.output.bias)
        )
        return F.linear(read, weight, bias)

    def attended(self, source: Source, before: Tensor, lengths: Tensor) -> Tensor:
        """The shares [B, T, S] of the source's tokens at each step; [B, T, 0] without attention."""
        return self._read(source, before, lengths)[1]

    # ---- Writing ---------------------------------------------------------------------------

    def start(self, source: Source) -> Written:
        """Before the first token, one hypothesis for each sentence."""
        found = source.memory.new_zeros(len(source.memory), self.fed)
        return Written(source, source.state, found, torch.arange(len(found), device=found.device))

    def step(self, tokens: Tensor, state: Written) -> Step[Written]:
        """After one more token [N] of every hypothesis."""
        source, before, found, sentences = state
        beside = found if self.fed else source.context[sentences]
        x = self._beside(self._input(self.target, tokens[:, None]), beside)
        y, after = self.decoder(x.transpose(0, 1), before, embedding=_table(self.target, x))
        # To attention the hypotheses of a sentence are as so many steps.
        each = y.reshape(len(source.memory), -1, y.shape[-1])
        read, shares = (part.flatten(0, 1) for part in self._looked(each, source))
        log_p = self.output(read).log_softmax(-1)
        written = Written(source, after, read if self.fed else found, sentences)
        return Step(log_p, written, None if self.attention is None else shares)

    def select(self, state: Written, rows: Tensor) -> Written:
        """These hypotheses, in this order."""
        source, now, found, sentences = state
        picked = [tuple(s[:, rows] for s in part) for part in now]
        chosen = sentences[rows]
        kept, counts = torch.unique_consecutive(chosen, return_counts=True)
        if bool((counts != counts[:1]).any()):  # then each has a source of its own
            kept, counts = chosen, torch.ones_like(chosen)
        order = torch.arange(len(kept), device=kept.device)
        if len(kept) != len(source.memory) or not torch.equal(kept, order):
            memory, keys, alive, context, _ = source
            source = Source(memory[kept], keys[kept], alive[kept], context[kept], [])
        return Written(source, picked, found[rows], order.repeat_interleave(counts))

    # ---- Inside ----------------------------------------------------------------------------

    def _input(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        """The tokens themselves, [B, T], or, where their vectors are needed, those [B, T, E]."""
        if self.training and self.how.token_dropout:
            dropped = torch.rand(tokens.shape, device=tokens.device) < self.how.token_dropout
            tokens = tokens.masked_fill(dropped, self.blank[table is self.target])
        p = self.how.input_dropout if self.training else 0.0
        if not p:
            return tokens
        x: Tensor = table(tokens)
        if self.how.locked_dropout:
            return locked_dropout(x.transpose(0, 1), p, training=True).transpose(0, 1)
        return dropout(x, p, training=True)

    def _beside(self, x: Tensor, beside: Tensor) -> Tensor:
        """The decoder's input with what `context` puts beside it, [B, extra]: [B, T, E + extra]."""
        if self.how.context != "each" and not self.fed:
            return x
        x = x if x.is_floating_point() else self.target(x)
        return torch.cat([x, beside[:, None].expand(-1, x.shape[1], -1)], -1)

    def _read(self, source: Source, before: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What each step is read out as, [B, T, E], and its shares of the source, [B, T, S]."""
        x = self._input(self.target, before)
        found = source.memory.new_zeros(len(x), self.fed)
        if self.fed:
            return self._fed_back(source, x, found)
        x = self._beside(x, source.context)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, _ = self.decoder(packed, source.state, embedding=_table(self.target, x))
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=before.shape[1])
        return self._looked(y, source)

    def _fed_back(self, source: Source, x: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
        """The same, step by step: each is given what the one before was read out as."""
        reads, shares, state = [], [], source.state
        for t in range(x.shape[1]):
            now = self._beside(x[:, t : t + 1], found)
            y, state = self.decoder(now.transpose(0, 1), state)
            read, share = self._looked(y.transpose(0, 1), source, x.shape[1])
            found = read[:, 0]
            reads.append(read)
            shares.append(share)
        return torch.cat(reads, 1), torch.cat(shares, 1)

    def _looked(self, y: Tensor, source: Source, steps: int | None = None) -> tuple[Tensor, Tensor]:
        """The decoder's outputs [B, T, H] of all `steps`, if these are not all, together with what
        they find in the source."""
        context, shares = source.context[:, None].expand(-1, y.shape[1], -1), y[..., :0]
        if self.attention is not None:
            context, shares = self.attention(y, source, steps)
        if self.how.context != "first":
            y = torch.cat([y, context], -1)
        return torch.tanh(self.readout(y)), shares

    def _guessed(self, source: Source, before: Tensor, lengths: Tensor, real: Tensor) -> Tensor:
        """`before` with a share of its tokens guessed by the model from the true ones.

        Scheduled sampling (Bengio et al. 2015, arXiv:1506.03099) in one pass over all steps
        (Mihaylova and Martins 2019, arXiv:1906.07651).
        """
        with torch.no_grad():
            guesses = torch.zeros_like(before)
            guesses[real] = self.output(self._read(source, before, lengths)[0][real]).argmax(-1)
        guesses = torch.cat([before[:, :1], guesses[:, :-1]], 1)
        own = torch.rand(before.shape, device=before.device) < self.how.scheduled_sampling
        return torch.where(own, guesses, before)

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.how.dropout or 0.0, training=self.training)


def _table(table: nn.Embedding, x: Tensor) -> Tensor | None:
    """The embedding that tokens are read with; none for vectors."""
    return None if x.is_floating_point() else table.weight


def decoding(options: TranslateOptions) -> TranslateOptions:
    """The options of the decoder's stack of layers."""
    hidden = options.decoder_hidden_size or options.hidden_size
    cell = options.decoder_cell or options.cell
    depths = {len(hidden or ()), len(cell)} - {0, 1}
    return replace(
        options, cell=cell, hidden_size=hidden, bidirectional=(False,), initial_state="zero",
        num_layers=max(depths) if depths else options.num_layers,
        decoder_cell=None, decoder_hidden_size=None,
    )  # fmt: skip


def build(kept: Kept, options: TranslateOptions) -> Translator:
    check_settled(
        options, "hidden_size", "embedding", "dropout", "weight_drop", "token_dropout",
        "label_smoothing", *(["attention"] if options.context == "attention" else []),
    )  # fmt: skip
    encoder, _, _ = settled(kept)
    source, target = encoder.source, encoder.target
    return Translator(options, (source.size, target.size), (source.unknown, target.unknown))
