"""The description of the routes (OpenAPI), with the models and limits of this server in it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from elman.serve.models import Use
from elman.serve.serving import Serving

# By schema, what models it names.
NAMED: dict[str, Use] = {
    "Completion": "completions", "NewSession": "completions", "Rows": "predict",
    "History": "forecast", "Translation": "translate", "Piece": "compose",
}  # fmt: skip


def describe(app: FastAPI, serving: Serving) -> dict[str, Any]:
    """The description, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, summary=app.summary, version=app.version, routes=app.routes
        )
        for path in made["paths"].values():
            for route in path.values():
                route["responses"].pop("422", None)  # wrong values are 400, as OpenAI has it
        schemas = made["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for schema, use in NAMED.items():
            names = serving.models.names(use)
            if schema in schemas and names:
                schemas[schema]["properties"]["model"]["enum"] = list(names)
        app.openapi_schema = made
    return app.openapi_schema
