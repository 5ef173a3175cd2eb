"""What a client may ask of a text: OpenAI's names, and some more of ours."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from elman.decode import Sampling

MOST_CHOICES = 128


def whole(value: Any) -> Any:
    """2.0 is a whole number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Int: TypeAlias = Annotated[int, BeforeValidator(whole)]
Id: TypeAlias = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(whole)]
Ids: TypeAlias = Annotated[list[Id], Field(min_length=1)]
Texts: TypeAlias = Annotated[list[str], Field(min_length=1)]
Lists: TypeAlias = Annotated[list[Ids], Field(min_length=1)]
Stop: TypeAlias = Annotated[str, Field(min_length=1, max_length=1_000)]
Whole: TypeAlias = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(whole)]
Choices: TypeAlias = Annotated[int, Field(ge=1, le=MOST_CHOICES), BeforeValidator(whole)]
Likeliest: TypeAlias = Annotated[int, Field(ge=0, le=20), BeforeValidator(whole)]


class Strict(BaseModel):
    """A body whose names are all known, and whose values have the types that are told."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class StreamOptions(Strict):
    """What a stream tells beside the text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = Field(default=None, description="Without effect.")


class Writes(Strict):
    """How a text is written. What is null is as if it were not given."""

    max_tokens: Whole | None = Field(default=None, description="Tokens to write; 16 if not given.")
    temperature: Annotated[float, Field(ge=0, le=1e6)] | None = Field(
        default=None, description="0 always takes the likeliest token; 1 if not given."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Whole | None = Field(default=None, description="Not OpenAI's: 0 for all tokens.")
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = Field(
        default=None,
        description="Not OpenAI's: above 1 makes tokens that came already less likely.",
    )
    seed: Whole | None = Field(
        default=None,
        description="As of elman generate; another one each time if not given.",
    )
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = Field(
        default=None, description="The text ends before the first of these."
    )
    logprobs: Likeliest | None = Field(
        default=None, description="Tell log probabilities, and so many of the likeliest tokens."
    )
    stream: bool | None = Field(default=None, description="Send the text as it is written.")
    stream_options: StreamOptions | None = None
    user: str | None = Field(default=None, description="Without effect.")

    @property
    def length(self) -> int:
        """Tokens to write."""
        return 16 if self.max_tokens is None else self.max_tokens

    @property
    def stops(self) -> list[str]:
        """Where the text ends."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    @property
    def wants_usage(self) -> bool:
        """Whether a stream tells at its end how many tokens there were."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def sampling(self) -> Sampling:
        """How tokens are chosen."""
        names = ("temperature", "top_k", "top_p", "repetition_penalty", "seed")
        given = {name: getattr(self, name) for name in names}
        return Sampling(**{name: value for name, value in given.items() if value is not None})


class Completion(Writes):
    """A text to go on from, and how it goes on."""

    model: str
    prompt: str | Texts | Ids | Lists | None = Field(
        default=None, description="A text, token ids, or several of either."
    )
    n: Choices | None = Field(
        default=None,
        description="Texts for each prompt; the seeds of the others are drawn from the first.",
    )
    best_of: Choices | None = Field(
        default=None,
        description="Write so many, and give the n whose tokens are likeliest on average.",
    )
    echo: bool | None = Field(default=None, description="Give the prompt before the text.")
    return_state: bool | None = Field(
        default=None,
        description="Not OpenAI's: give the state after the text, to be sent back as state.",
    )
    state: str | None = Field(
        default=None,
        description="Not OpenAI's: go on from a state that return_state gave, before prompt.",
    )
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = Field(
        default=None, description="Only 0: see repetition_penalty."
    )
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = Field(
        default=None, description="Only 0: see repetition_penalty."
    )
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = Field(
        default=None, description="Only empty."
    )
    suffix: Annotated[str, Field(max_length=0)] | None = Field(
        default=None, description="Only empty: models write forwards."
    )

    @property
    def prompts(self) -> list[str | list[int]]:
        """The prompts, one at least."""
        given = self.prompt or ""
        if isinstance(given, str):
            return [given]
        ids = [one for one in given if isinstance(one, int)]
        return [ids] if ids else [one for one in given if not isinstance(one, int)]
