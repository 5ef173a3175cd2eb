"""All addresses on a page that needs no network and runs no script."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

# The page needs nothing but itself; no script runs in it, whoever put what into a model's name.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code { font: 0.9em ui-monospace, monospace } h2 { margin: 2rem 0 0 } h3 { margin: 1.5rem 0 0 }
td { padding: 0.1rem 1.5rem 0.1rem 0; vertical-align: top } small { color: #666 }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } }
"""


def page(described: dict[str, Any]) -> str:
    """The page, of a description in OpenAPI."""
    title = html.escape(described["info"]["title"])
    groups: dict[str, list[str]] = {}
    for address, methods in described["paths"].items():
        for method, route in methods.items():
            told = "".join(_route(address, method, route, described))
            groups.setdefault(route.get("tags", [""])[0], []).append(told)
    body = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(told)}" for tag, told in groups.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><h1>{title}</h1><p>{html.escape(described['info']['summary'])} "
        f'The same for programs: <a href="openapi.json">openapi.json</a>.</p>{body}</html>'
    )


def _route(
    address: str, method: str, route: dict[str, Any], described: dict[str, Any]
) -> Iterator[str]:
    yield f"<h3><code>{method.upper()} {html.escape(address)}</code></h3>"
    yield f"<p>{html.escape(route.get('description', ''))}</p>"
    for kind, content in route.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(content.get("schema", {}), described)
        rows = "".join(_fields(schema))
        yield f"<p><small>{html.escape(kind)}</small></p><table>{rows}</table>"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        told = html.escape(field.get("description", ""))
        known = ", ".join(html.escape(str(one)) for one in field.get("enum", []))
        needed = " <small>needed</small>" if name in required else ""
        yield f"<tr><td><code>{html.escape(name)}</code>{needed}</td><td>{told or known}</td></tr>"


def _resolved(schema: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found
