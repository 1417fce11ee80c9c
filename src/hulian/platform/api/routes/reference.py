"""The API's own description: OpenAPI as JSON, and a page to read without a script."""

from __future__ import annotations

from html import escape
from typing import Any

from litestar import Request, Response, get
from litestar.openapi.plugins import OpenAPIRenderPlugin

from hulian.platform.api.access import needs
from hulian.trust import Action

__all__ = ["ROUTES", "ReferencePage"]

_METHODS = ("get", "post", "patch", "put", "delete")


@get("/openapi.json", opt=needs(Action.POINTS_READ), summary="This description", tags=["system"])
async def description(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """OpenAPI 3.1."""
    return Response(request.app.openapi_schema.to_schema())


class ReferencePage(OpenAPIRenderPlugin):
    """The description as one plain page: it needs no script, so that the content security policy stays strict."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        groups: dict[str, list[str]] = {}
        for path, item in sorted(openapi_schema["paths"].items()):
            for method in _METHODS:
                if operation := item.get(method):
                    tag = (operation.get("tags") or ["other"])[0]
                    groups.setdefault(tag, []).append(_operation(method, path, operation, openapi_schema))
        texts = {tag["name"]: tag.get("description", "") for tag in openapi_schema.get("tags", ())}
        sections = "".join(
            f"<section><h2>{escape(tag)}</h2><p>{escape(texts.get(tag, ''))}</p>{''.join(groups[tag])}</section>"
            for tag in (*(name for name in texts if name in groups), *(name for name in groups if name not in texts))
        )
        info = openapi_schema["info"]
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
            f"<body><h1>{escape(info['title'])} API {escape(info['version'])}</h1><p>{escape(info.get('description', ''))} "
            f'Machine-readable: <a href="/api/v1/openapi.json">openapi.json</a>.</p>{sections}</body></html>'
        ).encode()


def _operation(method: str, path: str, operation: dict[str, Any], schema: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(item['name'])}</code></td><td>{escape(item['in'])}</td>"
        f"<td>{escape(_type(item.get('schema', {})))}</td><td>{escape(item.get('description', ''))}</td></tr>"
        for item in operation.get("parameters", ())
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        reference = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        body = schema.get("components", {}).get("schemas", {}).get(reference, {})
        rows += [
            f"<tr><td><code>{escape(name)}</code></td><td>body</td><td>{escape(_type(field))}</td>"
            f"<td>{escape(field.get('description', ''))}</td></tr>"
            for name, field in body.get("properties", {}).items()
        ]
    table = f"<table><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return (
        f"<article><h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(operation.get('summary', ''))}. "
        f"{escape(operation.get('description', ''))}</p>{table}</article>"
    )


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if "oneOf" in field or "anyOf" in field:
        return " or ".join(_type(item) for item in field.get("oneOf", field.get("anyOf", ())))
    if "enum" in field:
        return ", ".join(str(item) for item in field["enum"])
    kind = field.get("type", "anything")
    if kind == "array" and isinstance(field.get("items"), dict):
        return f"{_type(field['items'])}, several"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


ROUTES = [description]
