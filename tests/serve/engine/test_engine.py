"""Texts of an engine are those that they are alone, whoever comes and goes."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import elman
from elman.decode import Sampling
from elman.errors import RunError, UserError
from elman.serve.contract import Asked, Token
from elman.serve.engine import open_engine
from elman.serve.engine.engine import TextEngine
from elman.serve.engine.writing import Written
from elman.tasks.task import Cursor

SMALL: dict[str, Any] = {
    "epochs": 1, "batch_size": 8, "sequence_length": 12, "sample": 0, "hidden_size": 9,
}  # fmt: skip
# One that is streamed, and those that are not together: another cell's norm, a mixture, several
# networks, a window, words.
MODELS: dict[str, dict[str, Any]] = {
    "streamed": {"cell": ["lstm", "gru"]},
    "normed": {"layer_norm": True},
    "mixed": {"mix_ngram": True},
    "several": {"members": 3},
    "windowed": {"bidirectional": True},
    "words": {"level": "words", "cell": "hgrn"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], elman.Run]:
    folder, made = tmp_path_factory.mktemp("runs"), dict[str, elman.Run]()
    text = folder / "text.txt"
    text.write_text("the cat sat on a mat and saw two old dogs run by\n" * 60, encoding="utf-8")

    def run(name: str) -> elman.Run:
        if name not in made:
            options = SMALL | MODELS[name]
            made[name] = elman.train("text", text, run=folder / name, **options)
        return made[name]

    return run


@asynccontextmanager
async def engine_of(run: elman.Run, places: int = 8) -> AsyncIterator[TextEngine]:
    engine = open_engine(run, places)
    try:
        yield engine
    finally:
        engine.close()


async def whole(writing: Written) -> list[Token]:
    return [token async for token in writing]


def drawn(engine: TextEngine, random: np.random.Generator) -> Asked:
    text = "the old cat saw two dogs and a mat "
    prompt = text[: int(random.integers(0, len(text)))] * int(random.integers(1, 9))
    sampling = Sampling(
        temperature=float(random.choice([0, 1])), seed=int(random.integers(2**62)),
        repetition_penalty=float(random.choice([1, 1.2])), top_p=float(random.choice([0.9, 1])),
    )  # fmt: skip
    ids = engine.vocabulary.encode(prompt).tolist()
    return Asked(ids, int(random.integers(0, 40)), sampling)


def same(a: Cursor, b: Cursor) -> bool:
    states = zip(a.state, b.state, strict=True)
    return (
        (a.position, a.seen, a.last) == (b.position, b.seen, b.last)
        and torch.equal(a.logits, b.logits)
        and all(torch.equal(s, t) for x, y in states for s, t in zip(x, y, strict=True))
    )


@pytest.mark.parametrize("name", MODELS)
def test_interleaving_changes_nothing(runs: Callable[[str], elman.Run], name: str) -> None:
    """More texts than places, of all lengths, some left in the middle, some ended by what they
    write, some with log probabilities: each is to the bit what it is alone."""
    random = np.random.default_rng(len(name))
    count = 24 if name == "streamed" else 9

    async def act() -> None:
        async with engine_of(runs(name), places=count // 3) as engine:
            asked = [drawn(engine, random) for _ in range(count)]
            alone = []
            for one in asked:
                writing = engine.write(one)
                alone.append(([t.id for t in await whole(writing)], writing.place))

            async def again(k: int) -> None:
                await asyncio.sleep(0.01 * float(random.random()))
                tokens, place = alone[k]
                if k % 4 == 0 and len(tokens) > 2:  # one that ends itself
                    seen = iter(range(1, len(tokens) + 1))
                    cut = len(tokens) // 2
                    one = dataclasses.replace(asked[k], ends=lambda token: next(seen) == cut)
                    assert [t.id for t in await whole(engine.write(one))] == tokens[:cut]
                elif k % 4 == 1 and len(tokens) > 2:  # one that is left, and gone on with
                    writing = engine.write(asked[k])
                    begun = [(await anext(writing)).id]
                    writing.close()
                    writing.close()
                    begun += [t.id for t in await whole(writing)]
                    left = len(tokens) - len(begun)
                    rest = engine.write(Asked((), left, asked[k].sampling, writing.place))
                    assert begun + [t.id for t in await whole(rest)] == tokens
                    assert same(rest.place, place)
                else:
                    one = dataclasses.replace(asked[k], top=k % 2 or None, echo=k % 3 == 0)
                    writing = engine.write(one)
                    told = await whole(writing)
                    assert [t.id for t in told if not t.of_prompt] == tokens
                    echoed = [t.id for t in told if t.of_prompt]
                    assert echoed == (list(one.prompt) if one.echo else [])
                    if not (one.echo and one.top):  # then its prompt is read token by token
                        assert same(writing.place, place)

            await asyncio.gather(*(again(k) for k in range(count)))
            assert engine.live == 0

    asyncio.run(act())


def test_a_text_is_that_of_the_run(runs: Callable[[str], elman.Run]) -> None:
    """For models that are streamed and others."""

    async def act() -> None:
        for name in ("streamed", "words"):
            run, sampling = runs(name), Sampling(seed=5, top_k=7)
            async with engine_of(run) as engine:
                for prompt in ("", "the old cat"):
                    pieces = list(run.stream(run.read(prompt), 30, sampling))
                    expected, reached = "".join(piece for piece, _ in pieces), pieces[-1][1]
                    ids = engine.vocabulary.encode(prompt).tolist()
                    writing = engine.write(Asked(ids, 30, sampling))
                    decoder = engine.vocabulary.decoder()
                    for token in run.read(prompt).last:
                        decoder.push(token)
                    assert "".join([decoder.push(t.id) for t in await whole(writing)]) == expected
                    place = writing.place
                    assert (place.last, place.seen) == (reached.last, reached.seen)
                    assert place.position == reached.position

    asyncio.run(act())


def test_log_probabilities_are_those_of_the_model(runs: Callable[[str], elman.Run]) -> None:
    async def act() -> None:
        for name in ("streamed", "mixed"):
            run = runs(name)
            async with engine_of(run) as engine:
                ids = engine.vocabulary.encode("the cat").tolist()
                sampling = Sampling(seed=3, temperature=0.5, repetition_penalty=1.5)
                told = await whole(engine.write(Asked(ids, 6, sampling, top=3, echo=True)))
                assert len(told) == len(ids) + 6
                assert told[0] == Token(ids[0], of_prompt=True)
                for k in range(1, len(told)):
                    before = [t.id for t in told[:k]]
                    text = engine.vocabulary.decode(before)
                    log_p = run.read(text).logits.double().log_softmax(0)
                    # The reference reads at once what was read token by token.
                    assert told[k].log_p == pytest.approx(float(log_p[told[k].id]), abs=1e-4)
                    best, ranked = log_p.sort(descending=True, stable=True)
                    assert [p for _, p in told[k].top] == pytest.approx(best[:3].tolist(), abs=1e-4)
                    assert told[k].top[0][0] == int(ranked[0])

    asyncio.run(act())


def test_one_text_that_fails_ends_alone(runs: Callable[[str], elman.Run]) -> None:
    run = runs("streamed")
    place = run.read("the")
    broken = dataclasses.replace(place, logits=torch.full_like(place.logits, float("nan")))
    foreign = dataclasses.replace(place, state=[place.state[0]])

    def refuse(token: int) -> bool:
        raise ValueError("stop was wrong")

    async def act() -> None:
        async with engine_of(run) as engine:
            good = engine.write(Asked((), 200, Sampling(seed=1), place))
            with pytest.raises(RunError, match="not finite"):
                await whole(engine.write(Asked((), 5, Sampling(seed=1), broken)))
            with pytest.raises(UserError, match="another model"):
                await whole(engine.write(Asked((), 5, Sampling(seed=1), foreign)))
            with pytest.raises(ValueError, match="stop"):
                await whole(engine.write(Asked((), 5, Sampling(seed=1), place, ends=refuse)))
            assert len(await whole(good)) == 200
            assert engine.live == 0

    asyncio.run(act())


def test_a_long_prompt_holds_nobody_up(runs: Callable[[str], elman.Run]) -> None:
    async def act() -> None:
        async with engine_of(runs("streamed")) as engine:
            ids = engine.vocabulary.encode("the old cat sat " * 20_000).tolist()
            long = engine.write(Asked(ids, 1, Sampling(seed=1)))
            short = await whole(engine.write(Asked(ids[:5], 20, Sampling(seed=1))))
            assert len(short) == 20
            assert engine.live == 1  # the long one still reads
            long.close()
            assert await whole(long) == []
            assert 0 < long.place.position < len(ids)

    asyncio.run(act())


def test_who_does_not_listen_is_not_waited_for(runs: Callable[[str], elman.Run]) -> None:
    """Neither a reader that is slow nor one whose event loop has ended keeps others waiting."""
    engine = open_engine(runs("streamed"), 3)
    try:

        async def leave() -> Written:
            return engine.write(Asked((), 100_000, Sampling(seed=1)))

        async def read() -> None:
            slow = engine.write(Asked((), 500, Sampling(seed=2)))
            assert len(await whole(engine.write(Asked((), 50, Sampling(seed=3))))) == 50
            assert len(await whole(slow)) == 500

        asyncio.run(leave())
        asyncio.run(read())
    finally:
        engine.close()


def test_closing_ends_what_is_written(runs: Callable[[str], elman.Run]) -> None:
    async def act() -> None:
        engine = open_engine(runs("streamed"), 1)
        texts = [engine.write(Asked((), 10**6, Sampling(seed=k))) for k in range(3)]
        await anext(texts[0])
        await asyncio.to_thread(engine.close)
        for text in texts:
            with pytest.raises(RunError, match="closing"):
                await whole(text)
        with pytest.raises(RunError, match="closing"):
            engine.write(Asked((), 1, Sampling(seed=1)))

    before = threading.active_count()
    asyncio.run(act())
    assert threading.active_count() == before


def test_a_run_that_does_not_write_has_no_engine(translated: Path) -> None:
    with pytest.raises(UserError, match="does not write"):
        open_engine(elman.load(translated / "run"))
