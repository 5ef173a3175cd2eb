"""Rows in, rows out: classes, labels, values, and what follows a series."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field, JsonValue

from elman.errors import UserError
from elman.run.rows import CSV, LINES, TEXT, lines, records
from elman.serve.contract import Refused
from elman.serve.errors import responses
from elman.serve.limiting import check_rows
from elman.serve.models import Served, Use
from elman.serve.route import Route
from elman.serve.serving import Serving
from elman.serve.text.asked import Strict
from elman.serve.work.rows import answer

ENDINGS = {
    "text/csv": CSV, "text/plain": TEXT, "application/x-ndjson": LINES, "application/jsonl": LINES,
}  # fmt: skip
FILE: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in ENDINGS}
Name: TypeAlias = Annotated[str, Path(max_length=255)]


class Table(Strict):
    """Rows to be answered."""

    model: str
    skip_bad_rows: bool = Field(default=False, description="Leave out rows that are wrong.")


class Rows(Table):
    """Rows to be classified, tagged or valued."""

    rows: Annotated[list[dict[str, JsonValue] | list[str] | str], Field(min_length=1)] = Field(
        description="Objects with the columns that the model has learnt from; or texts, or the "
        "tokens of sentences, alone."
    )


class History(Table):
    """Series, of which is told how they go on."""

    rows: Annotated[list[dict[str, JsonValue]], Field(min_length=1)] = Field(
        description="An object for each time, with the columns that the model has learnt from."
    )


class Answers(BaseModel):
    """The rows again, with the model's answers; of series a row for each step ahead."""

    model: str
    rows: list[Any]
    left_out: list[str] = Field(description="What is wrong with the first rows left out.")


def router(serving: Serving) -> APIRouter:
    """The addresses of rows."""
    routes = APIRouter(route_class=Route, tags=["Rows"])
    file: dict[str, Any] = {
        "openapi_extra": {"requestBody": {"required": True, "content": FILE}},
        "responses": {200: {"content": FILE}, **responses(404, 415)},
        "response_class": Response,
    }

    @routes.post("/predict", responses=responses(404))
    async def predict(asked: Rows) -> Answers:
        """Answer rows, as `elman predict` does."""
        served = serving.models.used(asked.model, "predict")
        return await _answers(serving, served, asked, [_row(served, one) for one in asked.rows])

    @routes.post("/forecast", responses=responses(404))
    async def forecast(asked: History) -> Answers:
        """Tell how series go on, as `elman predict` does."""
        served = serving.models.used(asked.model, "forecast")
        return await _answers(serving, served, asked, asked.rows)

    @routes.post("/predict/{model}", **file)
    async def predict_file(model: Name, request: Request) -> Response:
        """Answer a file of rows, in its own form."""
        return await _file(serving, model, "predict", request)

    @routes.post("/forecast/{model}", **file)
    async def forecast_file(model: Name, request: Request) -> Response:
        """Tell how the series of a file go on, in its own form."""
        return await _file(serving, model, "forecast", request)

    return routes


async def _answers(serving: Serving, served: Served, asked: Table, rows: list[Any]) -> Answers:
    check_rows("rows", len(rows), serving.limits.rows)
    work = answer(served.run, lines(rows), LINES, skip=asked.skip_bad_rows)
    found = await serving.desk.do(work)
    return Answers(model=served.name, rows=records(found.text), left_out=found.left_out)


async def _file(serving: Serving, model: str, use: Use, request: Request) -> Response:
    served = serving.models.used(model, use)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ENDINGS:
        told = f"content-type {kind[:60] or 'is missing'}: needs one of {', '.join(ENDINGS)}"
        raise Refused(415, "unsupported_type", told)
    body = await request.body()
    try:
        body.decode()
    except UnicodeDecodeError as error:
        told = f"the body is no UTF-8 (byte {error.start:,})"
        raise Refused(400, "invalid_encoding", told) from None
    check_rows("lines", body.count(b"\n"), serving.limits.rows + 1)
    found = await serving.desk.do(answer(served.run, body, ENDINGS[kind], skip=False))
    return Response(found.text, media_type=kind)


def _row(served: Served, row: Any) -> Any:
    """A row as an object with a name for each cell. UserError: the model needs another."""
    if isinstance(row, dict):
        return row
    if served.run.task == "tag":
        if isinstance(row, str):
            raise UserError("rows: give the tokens of each sentence as a list")
        return {"tokens": row}
    reading = served.run.trained.preprocessing.get("reading")
    columns = reading.get("text_columns") if isinstance(reading, dict) else None
    if isinstance(row, list) or (columns is not None and len(columns) != 1):
        named = f" with {', '.join(columns)}" if columns else ""
        raise UserError(f"rows: give objects{named}")
    return {columns[0] if columns else "text": row}
