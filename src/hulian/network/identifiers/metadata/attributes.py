"""Whether the data of a value are what its attribute promises."""

from __future__ import annotations

import math
import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.metadata.template import Attribute, AttributeType
from hulian.network.identifiers.store.moments import moment
from hulian.network.identifiers.wire.limits import MAX_HANDLE

__all__ = ["is_handle", "problem"]

LONGEST: Final = 65_536
"""Bytes of one attribute."""

_NUMBER: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?")
_INTEGER: Final = re.compile(r"-?\d{1,18}")
_HANDLE: Final = re.compile(r"[^/\x00-\x20]+/[^\x00-\x1f]+")


def problem(attribute: Attribute, data: bytes) -> tuple[str, str] | None:
    """The rule that ``data`` break, and how; None where they break none.

    >>> attribute = Attribute(name="mass", type=AttributeType.NUMBER, index=2000, low=0)
    >>> problem(attribute, b"2.5"), problem(attribute, b"-1"), problem(attribute, b"heavy")
    (None, ('low', '-1 is below 0.0'), ('type', "'heavy' is no number"))
    """
    if len(data) > LONGEST:
        return "longest", f"{len(data)} bytes, where {LONGEST} are allowed"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "type", "the data are no UTF-8"
    if not _READS[attribute.type](text):
        return "type", f"{text[:60]!r} is no {_WORDS[attribute.type]}"
    if attribute.type in (AttributeType.NUMBER, AttributeType.INTEGER):
        number = float(text)
        if attribute.low is not None and number < attribute.low:
            return "low", f"{text[:60]} is below {attribute.low}"
        if attribute.high is not None and number > attribute.high:
            return "high", f"{text[:60]} is above {attribute.high}"
    if attribute.longest is not None and len(text) > attribute.longest:
        return "longest", f"{len(text)} characters, where {attribute.longest} are allowed"
    if attribute.choices and text not in attribute.choices:
        return "choices", f"{text[:60]!r} is none of {', '.join(attribute.choices[:8])}"
    return None


def is_handle(text: str) -> bool:
    """Whether ``text`` names a record: a prefix, a slash and a suffix.

    >>> is_handle("88.111.1/ITEM7"), is_handle("88.111.1"), is_handle("/x")
    (True, False, False)
    """
    return _HANDLE.fullmatch(text) is not None and len(text.encode()) <= MAX_HANDLE - 32


def _number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))


def _url(text: str) -> bool:
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return bool(found.scheme and found.hostname) and text.isprintable() and " " not in text


def _json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=Any)
    except UNREADABLE:
        return False
    return True


_READS: Final = {
    AttributeType.TEXT: lambda text: True,
    AttributeType.NUMBER: _number,
    AttributeType.INTEGER: lambda text: _INTEGER.fullmatch(text) is not None,
    AttributeType.BOOLEAN: lambda text: text in ("true", "false"),
    AttributeType.TIME: lambda text: moment(text) is not None,
    AttributeType.URL: _url,
    AttributeType.REFERENCE: is_handle,
    AttributeType.JSON: _json,
}
_WORDS: Final = {
    AttributeType.TEXT: "text",
    AttributeType.NUMBER: "number",
    AttributeType.INTEGER: "whole number of up to 18 digits",
    AttributeType.BOOLEAN: "boolean: true or false",
    AttributeType.TIME: "time: RFC 3339 with its offset, such as 2026-03-01T08:00:00+08:00",
    AttributeType.URL: "address: scheme and host",
    AttributeType.REFERENCE: "handle: prefix/suffix",
    AttributeType.JSON: "JSON",
}
