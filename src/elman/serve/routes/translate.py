"""Texts of one language in, of another out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, cast

from fastapi import APIRouter
from pydantic import BaseModel, Field

from elman.errors import UserError
from elman.run.trained import Run
from elman.serve.desk import Wanted
from elman.serve.errors import responses
from elman.serve.limiting import check_most, check_rows
from elman.serve.route import Route
from elman.serve.serving import Serving
from elman.serve.text.asked import Strict
from elman.serve.work.fields import options_of, with_options
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.model import Translator
from elman.tasks.translate.predict import answered
from elman.tasks.translate.reading import settled
from elman.tasks.translate.writing import Translating

AT_ONCE = 32  # texts, after which is asked whether the client is still there


class Translation(Strict):
    """Texts to be translated, each a sentence, and how."""

    model: str
    input: str | Annotated[list[str], Field(min_length=1)]


Asked: Any = with_options(Translation, Decoding)


class Found(BaseModel):
    """A translation, and its log probability by which it was chosen."""

    text: str
    score: float


class Translations(BaseModel):
    """Of each text its translations, the best first."""

    model: str
    translations: list[list[Found]]


def router(serving: Serving) -> APIRouter:
    """The address of translations."""
    routes = APIRouter(route_class=Route, tags=["Translation"])

    @routes.post("/translate", responses=responses(404))
    async def translate(asked: Asked) -> Translations:
        """Translate sentences, as `elman predict` does."""
        served = serving.models.used(asked.model, "translate")
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        how, limits = options_of(Decoding, asked, Translation), serving.limits
        check_rows("input", len(texts), limits.rows)
        check_most("beam", how.beam, limits.beam)
        check_most("max_length", how.max_length, limits.max_tokens)
        work = translations(served.run, texts, how)
        return Translations(model=served.name, translations=await serving.desk.do(work))

    return routes


def translations(
    run: Run, texts: Sequence[str], how: Decoding
) -> Callable[[Wanted], list[list[Found]]]:
    """The work of translating. UserError: a text that the model cannot read."""

    def work(wanted: Wanted) -> list[list[Found]]:
        encoder, _, written = settled(run.trained.preprocessing)
        translate = Translating(cast(Translator, run.model), encoder, written, how, run.device)
        return [
            found
            for k in range(0, len(texts), AT_ONCE)
            for found in _some(translate, texts[k : k + AT_ONCE], k, wanted)
        ]

    return work


def _some(
    translate: Translating, texts: Sequence[str], first: int, wanted: Wanted
) -> Iterator[list[Found]]:
    wanted.check()
    for k, found in enumerate(answered(translate, [text.strip() for text in texts]), first + 1):
        if isinstance(found, str):
            raise UserError(f"input {k}: {found}")
        yield [Found(text=one.text, score=round(one.score, 4)) for one in found]
