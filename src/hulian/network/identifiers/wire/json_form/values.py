"""One handle value as JSON. What has a format of its own is shown in it only where that gives the same bytes again."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any, Final

from hulian.network.identifiers.wire.codes import TtlType
from hulian.network.identifiers.wire.errors import JsonFormError, WireError
from hulian.network.identifiers.wire.json_form.fields import Json, Taker, instant, instant_text
from hulian.network.identifiers.wire.json_form.structures import (
    admin_from_json,
    admin_to_json,
    key_from_json,
    key_to_json,
    reference_from_json,
    reference_to_json,
    site_from_json,
    site_to_json,
    value_list_from_json,
    value_list_to_json,
)
from hulian.network.identifiers.wire.limits import MAX_MESSAGE, MAX_VALUES
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.references import ValueList
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.typed.values import SITE_TYPES
from hulian.network.identifiers.wire.values import DEFAULT_PERMISSIONS, DEFAULT_TTL, Value

__all__ = ["value_from_json", "value_to_json", "values_to_json"]

_READERS: Final[dict[str, Callable[[object, str], Any]]] = {
    "admin": admin_from_json,
    "vlist": value_list_from_json,
    "site": site_from_json,
    "key": key_from_json,
}


def values_to_json(values: Iterable[Value]) -> list[Json]:
    """`value_to_json` of each."""
    return [value_to_json(value) for value in values]


def value_to_json(value: Value) -> Json:
    """``value`` as the REST API shows it.

    >>> value_to_json(Value(index=1, type="URL", data=b"https://example.com", timestamp=1795377934))
    {'index': 1, 'type': 'URL', 'data': {'format': 'string', 'value': 'https://example.com'}, 'ttl': 86400,
     'timestamp': '2026-11-22T20:05:34Z'}
    """
    found: dict[str, Json] = {"index": value.index, "type": value.type, "data": _data_to_json(value)}
    if value.permissions != DEFAULT_PERMISSIONS:
        found["permissions"] = f"{value.permissions & 15:04b}"
    found["ttl"] = instant_text(value.ttl) if value.ttl_type == TtlType.ABSOLUTE else value.ttl
    if value.timestamp:
        found["timestamp"] = instant_text(value.timestamp)
    if value.references:
        found["references"] = [reference_to_json(one) for one in value.references]
    return found


def _structured(value: Value) -> tuple[str, Json] | None:
    if value.type == "HS_ADMIN":
        return "admin", admin_to_json(Admin.unpack(value.data))
    if value.type == "HS_VLIST":
        return "vlist", value_list_to_json(ValueList.unpack(value.data))
    if value.type in SITE_TYPES:
        return "site", site_to_json(Site.unpack(value.data))
    if value.type == "HS_PUBKEY":
        return "key", key_to_json(PublicKey.unpack(value.data))
    return None


def _data_to_json(value: Value) -> Json:
    try:
        if (found := _structured(value)) is not None:
            form, made = found
            if _READERS[form](made, "$").pack() == value.data:
                return {"format": form, "value": made}
    except (WireError, UnicodeDecodeError):
        pass
    try:
        text = value.data.decode()
        if all(one.isprintable() or one in "\r\n\t" for one in text):
            return {"format": "string", "value": text}
    except UnicodeDecodeError:
        pass
    return {"format": "base64", "value": base64.b64encode(value.data).decode()}


def value_from_json(value: object, path: str = "$") -> Value:
    """The value that ``value``, parsed JSON, describes.

    ``data`` is a text (or a whole number, which means its digits), or an object with a ``format``: string, base64, hex, admin,
    vlist, site or key. Raises `JsonFormError` with the path to what is wrong; nothing is guessed.
    """
    taker = Taker(value, path)
    ttl_type, ttl = _ttl(taker)
    references = taker.list("references", MAX_VALUES, [])
    data = _data_from_json(taker)
    if len(data) > MAX_MESSAGE:
        raise taker.wrong(f"data of {len(data)} bytes, where {MAX_MESSAGE} are accepted", "data")
    kind = taker.text("type")
    if not kind:
        raise taker.wrong("a type belongs here", "type")
    return Value(
        index=taker.number("index"),
        type=kind,
        data=data,
        timestamp=instant(taker.text("timestamp"), f"{path}.timestamp") if "timestamp" in taker.value else 0,
        ttl_type=ttl_type,
        ttl=ttl,
        permissions=_permissions(taker),
        references=tuple([reference_from_json(one, f"{path}.references[{place}]") for place, one in enumerate(references)]),
    )


def _ttl(taker: Taker) -> tuple[int, int]:
    given = taker.take("ttl", DEFAULT_TTL)
    if isinstance(given, str):
        return TtlType.ABSOLUTE.value, instant(given, f"{taker.path}.ttl")
    return TtlType.RELATIVE.value, taker.number("ttl", DEFAULT_TTL, least=0)


def _permissions(taker: Taker) -> int:
    """Four binary digits: administrators read and write, the public reads and writes; ``*`` is all."""
    given = taker.text("permissions", f"{DEFAULT_PERMISSIONS:04b}")
    if given == "*":
        return 15
    if len(given) != 4 or not set(given) <= {"0", "1"}:
        raise taker.wrong("four binary digits belong here", "permissions")
    return int(given, 2)


def _data_from_json(taker: Taker) -> bytes:
    given = taker.take("data")
    path = f"{taker.path}.data"
    try:
        if isinstance(given, (str, int)):
            return taker.content("data")
        inner = Taker(given, path)
        form = inner.text("format").lower()
        if form == "string":
            return inner.content("value")
        if form == "base64":
            return inner.base64("value")
        if form == "hex":
            return inner.hex("value")
        if (read := _READERS.get(form)) is not None:
            packed: bytes = read(inner.take("value"), f"{path}.value").pack()
            return packed
        raise inner.wrong("string, base64, hex, admin, vlist, site or key belongs here", "format")
    except UnicodeEncodeError:
        raise JsonFormError("text that UTF-8 cannot carry", place=path) from None
    except JsonFormError:
        raise
    except WireError as error:
        raise JsonFormError(error.message, place=path) from None
