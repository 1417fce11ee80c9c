"""Addresses of what is pushed: text in, parts out; no I/O."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec

from hulian.network.exchange.protocols.http.errors import AddressError

__all__ = ["Place", "escape", "line_name", "parse_address", "series_key"]

_PARTS = {"line": 2, "json": 2, "arrow": 2, "event": 3}


class Place(msgspec.Struct, frozen=True):
    """A point of one ``kind`` (line, json, arrow, event): ``group`` is the key of the line, the stream, or source and type of
    the event; ``name`` the field, path or column."""

    kind: str
    group: tuple[str, ...]
    name: str


def escape(part: str) -> str:
    """A part of an address, in which ``%3A`` stands for a colon and ``%25`` for a percent sign."""
    return part.replace("%", "%25").replace(":", "%3A")


def parse_address(text: str) -> Place:
    """Raises `AddressError`.

    >>> parse_address("line:cpu,host=a:usage").group, parse_address("event:urn%3Am1:reading:temp").name
    (('cpu,host=a',), 'temp')
    """
    kind, _, rest = text.partition(":")
    parts = rest.split(":")
    if kind not in _PARTS or len(parts) != _PARTS[kind] or not parts[-1]:
        raise AddressError("not the address of something that is pushed", place=text)
    plain = [unquote(part) for part in parts]
    if kind == "line":
        return Place(kind, (series_key(plain[0]),), plain[1])
    return Place(kind, tuple(plain[:-1]), plain[-1])


def series_key(text: str) -> str:
    """Measurement and tags as the line protocol writes them, with the tags in order.

    >>> series_key("cpu,b=2,a=1")
    'cpu,a=1,b=2'
    """
    if "," not in text:
        return text
    parts = _split(text)
    return ",".join([parts[0], *sorted(parts[1:])])


def _split(text: str) -> list[str]:
    """At commas that no backslash stands before."""
    if "\\" not in text:
        return text.split(",")
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == ",":
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def line_name(key: str, field: str) -> str:
    """The address of a field."""
    return f"line:{escape(key)}:{escape(field)}"
