"""Ten uses of the official OpenAI client with `elman serve`.

    elman serve RUN...
    pip install openai
    python examples/openai_client.py http://127.0.0.1:8000 [--recording clip.wav]

RUN is a run of the task text. With --recording a run of the task speech has to be served too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

import openai

PROMPT = "the "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--recording", type=Path)
    asked = parser.parse_args()
    url, token = f"{asked.url}/v1", os.environ.get("ELMAN_TOKEN", "none")
    with openai.OpenAI(base_url=url, api_key=token) as client:
        ten_uses(client, asked.recording)
    asyncio.run(many_at_once(openai.AsyncOpenAI(base_url=url, api_key=token)))


def ten_uses(client: openai.OpenAI, recording: Path | None) -> None:
    """Each prints what came back; asserts say what may be relied on."""
    models = client.models.list().data
    model = next(one.id for one in models if getattr(one, "task", "") == "text")
    print("1. models:", ", ".join(one.id for one in models))

    whole = client.completions.create(model=model, prompt=PROMPT, max_tokens=40, seed=1)
    text = whole.choices[0].text
    print(f"2. a text: {text!r}, {whole.choices[0].finish_reason}")
    assert whole.usage is not None and whole.usage.completion_tokens == 40

    stream = client.completions.create(
        model=model, prompt=PROMPT, max_tokens=40, seed=1, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    print(f"3. the same as it is written, in {len(chunks)} parts")
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == text
    assert chunks[-1].usage == whole.usage

    stop = text[10:13]
    ended = client.completions.create(
        model=model, prompt=PROMPT, max_tokens=40, seed=1, stop=[stop]
    ).choices[0]
    print(f"4. up to {stop!r}: {ended.text!r}, {ended.finish_reason}")
    assert (ended.text, ended.finish_reason) == (text[: text.index(stop)], "stop")

    scored = client.completions.create(
        model=model, prompt=PROMPT, max_tokens=5, logprobs=2, echo=True
    ).choices[0]
    assert scored.logprobs is not None and scored.logprobs.token_logprobs is not None
    print("5. log probabilities, the prompt's too:", scored.logprobs.token_logprobs)
    assert scored.text.startswith(PROMPT)

    several = client.completions.create(
        model=model, prompt=[PROMPT, "a "], n=2, max_tokens=10, seed=1
    ).choices
    print("6. two texts for each of two prompts:", [one.text for one in several])
    assert several[0].text == text[: len(several[0].text)] and len(several) == 4

    best = client.completions.create(model=model, prompt=PROMPT, best_of=5, max_tokens=10).choices
    print("7. the likeliest of five:", repr(best[0].text))

    first = client.completions.create(
        model=model, prompt=PROMPT, max_tokens=15, seed=1, extra_body={"return_state": True}
    ).choices[0]
    state = getattr(first, "state", "")
    rest = client.completions.create(
        model=model, prompt="", max_tokens=25, seed=1, extra_body={"state": state}
    ).choices[0]
    print(f"8. gone on from a state of {len(state):,} characters")
    assert first.text + rest.text == text

    try:
        client.completions.create(model="no such model", prompt=PROMPT)
    except openai.NotFoundError as error:
        print("9. an error:", error.code, error.param, error.body)
    else:
        raise AssertionError("a model that is not there has answered")

    if recording is not None:
        hears = next(one.id for one in models if getattr(one, "task", "") == "speech")
        heard = client.audio.transcriptions.create(
            model=hears, file=recording, response_format="verbose_json"
        )
        print(f"   heard in {heard.duration} s: {heard.text!r}")


async def many_at_once(client: openai.AsyncOpenAI) -> None:
    """Texts side by side are those that they are alone."""
    async with client:
        models = (await client.models.list()).data
        model = next(one.id for one in models if getattr(one, "task", "") == "text")

        async def text(seed: int) -> str:
            made = await client.completions.create(
                model=model, prompt=PROMPT, max_tokens=30, seed=seed
            )
            return made.choices[0].text

        together = await asyncio.gather(*map(text, range(8)))
        assert together == [await text(seed) for seed in range(8)]
    print("10. eight texts at once, each the one that it is alone")


if __name__ == "__main__":
    main()
