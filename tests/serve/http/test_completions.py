"""Texts over HTTP are those of `elman generate`, told as OpenAI's clients expect."""

from __future__ import annotations

import base64
import itertools
import random
from typing import Any

import pytest
import torch
from servers import Server
from small_runs import Runs

import elman
from elman.decode import Sampling, seeds
from elman.serve.text.scores import name

WRITERS = ("story", "文")
PROMPTS = ("the quick ", "狐狸", "", "a\n", "lazy dog. 狐")


@pytest.fixture(scope="module")
def loaded(runs: Runs) -> dict[str, elman.Run]:
    return {name: elman.load(runs[name]) for name in WRITERS}


def drawn(draw: random.Random) -> dict[str, Any]:
    """How a text might be asked for, by names that `generate` and completions share."""
    asked: dict[str, Any] = {"seed": draw.randrange(2**63)}
    if draw.random() < 0.7:
        asked["temperature"] = draw.choice([0, 0.5, 1.5])
    if asked.get("temperature") != 0 and draw.random() < 0.7:
        asked |= {"top_p": draw.uniform(0.1, 1), "top_k": draw.randrange(10)}
    if draw.random() < 0.3:
        asked["repetition_penalty"] = draw.uniform(1, 2)
    if draw.random() < 0.6:
        asked["stop"] = draw.choice([["o"], [" ", "og"], ["the", "e"], "狐狸"])
    return asked


@pytest.mark.parametrize("model", WRITERS)
def test_a_text_is_the_one_that_generate_writes(
    server: Server, loaded: dict[str, elman.Run], model: str
) -> None:
    draw = random.Random(model)
    for prompt in PROMPTS:
        how, length = drawn(draw), draw.randrange(1, 60)
        text = loaded[model].generate(prompt, length, **how).removeprefix(prompt)
        told = server.write(model, prompt=prompt, max_tokens=length, **how)
        choice, usage = told.json["choices"][0], told.json["usage"]
        assert choice["text"] == text
        made, reason = usage["completion_tokens"], choice["finish_reason"]
        stopped = reason == "stop"
        assert stopped or (reason, made) == ("length", length)
        if stopped:
            assert "stop" in how
            free = {name: value for name, value in how.items() if name != "stop"}
            exactly = [loaded[model].generate(prompt, n, **free) for n in (made - 1, made)]
            stops = [how["stop"]] if isinstance(how["stop"], str) else how["stop"]
            seen = [any(s in one.removeprefix(prompt) for s in stops) for one in exactly]
            assert seen == [False, True]  # it ended with the token that completed a stop

        events = server.write(
            model, prompt=prompt, max_tokens=length, stream=True,
            stream_options={"include_usage": True}, **how,
        ).events  # fmt: skip
        parts = [one["choices"][0] for one in events[:-1]]
        assert "".join(part["text"] for part in parts) == text
        assert [part["finish_reason"] for part in parts[:-1]] == [None] * (len(parts) - 1)
        assert parts[-1]["finish_reason"] == choice["finish_reason"]
        assert all(one["usage"] is None for one in events[:-1])
        assert (events[-1]["choices"], events[-1]["usage"]) == ([], usage)


def test_log_probabilities_are_those_of_the_logits(
    server: Server, loaded: dict[str, elman.Run]
) -> None:
    for model, prompt in itertools.product(WRITERS, ("the lazy dog", "狐狸跳")):
        run = loaded[model]
        asked = {"prompt": prompt, "max_tokens": 20, "logprobs": 3, "seed": 5, "echo": True}
        told = server.write(model, **asked).json["choices"][0]
        found, text = told["logprobs"], told["text"]
        assert text == run.generate(prompt, 20, seed=5)
        writer = run._writer()
        vocabulary = writer.vocabulary  # type: ignore[attr-defined]
        names = {name(vocabulary, k): k for k in range(vocabulary.size)}
        ids = [names[token] for token in found["tokens"]]
        assert len(ids) == len(vocabulary.encode(prompt)) + 20
        assert found["token_logprobs"][0] is None and found["top_logprobs"][0] is None
        cursor = writer.start(ids[:1])  # type: ignore[attr-defined]
        for k, id in list(enumerate(ids))[1:6]:
            p = torch.log_softmax(cursor.logits.double(), 0)
            assert found["token_logprobs"][k] == pytest.approx(float(p[id]), abs=1e-4)
            best = {name(vocabulary, int(n)): float(p[n]) for n in p.topk(3).indices}
            best[found["tokens"][k]] = float(p[id])
            assert found["top_logprobs"][k] == pytest.approx(best, abs=1e-4)
            cursor = elman.decode.advance(writer.step, cursor, [id])  # type: ignore[attr-defined]
        places = found["text_offset"]
        assert places == sorted(places) and places[0] == 0
        if model == "story":  # a character is a token there
            assert [text[place] for place in places] == found["tokens"]
        streamed = server.write(model, stream=True, **asked).events
        parts = [one["choices"][0]["logprobs"] for one in streamed]
        for key, values in found.items():
            assert [value for part in parts for value in part[key]] == values


