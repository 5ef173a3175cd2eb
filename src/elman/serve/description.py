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

# By schema and field, what limits it.
MUSIC = {"beam": "beam", "bars": "bars", "steps": "max_tokens", "seconds": "audio_seconds"}
LIMITED = {
    "Completion": {"max_tokens": "max_tokens"},
    "Input": {"max_tokens": "max_tokens"},
    "Rows": {"rows": "rows"},
    "History": {"rows": "rows"},
    "Translation": {"beam": "beam", "max_length": "max_tokens"},
    "Piece": MUSIC,
    "Form": MUSIC,
}


def describe(app: FastAPI, serving: Serving) -> dict[str, Any]:
    """The description, made once."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, summary=app.summary, version=app.version, routes=app.routes
        )
        schemas = made["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for schema, use in NAMED.items():
            names = serving.models.names(use)
            if schema in schemas and names:
                schemas[schema]["properties"]["model"]["enum"] = list(names)
        for schema, fields in LIMITED.items():
            for field, limit in fields.items():
                _limit(schemas[schema]["properties"][field], getattr(serving.limits, limit))
        for name in schemas:
            if name.startswith("Body_"):  # of a form
                schemas[name]["additionalProperties"] = False
        _exact(made)
        app.openapi_schema = made
    return app.openapi_schema


def _limit(field: dict[str, Any], most: float) -> None:
    """Puts the largest number, or of a list the largest length, into the schema of a field."""
    for schema in field.get("anyOf", [field]):
        if schema.get("type") == "array":
            schema["maxItems"] = most
        if schema.get("type") in ("integer", "number"):
            schema.pop("exclusiveMaximum", None)
            schema["maximum"] = most


def _exact(described: Any) -> None:
    """Bounds of 63 bits as whole numbers again: FastAPI rounds them to floats, which are more."""
    if isinstance(described, dict):
        if described.get("exclusiveMaximum", 0) == 2**63:
            del described["exclusiveMaximum"]
            described["maximum"] = 2**63 - 1
        described = list(described.values())
    for part in described if isinstance(described, list) else ():
        _exact(part)
