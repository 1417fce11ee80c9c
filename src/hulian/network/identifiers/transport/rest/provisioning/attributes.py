"""Records as the interfaces of the national system see them: attributes from index 2000 on, their template at 1001."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.schemes.handle import Handle
from hulian.network.identifiers.wire.values import Value

__all__ = [
    "FIRST",
    "LONGEST_HANDLE",
    "MOST",
    "TEMPLATE",
    "UnfitError",
    "attribute",
    "attributes_of",
    "named",
    "template",
    "template_of",
]

TEMPLATE: Final = 1001
"""The index that is reserved for the template, or its version, by which a record was made."""

FIRST: Final = 2000
"""The index of the first attribute."""

MOST: Final = 1_000
"""Attributes of one record."""

LONGEST_HANDLE: Final = 255
_LONGEST_TYPE: Final = 128
_LONGEST_TEXT: Final = 65_536
_LARGEST_INDEX: Final = 0x7FFFFFFF
_TEMPLATE_TYPE: Final = "TEMPLATE"
_RESERVED: Final = "HS_"


class UnfitError(ValueError):
    """Why something is no attribute, or no handle, in words for the asker."""


def named(handle: str) -> str:
    """``handle``, where it is one that these interfaces take. Raises `UnfitError`."""
    if not 0 < len(handle) <= LONGEST_HANDLE:
        raise UnfitError(f"a handle has 1 to {LONGEST_HANDLE} characters")
    if handle.upper().startswith("0."):
        raise UnfitError("records of prefixes are not changed by this interface")
    prefix, slash, suffix = handle.partition("/")
    if not (prefix and slash and suffix):
        raise UnfitError("a handle is a prefix, a slash and a suffix")
    try:
        Handle.of(prefix, suffix)
    except SchemeError as error:
        raise UnfitError(error.message) from None
    return handle


def attribute(index: int, kind: str, text: str) -> Value:
    """One attribute. Raises `UnfitError`."""
    if not FIRST <= index <= _LARGEST_INDEX:
        why = "is reserved" if index == TEMPLATE else f"is not {FIRST} or more"
        raise UnfitError(f"the index {index} {why}")
    if not 0 < len(kind) <= _LONGEST_TYPE or kind.upper().startswith(_RESERVED) or not kind.isprintable():
        raise UnfitError(f"a type has 1 to {_LONGEST_TYPE} characters, and does not begin with {_RESERVED}")
    if len(text) > _LONGEST_TEXT:
        raise UnfitError(f"a value of more than {_LONGEST_TEXT} characters")
    return Value(index=index, type=kind, data=text.encode(), timestamp=int(time.time()))


def template(text: str) -> Value:
    """The template by which a record is made. Raises `UnfitError`."""
    if not 0 < len(text) <= LONGEST_HANDLE or not text.isprintable():
        raise UnfitError("the template has no name, or one that is too long")
    return Value(index=TEMPLATE, type=_TEMPLATE_TYPE, data=text.encode(), timestamp=int(time.time()))


def attributes_of(values: Iterable[Value]) -> list[tuple[Value, str]]:
    """The values that are attributes, with their text; what is no text is left to the protocol itself."""
    found = []
    for value in values:
        if value.index < FIRST or value.type.upper().startswith(_RESERVED):
            continue
        try:
            found.append((value, value.data.decode()))
        except UnicodeDecodeError:
            continue
    return found


def template_of(values: Iterable[Value]) -> str:
    """The template of a record; empty where it has none."""
    found = next((value for value in values if value.index == TEMPLATE), None)
    return "" if found is None else found.data.decode("utf-8", "replace")