def test_a_prompt_is_scored_without_a_text(server: Server) -> None:
    asked = {"prompt": "the quick", "max_tokens": 0, "echo": True, "logprobs": 0}
    told = server.write("story", **asked).json
    assert told["choices"][0]["text"] == "the quick"
    assert len(told["choices"][0]["logprobs"]["tokens"]) == 9
    assert told["usage"]["completion_tokens"] == 0


def test_tokens_of_a_stop_are_told_as_far_as_the_text_goes(server: Server) -> None:
    asked = {"prompt": "the ", "max_tokens": 200, "logprobs": 0, "seed": 3}
    free = server.write("story", **asked).json["choices"][0]["text"]
    stop = free[20:23]
    for stream in (False, True):
        told = server.write("story", stop=stop, stream=stream, **asked)
        choices = [e["choices"][0] for e in (told.events if stream else [told.json])]
        text = "".join(choice["text"] for choice in choices)
        tokens = [token for choice in choices for token in choice["logprobs"]["tokens"]]
        assert text == free[: free.index(stop)] == "".join(tokens)


def test_several_texts_are_drawn_by_the_seeds_of_generate(
    server: Server, loaded: dict[str, elman.Run]
) -> None:
    prompts, n = ["the ", "狐狸"], 3
    asked: dict[str, Any] = {"prompt": prompts, "max_tokens": 15, "n": n, "seed": 8}
    known = list(itertools.islice(seeds(Sampling(seed=8)), n))
    alone = [
        loaded["story"].generate(prompt, 15, seed=seed).removeprefix(prompt)
        for prompt in prompts
        for seed in known
    ]
    told = server.write("story", **asked).json
    assert [choice["index"] for choice in told["choices"]] == list(range(6))
    assert [choice["text"] for choice in told["choices"]] == alone
    assert told["usage"] == {"prompt_tokens": 6, "completion_tokens": 90, "total_tokens": 96}
    texts = [""] * 6
    for event in server.write("story", stream=True, **asked).events:
        texts[event["choices"][0]["index"]] += event["choices"][0]["text"]
    assert texts == alone


def test_the_best_are_those_whose_tokens_are_likeliest(server: Server) -> None:
    asked: dict[str, Any] = {"prompt": "the ", "max_tokens": 12, "seed": 2}
    drawn = server.write("story", n=6, logprobs=0, **asked).json["choices"]
    drawn.sort(key=lambda choice: sum(choice["logprobs"]["token_logprobs"]), reverse=True)
    told = server.write("story", n=2, best_of=6, **asked).json
    assert [choice["text"] for choice in told["choices"]] == [one["text"] for one in drawn[:2]]
    assert [choice["logprobs"] for choice in told["choices"]] == [None, None]
    assert told["usage"]["completion_tokens"] == 72


def test_prompts_of_tokens_are_those_of_their_text(server: Server) -> None:
    for ids in ([5, 6, 7], [[5, 6, 7], [8]]):
        told = server.write("story", prompt=ids, max_tokens=8, seed=1, echo=True).json
        several = ids if isinstance(ids[0], list) else [ids]
        for choice, own in zip(told["choices"], several, strict=True):
            text = server.write("story", prompt=own, max_tokens=0, echo=True).json
            again = server.write(
                "story", prompt=text["choices"][0]["text"], max_tokens=8, seed=1, echo=True
            )
            assert choice["text"] == again.json["choices"][0]["text"]


def test_a_prompt_may_end_within_a_character(server: Server, loaded: dict[str, elman.Run]) -> None:
    writer: Any = loaded["文"]._writer()
    ids = writer.vocabulary.encode("é").tolist()[:1]
    pieces = loaded["文"].stream(writer.start(ids), 12, Sampling(seed=3))
    text = "".join(piece for piece, _ in pieces)
    told = server.write("文", prompt=ids, max_tokens=12, seed=3).json
    assert told["choices"][0]["text"] == text


def test_a_state_that_the_client_holds_goes_on_without_a_seam(server: Server) -> None:
    how = {"seed": 4, "temperature": 1.2}
    for model in WRITERS:
        asked: dict[str, Any] = {"prompt": "the 狐", **how}
        whole = server.write(model, max_tokens=30, **asked).json["choices"][0]["text"]
        first = server.write(model, max_tokens=11, return_state=True, stream=True, **asked).events
        assert "state" not in first[0]["choices"][0]
        text = "".join(one["choices"][0]["text"] for one in first)
        state = first[-1]["choices"][0]["state"]
        for _ in range(2):  # as often as wanted
            rest = server.write(model, state=state, max_tokens=19, **how).json["choices"][0]
            assert text + rest["text"] == whole
    damaged = base64.b64encode(base64.b64decode(state)[:-1]).decode()
    assert server.write("文", state=damaged).refusal == (400, "invalid_state")
    assert server.write("story", state=state).refusal == (400, "invalid_state")


def test_models_are_listed_under_the_names_of_their_folders(server: Server, runs: Runs) -> None:
    told = server.ask("GET", "/v1/models").json
    assert [model["id"] for model in told["data"]] == list(runs)
    one = server.ask("GET", "/v1/models/%E6%96%87").json
    assert (one["id"], one["task"], one["address"]) == ("文", "text", "/v1/completions")
    assert server.ask("GET", "/v1/models/none").refusal == (404, "model_not_found")
