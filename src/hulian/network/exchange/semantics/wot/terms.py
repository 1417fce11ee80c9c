"""What the terms of a Thing Description mean in the model, one derivation for both ways.

Reading derives a node's fields from a schema; writing starts from the schema that was read and changes only those terms whose
derivation no longer gives what the model has. So what was read is written again to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hulian.network.exchange.semantics.contract import Constraints

__all__ = [
    "AFFORDANCES",
    "BENDS",
    "SECURITY",
    "constraints_of",
    "datatype_of",
    "plain",
    "schema_type",
    "texts",
    "value_of",
    "without_secret",
    "writable_of",
]

AFFORDANCES: Final = ("properties", "actions", "events")
BENDS: Final = (
    ("terms that are null", "a serialiser of OPC UA gateways writes every term that it knows; they are kept"),
    ("properties without forms", "constants of a site are written so; they are kept, and nothing can be read from them"),
    ("'name' beside 'title'", "the term of drafts before 2020; it is kept"),
    ("security as one text", "the standard allows it beside a list; it is kept as it is"),
    ("several things in one list", "directories list their things so"),
    ("placeholders {{NAME}} in things that are no models", "models are sent before they are filled in"),
    ("types of values in 'type' of a form", "gateways write xsd:float there; it says how a value is on the line"),
)
"""What is read although the standard says otherwise, and why."""

SECURITY: Final = frozenset(
    ("@type", "scheme", "description", "descriptions", "proxy", "in", "name", "qop", "authorization", "token", "refresh",
     "scopes", "flow", "alg", "format", "identity", "oneOf", "allOf",
     "uav:securityMode", "uav:securityPolicy", "uav:userIdentityToken", "uav:issuedToken", "uav:issuerEndpointUrl")
)  # fmt: skip
"""Terms of a security definition that are kept: how one proves who one is, never what with."""
_TYPES: Final = {"number": "xs:double", "integer": "xs:long", "string": "xs:string", "boolean": "xs:boolean"}
_OF_XSD: Final = {
    "xs:double": "number", "xs:float": "number", "xs:decimal": "number", "xs:boolean": "boolean", "xs:long": "integer",
    "xs:int": "integer", "xs:short": "integer", "xs:byte": "integer", "xs:integer": "integer", "xs:unsignedLong": "integer",
    "xs:unsignedInt": "integer", "xs:unsignedShort": "integer", "xs:unsignedByte": "integer",
    "xs:nonNegativeInteger": "integer",
    "xs:positiveInteger": "integer",
}  # fmt: skip
_LOGIN: Final = re.compile(r"(//[^/@?#:\s]*):[^/@?#\s]+@")


def texts(schema: Mapping[str, Any], one: str, many: str) -> dict[str, str]:
    """``title`` and ``titles``, or their kin, by language; "" where none is said."""
    found: dict[str, str] = {}
    if isinstance(text := schema.get(one), str):
        found[""] = text
    if isinstance(several := schema.get(many), dict):
        found |= {tag: text for tag, text in several.items() if isinstance(text, str)}
    return found


def datatype_of(schema: Mapping[str, Any]) -> str:
    """The XSD type of values; empty for objects and for what no type is said of."""
    said = schema.get("type")
    if said == "array":
        items = schema.get("items")
        inner = datatype_of(items) if isinstance(items, dict) else ""
        return f"{inner}[]" if inner and not inner.endswith("[]") else ""
    return _TYPES.get(said, "") if isinstance(said, str) else ""


def schema_type(datatype: str) -> str:
    """The type of JSON for an XSD one; empty where nothing is said."""
    if not datatype:
        return ""
    return "array" if datatype.endswith("[]") else _OF_XSD.get(datatype, "string")


def value_of(schema: Mapping[str, Any]) -> str | None:
    """The constant value, else the default, in lexical form; JSON where it is no simple one."""
    for term in ("const", "default"):
        value = schema.get(term)
        if value is not None:
            return plain(value)
    return None


def plain(value: Any) -> str:
    """A value of JSON in the lexical form of XSD."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def constraints_of(schema: Mapping[str, Any], *, required: bool = False) -> Constraints | None:
    """Ranges, choices and pattern of a data schema; None where it says none."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    pattern = schema.get("pattern")
    found = Constraints(
        low=None if low is None else plain(low),
        high=None if high is None else plain(high),
        choices=_choices(schema),
        pattern=pattern if isinstance(pattern, str) else "",
        required=required,
    )
    return None if found == Constraints() else found


def _choices(schema: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """``enum``, or ``oneOf`` that are all constants with titles."""
    values = schema.get("enum")
    if isinstance(values, list):
        return tuple((plain(value), "") for value in values)
    several = schema.get("oneOf")
    if isinstance(several, list) and several and all(isinstance(one, dict) and "const" in one for one in several):
        return tuple((plain(one["const"]), str(one.get("title") or "")) for one in several)
    return ()


def writable_of(schema: Mapping[str, Any]) -> bool | None:
    """What ``readOnly`` says."""
    said = schema.get("readOnly")
    return not said if isinstance(said, bool) else None


def without_secret(url: str) -> str:
    """A URL without the password in it.

    >>> without_secret("opc.tcp://user:pass@plc:4840/x")
    'opc.tcp://user@plc:4840/x'
    """
    return _LOGIN.sub(r"\1@", url) if "@" in url else url


def absolute(base: str, href: str) -> str:
    """``href`` seen from ``base``, for schemes that the standard library does not know as well (RFC 3986, 5.2)."""
    if not base or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", href):
        return href
    parts = urlsplit(base)
    root = f"{parts.scheme}://{parts.netloc}"
    if href.startswith("/"):
        return root + href
    folder = parts.path.rpartition("/")[0]
    return f"{root}{folder}/{href}"
