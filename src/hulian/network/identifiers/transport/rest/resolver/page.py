"""The page that shows a record to people: one file, no script, in English or Chinese, light or dark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from hulian.network.identifiers.transport.rest.answers import Answer
from hulian.network.identifiers.transport.rest.resolver.negotiation import best_language
from hulian.network.identifiers.wire.json_form import value_to_json
from hulian.network.identifiers.wire.values import Value

__all__ = ["page"]

_STYLE: Final = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.4rem;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:start;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #8885}"
    "td{overflow-wrap:anywhere}"
    "td:nth-child(3){white-space:pre-wrap}"
    "p{opacity:.75}"
)
_CSP: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TEXTS: Final = {
    "en": {
        "index": "Index",
        "type": "Type",
        "data": "Data",
        "changed": "Changed",
        "none": "There is no public record of this identifier here.",
        "note": "Public values of the record, as this node keeps or finds them.",
        "values": "Values",
    },
    "zh": {
        "index": "索引",
        "type": "类型",
        "data": "数据",
        "changed": "更新时间",
        "none": "此处没有该标识的公开记录。",
        "note": "本节点保存或查到的该标识的公开值。",
        "values": "标识数据",
    },
}
_LONGEST: Final = 4_000


def page(identifier: str, values: Sequence[Value], languages: str, *, status: int = 200) -> Answer:
    """The record of ``identifier`` as a page; ``languages`` is what Accept-Language says."""
    language = best_language(languages, ("en", "zh"))
    words = _TEXTS[language]
    if values:
        head = "".join(f'<th scope="col">{words[name]}</th>' for name in ("index", "type", "data", "changed"))
        rows = "".join(_row(value) for value in values)
        table = f"<table><caption>{words['values']}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        content = f"{table}<p>{words['note']}</p>"
    else:
        content = f"<p>{words['none']}</p>"
    name = escape(identifier)
    text = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{name}</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{name}</h1>{content}</main></body></html>"
    )
    headers = (("content-security-policy", _CSP), ("content-language", language), ("vary", "Accept, Accept-Language"))
    return Answer(status=status, body=text.encode(), media_type="text/html; charset=utf-8", headers=headers)


def _row(value: Value) -> str:
    shown = value_to_json(value)
    data = shown["data"] if isinstance(shown, dict) else {}
    found = data["value"] if isinstance(data, dict) else ""
    text = found if isinstance(found, str) else base64.b64encode(value.data).decode()
    cell = escape(text[:_LONGEST]) + ("…" if len(text) > _LONGEST else "")
    if text.startswith(("https://", "http://")) and text.isprintable() and " " not in text and len(text) <= _LONGEST:
        cell = f'<a href="{cell}" rel="noopener noreferrer nofollow">{cell}</a>'
    changed = datetime.fromtimestamp(value.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if value.timestamp else ""
    return f"<tr><td>{value.index}</td><td>{escape(value.type)}</td><td>{cell}</td><td>{changed}</td></tr>"
